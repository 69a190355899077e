"""Checks people in: what a door scanned, once each, however often and from wherever it is sent."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from msgspec.structs import replace
from sqlalchemy.orm import Session as Transaction

from marketplace.api import Host
from marketplace_conference import selling
from marketplace_conference.door import repository
from marketplace_conference.door.domain import (
    Device,
    Finding,
    Result,
    Seen,
    believed,
    judge,
    when_scanned,
)
from marketplace_conference.door.errors import DoorKeyRefused, NonceReused
from marketplace_conference.door.repository import Written
from marketplace_conference.door.schemas import NewScan, NewScans, ScanView, ScanViews
from marketplace_conference.places import Session
from marketplace_conference.tickets import keys
from marketplace_conference.tickets import repository as tickets
from marketplace_conference.tickets.domain import Ticket

JUST_NOW: Final = timedelta(minutes=1)


def authenticate(host: Host, session: Transaction, key: str) -> Device:
    """The device with this key; DoorKeyRefused."""
    found = repository.device_of(session, host.fingerprint(f"door:{key}"))
    if found is None:
        raise DoorKeyRefused
    return found


def check_in(host: Host, key: str, sent: NewScans) -> ScanViews:
    """Write down scans and say what became of each, in their order.

    The same statements for one scan and for five hundred. Raises DoorKeyRefused, NonceReused.
    """
    with host.transaction() as session:
        door = authenticate(host, session, key)
        now = host.now(session)
        public = keys.public_keys(session, door.event_id)
        seen = [_seen(each, door, public, now) for each in sent.scans]
        numbers = {each.number for each in seen if each.number is not None}
        known = _known(host, session, door.event_id, numbers, now)
        parts = {each.id: each for each in tickets.sessions_of(session, door.event_id)}
        judged = [
            (each, judge(each, *_meant(each, known, parts), sent.session), each.number in known)
            for each in seen
        ]
        nonces = [each.nonce for each in seen]
        repository.add_scans(session, door, judged, sent.session, now)
        repository.admit(session, door, nonces)
        books = repository.written(session, door, nonces)
        views = []
        for each in seen:
            ticket, part = _meant(each, known, parts)
            views.append(_view(each, books[each.nonce], ticket, part, door.time_zone))
        return ScanViews(scans=views)


def _known(
    host: Host, session: Transaction, event_id: UUID, numbers: Collection[int], now: datetime
) -> dict[int, Ticket]:
    """Tickets of the event, by id; void where the points are back and nobody told us.

    Since when, nobody says: what was scanned just now is void, what a door without a network
    scanned before stays good.
    """
    known = tickets.of_event(session, event_id, sorted(numbers))
    standing = {each.order_reference for each in known if each.cancelled_at is None}
    back = selling.given_back(host, session, standing)
    since = now - JUST_NOW
    return {
        each.id: replace(each, cancelled_at=since)
        if each.cancelled_at is None and each.order_reference in back
        else each
        for each in known
    }


def _seen(sent: NewScan, door: Device, public: Mapping[int, bytes], now: datetime) -> Seen:
    stub = None if sent.code is None else believed(sent.code, door.event_id, public)
    return Seen(
        nonce=sent.nonce,
        stub=stub,
        ticket_id=sent.ticket if sent.code is None else None,
        scanned_at=when_scanned(now, sent.age_ms),
        anyway=sent.anyway,
    )


def _meant(
    seen: Seen, known: Mapping[int, Ticket], parts: Mapping[UUID, Session]
) -> tuple[Ticket | None, Session | None]:
    """The ticket of a scan and its session; None where there is no such ticket."""
    ticket = known.get(seen.number or 0)
    return ticket, parts[ticket.session_id] if ticket is not None else None


def _view(
    seen: Seen, book: Written, ticket: Ticket | None, part: Session | None, time_zone: str
) -> ScanView:
    # A number that no ticket has was written down without one.
    if (ticket.id if ticket is not None else None) != book.ticket_id:
        raise NonceReused(f"{seen.nonce} was sent before, for another ticket.")
    if book.finding is Finding.GOOD:
        result = Result.ADMITTED if book.is_first else Result.DOUBLE
    else:
        result = Result(book.finding.value)
    view = ScanView(
        nonce=seen.nonce,
        result=result,
        ticket=book.ticket_id,
        admitted_at=book.admitted_at,
        admitted_by=book.admitted_by,
        overrode=book.overrode,
    )
    if ticket is None or part is None:
        return view
    zone = ZoneInfo(time_zone)
    return replace(
        view,
        name=ticket.attendee_name,
        category=ticket.category,
        seat=ticket.seat_label,
        session=ticket.session_id,
        opens_at=part.opens_at.astimezone(zone),
        closes_at=part.ends_at.astimezone(zone),
    )
