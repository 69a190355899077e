"""What the box office sells, as tickets and the door know it. Frozen: rows stay in their tables."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

import msgspec

from marketplace_conference.names import Names


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """What people come to, on one or several days."""

    id: UUID
    slug: str
    """In addresses: lower case, digits and dashes."""
    name: str
    names: Names
    """In other languages than its own; so have sessions and tickets their words."""
    language: str
    """Of the event itself: a code such as `pl`."""
    venue: str
    address: str
    time_zone: str
    """IANA: `Europe/Warsaw`. Times are stored in UTC and shown in it."""
    starts_at: datetime
    ends_at: datetime
    organiser_member_id: UUID
    """The member that is paid for its seats."""
    status: str
    """`draft`, `published` or `cancelled`."""
    doors_open_minutes: int
    """So long before each session its door opens."""


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A part of an event that seats are sold for: a day, a talk, a training."""

    id: UUID
    event_id: UUID
    name: str
    names: Names
    starts_at: datetime
    ends_at: datetime
    opens_at: datetime
    """When its door opens; the door closes as it ends."""
    room: str


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """One sold place. `order_reference` and `position` together name it for ever."""

    order_reference: str
    position: int
    """1 for the first of its order."""
    session_id: UUID
    category: str
    """Its code, which is the sku of the offer."""
    seat_label: str | None
    """Block, row and number, where seats are numbered."""
    attendee_name: str
    """Empty until somebody says who comes."""
    attendee_email: str
    answers: Mapping[str, str]
    """By the code of each question."""
