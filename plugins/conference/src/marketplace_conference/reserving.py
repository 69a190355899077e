"""Reservations: places somebody has to themselves while they make up their mind.

Seats are rows: who updates a free one has it. Places without numbers are counted, under a lock of
their pool: a quota, or a category that has none. The order of locks is that of the README.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.api import Host, InvalidRequest, Principal
from marketplace_conference import attendees, counting, events, prerequisites, taking
from marketplace_conference.errors import (
    ReservationEnded,
    SoldOut,
    TooManyAtOnce,
    UnknownCategory,
    UnknownReservation,
)
from marketplace_conference.models import reservation, seat
from marketplace_conference.schemas import Attendee, EventView, NewReservation, ReservationView
from marketplace_conference.taking import Crowded, Short

FIND = sa.text("""
select c.id, c.sku, c.numbered, c.must_choose, c.most_at_once, c.quota_id, e.id as event_id,
       e.status, e.hold_minutes, marketplace_now() as now,
       exists (select from conference_allotment a
               where a.category_id = c.id and a.releases_at > marketplace_now())
       or exists (select from conference_waiter_category wc
                  join conference_waiter w on w.id = wc.waiter_id and w.state = 'waiting'
                  where wc.category_id = c.id) as crowded,
       (select coalesce(sum(r.quantity), 0)::int from conference_reservation r
        where r.category_id = c.id and r.state = 'held' and r.ends_at > marketplace_now()
          and r.caller_id = :caller) as mine
from conference_category c
join conference_session s on s.id = c.session_id
join conference_event e on e.id = s.event_id
where c.sku = :sku
""")


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A category as a reservation needs it."""

    id: UUID
    sku: str
    numbered: bool
    must_choose: bool
    most_at_once: int
    quota_id: UUID | None
    event_id: UUID
    status: str
    hold_minutes: int
    now: datetime
    crowded: bool
    """Firms have places of it, or people wait: everything is counted."""
    mine: int
    """Places that the caller has reserved already."""

    @property
    def counted(self) -> bool:
        """Whether its places are counted, and not only its seats taken."""
        return self.crowded or self.quota_id is not None


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be taken, and for whom."""

    quantity: int
    seats: Sequence[str] = ()
    caller_id: UUID
    firm: str | None = None
    """Reference of the caller's firm; None: of none."""
    attendees: Sequence[Attendee] = ()
    ends_at: datetime
    waiter_id: int | None = None
    """Of the waiting list, who comes before everybody."""


def find(session: Session, sku: str, caller_id: UUID) -> Found:
    """The category of this sku; UnknownCategory where there is none."""
    row = session.execute(FIND, {"sku": sku, "caller": caller_id}).mappings().first()
    if row is None:
        raise UnknownCategory
    return Found(**row)


def reserve(host: Host, principal: Principal, asked: NewReservation) -> ReservationView:
    """Take places for a while. Raises SoldOut or SeatsTaken, and then nothing is taken."""
    quantity = _quantity(asked)
    crowded, waits = False, False
    for _ in range(4):
        try:
            with host.transaction() as session:
                return _reserve(host, session, principal, asked, quantity, crowded, waits)
        except Crowded:
            crowded = True
        except Short as short:
            if waits:
                raise SoldOut(f"{short.left} free, {quantity} asked for.") from None
            waits = True
    raise SoldOut("Too many others are choosing just now; try again.")


def _quantity(asked: NewReservation) -> int:
    if not asked.seats:
        if asked.quantity is None:
            raise InvalidRequest("Say which seats, or how many places.")
        return asked.quantity
    if len(set(asked.seats)) != len(asked.seats):
        raise InvalidRequest("A seat is named twice.")
    if asked.quantity not in (None, len(asked.seats)):
        raise InvalidRequest("`quantity` is not the number of seats.")
    return len(asked.seats)


def _reserve(
    host: Host,
    session: Session,
    principal: Principal,
    asked: NewReservation,
    quantity: int,
    crowded: bool,
    waits: bool,
) -> ReservationView:
    found = find(session, asked.sku, principal.caller_id)
    if found.status != "published":
        raise UnknownCategory
    if found.mine + quantity > found.most_at_once:
        raise TooManyAtOnce(
            f"{found.most_at_once} at most at once; {found.mine} are reserved for you already."
        )
    if asked.seats and not found.numbered:
        raise InvalidRequest("These places have no numbers: say how many.")
    if found.must_choose and not asked.seats:
        raise InvalidRequest("Choose the seats.")
    attendees.check(session, found.event_id, asked.attendees, quantity, complete=False)
    prerequisites.check(session, found.id, asked.attendees)
    firm = None
    if (crowded or found.crowded) and principal.participant_id is not None:
        who = host.who(session, principal.participant_id)
        firm = None if who is None else who.firm_reference
    wish = Wish(
        quantity=quantity,
        seats=asked.seats,
        caller_id=principal.caller_id,
        firm=firm,
        attendees=asked.attendees,
        ends_at=found.now + timedelta(minutes=found.hold_minutes),
    )
    selection = take(host, session, found, wish, crowded=crowded, waits=waits)
    return view(host, session, selection, principal.caller_id)


def take(
    host: Host, session: Session, found: Found, wish: Wish, *, crowded: bool, waits: bool
) -> str:
    """Make the reservation, at the price of now; returns its selection.

    Raises Crowded where it has to be done again under the pool's lock, Short where too few places
    are free, SeatsTaken where chosen seats are not.
    """
    allotment_id = None
    if crowded or found.counted:
        taking.lock_pool(session, found.quota_id or found.id, alone=True)
        allotment_id = taking.admit(session, found, wish)
    else:
        taking.lock_pool(session, found.id, alone=False)
        if find(session, found.sku, wish.caller_id).crowded:
            raise Crowded
    selection = secrets.token_urlsafe(18)
    if found.numbered:
        taking.take_seats(session, found, wish, selection, waits=waits)
    offers = host.promise_price(session, found.sku, selection, wish.ends_at)
    session.execute(
        sa.insert(reservation).values(
            id=selection,
            category_id=found.id,
            allotment_id=allotment_id,
            waiter_id=wish.waiter_id,
            caller_id=wish.caller_id,
            quantity=wish.quantity,
            points=offers[0].points if offers else 0,
            attendees=[msgspec.to_builtins(each) for each in wish.attendees],
            made_at=found.now,
            ends_at=wish.ends_at,
        )
    )
    return selection


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


def event_of(host: Host, selection: str) -> EventView:
    """The event that a reservation is of."""
    with host.transaction() as session:
        slug = session.scalar(SLUG_OF, {"id": selection})
    return events.read(host, str(slug), drafts=True)


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
