"""Reservations: places somebody has to themselves while they make up their mind.

How they are made is in `asking.py` and `holding.py`; here is what becomes of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.api import Host, MarketplaceError, Principal
from marketplace_conference import asking, attendees, counting, events, prerequisites
from marketplace_conference.errors import ReservationEnded, UnknownReservation
from marketplace_conference.models import reservation, seat
from marketplace_conference.schemas import Attendee, EventView, NewReservation, ReservationView


def reserve(host: Host, principal: Principal, asked: NewReservation) -> ReservationView:
    """Take places for a while. Raises SoldOut or SeatsTaken, and then nothing is taken."""
    (answer,) = asking.reserve_all(host, [(principal, asked)])
    if isinstance(answer, MarketplaceError):
        raise answer
    return answer


def _own(session: Session, selection: str, caller_id: UUID, *, lock: bool = False) -> Any:
    """The row of a reservation of this caller."""
    query = sa.select(reservation).where(
        reservation.c.id == selection, reservation.c.caller_id == caller_id
    )
    row = session.execute(query.with_for_update() if lock else query).first()
    if row is None:
        raise UnknownReservation
    return row


def view(host: Host, session: Session, selection: str, caller_id: UUID) -> ReservationView:
    """A reservation of the caller, as it stands now."""
    row = _own(session, selection, caller_id)
    sku = str(session.scalar(SKU_OF, {"id": row.category_id}))
    offers = host.offers(session, sku=sku)
    labels = session.scalars(
        sa.select(seat.c.label).where(seat.c.held_by == selection).order_by(seat.c.id)
    )
    over = row.state == "held" and row.ends_at <= host.now(session)
    return ReservationView(
        selection=selection,
        sku=sku,
        offer=offers[0].reference if offers else "",
        quantity=row.quantity,
        seats=list(labels),
        points=row.points * row.quantity,
        state="ended" if over else row.state,
        made_at=row.made_at,
        ends_at=row.ends_at,
        attendees=msgspec.convert(row.attendees, list[Attendee]),
    )


SKU_OF = sa.text("select sku from conference_category where id = :id")


def read(host: Host, principal: Principal, selection: str) -> ReservationView:
    """A reservation of the caller."""
    with host.transaction() as session:
        return view(host, session, selection, principal.caller_id)


def event_of(host: Host, selection: str, language: str | None = None) -> EventView:
    """The event that a reservation is of, named as in `events.read`."""
    with host.transaction() as session:
        slug = session.scalar(SLUG_OF, {"id": selection})
    return events.read(host, str(slug), language, drafts=True)


SLUG_OF = sa.text(
    "select e.slug from conference_reservation r "
    "join conference_category c on c.id = r.category_id "
    "join conference_session s on s.id = c.session_id "
    "join conference_event e on e.id = s.event_id where r.id = :id"
)


def name_attendees(
    host: Host, principal: Principal, selection: str, people: Sequence[Attendee], *, complete: bool
) -> ReservationView:
    """Say who comes, while nothing is sold yet. With `complete` nobody may be missing."""
    with host.transaction() as session:
        row = _own(session, selection, principal.caller_id, lock=True)
        if row.state != "held" or row.ends_at <= host.now(session):
            raise ReservationEnded
        event_id = session.scalar(EVENT_OF, {"id": row.category_id})
        attendees.check(session, event_id, people, row.quantity, complete=complete)
        prerequisites.check(session, row.category_id, people)
        session.execute(
            sa.update(reservation)
            .where(reservation.c.id == selection)
            .values(attendees=[msgspec.to_builtins(each) for each in people])
        )
        return view(host, session, selection, principal.caller_id)


EVENT_OF = sa.text(
    "select s.event_id from conference_category c "
    "join conference_session s on s.id = c.session_id where c.id = :id"
)


def release(host: Host, principal: Principal, selection: str) -> ReservationView:
    """Let others have the places. What is sold stays sold."""
    with host.transaction() as session:
        row = _own(session, selection, principal.caller_id, lock=True)
        if row.state == "held":
            end(session, reservation.c.id == selection)
        return view(host, session, selection, principal.caller_id)


def end(session: Session, which: sa.ColumnElement[bool]) -> None:
    """End reservations before their time: locked by id, then their seats by id."""
    of = sa.select(reservation.c.id).where(which).order_by(reservation.c.id).with_for_update()
    ids = session.scalars(of).all()
    if not ids:
        return
    session.execute(sa.update(reservation).where(reservation.c.id.in_(ids)).values(state="ended"))
    held = seat.c.held_by.in_(ids) & ~seat.c.sold
    session.execute(sa.select(seat.c.id).where(held).order_by(seat.c.id).with_for_update())
    session.execute(sa.update(seat).where(held).values(held_by=None, held_until=None))


def sweep(host: Host) -> int:
    """Mark reservations that are over; their places are free already. Returns how many.

    One that somebody has locked is left to the next run: this waits for nobody.
    """
    with host.transaction() as session:
        over = (reservation.c.state == "held") & (reservation.c.ends_at <= host.now(session))
        ids = sa.select(reservation.c.id).where(over).with_for_update(skip_locked=True)
        ended = session.scalars(
            sa.update(reservation)
            .where(reservation.c.id.in_(session.scalars(ids).all()))
            .values(state="ended")
            .returning(reservation.c.id)
        )
        return len(ended.all())


def left(session: Session, category_id: UUID, now: datetime) -> counting.Standing:
    """How a category stands now."""
    return counting.standing(category_id, counting.of_pool(session, category_id, now))
