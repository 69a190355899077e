"""What the plugin registers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from marketplace.api import (
    BurnFact,
    Check,
    Command,
    Host,
    Pages,
    PeriodicTask,
    PluginSettings,
    PluginTables,
    RefundFact,
    Routes,
    Supplier,
    hookimpl,
)
from marketplace_pretix import cancelling, giving_back, letting_go, stock, sweeping
from marketplace_pretix.checks import CHECKS
from marketplace_pretix.commands import make_commands
from marketplace_pretix.models import metadata
from marketplace_pretix.pages import make_pages
from marketplace_pretix.routes import make_routes
from marketplace_pretix.settings import PretixSettings
from marketplace_pretix.supplier import PretixSupplier

STOCK_EVERY_S = 30
CANCEL_EVERY_S = 15
LET_GO_EVERY_S = 5
SWEEP_EVERY_S = 15
GIVE_BACK_EVERY_S = 60

api_version = "1.3"
"""The version of the plugin API that this was written for."""


@hookimpl
def marketplace_register_settings() -> PluginSettings:
    """Address and token of each member's pretix."""
    return PluginSettings(member=PretixSettings)


@hookimpl
def marketplace_register_suppliers(host: Host) -> Sequence[Supplier]:
    """The supplier that orders at partners' servers."""
    return [PretixSupplier(host)]


@hookimpl
def marketplace_register_tables() -> PluginTables:
    """Orders sent, servers looked through, prices and products seen, who comes."""
    return PluginTables(metadata=metadata, migrations=Path(__file__).parent / "migrations")


@hookimpl
def marketplace_register_routes(host: Host) -> Routes:
    """Where pretix tells of changes."""
    return make_routes(host)


@hookimpl
def marketplace_register_pages(host: Host) -> Pages:
    """Who comes, asked before the burn; the partner's part of the console; our words."""
    return make_pages(host)


@hookimpl
def marketplace_register_commands(host: Host) -> Sequence[Command]:
    """Products, cancellations and tickets on the command line."""
    return make_commands(host)


@hookimpl
def marketplace_register_tasks(host: Host) -> Sequence[PeriodicTask]:
    """Stock follows quotas; cancellations go there, and come from there."""
    return [
        PeriodicTask(name="stock", every_s=STOCK_EVERY_S, run=partial(stock.keep, host)),
        PeriodicTask(name="cancel", every_s=CANCEL_EVERY_S, run=partial(cancelling.run, host)),
        PeriodicTask(name="let_go", every_s=LET_GO_EVERY_S, run=partial(letting_go.run, host)),
        PeriodicTask(name="sweep", every_s=SWEEP_EVERY_S, run=partial(sweeping.run, host)),
        PeriodicTask(
            name="give_back", every_s=GIVE_BACK_EVERY_S, run=partial(giving_back.run, host)
        ),
    ]


@hookimpl
def marketplace_register_checks() -> Sequence[Check]:
    """What an organizer cancelled is given back in time."""
    return CHECKS


@hookimpl
def marketplace_after_burn_refunded(fact: RefundFact, host: Host) -> None:
    """The order of a burn that was given back whole is cancelled at pretix."""
    cancelling.ask_refunded(host, fact)


@hookimpl
def marketplace_after_burn_voided(fact: BurnFact, host: Host) -> None:
    """Should pretix have an order of a burn that was voided, it is cancelled."""
    if fact.plugin == host.slug:
        cancelling.ask_voided(host, fact)
