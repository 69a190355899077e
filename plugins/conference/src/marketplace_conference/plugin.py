"""What the conference registers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from msgspec.structs import replace

from marketplace.api import (
    Command,
    Host,
    Pages,
    PeriodicTask,
    PluginSettings,
    PluginTables,
    RefundFact,
    RewardKind,
    Routes,
    Supplier,
    hookimpl,
)
from marketplace_conference import comparing, events, reserving, selling, waiting
from marketplace_conference.certificates import certifying
from marketplace_conference.certificates import pages as certificate_pages
from marketplace_conference.commands import make_commands
from marketplace_conference.door import pages as door_pages
from marketplace_conference.door import routes as door_routes
from marketplace_conference.organising import (
    category_pages,
    draft_pages,
    ending_pages,
    file_pages,
    listing_pages,
    moving_pages,
    policy_pages,
)
from marketplace_conference.organising import pages as own_pages
from marketplace_conference.organising import routes as own_routes
from marketplace_conference.pages import make_pages
from marketplace_conference.routes import make_routes
from marketplace_conference.settings import ConferenceSettings
from marketplace_conference.supplier import BoxOffice
from marketplace_conference.tickets import (
    cancelling,
    changing_pages,
    changing_routes,
    switching_pages,
    switching_routes,
)
from marketplace_conference.tickets import pages as ticket_pages
from marketplace_conference.tickets import routes as ticket_routes
from marketplace_conference.wallets import pages as wallet_pages
from marketplace_conference.wallets import routes as wallet_routes
from marketplace_conference.wallets import updating
from marketplace_conference.wallets.tables import copy

SWEEP_EVERY_S = 15
ALIGN_EVERY_S = 60
REFUND_EVERY_S = 30
CERTIFY_EVERY_S = 60
UPDATE_EVERY_S = 15

api_version = "1.3"
"""The version of the plugin API that this was written for."""


@hookimpl
def marketplace_register_settings() -> PluginSettings:
    """Keys for the wallets of phones; without them everything else works."""
    return PluginSettings(house=ConferenceSettings)


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
        PeriodicTask(name="certify", every_s=CERTIFY_EVERY_S, run=partial(_certify, host)),
        PeriodicTask(name="pay-refunds", every_s=REFUND_EVERY_S, run=partial(_pay, host)),
        PeriodicTask(name="update-passes", every_s=UPDATE_EVERY_S, run=partial(_update, host)),
    ]


def _certify(host: Host) -> None:
    certifying.certify_all(host)


def _pay(host: Host) -> None:
    comparing.run(host)
    cancelling.pay_all(host)


def _update(host: Host) -> None:
    updating.run(host)


def _sweep(host: Host) -> None:
    reserving.sweep(host)
    waiting.serve_all(host)


@hookimpl
def marketplace_register_routes(host: Host) -> Routes:
    """Events, reservations, the waiting list, what organisers do; tickets; doors."""
    return [
        *make_routes(host),
        *ticket_routes.make_routes(host),
        *changing_routes.make_routes(host),
        *switching_routes.make_routes(host),
        *certificate_pages.make_routes(host),
        *door_routes.make_routes(host),
        *wallet_routes.make_routes(host),
        *own_routes.make_routes(host),
    ]


@hookimpl
def marketplace_register_pages(host: Host) -> Pages:
    """Events, the plan of seats, reservations, the waiting list; tickets; doors; the console."""
    made = make_pages(host)
    more = [
        *ticket_pages.make_pages(host),
        *changing_pages.make_pages(host),
        *switching_pages.make_pages(host),
        *certificate_pages.make_pages(host),
        *wallet_pages.make_pages(host),
        *door_pages.make_pages(host),
        *own_pages.make_pages(host),
        *draft_pages.make_pages(host),
        *category_pages.make_pages(host),
        *file_pages.make_pages(host),
        *listing_pages.make_pages(host),
        *moving_pages.make_pages(host),
        *policy_pages.make_pages(host),
        *ending_pages.make_pages(host),
    ]
    nav = [*made.nav, own_pages.SECTION]
    return replace(made, routes=[*made.routes, *more], nav=nav, reward=ticket_pages.LINK)


@hookimpl
def marketplace_register_commands(host: Host) -> Sequence[Command]:
    """Events, plans and allotments on the command line."""
    return make_commands(host)


@hookimpl
def marketplace_register_tables() -> PluginTables:
    """Events and what is sold of them, reservations, sold places, waiting list; tickets; doors."""
    # Of one metadata; this module loads those of tickets, doors, certificates and the box office.
    return PluginTables(metadata=copy.metadata, migrations=Path(__file__).parent / "migrations")


@hookimpl
def marketplace_after_burn_refunded(fact: RefundFact, host: Host) -> None:
    """Places of a burn that was given back whole are free again."""
    selling.release_refunded(host, str(fact.burn_id))
