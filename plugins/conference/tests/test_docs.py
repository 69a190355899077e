"""The README says what each error means."""

from __future__ import annotations

import re
from pathlib import Path

from marketplace_conference import errors

from marketplace.api import MarketplaceError

README = Path(__file__).parents[1] / "README.md"


def test_every_error_has_its_line_with_its_status() -> None:
    lines = dict(re.findall(r"^\| `(conference_\w+)` \| (\d{3}) \|", README.read_text(), re.M))
    ours = {
        each.code: str(each.status)
        for each in vars(errors).values()
        if isinstance(each, type)
        and issubclass(each, MarketplaceError)
        and each.__module__ == errors.__name__
    }
    assert lines == ours
