"""What the vouchers register."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from marketplace.api import (
    Command,
    Host,
    Pages,
    PeriodicTask,
    PluginTables,
    RefundFact,
    RewardKind,
    Routes,
    Supplier,
    hookimpl,
)
from marketplace_vouchers import batches, cancelling, guard
from marketplace_vouchers.commands import make_commands
from marketplace_vouchers.models import metadata
from marketplace_vouchers.pages import make_pages
from marketplace_vouchers.routes import make_till_routes
from marketplace_vouchers.series_routes import make_series_routes
from marketplace_vouchers.supplier import Vouchers

BATCHES_EVERY_S = 10
FORGET_EVERY_S = 3_600

api_version = "1.0"
"""The version of the plugin API that this was written for."""


@hookimpl
def marketplace_register_suppliers(host: Host) -> Sequence[Supplier]:
    """The supplier of vouchers."""
    return [Vouchers(host)]


@hookimpl
def marketplace_register_reward_kinds() -> Sequence[RewardKind]:
    """Vouchers that partners accept."""
    return [
        RewardKind(
            slug="voucher",
            name="Voucher",
            description="Vouchers that partners of the coalition accept.",
        )
    ]


@hookimpl
def marketplace_register_routes(host: Host) -> Routes:
    """Tills, series and batches."""
    return [*make_till_routes(host), *make_series_routes(host)]


@hookimpl
def marketplace_register_pages(host: Host) -> Pages:
    """The till in the browser."""
    return make_pages(host)


@hookimpl
def marketplace_register_commands(host: Host) -> Sequence[Command]:
    """Series, batches and lock-outs on the command line."""
    return make_commands(host)


@hookimpl
def marketplace_register_tasks(host: Host) -> Sequence[PeriodicTask]:
    """Goes on with batches; forgets wrong codes of long ago."""
    return [
        PeriodicTask(
            name="make-batches", every_s=BATCHES_EVERY_S, run=partial(batches.make_some, host)
        ),
        PeriodicTask(
            name="forget-strikes", every_s=FORGET_EVERY_S, run=partial(guard.forget, host)
        ),
    ]


@hookimpl
def marketplace_register_tables() -> PluginTables:
    """Series, vouchers, locks, redemptions, what is remembered of requests and wrong codes."""
    return PluginTables(metadata=metadata, migrations=Path(__file__).parent / "migrations")


@hookimpl
def marketplace_after_burn_refunded(fact: RefundFact, host: Host) -> None:
    """Vouchers of a burn that was given back whole are cancelled."""
    cancelling.cancel_refunded(host, fact)
