"""SQL: devices, scans, who was let in. Every statement takes a whole batch."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session as Transaction

from marketplace_conference import models
from marketplace_conference.door.domain import Device, Finding, Seen, Verdict
from marketplace_conference.door.tables import admission, device, scan
from marketplace_conference.tickets.locators import read_locator
from marketplace_conference.tickets.tables import ticket


def device_of(session: Transaction, fingerprint: bytes) -> Device | None:
    """The device with this key, where it was not withdrawn."""
    event = models.event
    rows = session.execute(
        sa.select(device.c.id, device.c.event_id, device.c.name, event.c.time_zone)
        .join(event, event.c.id == device.c.event_id)
        .where(device.c.fingerprint == fingerprint, device.c.revoked_at.is_(None))
    )
    row = rows.mappings().one_or_none()
    return None if row is None else Device(**row)


def devices_of(session: Transaction, event_id: UUID) -> Sequence[sa.RowMapping]:
    """Devices of an event, newest first, with when they were last heard of."""
    last = (
        sa.select(sa.func.max(scan.c.received_at))
        .where(scan.c.device_id == device.c.id)
        .scalar_subquery()
    )
    return (
        session.execute(
            sa.select(
                device.c.id,
                device.c.name,
                device.c.made_at,
                device.c.revoked_at,
                last.label("last_scan_at"),
            )
            .where(device.c.event_id == event_id)
            .order_by(device.c.made_at.desc(), device.c.id)
        )
        .mappings()
        .all()
    )


def revoke(session: Transaction, event_id: UUID, device_id: UUID, now: datetime) -> bool:
    """Let a device admit nobody any more; False where the event has no such device in use."""
    done = session.execute(
        sa.update(device)
        .where(
            device.c.id == device_id,
            device.c.event_id == event_id,
            device.c.revoked_at.is_(None),
        )
        .values(revoked_at=now)
        .returning(device.c.id)
    )
    return done.one_or_none() is not None


def renew(session: Transaction, event_id: UUID, device_id: UUID, fingerprint: bytes) -> str | None:
    """Give a device another key; its name, None where the event has no such device in use."""
    name: str | None = session.scalar(
        sa.update(device)
        .where(
            device.c.id == device_id,
            device.c.event_id == event_id,
            device.c.revoked_at.is_(None),
        )
        .values(fingerprint=fingerprint)
        .returning(device.c.name)
    )
    return name


def add_scans(
    session: Transaction,
    of: Device,
    judged: Sequence[tuple[Seen, Verdict, bool]],
    session_id: UUID | None,
    now: datetime,
) -> None:
    """Write down scans that were not written down before; the flag: its ticket is known."""
    rows = [
        {
            "device_id": of.id,
            "nonce": seen.nonce,
            "ticket_id": seen.number if known else None,
            "session_id": session_id,
            "finding": verdict.finding.value,
            "overrode": verdict.overrode and verdict.overrode.value,
            "scanned_at": seen.scanned_at,
            "received_at": now,
        }
        # In one order everywhere, so that two uploads of the same scans never wait in a ring.
        for seen, verdict, known in sorted(judged, key=lambda each: each[0].nonce)
    ]
    session.execute(insert(scan).values(rows).on_conflict_do_nothing())


# The earliest good scan of each ticket becomes its admission, unless an earlier one is. Tickets are
# taken in the order of their ids, so that two doors never wait for each other in a ring.
ADMIT = sa.text("""
insert into conference_admission as a (ticket_id, session_id, scan_id, scanned_at)
select distinct on (s.ticket_id) s.ticket_id, t.session_id, s.id, s.scanned_at
from conference_scan s join conference_ticket t on t.id = s.ticket_id
where s.device_id = :device and s.nonce = any(:nonces) and s.finding = 'good'
order by s.ticket_id, s.scanned_at, s.id
on conflict (ticket_id) do update
    set scan_id = excluded.scan_id, scanned_at = excluded.scanned_at
    where (excluded.scanned_at, excluded.scan_id) < (a.scanned_at, a.scan_id)
""").bindparams(sa.bindparam("nonces", type_=sa.ARRAY(sa.Uuid)))


def admit(session: Transaction, of: Device, nonces: Sequence[UUID]) -> None:
    """Let in whom these scans let in."""
    session.execute(ADMIT, {"device": of.id, "nonces": list(nonces)})


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """A scan as it stands in the books, with the one that counts for its ticket."""

    nonce: UUID
    finding: Finding
    overrode: Finding | None
    ticket_id: int | None
    is_first: bool
    admitted_at: datetime | None
    admitted_by: str | None


def written(session: Transaction, of: Device, nonces: Sequence[UUID]) -> dict[UUID, Written]:
    """Scans of a device by nonce."""
    winner, other = scan.alias("winner"), device.alias("other")
    rows = session.execute(
        sa.select(
            scan.c.nonce,
            scan.c.finding,
            scan.c.overrode,
            scan.c.ticket_id,
            sa.func.coalesce(admission.c.scan_id == scan.c.id, sa.false()).label("is_first"),
            admission.c.scanned_at.label("admitted_at"),
            other.c.name.label("admitted_by"),
        )
        .outerjoin(admission, admission.c.ticket_id == scan.c.ticket_id)
        .outerjoin(winner, winner.c.id == admission.c.scan_id)
        .outerjoin(other, other.c.id == winner.c.device_id)
        .where(scan.c.device_id == of.id, scan.c.nonce.in_(nonces))
    )
    return {
        row["nonce"]: Written(
            **{
                **row,
                "finding": Finding(row["finding"]),
                "overrode": row["overrode"] and Finding(row["overrode"]),
            }
        )
        for row in rows.mappings()
    }


def listed(session: Transaction, event_id: UUID) -> Sequence[sa.RowMapping]:
    """Every ticket of an event as a door keeps it."""
    return session.execute(_listed(event_id).order_by(ticket.c.id)).mappings().all()


def found(session: Transaction, event_id: UUID, words: str, limit: int) -> Sequence[sa.RowMapping]:
    """Tickets with this locator, or whose attendee's name holds each of the words."""
    name = models.place.c.attendee_name
    locator = read_locator(words)
    # Of no words nothing is asked: then nobody is found.
    holds = [name.icontains(each, autoescape=True) for each in words.split()] or [sa.false()]
    wanted = sa.and_(*holds) if locator is None else ticket.c.locator == locator
    query = _listed(event_id).where(wanted).order_by(name, ticket.c.id).limit(limit)
    return session.execute(query).mappings().all()


def _listed(event_id: UUID) -> sa.Select[Any]:
    place, category, seat = models.place, models.category, models.seat
    void = sa.or_(ticket.c.cancelled_at.is_not(None), place.c.cancelled_at.is_not(None))
    return (
        sa.select(
            ticket.c.id,
            ticket.c.session_id.label("session"),
            ticket.c.edition,
            ticket.c.tail,
            ticket.c.locator,
            place.c.attendee_name.label("name"),
            category.c.name.label("category"),
            seat.c.label.label("seat"),
            void.label("void"),
            admission.c.scanned_at.label("admitted_at"),
        )
        .join(place, place.c.id == ticket.c.id)
        .join(category, category.c.id == place.c.category_id)
        .outerjoin(seat, seat.c.id == place.c.seat_id)
        .outerjoin(admission, admission.c.ticket_id == ticket.c.id)
        .where(ticket.c.event_id == event_id)
    )


COUNT = sa.text("""
select s.id as session, s.name,
    (select count(*) from conference_ticket t join conference_place p on p.id = t.id
     where t.session_id = s.id and t.cancelled_at is null and p.cancelled_at is null) as sold,
    (select count(*) from conference_admission a where a.session_id = s.id) as admitted,
    (select count(*) from conference_admission a
     join conference_scan d on d.ticket_id = a.ticket_id and d.id <> a.scan_id
     where a.session_id = s.id and d.finding = 'good') as doubles
from conference_session s where s.event_id = :event
order by s.starts_at, s.name
""")


def counts(session: Transaction, event_id: UUID) -> Sequence[sa.RowMapping]:
    """How many were sold, came, and were scanned again, by session."""
    return session.execute(COUNT, {"event": event_id}).mappings().all()


def doubles(session: Transaction, event_id: UUID, limit: int) -> Sequence[sa.RowMapping]:
    """Good scans of tickets that another scan had let in, latest first."""
    return _good_scans(session, event_id, scan.c.id != admission.c.scan_id, limit)


def let_in_anyway(session: Transaction, event_id: UUID, limit: int) -> Sequence[sa.RowMapping]:
    """Good scans that were made good by somebody at the door, latest first."""
    return _good_scans(session, event_id, scan.c.overrode.is_not(None), limit)


def _good_scans(
    session: Transaction, event_id: UUID, which: sa.ColumnElement[bool], limit: int
) -> Sequence[sa.RowMapping]:
    place = models.place
    return (
        session.execute(
            sa.select(
                place.c.attendee_name.label("name"),
                ticket.c.locator,
                scan.c.scanned_at,
                scan.c.overrode,
                device.c.name.label("device"),
                admission.c.scanned_at.label("admitted_at"),
            )
            .join(admission, admission.c.ticket_id == scan.c.ticket_id)
            .join(ticket, ticket.c.id == scan.c.ticket_id)
            .join(place, place.c.id == ticket.c.id)
            .join(device, device.c.id == scan.c.device_id)
            .where(ticket.c.event_id == event_id, scan.c.finding == Finding.GOOD.value, which)
            .order_by(scan.c.scanned_at.desc())
            .limit(limit)
        )
        .mappings()
        .all()
    )
