"""What the conference registers."""

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
from marketplace_conference import events, reserving, selling, waiting
from marketplace_conference.commands import make_commands
from marketplace_conference.models import metadata
from marketplace_conference.pages import make_pages
from marketplace_conference.routes import make_routes
from marketplace_conference.supplier import BoxOffice

SWEEP_EVERY_S = 15
ALIGN_EVERY_S = 60

api_version = "1.2"
"""The version of the plugin API that this was written for."""


@hookimpl
def marketplace_register_suppliers(host: Host) -> Sequence[Supplier]:
    """The box office."""
    return [BoxOffice(host)]


@hookimpl
def marketplace_register_reward_kinds() -> Sequence[RewardKind]:
    """Seats at conferences, trainings and other events."""
    return [
        RewardKind(
            slug="seat",
            name="Seat",
            description="Seats at conferences, trainings and other events.",
        )
    ]


@hookimpl
def marketplace_register_tasks(host: Host) -> Sequence[PeriodicTask]:
    """Ends reservations, serves the waiting list, keeps the stock of offers as it should be."""
    return [
        PeriodicTask(name="sweep-reservations", every_s=SWEEP_EVERY_S, run=partial(_sweep, host)),
        PeriodicTask(
            name="align-stock", every_s=ALIGN_EVERY_S, run=partial(events.align_all, host)
        ),
    ]


def _sweep(host: Host) -> None:
    reserving.sweep(host)
    waiting.serve_all(host)


@hookimpl
def marketplace_register_routes(host: Host) -> Routes:
    """Events, reservations, the waiting list, and what organisers do."""
    return make_routes(host)


@hookimpl
def marketplace_register_pages(host: Host) -> Pages:
    """Events, the plan of seats, reservations, the waiting list."""
    return make_pages(host)


@hookimpl
def marketplace_register_commands(host: Host) -> Sequence[Command]:
    """Events, plans and allotments on the command line."""
    return make_commands(host)


@hookimpl
def marketplace_register_tables() -> PluginTables:
    """Events and what is sold of them, reservations, sold places, the waiting list."""
    return PluginTables(metadata=metadata, migrations=Path(__file__).parent / "migrations")


@hookimpl
def marketplace_after_burn_refunded(fact: RefundFact, host: Host) -> None:
    """Places of a burn that was given back whole are free again."""
    selling.release_refunded(host, fact)
