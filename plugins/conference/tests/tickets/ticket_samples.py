"""Tickets out of nothing, for what needs no database."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from marketplace_conference.places import Event, Session
from marketplace_conference.tickets import codes
from marketplace_conference.tickets.domain import Sheet, Ticket
from msgspec.structs import replace

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
EVENT = Event(
    id=UUID(int=7),
    slug="autumn-days",
    name="Autumn Days of Logistics",
    names={},
    language="pl",
    venue="Stara Zajezdnia",
    address="ul. Wawrzyńca 12, Kraków",
    time_zone="Europe/Warsaw",
    starts_at=datetime(2026, 10, 24, 7, tzinfo=UTC),
    ends_at=datetime(2026, 10, 25, 17, tzinfo=UTC),
    organiser_member_id=UUID(int=1),
    status="published",
    doors_open_minutes=60,
)
SESSION = Session(
    id=UUID(int=9),
    event_id=EVENT.id,
    name="Night train, with supper",
    names={},
    # The clocks go back in this night.
    starts_at=datetime(2026, 10, 24, 20, tzinfo=UTC),
    ends_at=datetime(2026, 10, 25, 6, 30, tzinfo=UTC),
    opens_at=datetime(2026, 10, 24, 19, tzinfo=UTC),
    room="Hall B",
)
TICKET = Ticket(
    id=42,
    order_reference="0198c0de-0000-7000-8000-000000000001",
    position=1,
    event_id=EVENT.id,
    session_id=SESSION.id,
    category="STALLS",
    category_names={},
    seat_label="A-3-12",
    attendee_name="Łucja Żółkiewska",
    locator="7QK-M2X9",
    key=1,
    edition=1,
    revision=0,
    changed_at=datetime(2026, 9, 1, 8, tzinfo=UTC),
    cancelled_at=None,
)


def sheet(
    *, moves: int = 0, event: Event = EVENT, session: Session = SESSION, **more: Any
) -> Sheet:
    """A ticket with these differences."""
    ticket = replace(TICKET, **more)
    code = codes.sign(KEY, ticket.stub)
    return Sheet(ticket=ticket, event=event, session=session, code=code, moves=moves)
