"""Joins the clearing house to the core through the same hooks a partner uses."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import settlement.bank.models
import settlement.clearing.models
import settlement.disputes.models
import settlement.history
import settlement.statements.models  # noqa: F401
from marketplace import api
from marketplace.host import PluginHost
from settlement.bank import commands as bank
from settlement.bank import routes as bank_routes
from settlement.bank.tasks import fetch_task, match_task
from settlement.base import SettlementBase
from settlement.clearing import commands as clearing
from settlement.clearing import routes as clearing_routes
from settlement.clearing.checks import CHECKS
from settlement.clearing.tasks import make_tasks as make_clearing_tasks
from settlement.commands import positions
from settlement.console import routes as own_routes
from settlement.disputes import checks as undone
from settlement.disputes import commands as disputes
from settlement.disputes import routes as dispute_routes
from settlement.disputes.notes import NOTES
from settlement.disputes.tasks import disputes_task
from settlement.journal.commands import journal
from settlement.pages.site import PAGES
from settlement.replay.commands import replay
from settlement.runoff import commands as runoff
from settlement.runoff import routes as runoff_routes
from settlement.statements import commands as statements
from settlement.statements import routes as statement_routes
from settlement.statements.payouts import SettlementPayouts
from settlement.statements.tracer import SettlementTracer
from settlement.windows import commands as windows
from settlement.windows import routes as window_routes
from settlement.windows.tasks import make_tasks as make_window_tasks


@api.hookimpl
def marketplace_register_tables() -> api.PluginTables:
    """Settlements, the clearing house's books, bank statements, disputes, signed statements."""
    return api.PluginTables(
        metadata=SettlementBase.metadata, migrations=Path(__file__).parent / "migrations"
    )


@api.hookimpl
def marketplace_register_commands() -> Sequence[api.Command]:
    """`marketplace ledger positions`, `marketplace settlement ...`, `marketplace statement ...`."""
    of_settlement = (
        windows.open_,
        windows.close,
        windows.status,
        *clearing.COMMANDS,
        bank.bank,
        bank.daily_command,
        disputes.dispute_group,
        replay,
        runoff.runoff,
        runoff.liability,
        statements.statement,
        statements.trace,
        journal,
    )
    return [
        api.Command(group="ledger", command=positions),
        *(api.Command(group="settlement", command=each) for each in of_settlement),
        api.Command(group="statement", command=statements.verify),
        api.Command(group="statement", command=statements.key),
    ]


@api.hookimpl
def marketplace_register_routes() -> api.Routes:
    """Everything under /v1/settlement."""
    return [
        *window_routes.ROUTES,
        *clearing_routes.ROUTES,
        *bank_routes.ROUTES,
        *dispute_routes.ROUTES,
        *runoff_routes.ROUTES,
        *statement_routes.ROUTES,
        *own_routes.ROUTES,
    ]


@api.hookimpl
def marketplace_register_tasks(host: api.Host) -> Sequence[api.PeriodicTask]:
    """Windows closed by the calendar, legs brought to their rails, caps watched, books proved,
    statements fetched, bank lines matched, disputes decided by default.
    """
    own = cast(PluginHost, host)
    return [
        *make_window_tasks(own),
        *make_clearing_tasks(own),
        fetch_task(own),
        match_task(own),
        disputes_task(own),
    ]


@api.hookimpl
def marketplace_register_checks() -> Sequence[api.Check]:
    """Invariants of settlements and of the clearing house's books."""
    return [*CHECKS, *undone.CHECKS]


@api.hookimpl
def marketplace_register_journal_notes() -> Sequence[api.JournalNotes]:
    """Which lines adjustments undo, in the exported journal."""
    return NOTES


@api.hookimpl
def marketplace_register_burn_tracers(host: api.Host) -> Sequence[api.BurnTracer]:
    """Windows, settlements and payments that the money of a burn went through."""
    return [SettlementTracer(cast(PluginHost, host))]


@api.hookimpl
def marketplace_register_payout_tracers(host: api.Host) -> Sequence[api.PayoutTracer]:
    """Payments to members that banks refused or sent back."""
    return [SettlementPayouts(cast(PluginHost, host))]


@api.hookimpl
def marketplace_register_pages(host: api.Host) -> api.Pages:
    """What finance sees under /settlement, and members of their own money in the console."""
    return PAGES
