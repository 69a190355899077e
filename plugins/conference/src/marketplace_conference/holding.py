"""Makes reservations: of one person, or of everybody who asked in the same moment.

However many they are, the statements are about eight: what they want, the locks, how things stand,
the seats, the price, what is written. In between it is decided in Python, in the order of coming.

Seats are rows: who updates a free one has it. Places without numbers are counted, under a lock of
their pool: a quota, or a category that has none. The order of locks is that of the README.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from msgspec.structs import replace
from sqlalchemy.orm import Session

from marketplace.api import Host, PluginOffer
from marketplace_conference import counting, taking
from marketplace_conference.counting import Count
from marketplace_conference.schemas import Attendee
from marketplace_conference.taking import Seat

KINDS = sa.text("""
select c.id, c.sku, c.name, c.session_id, c.numbered, c.must_choose, c.most_at_once, c.quota_id,
       e.id as event_id, e.status, e.hold_minutes,
       exists (select from conference_allotment a
               where a.category_id = c.id and a.releases_at > marketplace_now())
       or exists (select from conference_waiter_category wc
                  join conference_waiter w on w.id = wc.waiter_id and w.state = 'waiting'
                  where wc.category_id = c.id) as crowded
from conference_category c
join conference_session s on s.id = c.session_id
join conference_event e on e.id = s.event_id
where c.sku = any(cast(:skus as text[]))
""")
WRITE = sa.text("""
with asked as (
    select * from jsonb_to_recordset(cast(:rows as jsonb)) as row (
        id text, category_id uuid, allotment_id uuid, waiter_id bigint, caller_id uuid, buyer text,
        quantity int, points bigint, attendees jsonb, ends_at timestamptz, seats bigint[])
),
held as (
    update conference_seat set held_by = taken.id, held_until = taken.ends_at
    from (select id, ends_at, unnest(seats) as seat_id from asked) as taken
    where conference_seat.id = taken.seat_id
)
insert into conference_reservation (id, category_id, allotment_id, waiter_id, caller_id, buyer,
                                    quantity, points, attendees, made_at, ends_at)
select id, category_id, allotment_id, waiter_id, caller_id, buyer, quantity, points, attendees,
       :now, ends_at from asked
""")


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """A category as a reservation needs it."""

    id: UUID
    sku: str
    name: str
    session_id: UUID
    numbered: bool
    must_choose: bool
    most_at_once: int
    quota_id: UUID | None
    event_id: UUID
    status: str
    hold_minutes: int
    crowded: bool
    """Firms have places of it, or people wait: everything is counted."""

    @property
    def counted(self) -> bool:
        """Whether its places are counted, and not only its seats taken."""
        return self.crowded or self.quota_id is not None

    @property
    def pool(self) -> str:
        """What is locked while its places are counted."""
        return str(self.quota_id or self.id)


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be taken, and for whom."""

    kind: Kind
    quantity: int
    seats: Sequence[str] = ()
    """Labels of the chosen ones; none: the best."""
    caller_id: UUID
    buyer: str | None = None
    firm: str | None = None
    """Reference of the caller's firm, where it may have an allotment."""
    attendees: Sequence[Attendee] = ()
    ends_at: datetime
    waiter_id: int | None = None
    """Of the waiting list, who comes before everybody."""


class Held(msgspec.Struct, frozen=True):
    """A reservation that was made."""

    selection: str
    seats: Sequence[Seat]
    offers: Sequence[PluginOffer]
    """At the price that is kept."""


class Short(msgspec.Struct, frozen=True):
    """Fewer places are free than are asked for."""

    left: int


class Gone(msgspec.Struct, frozen=True):
    """Chosen seats that are not free any more."""

    labels: Sequence[str]


class Contested(msgspec.Struct, frozen=True):
    """Others have the rest in hand: to be asked again when they are done."""


Outcome = Held | Short | Gone | Contested


class _Taken(msgspec.Struct, frozen=True):
    """A wish that can be had, before it is written."""

    wish: Wish
    selection: str
    seats: Sequence[Seat]
    allotment_id: UUID | None


def kinds(session: Session, skus: Sequence[str]) -> dict[str, Kind]:
    """The categories of these skus; those that there are."""
    rows = session.execute(KINDS, {"skus": list(set(skus))}).mappings()
    return {row["sku"]: Kind(**row) for row in rows}


class Holder:
    """Takes places in one transaction. The pools of the wishes are locked: alone where they are
    counted, else with others.
    """

    def __init__(self, host: Host, session: Session, *, waits: bool) -> None:
        """With `waits` it waits for those who have seats in hand."""
        self._host = host
        self._session = session
        self._waits = waits
        self.now = host.now(session)
        self._counts: dict[str, list[Count]] = {}
        self._used: dict[UUID, int] = {}
        self.taken: set[int] = set()
        """Ids of seats that were given away."""

    def hold(self, wishes: Sequence[Wish]) -> list[Outcome]:
        """Make reservations at the price of now, in the order of the wishes."""
        chosen = self._lock_chosen(wishes)
        decided: dict[int, Outcome | _Taken] = {}
        for number, wish in enumerate(wishes):
            if wish.seats:
                decided[number] = self._choose(wish, chosen)
            elif not wish.kind.numbered:
                decided[number] = self._admit(wish, ())
        best = [n for n, wish in enumerate(wishes) if n not in decided]
        for category_id in sorted({wishes[n].kind.id for n in best}):
            mine = [n for n in best if wishes[n].kind.id == category_id]
            decided |= self._best(category_id, {n: wishes[n] for n in mine})
        made = self._write([each for each in decided.values() if isinstance(each, _Taken)])
        return [
            made[each.selection] if isinstance(each, _Taken) else each
            for each in (decided[number] for number in range(len(wishes)))
        ]

    def _lock_chosen(self, wishes: Sequence[Wish]) -> dict[tuple[UUID, str], Seat]:
        labels = {label for wish in wishes for label in wish.seats}
        if not labels:
            return {}
        sessions = {wish.kind.session_id for wish in wishes if wish.seats}
        return taking.chosen(self._session, sessions, labels, self.now)

    def _choose(self, wish: Wish, chosen: dict[tuple[UUID, str], Seat]) -> Outcome | _Taken:
        keys = [(wish.kind.id, label) for label in wish.seats]
        gone = [label for _, label in (key for key in keys if key not in chosen)]
        if gone:
            return Gone(sorted(gone))
        taken = self._admit(wish, sorted(chosen[key] for key in keys))
        if isinstance(taken, _Taken):
            for key in keys:
                del chosen[key]
        return taken

    def _best(self, category_id: UUID, wishes: dict[int, Wish]) -> dict[int, Outcome | _Taken]:
        quantities = [each.quantity for each in wishes.values()]
        picked = taking.pick(
            self._session, category_id, quantities, self.now, but=self.taken, waits=self._waits
        )
        left = 0
        if None in picked.seats:
            most = max(quantities)
            kept = self.taken.union(seat.id for seats in picked.seats for seat in seats or ())
            left = len(taking.free(self._session, category_id, self.now, but=kept, most=most))
        decided: dict[int, Outcome | _Taken] = {}
        for (number, wish), seats in zip(wishes.items(), picked.seats, strict=True):
            if seats is not None:
                decided[number] = self._admit(wish, seats)
            else:
                decided[number] = Contested() if picked.contested else Short(left)
        return decided

    def free_of(self, kind: Kind) -> int | None:
        """Places that anybody may have now; None where seats are all that counts."""
        if not kind.counted:
            return None
        return counting.standing(kind.id, self._count(kind)).free

    def _admit(self, wish: Wish, seats: Sequence[Seat]) -> Short | _Taken:
        """Whether the pool has so many for this wish, where its places are counted."""
        allotment_id = None
        if wish.kind.counted:
            allotment_id = self._of_allotment(wish)
            counts = self._count(wish.kind)
            stands = counting.standing(wish.kind.id, counts)
            free = stands.free if wish.waiter_id is None else stands.left
            if allotment_id is None and free < wish.quantity:
                return Short(free)
            self._counts[wish.kind.pool] = [
                _less(each, wish.quantity, allotment_id) if each.id == wish.kind.id else each
                for each in counts
            ]
        self.taken.update(seat.id for seat in seats)
        return _Taken(wish, secrets.token_urlsafe(18), seats, allotment_id)

    def _of_allotment(self, wish: Wish) -> UUID | None:
        """The allotment of the caller's firm, where it has so many left."""
        if wish.firm is None:
            return None
        found = taking.allotted(self._session, wish.kind.id, wish.firm, self.now)
        if found is None or found[1] - self._used.get(found[0], 0) < wish.quantity:
            return None
        self._used[found[0]] = self._used.get(found[0], 0) + wish.quantity
        return found[0]

    def _count(self, kind: Kind) -> list[Count]:
        counts = self._counts.get(kind.pool)
        if counts is None:
            counts = counting.of_pool(self._session, kind.id, self.now)
            self._counts[kind.pool] = counts
        return counts

    def _write(self, taken: Sequence[_Taken]) -> dict[str, Held]:
        """Keep the prices, hold the seats, note the reservations."""
        if not taken:
            return {}
        offers: dict[str, Sequence[PluginOffer]] = {}
        for sku, ends_at in sorted({(each.wish.kind.sku, each.wish.ends_at) for each in taken}):
            same = [e for e in taken if (e.wish.kind.sku, e.wish.ends_at) == (sku, ends_at)]
            names = [each.selection for each in same]
            offers |= self._host.promise_prices(self._session, sku, names, ends_at)
        rows = [_row(each, offers.get(each.selection, ())) for each in taken]
        asked = {"rows": msgspec.json.encode(rows).decode(), "now": self.now}
        self._session.execute(WRITE, asked)
        return {
            each.selection: Held(each.selection, each.seats, offers.get(each.selection, ()))
            for each in taken
        }


def _less(count: Count, quantity: int, allotment_id: UUID | None) -> Count:
    """A count when so many more are held of it."""
    allotted = count.allotted - (quantity if allotment_id is not None else 0)
    return replace(count, held=count.held + quantity, allotted=allotted)


def _row(taken: _Taken, offers: Sequence[PluginOffer]) -> dict[str, Any]:
    wish = taken.wish
    return {
        "id": taken.selection,
        "category_id": wish.kind.id,
        "allotment_id": taken.allotment_id,
        "waiter_id": wish.waiter_id,
        "caller_id": wish.caller_id,
        "buyer": wish.buyer,
        "quantity": wish.quantity,
        "points": offers[0].points if offers else 0,
        "attendees": [msgspec.to_builtins(each) for each in wish.attendees],
        "ends_at": wish.ends_at,
        "seats": [each.id for each in taken.seats],
    }
