"""Reservations become sold places, and sold places become free again."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.api import Host, Order
from marketplace_conference import counting, prerequisites, stock, taking
from marketplace_conference.models import category, place, reservation, seat, waiter
from marketplace_conference.places import Place
from marketplace_conference.tickets.tables import ticket

UNKNOWN = "these seats are not sold here"
NOT_CHOSEN = "seats of this kind are chosen first; nothing was reserved for you"
NOT_THESE = "what was reserved is something else than what was burnt for"
USED = "this reservation was used already"
SET_LOCK_TIMEOUT = sa.text("select set_config('lock_timeout', :most, true)")
LOCK_MS = 2_000
LOST = "the time for the reservation was over, and somebody else has the seats"


def sell(host: Host, session: Session, order: Order, row: Any, kind: Any) -> str | None:
    """Sell a locked reservation to an order; returns why not, in words for the participant.

    One that is over is sold as well while nobody else has its places.
    """
    if row.category_id != kind.id or row.quantity != order.quantity:
        return NOT_THESE
    if row.state == "sold":
        return USED
    refused = prerequisites.refusal(session, kind.id, row.attendees, row.quantity)
    if refused is not None:
        return refused
    now = host.now(session)
    seats: Sequence[int | None] = [None] * row.quantity
    if kind.numbered:
        held = sa.select(seat.c.id).where(seat.c.held_by == row.id, ~seat.c.sold)
        seats = session.scalars(held.order_by(seat.c.id).with_for_update()).all()
        if len(seats) != row.quantity:
            return LOST
        session.execute(sa.update(seat).where(seat.c.id.in_(seats)).values(sold=True))
    if _is_over(row, now) and (kind.quota_id is not None or not kind.numbered):
        counts = counting.of_pool(session, kind.id, now)
        if counting.standing(kind.id, counts).left < row.quantity:
            return LOST
    session.execute(
        sa.update(reservation)
        .where(reservation.c.id == row.id)
        .values(state="sold", order_reference=order.reference)
    )
    if row.waiter_id is not None:
        session.execute(
            sa.update(waiter)
            .where(waiter.c.id == row.waiter_id)
            .values(state="taken", ended_at=now)
        )
    _add_places(session, order.reference, row, kind, seats, now)
    return None


def sell_best(host: Host, session: Session, kind: Any, orders: Sequence[Order]) -> list[Order]:
    """Sell the best places that are free for anybody; returns the orders that got none."""
    lock_pools(session, {kind.id}, alone=True)
    now = host.now(session)
    free = counting.standing(kind.id, counting.of_pool(session, kind.id, now)).free
    gone: list[Order] = []
    for each in orders:
        seats: Sequence[int | None] | None = None
        if each.quantity <= free:
            seats = [None] * each.quantity
            if kind.numbered:
                seats = taking.sell_seats(session, kind.id, each.quantity, now)
        if seats is None:
            gone.append(each)
            continue
        free -= each.quantity
        _add_places(session, each.reference, Nobody(each.quantity), kind, seats, now)
    if kind.quota_id is not None:
        stock.align(host, session, [kind.id])
    return gone


class Nobody(msgspec.Struct, frozen=True):
    """Who is named for places that nobody reserved."""

    quantity: int
    attendees: tuple[Any, ...] = ()
    allotment_id: UUID | None = None


def _is_over(row: Any, now: datetime) -> bool:
    return bool(row.state == "ended" or row.ends_at <= now)


def _add_places(
    session: Session,
    reference: str,
    row: Any,
    kind: Any,
    seats: Sequence[int | None],
    now: datetime,
) -> None:
    people = [*row.attendees, *[{}] * (row.quantity - len(row.attendees))]
    session.execute(
        sa.insert(place),
        [
            {
                "order_reference": reference,
                "position": position,
                "session_id": kind.session_id,
                "category_id": kind.id,
                "allotment_id": row.allotment_id,
                "seat_id": seat_id,
                "attendee_name": who.get("name", ""),
                "attendee_email": who.get("email", ""),
                "answers": who.get("answers", {}),
                "sold_at": now,
            }
            for position, (seat_id, who) in enumerate(zip(seats, people, strict=True), start=1)
        ],
    )


def places_of(session: Session, references: Sequence[str]) -> dict[str, list[Place]]:
    """The places of orders, by reference, cancelled ones too, in their order."""
    rows = session.execute(
        sa.select(place, category.c.sku, seat.c.label)
        .join(category, category.c.id == place.c.category_id)
        .outerjoin(seat, seat.c.id == place.c.seat_id)
        .where(place.c.order_reference.in_(references))
        .order_by(place.c.order_reference, place.c.position)
    )
    found: dict[str, list[Place]] = {}
    for row in rows:
        found.setdefault(row.order_reference, []).append(
            Place(
                order_reference=row.order_reference,
                position=row.position,
                session_id=row.session_id,
                category=row.sku,
                seat_label=row.label,
                attendee_name=row.attendee_name,
                attendee_email=row.attendee_email,
                answers=row.answers,
            )
        )
    return found


def release(
    host: Host, session: Session, reference: str, positions: Sequence[int] | None = None
) -> int:
    """Free the places of an order, all or some, for the waiting list and then for everybody.

    What is free already stays so; returns how many became free. The stock is brought up to date.
    """
    which = (place.c.order_reference == reference) & place.c.cancelled_at.is_(None)
    if positions is not None:
        which &= place.c.position.in_(positions)
    # Who changes a ticket has it locked; which place it is of is known when that is done. A door
    # that lets somebody in is not kept waiting.
    theirs = ticket.c.id.in_(sa.select(place.c.id).where(which))
    session.execute(
        sa.select(ticket.c.id).where(theirs).order_by(ticket.c.id).with_for_update(key_share=True)
    )
    query = sa.select(place.c.id, place.c.category_id, place.c.seat_id).where(which)
    found = session.execute(query.order_by(place.c.id)).all()
    categories = {row.category_id for row in found}
    lock_pools(session, categories, alone=True)
    gone = session.scalars(
        sa.update(place)
        .where(place.c.id.in_([row.id for row in found]), place.c.cancelled_at.is_(None))
        .values(cancelled_at=host.now(session))
        .returning(place.c.id)
    ).all()
    seats = [row.seat_id for row in found if row.id in set(gone) and row.seat_id is not None]
    freed = seat.c.id.in_(seats)
    session.execute(sa.select(seat.c.id).where(freed).order_by(seat.c.id).with_for_update())
    session.execute(sa.update(seat).where(freed).values(sold=False, held_by=None, held_until=None))
    stock.align(host, session, categories)
    return len(gone)


def lock_pools(session: Session, categories: set[UUID], *, alone: bool) -> None:
    """Lock the pools of categories, in one order."""
    rows = session.execute(
        sa.select(category.c.id, category.c.quota_id).where(category.c.id.in_(categories))
    )
    pools = sorted(str(row.quota_id or row.id) for row in rows)
    taking.lock(session, dict.fromkeys(pools, alone))


def release_refunded(host: Host, reference: str) -> None:
    """Places of a burn whose points are all back are free again.

    What somebody keeps locked is waited for `LOCK_MS`: it would hold up other refunds.
    """
    with host.transaction() as session:
        session.execute(SET_LOCK_TIMEOUT, {"most": str(LOCK_MS)})
        if not given_back(host, session, [reference], keep=True):
            return
        freed = release(host, session, reference)
        if freed:
            details = {"places": freed}
            host.audit(session, actor="system", action="refunded", subject=reference, **details)


def given_back(
    host: Host, session: Session, references: Collection[str], *, keep: bool = False
) -> set[str]:
    """Those of the orders whose points are all back; `keep` as in `Host.placed_orders`."""
    placed = host.placed_orders(session, sorted(references), keep=keep)
    return {
        each.reference
        for each in placed.values()
        if each.voided or each.refunded_points >= each.points
    }
