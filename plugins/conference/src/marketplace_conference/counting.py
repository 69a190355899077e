"""How many places there are, and whose: one query for all categories that share something."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

COUNTS = """
select c.id, c.sku, c.quota_id, q.size, c.numbered,
       (select count(*) from conference_seat s where s.category_id = c.id) as seats,
       (select count(*) from conference_place p
        where p.category_id = c.id and p.cancelled_at is null) as sold,
       (select coalesce(sum(r.quantity), 0) from conference_reservation r
        where r.category_id = c.id and r.state = 'held' and r.ends_at > :now) as held,
       (select coalesce(sum(greatest(a.size - u.used, 0)), 0)
        from conference_allotment a
        cross join lateral (
            select (select count(*) from conference_place p
                    where p.category_id = c.id and p.allotment_id = a.id
                      and p.cancelled_at is null)
                 + (select coalesce(sum(r.quantity), 0) from conference_reservation r
                    where r.category_id = c.id and r.allotment_id = a.id and r.state = 'held'
                      and r.ends_at > :now) as used
        ) u
        where a.category_id = c.id and a.releases_at > :now) as allotted,
       (select coalesce(array_agg(w.quantity order by w.id), '{}')
        from conference_waiter_category wc join conference_waiter w on w.id = wc.waiter_id
        where wc.category_id = c.id and w.state = 'waiting') as waiting
from conference_category c
join conference_session e on e.id = c.session_id
left join conference_quota q on q.id = c.quota_id
"""
OF_EVENT = sa.text(COUNTS + "where e.event_id = :id order by c.position, c.sku")
OF_POOL = sa.text(
    COUNTS + "where c.id = :id or c.quota_id = (select quota_id from conference_category "
    "where id = :id) order by c.position, c.sku"
)


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """What is counted of one category."""

    id: UUID
    sku: str
    quota_id: UUID | None
    size: int | None
    """Of its quota."""
    numbered: bool
    seats: int
    sold: int
    held: int
    allotted: int
    waiting: list[int]
    """Places that each waiter wants who would take this category."""

    @property
    def gone(self) -> int:
        """Not free for anybody who is neither of an allotted firm nor next on the list."""
        return self.sold + self.held + self.allotted


class Standing(msgspec.Struct, frozen=True):
    """How a category stands, with what others took of a quota it shares."""

    places: int
    elsewhere: int
    left: int
    """Neither sold, held nor allotted."""
    waiting: int
    """Of those that are left, for the waiting list first."""

    @property
    def free(self) -> int:
        """For anybody, now."""
        return self.left - self.waiting


def of_event(session: Session, event_id: UUID, now: datetime) -> list[Count]:
    """The counts of every category of an event."""
    return _read(session, OF_EVENT, event_id, now)


def of_pool(session: Session, category_id: UUID, now: datetime) -> list[Count]:
    """The counts of a category and of all that share its quota."""
    return _read(session, OF_POOL, category_id, now)


def _read(session: Session, query: sa.TextClause, key: UUID, now: datetime) -> list[Count]:
    rows = session.execute(query, {"id": key, "now": now}).mappings()
    return [
        Count(
            **{
                **row,
                "held": int(row["held"]),
                "allotted": int(row["allotted"]),
                "waiting": list(row["waiting"]),
            }
        )
        for row in rows
    ]


def standing(category_id: UUID, counts: Sequence[Count]) -> Standing:
    """How one of these categories stands. Pure."""
    mine = next(each for each in counts if each.id == category_id)
    others = [
        each
        for each in counts
        if each.id != category_id and mine.quota_id is not None and each.quota_id == mine.quota_id
    ]
    elsewhere = sum(each.gone for each in others)
    places = mine.seats if mine.size is None else mine.size
    left = places - mine.gone - elsewhere
    if mine.numbered and mine.size is not None:
        left = min(left, mine.seats - mine.gone)
    left = max(left, 0)
    # Who wants more than there is keeps nobody else from it.
    wanted = sum(each for each in mine.waiting if each <= left)
    return Standing(places, elsewhere, left, min(wanted, left))


def sellable(category_id: UUID, counts: Sequence[Count]) -> int:
    """What the exchange may still sell, whoever it is kept for: all that is not sold."""
    mine = next(each for each in counts if each.id == category_id)
    sold = sum(
        each.sold
        for each in counts
        if each.id == category_id or (mine.quota_id is not None and each.quota_id == mine.quota_id)
    )
    places = mine.seats if mine.size is None else mine.size
    return min(places - sold, mine.seats - mine.sold) if mine.numbered else places - sold
