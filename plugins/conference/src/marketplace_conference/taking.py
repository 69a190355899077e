"""The statements that take places: pools are locked, seats updated where they are free."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace_conference import counting
from marketplace_conference.errors import SeatsTaken

if TYPE_CHECKING:
    from marketplace_conference.reserving import Found, Wish

LOCK = "select pg_advisory_xact_lock{}(hashtextextended('conference:' || :pool, 0))"
ALONE, SHARED = sa.text(LOCK.format("")), sa.text(LOCK.format("_shared"))

FREE = "not sold and (held_until is null or held_until <= :now)"
UPDATE = """
update conference_seat set held_by = :selection, held_until = :until
from picked where conference_seat.id = picked.id
returning conference_seat.label
"""
# Seats beside each other have ids that follow, as the plan had them.
TOGETHER = sa.text(f"""
with free as materialized (
    select id, block, "row" from conference_seat where category_id = :category and {FREE}
),
runs as (
    select id, id - row_number() over (partition by block, "row" order by id) as run, block, "row"
    from free
),
first_run as (
    select block, "row", run from runs group by block, "row", run having count(*) >= :quantity
    order by min(id) limit 1
),
picked as (
    select id from conference_seat
    where id in (select r.id from runs r join first_run using (block, "row", run)
                 order by r.id limit :quantity) and {FREE}
    order by id for update skip locked
)
{UPDATE}
""")
BEST = f"""
with picked as (
    select id from conference_seat where category_id = :category and {FREE}
    order by id limit :quantity for update {{}}
)
{UPDATE}
"""
BEST_AT_ONCE, BEST_WAITING = sa.text(BEST.format("skip locked")), sa.text(BEST.format(""))
# What is free is asked where rows are locked: there, and only there, it is asked again of a row
# that somebody else changed meanwhile.
CHOSEN = sa.text(f"""
with picked as (
    select id from conference_seat
    where category_id = :category and label = any(:labels) and {FREE}
    order by id for update
)
{UPDATE}
""")
ALLOTMENT = sa.text("""
select a.id, a.size - (
    (select count(*) from conference_place p
     where p.category_id = a.category_id and p.allotment_id = a.id and p.cancelled_at is null)
    + (select coalesce(sum(r.quantity), 0) from conference_reservation r
       where r.category_id = a.category_id and r.allotment_id = a.id and r.state = 'held'
         and r.ends_at > :now)) as left
from conference_allotment a
where a.category_id = :category and a.firm_reference = :firm and a.releases_at > :now
""")


class Crowded(Exception):
    """Others come first here: it has to be counted, under the lock of the pool."""


class Short(Exception):
    """Fewer places are free than are asked for."""

    def __init__(self, left: int) -> None:
        super().__init__(left)
        self.left = left


def lock_pool(session: Session, pool: UUID, *, alone: bool) -> None:
    """Lock a pool until the transaction ends: for oneself, or with others who only take seats."""
    session.execute(ALONE if alone else SHARED, {"pool": str(pool)})


def admit(session: Session, found: Found, wish: Wish) -> UUID | None:
    """Whether the pool has so many for this wish; Short where not. Needs the pool's lock.

    Returns the allotment they are taken from, None where they are anybody's.
    """
    if wish.firm is not None:
        asked = {"category": found.id, "firm": wish.firm, "now": found.now}
        row = session.execute(ALLOTMENT, asked).first()
        if row is not None and row.left >= wish.quantity:
            allotment_id: UUID = row.id
            return allotment_id
    counts = counting.of_pool(session, found.id, found.now)
    standing = counting.standing(found.id, counts)
    free = standing.free if wish.waiter_id is None else standing.left
    if free < wish.quantity:
        raise Short(free)
    return None


def take_seats(session: Session, found: Found, wish: Wish, selection: str, *, waits: bool) -> None:
    """Hold seats for a selection: the chosen ones, or the best. SeatsTaken or Short where not."""
    asked = {
        "category": found.id,
        "now": found.now,
        "until": wish.ends_at,
        "selection": selection,
        "quantity": wish.quantity,
    }
    if wish.seats:
        taken = session.scalars(CHOSEN, {**asked, "labels": list(wish.seats)}).all()
        if len(taken) < wish.quantity:
            raise SeatsTaken(sorted(set(wish.seats) - set(taken)))
        return
    if wish.quantity > 1:
        with session.begin_nested() as attempt:
            if len(session.scalars(TOGETHER, asked).all()) == wish.quantity:
                return
            attempt.rollback()
    taken = session.scalars(BEST_WAITING if waits else BEST_AT_ONCE, asked).all()
    if len(taken) < wish.quantity:
        raise Short(len(taken))


def sell_seats(
    session: Session, category_id: UUID, quantity: int, reference: str, now: datetime
) -> Sequence[int] | None:
    """Sell the best seats that are free at once; None, and nothing is taken, where too few are.

    Needs the pool's lock: nobody else takes seats of it meanwhile.
    """
    asked = {
        "category": category_id,
        "now": now,
        "until": now,
        "selection": f"order-{reference}",
        "quantity": quantity,
    }
    with session.begin_nested() as attempt:
        taken = session.scalars(TOGETHER, asked).all() if quantity > 1 else []
        if len(taken) < quantity:
            attempt.rollback()
    if len(taken) < quantity:
        with session.begin_nested() as attempt:
            taken = session.scalars(BEST_WAITING, asked).all()
            if len(taken) < quantity:
                attempt.rollback()
    if len(taken) < quantity:
        return None
    return sorted(session.scalars(SOLD, asked))


SOLD = sa.text(
    "update conference_seat set sold = true where held_by = :selection and not sold returning id"
)


def sell_chosen(
    session: Session, category_id: UUID, labels: Sequence[str], reference: str, now: datetime
) -> Sequence[int] | None:
    """Sell these seats; None, and nothing is taken, where one of them is not free. As above."""
    selection = f"order-{reference}"
    asked = {"category": category_id, "now": now, "until": now, "selection": selection}
    with session.begin_nested() as attempt:
        if len(session.scalars(CHOSEN, {**asked, "labels": list(labels)}).all()) < len(labels):
            attempt.rollback()
            return None
    return sorted(session.scalars(SOLD, {"selection": selection}))
