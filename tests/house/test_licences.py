"""Packages under a licence that asks something of who passes them on are known, and kept apart."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, metadata

from tests.conftest import ROOT

DECISION = ROOT / "docs" / "decisions" / "0028-lgpl-packages-as-they-are.md"
COPYLEFT = re.compile(r"GPL|General Public License")
EITHER = {"text-unidecode"}
"""Theirs to take under another licence than the GPL, which is how we take them."""
IMPORTED = re.compile(r"^\s*(?:from|import)\s+pycountry\b", re.MULTILINE)
PINNED = re.compile(r"^([A-Za-z0-9._-]+)==", re.MULTILINE)


def licence(package: str) -> str:
    """What an installed package says of its licence; empty for one of another platform."""
    try:
        found = metadata(package)
    except PackageNotFoundError:
        return ""
    classifiers = [each for each in found.get_all("Classifier") or [] if "License" in each]
    # Some write the whole text there.
    stated = (found.get("License") or "").strip().partition("\n")[0]
    return " ".join([found.get("License-Expression") or "", stated, *classifiers])


def test_each_copyleft_package_that_runs_is_decided_on() -> None:
    names = PINNED.findall((ROOT / "requirements" / "runtime.lock").read_text())
    found = {each for each in names if COPYLEFT.search(licence(each))} - EITHER
    assert found == {"pycountry", "python-stdnum"}
    decided = DECISION.read_text()
    for name in found:
        assert f"`{name}`" in decided
        assert "LGPL" in licence(name) or "Lesser" in licence(name), name


def test_pycountry_is_nowhere_imported() -> None:
    for folder in ("marketplace", "catalog", "charity", "settlement", "plugins"):
        for path in (ROOT / folder).rglob("*.py"):
            assert not IMPORTED.search(path.read_text()), path
