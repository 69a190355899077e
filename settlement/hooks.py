"""Joins the clearing house to the core through the same hooks a partner uses."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import settlement.clearing.models
import settlement.disputes.models
import settlement.history  # noqa: F401
from marketplace import api
from marketplace.host import PluginHost
from settlement.base import SettlementBase
from settlement.clearing import commands as clearing_commands
from settlement.clearing import routes as clearing_routes
from settlement.clearing.tasks import make_tasks as make_clearing_tasks
from settlement.commands import positions
from settlement.disputes.commands import dispute_group
from settlement.disputes.routes import ROUTES as DISPUTE_ROUTES
from settlement.disputes.tasks import disputes_task
from settlement.pages import PAGES
from settlement.replay.commands import replay
from settlement.runoff import commands as runoff_commands
from settlement.runoff.routes import ROUTES as RUNOFF_ROUTES
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
    """`marketplace ledger positions` and `marketplace settlement ...`."""
    return [
        api.Command(group="ledger", command=positions),
        api.Command(group="settlement", command=dispute_group),
        api.Command(group="settlement", command=replay),
        api.Command(group="settlement", command=runoff_commands.runoff),
        api.Command(group="settlement", command=runoff_commands.liability),
        api.Command(group="settlement", command=window_commands.open_),
        api.Command(group="settlement", command=window_commands.close),
        api.Command(group="settlement", command=window_commands.status),
        *(api.Command(group="settlement", command=each) for each in clearing_commands.COMMANDS),
    ]


@api.hookimpl
def marketplace_register_routes() -> api.Routes:
    """Everything under /v1/settlement."""
    return [
        *window_routes.ROUTES,
        *clearing_routes.ROUTES,
        *DISPUTE_ROUTES,
        *RUNOFF_ROUTES,
    ]


@api.hookimpl
def marketplace_register_tasks(host: api.Host) -> Sequence[api.PeriodicTask]:
    """Windows closed by the calendar; legs brought to their rails, caps watched, books proved;
    disputes decided by default."""
    own = cast(PluginHost, host)
    return [*make_window_tasks(own), *make_clearing_tasks(own), disputes_task(own)]


@api.hookimpl
def marketplace_register_pages(host: api.Host) -> api.Pages:
    """Positions under /settlement."""
    return PAGES
