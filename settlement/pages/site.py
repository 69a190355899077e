"""Everything that finance and members see, as it is registered."""

from __future__ import annotations

from pathlib import Path

from marketplace import api
from settlement.console import accounts as own_accounts
from settlement.console import disputes as own_disputes
from settlement.console import overview as own_overview
from settlement.console import statements as own_statements
from settlement.console import windows as own_windows
from settlement.console.frame import NAV as CONSOLE_NAV
from settlement.pages import (
    accounts,
    bank,
    between,
    breaks,
    daily,
    disputes,
    exports,
    failed,
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
        *failed.ROUTES,
        *exports.ROUTES,
        *bank.ROUTES,
        *statements.ROUTES,
        *reconcile.ROUTES,
        *breaks.ROUTES,
        *accounts.ROUTES,
        *daily.ROUTES,
        *disputes.ROUTES,
        *liability.ROUTES,
        *own_overview.ROUTES,
        *own_windows.ROUTES,
        *own_statements.ROUTES,
        *own_disputes.ROUTES,
        *own_accounts.ROUTES,
    ],
    nav=(*NAV, *CONSOLE_NAV),
    templates=FOLDER / "templates",
    translations=FOLDER / "locale",
)
