"""The page of tickets says what each error means."""

from __future__ import annotations

import re
from pathlib import Path

from marketplace_conference.door import errors as door
from marketplace_conference.tickets import errors as tickets
from marketplace_conference.wallets import errors as wallets

from marketplace.api import MarketplaceError

PAGE = Path(__file__).parents[4] / "docs" / "concepts" / "tickets.md"


def test_every_error_has_its_line_with_its_status() -> None:
    lines = dict(re.findall(r"^\| `(conference_\w+)` \| (\d{3}) \|", PAGE.read_text(), re.M))
    ours = {
        each.code: str(each.status)
        for room in (door, tickets, wallets)
        for each in vars(room).values()
        if isinstance(each, type)
        and issubclass(each, MarketplaceError)
        and each.__module__ == room.__name__
    }
    assert lines == ours
