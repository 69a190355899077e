"""All SQL on orders that were sent to a pretix."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from marketplace import api
from marketplace_pretix.domain import order_code, parse_sku
from marketplace_pretix.models import order
from marketplace_pretix.words import CANCELLED_THERE

NOW: Final = sa.func.statement_timestamp()
SEEN: Final = "seen:"
"""Before a code of what was noticed: somebody has looked at it, so it is listed no more."""
LEASE: Final = timedelta(minutes=2)
"""How long who took something that is due has for it."""
UNANSWERED: Final = timedelta(hours=1)
"""After which an order that was not answered is compared with its burn, too."""


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """An order that was sent, or is about to be."""

    reference: str
    member_id: UUID
    place: str
    sku: str
    event: str
    code: str
    quantity: int
    age_s: float
    """Since it was last sent."""
    begun_at: datetime | None
    """When it was last sent."""
    delivered_at: datetime | None
    cancel_asked_at: datetime | None
    cancel_reason: str | None
    cancel_tries: int
    cancelled_at: datetime | None
    cancelled_by: str | None
    given_back_at: datetime | None
    untaken_at: datetime | None
    """When it was certain that no order had been taken."""
    noticed: str | None
    """What its organizer changed, for people to look at: a code of `words.NOTICED`."""
    gone: int = 0
    """Tickets that its organizer took out of it, while others stand."""
    gone_given_back: int = 0
    """How many of these have their points back."""


GONE: Final = order.c.gone > order.c.gone_given_back
AGE: Final[Any] = sa.extract("epoch", NOW - order.c.begun_at)
FIELDS: Final[list[Any]] = [
    AGE.label("age_s"),
    *(order.c[name] for name in Sent.__struct_fields__ if name != "age_s"),
]


def begin(session: Session, orders: Iterable[api.Order], place: str) -> None:
    """Remember orders before they are sent, and when; where one was sent first stays as it is,
    unless it was certainly not taken there.
    """
    rows: list[dict[str, Any]] = [
        {
            "reference": each.reference,
            "member_id": each.acceptor_id,
            "place": place,
            "sku": each.sku,
            "event": sku.event,
            "code": order_code(each.reference),
            "quantity": each.quantity,
        }
        for each in sorted(orders, key=lambda one: one.reference)
        if (sku := parse_sku(each.sku)) is not None
    ]
    if rows:
        new = insert(order).values(rows)
        where = {
            name: sa.case((order.c.untaken_at.is_(None), order.c[name]), else_=new.excluded[name])
            for name in ("member_id", "place", "sku", "event", "quantity")
        }
        session.execute(
            new.on_conflict_do_update(
                index_elements=["reference"],
                set_={**where, "begun_at": NOW, "untaken_at": None},
                where=order.c.delivered_at.is_(None),
            )
        )


def sent(session: Session, references: Sequence[str]) -> dict[str, Sent]:
    """Those of the references that were sent."""
    found = session.execute(sa.select(*FIELDS).where(order.c.reference.in_(references)))
    return {row.reference: _sent(row) for row in found}


def finish(
    session: Session, outcomes: Iterable[api.Outcome], begun: Mapping[str, datetime | None]
) -> None:
    """Note what is delivered, and what was certainly not taken; forget what was refused for good.

    `begun` is when each was sent, as who asks knows it: what another has sent meanwhile stays. An
    order that is tried again stays too, so that a void of its burn always asks pretix for it.
    """
    delivered = [each.reference for each in outcomes if isinstance(each, api.Fulfilled)]
    session.execute(
        sa.update(order)
        .where(order.c.reference.in_(delivered), order.c.delivered_at.is_(None))
        .values(delivered_at=NOW, untaken_at=None)
    )
    for each in outcomes:
        if not isinstance(each, api.Retry | api.Rejected):
            continue
        mine = sa.and_(
            order.c.reference == each.reference,
            order.c.begun_at == begun.get(each.reference),
            order.c.delivered_at.is_(None),
        )
        if isinstance(each, api.Retry):
            session.execute(sa.update(order).where(mine).values(untaken_at=NOW))
        elif each.reason == CANCELLED_THERE.message:
            # Made valid again, it has to be cancelled: its points are back.
            values = {"cancelled_at": NOW, "cancelled_by": "them", "given_back_at": NOW}
            untold = order.c.cancelled_at.is_(None)
            session.execute(sa.update(order).where(mine, untold).values(values))
        else:
            nobody = sa.and_(order.c.cancel_asked_at.is_(None), order.c.cancelled_at.is_(None))
            session.execute(sa.delete(order).where(mine, nobody))


def found_there(
    session: Session, member_id: UUID, place: str, event: str, reference: str, units: int
) -> None:
    """Take up an order of ours that a pretix has and we have forgotten."""
    row = {
        "reference": reference,
        "member_id": member_id,
        "place": place,
        "sku": "",
        "event": event,
        "code": order_code(reference),
        "quantity": max(units, 1),
        "delivered_at": NOW,
    }
    session.execute(insert(order).values(row).on_conflict_do_nothing())


def ask_to_cancel(session: Session, reference: str, reason: str) -> bool:
    """Have an order cancelled at pretix; False where none was sent, or it is cancelled."""
    asked = (
        sa.update(order)
        .where(
            order.c.reference == reference,
            order.c.cancel_due_at.is_(None),
            order.c.cancelled_at.is_(None),
        )
        .values(cancel_asked_at=NOW, cancel_reason=reason, cancel_due_at=NOW, cancel_tries=0)
    )
    return session.execute(asked.returning(order.c.reference)).first() is not None


def ask_again(session: Session, reference: str) -> None:
    """What was cancelled, or thought never to have been, is there after all."""
    session.execute(
        sa.update(order)
        .where(order.c.reference == reference, order.c.cancel_due_at.is_(None))
        .values(
            cancel_asked_at=sa.func.coalesce(order.c.cancel_asked_at, NOW),
            cancelled_at=None,
            cancelled_by=None,
            cancel_due_at=NOW,
            cancel_tries=0,
        )
    )


def take_due(session: Session, most: int) -> list[Sent]:
    """Cancellations that are due; nobody else takes them for a while."""
    due = (
        sa.select(order.c.reference)
        .where(order.c.cancel_due_at <= NOW)
        .order_by(order.c.cancel_due_at)
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    taken = (
        sa.update(order)
        .where(order.c.reference.in_(due.scalar_subquery()))
        .values(cancel_due_at=NOW + LEASE, cancel_tries=order.c.cancel_tries + 1)
        .returning(*FIELDS)
    )
    return [_sent(row) for row in session.execute(taken)]


def cancelled(session: Session, reference: str, by: str) -> bool:
    """Note that an order is cancelled at pretix; False where that was known."""
    noted = (
        sa.update(order)
        .where(order.c.reference == reference, order.c.cancelled_at.is_(None))
        .values(cancelled_at=NOW, cancelled_by=by, cancel_due_at=None, cancel_trouble=None)
    )
    return session.execute(noted.returning(order.c.reference)).first() is not None


def not_cancelled(session: Session, reference: str, trouble: str, after_s: float) -> None:
    """Try again later."""
    session.execute(
        sa.update(order)
        .where(order.c.reference == reference, order.c.cancel_due_at.is_not(None))
        .values(cancel_due_at=NOW + timedelta(seconds=after_s), cancel_trouble=trouble[:200])
    )


def reactivated(session: Session, reference: str) -> bool:
    """What its organizer had cancelled is valid again, and nobody has given anything back."""
    again = (
        sa.update(order)
        .where(
            order.c.reference == reference,
            order.c.cancelled_by == "them",
            order.c.given_back_at.is_(None),
        )
        .values(cancelled_at=None, cancelled_by=None, give_back_due_at=None)
    )
    return session.execute(again.returning(order.c.reference)).first() is not None


def given_back(session: Session, references: Sequence[str]) -> None:
    """The points of orders that were cancelled at pretix are back."""
    session.execute(
        sa.update(order)
        .where(order.c.reference.in_(references), order.c.given_back_at.is_(None))
        .values(given_back_at=NOW)
    )


def note_gone(session: Session, reference: str, gone: int) -> int:
    """Note how many tickets were taken out of an order that stands; by how many more that is.

    The organizer's time to change its mind begins anew with each.
    """
    mine = order.c.reference == reference
    before = session.scalar(sa.select(order.c.gone).where(mine).with_for_update()) or 0
    if before != gone:
        since = NOW if gone > before else order.c.gone_at
        session.execute(sa.update(order).where(mine).values(gone=gone, gone_at=since))
    return gone - before


def gone_given_back(session: Session, reference: str, gone: int) -> None:
    """The points of so many tickets that were taken out are back."""
    session.execute(
        sa.update(order)
        .where(order.c.reference == reference, order.c.gone_given_back < gone)
        .values(gone_given_back=gone)
    )


def taken_out(session: Session, member_id: UUID | None = None) -> Sequence[Any]:
    """Orders that stand, and some of whose tickets are gone with their points not back yet."""
    asked = sa.select(
        order.c.reference, order.c.event, order.c.code, order.c.gone, order.c.quantity
    ).where(GONE, order.c.cancelled_at.is_(None))
    if member_id is not None:
        asked = asked.where(order.c.member_id == member_id)
    return session.execute(asked.order_by(order.c.gone_at, order.c.reference)).all()


def take_to_give_back(
    session: Session, member_id: UUID, place: str, patience: timedelta, most: int
) -> list[Sent]:
    """Delivered orders of a member that its organizer cancelled so long ago, or took tickets out
    of, and nobody gave their points back; nobody else takes them for a while."""
    whole = sa.and_(
        order.c.cancelled_by == "them",
        order.c.given_back_at.is_(None),
        order.c.cancelled_at <= NOW - patience,
    )
    a_part = sa.and_(GONE, order.c.cancelled_at.is_(None), order.c.gone_at <= NOW - patience)
    due = (
        sa.select(order.c.reference)
        .where(
            order.c.member_id == member_id,
            order.c.place == place,
            sa.or_(whole, a_part),
            sa.func.coalesce(order.c.give_back_due_at, NOW) <= NOW,
        )
        .order_by(sa.func.coalesce(order.c.cancelled_at, order.c.gone_at), order.c.reference)
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    taken = (
        sa.update(order)
        .where(order.c.reference.in_(due.scalar_subquery()))
        .values(give_back_due_at=NOW + LEASE)
        .returning(*FIELDS)
    )
    return [_sent(row) for row in session.execute(taken)]


def not_given_back(session: Session, member_id: UUID | None = None) -> Sequence[Any]:
    """Orders that their organizer cancelled and whose points were not given back, oldest first."""
    asked = sa.select(
        order.c.reference, order.c.member_id, order.c.event, order.c.code, order.c.cancelled_at
    ).where(order.c.cancelled_by == "them", order.c.given_back_at.is_(None))
    if member_id is not None:
        asked = asked.where(order.c.member_id == member_id)
    return session.execute(asked.order_by(order.c.cancelled_at, order.c.reference)).all()


def stuck(session: Session) -> Sequence[Any]:
    """Cancellations that were tried and are still to be done, oldest first."""
    return session.execute(
        sa.select(order.c.reference, order.c.event, order.c.code, order.c.cancel_trouble)
        .where(order.c.cancel_due_at.is_not(None), order.c.cancel_trouble.is_not(None))
        .order_by(order.c.cancel_asked_at, order.c.reference)
    ).all()


def notice(session: Session, reference: str, noticed: str | None) -> bool:
    """Note what an organizer changed; False where that was known, or is done with."""
    known = (noticed, None if noticed is None else SEEN + noticed)
    changed = sa.and_(
        order.c.reference == reference, *(order.c.noticed.is_distinct_from(each) for each in known)
    )
    updated = sa.update(order).where(changed).values(noticed=noticed)
    return session.execute(updated.returning(order.c.reference)).first() is not None


def seen(session: Session, member_id: UUID, reference: str) -> bool:
    """Somebody has looked at what an organizer changed; False where there is nothing to look at."""
    mine = sa.and_(
        order.c.reference == reference,
        order.c.member_id == member_id,
        order.c.noticed.not_like(f"{SEEN}%"),
    )
    done = sa.update(order).where(mine).values(noticed=SEEN + order.c.noticed)
    return session.execute(done.returning(order.c.reference)).first() is not None


def noticed(session: Session, member_id: UUID | None = None) -> Sequence[Any]:
    """Delivered orders that their organizer changed, and that stand, oldest first."""
    asked = sa.select(order.c.reference, order.c.event, order.c.code, order.c.noticed).where(
        order.c.noticed.is_not(None),
        order.c.noticed.not_like(f"{SEEN}%"),
        order.c.cancelled_at.is_(None),
    )
    if member_id is not None:
        asked = asked.where(order.c.member_id == member_id)
    return session.execute(asked.order_by(order.c.reference)).all()


def live_after(session: Session, member_id: UUID, reference: str, most: int) -> list[str]:
    """References of a member's orders that stand, or may, in order, after one."""
    return list(
        session.scalars(
            sa.select(order.c.reference)
            .where(
                order.c.member_id == member_id,
                order.c.reference > reference,
                sa.or_(order.c.delivered_at.is_not(None), order.c.begun_at < NOW - UNANSWERED),
                order.c.cancel_asked_at.is_(None),
                order.c.cancelled_at.is_(None),
            )
            .order_by(order.c.reference)
            .limit(most)
        )
    )


def delivered_of(session: Session, sku: str, since: datetime) -> tuple[set[str], Mapping[str, int]]:
    """Of the orders of a sku: those delivered before a moment; units of the later ones.

    The first go back an hour only: who was delivered before that is no open order any more.
    """
    found = session.execute(
        sa.select(order.c.reference, order.c.quantity, order.c.delivered_at).where(
            order.c.sku == sku, order.c.delivered_at > since - timedelta(hours=1)
        )
    ).all()
    before = {row.reference for row in found if row.delivered_at < since}
    return before, {row.reference: row.quantity for row in found if row.reference not in before}


def members(session: Session) -> set[UUID]:
    """Members at whose pretix we have orders."""
    return set(session.scalars(sa.select(order.c.member_id).distinct()))


def first_sent(session: Session, member_id: UUID) -> datetime | None:
    """When a member's pretix was sent its first order that we know of."""
    first = sa.select(sa.func.min(order.c.begun_at)).where(order.c.member_id == member_id)
    found: datetime | None = session.scalar(first)
    return found


def moment(session: Session) -> datetime:
    """Now, by the clock that the rows above are stamped with."""
    now: datetime = session.execute(sa.select(NOW)).scalar_one()
    return now


def _sent(row: Any) -> Sent:
    return Sent(**{name: getattr(row, name) for name in Sent.__struct_fields__})
