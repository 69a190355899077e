"""Which places are taken: pools are locked, seats picked among those that are free.

Who picks a seat has its row locked, for what it writes next in the same transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace_conference.models import category

LOCKS = sa.text("""
select case when alone then pg_advisory_xact_lock(key)::text
            else pg_advisory_xact_lock_shared(key)::text end
from (select hashtextextended('conference:' || name, 0) as key, alone::boolean as alone
      from jsonb_array_elements(cast(:names as jsonb)) with ordinality as asked (pair, number),
           lateral (select pair ->> 0, pair ->> 1) as parts (name, alone)
      order by number) as in_order
""")

FREE = "not sold and (held_until is null or held_until <= :now)"
# What is free is asked where rows are locked: there, and only there, it is asked again of a row
# that somebody else changed meanwhile.
CHOSEN = sa.text(f"""
select category_id, id, label, block, "row" from conference_seat
where session_id = any(cast(:sessions as uuid[])) and label = any(cast(:labels as text[]))
  and {FREE}
order by id for update
""")
# As one value: hundreds of rows take the driver longer than the database.
FREE_SEATS = sa.text(f"""
select coalesce(json_agg(json_build_array(id, label, block, "row") order by id), '[]')::text
from (select id, label, block, "row" from conference_seat
      where category_id = :category and {FREE} and id <> all(cast(:but as bigint[]))
      order by id limit :most) as seats
""")
LOCK_SEATS = """
select id from conference_seat where id = any(cast(:ids as bigint[])) and {free}
order by id for update {skip}
"""
AT_ONCE = sa.text(LOCK_SEATS.format(free=FREE, skip="skip locked"))
WAITING = sa.text(LOCK_SEATS.format(free=FREE, skip=""))
ALLOTMENT = sa.text("""
select a.id, a.size - (
    (select count(*) from conference_place p
     where p.category_id = a.category_id and p.allotment_id = a.id and p.cancelled_at is null)
    + (select coalesce(sum(r.quantity), 0) from conference_reservation r
       where r.category_id = a.category_id and r.allotment_id = a.id and r.state = 'held'
         and r.ends_at > :now))::int as left
from conference_allotment a
where a.category_id = :category and a.firm_reference = :firm and a.releases_at > :now
""")

SPARE = 16
"""Seats that are looked at beyond those that are wanted: others may have some of them."""
WINDOW = 600
"""Seats that are looked at to find some beside each other."""
ROUNDS = 4
"""How often others are made way for before they are waited for."""


class Seat(NamedTuple):
    """A free seat. Seats beside each other have ids that follow, as the plan had them."""

    id: int
    label: str
    block: str
    row: str


_decode = msgspec.json.Decoder(list[Seat]).decode


class Picked(NamedTuple):
    """What was found for each, in their order; None: too little is free."""

    seats: list[Sequence[Seat] | None]
    contested: bool
    """Others have some of it in hand: asked again in a moment, there may be more."""


def lock(session: Session, names: Mapping[str, bool]) -> None:
    """Lock names until the transaction ends, in their order: alone (True), or with others."""
    asked = msgspec.json.encode(list(names.items())).decode()
    session.execute(LOCKS, {"names": asked}).all()


def chosen(
    session: Session, sessions: Iterable[UUID], labels: Iterable[str], now: datetime
) -> dict[tuple[UUID, str], Seat]:
    """Lock those of these seats that are free, by category and label."""
    asked = {"sessions": list(set(sessions)), "labels": list(set(labels)), "now": now}
    found = session.execute(CHOSEN, asked)
    return {(category_id, seat[1]): Seat(*seat) for category_id, *seat in found}


def free(
    session: Session, category_id: UUID, now: datetime, *, but: Iterable[int] = (), most: int
) -> list[Seat]:
    """The best free seats of a category; nothing is locked."""
    asked = {"category": category_id, "now": now, "but": list(but), "most": most}
    return _decode(str(session.scalar(FREE_SEATS, asked)))


def pick(
    session: Session,
    category_id: UUID,
    quantities: Sequence[int],
    now: datetime,
    *,
    but: Iterable[int] = (),
    waits: bool,
) -> Picked:
    """Lock the best free seats for each of these in turn, beside each other where they can be.

    What others have in hand is left to them; with `waits` it is waited for, once, so that nobody
    is told "sold out" because of a transaction that then fails.
    """
    found: list[Sequence[Seat] | None] = [None] * len(quantities)
    taken, theirs = set(but), set[int]()
    for _ in range(1 if waits else ROUNDS):
        wanting = [number for number, seats in enumerate(found) if seats is None]
        wanted = [quantities[number] for number in wanting]
        most = max(sum(wanted) + SPARE, WINDOW if max(wanted, default=0) > 1 else 0)
        left = free(session, category_id, now, but=taken | theirs, most=most)
        plans = plan(left, wanted)
        ids = [seat.id for seats in plans for seat in seats or ()]
        if not ids:
            break
        locked = set(session.scalars(WAITING if waits else AT_ONCE, {"ids": ids, "now": now}))
        for number, seats in zip(wanting, plans, strict=True):
            if seats is not None and locked.issuperset(seat.id for seat in seats):
                found[number] = seats
                taken.update(seat.id for seat in seats)
        theirs.update(set(ids) - locked)
        if locked.issuperset(ids):
            break
    return Picked(found, contested=bool(theirs))


def plan(left: Sequence[Seat], quantities: Sequence[int]) -> list[Sequence[Seat] | None]:
    """Deal free seats out, in order: the first run of so many in a row, else the first. Pure."""
    left = list(left)
    plans: list[Sequence[Seat] | None] = []
    for quantity in quantities:
        if quantity > len(left):
            plans.append(None)
            continue
        start = _first_run(left, quantity) if quantity > 1 else 0
        plans.append(left[start : start + quantity])
        del left[start : start + quantity]
    return plans


def _first_run(left: Sequence[Seat], quantity: int) -> int:
    """Where so many begin that are beside each other; 0 where nowhere."""
    length = 0
    for number, each in enumerate(left):
        last = left[number - 1] if number else None
        beside = last is not None and (last.id + 1, last.block, last.row) == (
            each.id,
            each.block,
            each.row,
        )
        length = length + 1 if beside else 1
        if length == quantity:
            return number - quantity + 1
    return 0


def sell_seats(
    session: Session, category_id: UUID, quantity: int, now: datetime
) -> Sequence[int] | None:
    """Sell the best seats that are free at once; None, and nothing is taken, where too few are.

    Needs the pool's lock: nobody else takes seats of it meanwhile.
    """
    (seats,) = pick(session, category_id, [quantity], now, waits=True).seats
    if seats is None:
        return None
    ids = [each.id for each in seats]
    session.execute(SOLD, {"ids": ids})
    return ids


SOLD = sa.text("""
update conference_seat set sold = true, held_by = null, held_until = null
where id = any(cast(:ids as bigint[]))
""")


def allotted(
    session: Session, category_id: UUID, firm: str, now: datetime
) -> tuple[UUID, int] | None:
    """The allotment of a firm and what is left of it; None where it has none."""
    row = session.execute(ALLOTMENT, {"category": category_id, "firm": firm, "now": now}).first()
    return None if row is None else (row.id, row.left)


def sell_chosen(
    session: Session, category_id: UUID, labels: Sequence[str], now: datetime
) -> Sequence[int] | None:
    """Sell these seats; None, and nothing is taken, where one of them is not free. As above."""
    seats = chosen(session, [_session_of(session, category_id)], labels, now)
    mine = [seats[key] for key in ((category_id, label) for label in labels) if key in seats]
    if len(mine) < len(labels):
        return None
    ids = sorted(each.id for each in mine)
    session.execute(SOLD, {"ids": ids})
    return ids


def _session_of(session: Session, category_id: UUID) -> UUID:
    asked = sa.select(category.c.session_id).where(category.c.id == category_id)
    found: UUID = session.execute(asked).scalar_one()
    return found
