"""Everything that finance sees, as it is registered."""

from __future__ import annotations

from pathlib import Path

from marketplace import api
from settlement.pages import (
    accounts,
    bank,
    between,
    breaks,
    daily,
    disputes,
    exports,
    liability,
    reconcile,
    settlements,
    statements,
    windows,
)
from settlement.pages.frame import NAV
from settlement.pages.home import show_home

FOLDER = Path(__file__).parent.parent
PAGES = api.Pages(
    routes=[
        show_home,
        *windows.ROUTES,
        *between.ROUTES,
        *settlements.ROUTES,
        *exports.ROUTES,
        *bank.ROUTES,
        *statements.ROUTES,
        *reconcile.ROUTES,
        *breaks.ROUTES,
        *accounts.ROUTES,
        *daily.ROUTES,
        *disputes.ROUTES,
        *liability.ROUTES,
    ],
    nav=NAV,
    templates=FOLDER / "templates",
    translations=FOLDER / "locale",
)
