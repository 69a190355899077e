"""Joins the clearing house to the core through the same hooks a partner uses."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import settlement.clearing.models
import settlement.history
import settlement.statements.models  # noqa: F401
from marketplace import api
from marketplace.host import PluginHost
from settlement.base import SettlementBase
from settlement.commands import positions
from settlement.journal.commands import journal
from settlement.pages import PAGES
from settlement.statements import commands as statements
from settlement.statements.routes import ROUTES as STATEMENT_ROUTES
from settlement.windows import commands as window_commands
from settlement.windows import routes as window_routes
from settlement.windows.tasks import make_tasks as make_window_tasks


@api.hookimpl
def marketplace_register_tables() -> api.PluginTables:
    """Settlements, legs, the clearing house's own books, and the history of every status."""
    return api.PluginTables(
        metadata=SettlementBase.metadata, migrations=Path(__file__).parent / "migrations"
    )


@api.hookimpl
def marketplace_register_commands() -> Sequence[api.Command]:
    """`marketplace ledger positions`, `marketplace settlement ...`, `marketplace statement ...`."""
    return [
        api.Command(group="ledger", command=positions),
        api.Command(group="settlement", command=statements.statement),
        api.Command(group="settlement", command=statements.trace),
        api.Command(group="settlement", command=journal),
        api.Command(group="statement", command=statements.verify),
        api.Command(group="statement", command=statements.key),
        api.Command(group="settlement", command=window_commands.open_),
        api.Command(group="settlement", command=window_commands.close),
        api.Command(group="settlement", command=window_commands.status),
    ]


@api.hookimpl
def marketplace_register_routes() -> api.Routes:
    """Everything under /v1/settlement."""
    return [*window_routes.ROUTES, *STATEMENT_ROUTES]


@api.hookimpl
def marketplace_register_tasks(host: api.Host) -> Sequence[api.PeriodicTask]:
    """Windows closed by the calendar, and finished where that was interrupted."""
    return [*make_window_tasks(cast(PluginHost, host))]


@api.hookimpl
def marketplace_register_pages(host: api.Host) -> api.Pages:
    """Positions under /settlement."""
    return PAGES
