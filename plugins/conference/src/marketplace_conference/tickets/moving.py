"""Moves an event to another time or place: everybody who has a ticket is told, by and by.

Tickets stay good and show the new time at once, for they are made when they are asked for. Who was
sold a ticket before the move may give it back for all its points until a day that is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.orm import Session as Transaction

from marketplace.api import Host, InvalidRequest, NotFound
from marketplace_conference import models, telling
from marketplace_conference.errors import EventOff, EventSold
from marketplace_conference.places import Event
from marketplace_conference.schemas import Move, MoveProgress, NewEvent
from marketplace_conference.tickets import repository
from marketplace_conference.tickets.domain import Ticket
from marketplace_conference.tickets.tables import change, ticket

HAD_SINCE: Final = sa.func.coalesce(ticket.c.switched_at, ticket.c.issued_at)
"""When a ticket became one for the session that it is for."""


def move(host: Host, event: Event, asked: Move, *, actor: str) -> UUID:
    """It is so from now on; everybody is told by the background process (`cancelling.see_to`)."""
    with host.transaction() as session:
        of = models.event.c.id == event.id
        status = session.scalar(sa.select(models.event.c.status).where(of).with_for_update())
        if status == "cancelled":
            raise EventOff
        now = host.now(session)
        if asked.refund_until <= now:
            raise InvalidRequest("`refund_until` is past: nobody could give a ticket back.")
        touched = _change(session, event, asked)
        total = sa.select(sa.func.count()).where(ticket.c.event_id == event.id)
        made = uuid4()
        session.execute(
            sa.insert(change).values(
                id=made,
                event_id=event.id,
                kind="moved",
                reason=asked.reason,
                actor=actor,
                made_at=now,
                total=total.scalar_subquery(),
                sessions=[str(each) for each in touched],
                refund_until=asked.refund_until,
            )
        )
        host.audit(
            session, actor=actor, action="event.moved", subject=event.slug, reason=asked.reason
        )
    return made


def _change(session: Transaction, event: Event, asked: Move) -> list[UUID]:
    """Write the new times and the new place; returns the sessions that have another one now."""
    table = models.session
    rows = session.execute(sa.select(table).where(table.c.event_id == event.id)).all()
    by_code = {row.code: row for row in rows}
    spans = {row.id: (row.starts_at, row.ends_at) for row in rows}
    touched = []
    for each in asked.sessions:
        row = by_code.get(each.code)
        if row is None:
            raise InvalidRequest(f"There is no session {each.code!r}.")
        if each.ends_at <= each.starts_at:
            raise InvalidRequest(f"{each.code!r} ends before it starts.")
        room = row.room if each.room is None else each.room
        values = {"starts_at": each.starts_at, "ends_at": each.ends_at, "room": room}
        session.execute(sa.update(table).where(table.c.id == row.id).values(values))
        spans[row.id] = (each.starts_at, each.ends_at)
        touched.append(row.id)
    place = {"venue": asked.venue or event.venue, "address": asked.address or event.address}
    if place != {"venue": event.venue, "address": event.address}:
        touched = list(spans)
    if not touched:
        raise InvalidRequest("Nothing is moved: name a venue, an address or sessions.")
    whole = {"starts_at": event.starts_at, "ends_at": event.ends_at}
    if asked.sessions:
        whole = {
            "starts_at": min(starts_at for starts_at, _ in spans.values()),
            "ends_at": max(ends_at for _, ends_at in spans.values()),
        }
    session.execute(
        sa.update(models.event).where(models.event.c.id == event.id).values(**place, **whole)
    )
    return touched


def tell(host: Host, session: Transaction, row: Any, good: Sequence[Ticket]) -> None:
    """Tell who had these tickets before, and have calendars see that their entries are newer."""
    event = repository.events(session, [row.event_id])[row.event_id]
    touched = {UUID(each) for each in row.sessions}
    before = session.scalars(
        sa.update(ticket)
        .where(
            ticket.c.id.in_([each.id for each in good if each.session_id in touched]),
            row.made_at >= HAD_SINCE,
        )
        .values(changed_at=host.now(session))
        .returning(ticket.c.id)
    ).all()
    mine = [each for each in good if each.id in set(before)]
    if not mine or event.status == "cancelled":
        return
    telling.moved(
        host,
        session,
        event,
        repository.sessions(session, list(touched)),
        list(dict.fromkeys((each.order_reference, each.session_id) for each in mine)),
        occasion=f"moved-{row.id.hex}",
        reason=row.reason,
        until=row.refund_until,
    )


def all_back_until(session: Transaction, of: Ticket, now: datetime) -> datetime | None:
    """Until when all its points come back, for its session was moved after the ticket was sold;
    None where it was not, or the time to choose is over.
    """
    since = sa.select(HAD_SINCE).where(ticket.c.id == of.id)
    until: datetime | None = session.scalar(
        sa.select(sa.func.max(change.c.refund_until)).where(
            change.c.event_id == of.event_id,
            change.c.kind == "moved",
            change.c.refund_until > now,
            change.c.made_at >= since.scalar_subquery(),
            change.c.sessions.contains([str(of.session_id)]),
        )
    )
    return until


def progress(session: Transaction, event: Event) -> MoveProgress:
    """How far telling of the last move has come; NotFound where the event was not moved."""
    row = session.execute(
        sa.select(change)
        .where(change.c.event_id == event.id, change.c.kind == "moved")
        .order_by(change.c.made_at.desc())
        .limit(1)
    ).first()
    if row is None:
        raise NotFound("The event was not moved.")
    return MoveProgress(
        reason=row.reason,
        tickets=row.total,
        # Those that were sold meanwhile are looked at too, and have nothing to be told.
        seen_to=min(row.done, row.total),
        refund_until=row.refund_until,
    )


def refuse_silently(session: Transaction, new: NewEvent) -> None:
    """EventSold where an update would move what people have tickets for without telling them."""
    event, part = models.event, models.session
    sold = sa.exists().where(ticket.c.event_id == event.c.id, ticket.c.cancelled_at.is_(None))
    old = session.execute(sa.select(event).where(event.c.slug == new.slug, sold)).first()
    if old is None:
        return
    parts = {
        row.code: row for row in session.execute(sa.select(part).where(part.c.event_id == old.id))
    }
    places = (old.venue, old.address, old.time_zone) == (new.venue, new.address, new.time_zone)
    times = all(
        (parts[each.code].starts_at, parts[each.code].ends_at) == (each.starts_at, each.ends_at)
        for each in new.sessions
        if each.code in parts
    )
    if not (places and times):
        raise EventSold
