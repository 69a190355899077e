"""Every error a caller can meet has its section in docs/errors.md, and nothing else has one."""

from __future__ import annotations

import importlib
import pkgutil
import re

from marketplace.errors import all_errors
from tests.conftest import ROOT

PAGE = ROOT / "docs" / "errors.md"
ROOMS = ("marketplace", "catalog", "charity", "settlement")
NOT_MODULES = ("__main__", "marketplace.migrations")


def import_every_module() -> None:
    for room in ROOMS:
        package = importlib.import_module(room)
        for found in pkgutil.walk_packages(package.__path__, f"{room}."):
            if not any(part in found.name for part in NOT_MODULES):
                importlib.import_module(found.name)


def test_every_error_has_its_section_with_its_status() -> None:
    import_every_module()
    sections = dict(re.findall(r"^## (\w+)\n\n(\d{3})\.", PAGE.read_text(), re.MULTILINE))
    ours = [error for error in all_errors() if error.__module__.split(".")[0] in ROOMS]
    assert sections == {error.code: str(error.status) for error in ours}
    assert list(sections) == sorted(sections)
