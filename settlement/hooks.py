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
from settlement.commands import positions
from settlement.disputes.commands import dispute_group
from settlement.disputes.routes import ROUTES as DISPUTE_ROUTES
from settlement.disputes.tasks import disputes_task
from settlement.pages import PAGES
from settlement.replay.commands import replay
from settlement.runoff import commands as runoff_commands
from settlement.runoff.routes import ROUTES as RUNOFF_ROUTES


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
    ]


@api.hookimpl
def marketplace_register_routes() -> api.Routes:
    """Everything under /v1/settlement."""
    return [*DISPUTE_ROUTES, *RUNOFF_ROUTES]


@api.hookimpl
def marketplace_register_tasks(host: api.Host) -> Sequence[api.PeriodicTask]:
    """Disputes decided by default."""
    return [disputes_task(cast(PluginHost, host))]


@api.hookimpl
def marketplace_register_pages(host: api.Host) -> api.Pages:
    """Positions under /settlement."""
    return PAGES
