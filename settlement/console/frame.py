"""What the pages of the console share: where they are, who may enter, what leads to them."""

from __future__ import annotations

from typing import Final

from marketplace.api import NavEntry, Page, access
from marketplace.api import lazy as _l
from marketplace.web.console import CONSOLE_ROLES

HOME: Final = "/settlement/partner"
"""Where the pages are mounted; routes are given from `/partner` on."""
WINDOWS: Final = f"{HOME}/windows"
STATEMENTS: Final = f"{HOME}/statements"
DISPUTES: Final = f"{HOME}/disputes"
ACCOUNTS: Final = f"{HOME}/accounts"
CAP: Final = f"{HOME}/cap"
IN_CONSOLE: Final = access(roles=CONSOLE_ROLES, page=True)
NAV: Final = (
    NavEntry(
        key="console-settlement",
        label=_l("Settlement"),
        path=HOME,
        roles=CONSOLE_ROLES,
        order=45,
        symbol="wallet",
        console=True,
    ),
)
TABS: Final = (
    (_l("Overview"), HOME),
    (_l("Statements"), STATEMENTS),
    (_l("Disputes"), DISPUTES),
    (_l("Accounts"), ACCOUNTS),
    (_l("Cap"), CAP),
)


def tabs(page: Page, here: str) -> list[tuple[str, str, bool]]:
    """The pages side by side, of the member in question; `here` is the path of this one."""
    stay = page.console.path if page.console else str
    return [(page._(label), stay(path), path == here) for label, path in TABS]
