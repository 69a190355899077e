"""What the conference registers."""

from __future__ import annotations

from collections.abc import Sequence

from marketplace.api import RewardKind, hookimpl

api_version = "1.1"
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
