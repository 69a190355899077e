"""Lists over HTTP."""

from __future__ import annotations

from datetime import date
from uuid import UUID

import msgspec

from charity.proof import GiftView


class GiftPage(msgspec.Struct, frozen=True):
    """Gifts, newest first."""

    items: list[GiftView]


class ScheduleView(msgspec.Struct, frozen=True, kw_only=True):
    """A monthly gift."""

    id: UUID
    campaign: str
    wallet_id: UUID
    points: int
    day: int
    next_on: date
    anonymous: bool
    last_refusal: str
    """Code of why the last month's could not be given."""


class Schedules(msgspec.Struct, frozen=True):
    """Monthly gifts."""

    items: list[ScheduleView]
