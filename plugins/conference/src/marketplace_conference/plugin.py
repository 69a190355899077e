"""What the conference registers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from marketplace.api import Host, Pages, PluginTables, RewardKind, Routes, hookimpl
from marketplace_conference.door import pages as door_pages
from marketplace_conference.door import routes as door_routes
from marketplace_conference.door.tables import admission
from marketplace_conference.tickets import pages as ticket_pages
from marketplace_conference.tickets import routes as ticket_routes

HERE = Path(__file__).parent

api_version = "1.2"
"""The version of the plugin API that this was written for."""


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
def marketplace_register_tables() -> PluginTables:
    """Events and what is sold of them, reservations, sold places, the waiting list."""
    # Its module loads those of tickets and of the box office: all are on one metadata.
    return PluginTables(metadata=admission.metadata, migrations=HERE / "migrations")


@hookimpl
def marketplace_register_routes(host: Host) -> Routes:
    """Tickets for their holders, and doors."""
    return [*ticket_routes.make_routes(host), *door_routes.make_routes(host)]


@hookimpl
def marketplace_register_pages(host: Host) -> Pages:
    """Tickets for their holders, the door, and its devices for the organiser."""
    return Pages(
        routes=[*ticket_pages.make_pages(host), *door_pages.make_pages(host)],
        templates=HERE / "templates",
        translations=HERE / "locale",
    )
