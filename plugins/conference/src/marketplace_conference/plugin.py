"""What the conference registers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from marketplace.api import PluginTables, RewardKind, hookimpl
from marketplace_conference.door.tables import admission

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
    return PluginTables(
        metadata=admission.metadata, migrations=Path(__file__).parent / "migrations"
    )
