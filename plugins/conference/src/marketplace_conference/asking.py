"""What people ask for: checked, held, and where it cannot be had they are told what can.

All who asked in the same moment share a transaction (`reserve_all`).
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, TypeAlias
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.api import Host, InvalidRequest, MarketplaceError, Principal
from marketplace_conference import attendees, counting, holding, prerequisites, taking
from marketplace_conference.errors import SeatsTaken, SoldOut, TooManyAtOnce, UnknownCategory
from marketplace_conference.holding import Gone, Held, Kind, Short, Wish
from marketplace_conference.schemas import NewReservation, ReservationView
from marketplace_conference.shared import Shared

Answer: TypeAlias = ReservationView | MarketplaceError
Person: TypeAlias = tuple[UUID, UUID, str | None]
"""Whose places are counted together: category, caller, and whom a key reserves for."""

TRIES = 5
SHOWN = 12
"""Free seats that somebody is told of who chose others: not the same for everybody."""
LOOKED_AT = 200
ELSEWHERE_S = 0.5
"""How old may be what is said of other categories."""

MINE = sa.text("""
select asked.number,
       (select coalesce(sum(r.quantity), 0)::int from conference_reservation r
        where r.caller_id = asked.caller and r.category_id = asked.category and r.state = 'held'
          and r.ends_at > :now and r.buyer is not distinct from asked.buyer) as mine
from jsonb_to_recordset(cast(:people as jsonb))
     as asked (number int, category uuid, caller uuid, buyer text)
""")
SOLD_OUT = sa.text(f"""
select c.id from conference_category c
where c.id = any(cast(:categories as uuid[])) and not exists (
    select from conference_seat where category_id = c.id and {taking.FREE})
""")


class Asked(msgspec.Struct, frozen=True):
    """Somebody who asks."""

    number: int
    principal: Principal
    new: NewReservation
    quantity: int

    def person(self, kind: Kind) -> Person:
        return kind.id, self.principal.caller_id, self.new.buyer


class Reserver:
    """What answers everybody who asked in the same moment. Those over one host are equal: pages and
    API wait in one queue.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._elsewhere = Shared(lambda event_id: _places_of(host, event_id), ELSEWHERE_S)

    def __call__(self, asked: Sequence[tuple[Principal, Any]]) -> Sequence[Any]:
        return reserve_all(self._host, asked, self._elsewhere)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Reserver) and other._host is self._host

    def __hash__(self) -> int:
        return id(self._host)


def reserve_all(
    host: Host,
    asked: Sequence[tuple[Principal, NewReservation]],
    elsewhere: Shared[dict[str, int]] | None = None,
) -> list[Answer]:
    """Take places for a while, for each of these in turn; an error is that one's alone.

    `elsewhere` says where else of an event places are free.
    """
    if elsewhere is None:
        elsewhere = Shared(lambda event_id: _places_of(host, event_id), 0)
    answers: dict[int, Answer] = {}
    todo: list[Asked] = []
    for number, (principal, new) in enumerate(asked):
        try:
            todo.append(Asked(number, principal, new, _quantity(principal, new)))
        except MarketplaceError as error:
            answers[number] = error
    alone: set[UUID] = set()
    for attempt in range(TRIES):
        if not todo:
            break
        with host.transaction() as session:
            batch = _Batch(host, session, todo, alone, waits=attempt > 0)
            answers |= batch.answers()
        for number, left in batch.missed.items():
            answers[number] = _missed(batch.asked[number], left, elsewhere)
        todo = [each for each in todo if each.number not in answers]
    for each in todo:
        answers[each.number] = SoldOut("Too many others are choosing just now; try again.")
    return [answers[number] for number in range(len(asked))]


def _quantity(principal: Principal, asked: NewReservation) -> int:
    if asked.buyer is not None and not principal.is_key:
        raise InvalidRequest("`buyer` is for API keys: people reserve for themselves.")
    if not (asked.buyer or "").isprintable():
        raise InvalidRequest("`buyer` has characters that are not seen.")
    if not asked.seats:
        if asked.quantity is None:
            raise InvalidRequest("Say which seats, or how many places.")
        return asked.quantity
    if not all(each.isprintable() for each in asked.seats):
        raise InvalidRequest("There are no such seats.")
    if len(set(asked.seats)) != len(asked.seats):
        raise InvalidRequest("A seat is named twice.")
    if asked.quantity not in (None, len(asked.seats)):
        raise InvalidRequest("`quantity` is not the number of seats.")
    return len(asked.seats)


class Missed(msgspec.Struct, frozen=True):
    """What could not be had, and what is free instead."""

    kind: Kind
    quantity: int
    free: int
    gone: Sequence[str] = ()
    free_seats: Sequence[str] = ()


class _Batch:
    """One transaction of everybody who asks; who is not answered has to ask again."""

    def __init__(
        self,
        host: Host,
        session: Session,
        todo: Sequence[Asked],
        alone: set[UUID],
        *,
        waits: bool,
    ) -> None:
        self._host = host
        self._session = session
        self._alone = alone
        self.asked = {each.number: each for each in todo}
        self.missed: dict[int, Missed] = {}
        # One statement of a transaction may wait for seats, else two would wait for each other.
        self._waits = waits and not any(each.new.seats for each in todo)
        self._kinds = holding.kinds(session, [each.new.sku for each in todo])
        self._needs = prerequisites.required(session, {k.session_id for k in self._kinds.values()})
        self._answers: dict[int, Answer] = {}

    def answers(self) -> dict[int, Answer]:
        """Hold what can be held; those who missed are in `missed`."""
        for each in self._open():
            try:
                self._check(each)
            except MarketplaceError as error:
                self._answers[each.number] = error
        self._refuse_where_sold_out()
        if not self._open():
            return self._answers
        self._lock()
        holder = holding.Holder(self._host, self._session, waits=self._waits)
        self._leave_those_who_must_wait()
        self._limit(holder.now)
        wishes = {each.number: self._wish(each, holder.now) for each in self._open()}
        outcomes = dict(zip(wishes, holder.hold(list(wishes.values())), strict=True))
        free: dict[UUID, list[str]] = {}
        for number, outcome in outcomes.items():
            if isinstance(outcome, Held):
                self._answers[number] = _view(self.asked[number], outcome, wishes[number], holder)
            elif isinstance(outcome, Short | Gone):
                self.missed[number] = self._miss(number, outcome, holder, free)
        return self._answers

    def _open(self) -> list[Asked]:
        done = self._answers.keys() | self.missed.keys()
        return [each for each in self.asked.values() if each.number not in done]

    def _kind(self, each: Asked) -> Kind:
        return self._kinds[each.new.sku]

    def _check(self, each: Asked) -> None:
        """What makes no sense is refused before anything is locked."""
        kind = self._kinds.get(each.new.sku)
        if kind is None or kind.status != "published":
            raise UnknownCategory
        if each.quantity > kind.most_at_once:
            raise TooManyAtOnce(f"{kind.most_at_once} at most at once.")
        if each.new.seats and not kind.numbered:
            raise InvalidRequest("These places have no numbers: say how many.")
        if kind.must_choose and not each.new.seats:
            raise InvalidRequest("Choose the seats.")
        people = each.new.attendees
        attendees.check(self._session, kind.event_id, people, each.quantity, complete=False)
        prerequisites.check_people(self._session, self._needs.get(kind.session_id, ()), people)

    def _refuse_where_sold_out(self) -> None:
        """Most of a crowd comes too late: they cost one look, and no lock."""
        numbered = {each.id for each in self._kinds.values() if each.numbered}
        if not numbered:
            return
        asked = {"categories": list(numbered), "now": self._host.now(self._session)}
        gone = set(self._session.scalars(SOLD_OUT, asked))
        for each in self._open():
            kind = self._kind(each)
            if kind.id in gone:
                self.missed[each.number] = Missed(kind, each.quantity, 0)

    def _lock(self) -> None:
        """Pools, then people: who asks twice at the same moment has no more than who asks once."""
        open_ones = self._open()
        pools: dict[str, bool] = {}
        for each in open_ones:
            kind = self._kind(each)
            alone = kind.id in self._alone or kind.counted
            pools[kind.pool] = alone or pools.get(kind.pool, False)
        people = {"/".join(map(str, each.person(self._kind(each)))) for each in open_ones}
        taking.lock(
            self._session,
            {pool: pools[pool] for pool in sorted(pools)} | dict.fromkeys(sorted(people), True),
        )
        self._locked = pools

    def _leave_those_who_must_wait(self) -> None:
        """Firms got places, or people wait, since it was looked: to be counted, with the pool
        locked alone.
        """
        self._kinds = holding.kinds(self._session, list(self._kinds))
        late = {
            kind.id
            for kind in map(self._kind, self._open())
            if kind.counted and not self._locked.get(kind.pool)
        }
        self._alone |= late
        for number in [e.number for e in self._open() if self._kind(e).id in late]:
            del self.asked[number]

    def _limit(self, now: datetime) -> None:
        """Nobody reserves more than so many at once."""
        people = list({each.person(self._kind(each)) for each in self._open()})
        rows = [
            {"number": number, "category": category_id, "caller": caller_id, "buyer": buyer}
            for number, (category_id, caller_id, buyer) in enumerate(people)
        ]
        asked = {"people": msgspec.json.encode(rows).decode(), "now": now}
        found = self._session.execute(MINE, asked)
        mine = {people[row.number]: row.mine for row in found}
        perhaps: Counter[Person] = Counter()
        for each in self._open():
            person, most = each.person(self._kind(each)), self._kind(each).most_at_once
            if mine[person] + each.quantity > most:
                self._answers[each.number] = TooManyAtOnce(
                    f"{most} at most at once; {mine[person]} are reserved for you already."
                )
            elif mine[person] + perhaps[person] + each.quantity > most:
                del self.asked[each.number]  # until it is known what becomes of the one before
            else:
                perhaps[person] += each.quantity

    def _wish(self, each: Asked, now: datetime) -> Wish:
        kind, firm = self._kind(each), None
        if kind.crowded and each.principal.participant_id is not None:
            who = self._host.who(self._session, each.principal.participant_id)
            firm = None if who is None else who.firm_reference
        return Wish(
            kind=kind,
            quantity=each.quantity,
            seats=each.new.seats,
            caller_id=each.principal.caller_id,
            buyer=each.new.buyer,
            firm=firm,
            attendees=each.new.attendees,
            ends_at=now + timedelta(minutes=kind.hold_minutes),
        )

    def _miss(
        self,
        number: int,
        outcome: Short | Gone,
        holder: holding.Holder,
        known: dict[UUID, list[str]],
    ) -> Missed:
        kind = self._kind(self.asked[number])
        quantity = self.asked[number].quantity
        if isinstance(outcome, Short):
            return Missed(kind, quantity, outcome.left)
        if kind.id not in known:
            seats = taking.free(
                self._session, kind.id, holder.now, but=holder.taken, most=LOOKED_AT
            )
            known[kind.id] = [each.label for each in seats][: holder.free_of(kind)]
        free = known[kind.id]
        shown = random.sample(free, min(SHOWN, len(free)))
        return Missed(kind, quantity, len(free), outcome.labels, shown)


def _view(each: Asked, held: Held, wish: Wish, holder: holding.Holder) -> ReservationView:
    offer = held.offers[0] if held.offers else None
    return ReservationView(
        selection=held.selection,
        sku=each.new.sku,
        offer=offer.reference if offer else "",
        quantity=each.quantity,
        seats=[seat.label for seat in held.seats],
        points=offer.points * each.quantity if offer else 0,
        state="held",
        made_at=holder.now,
        ends_at=wish.ends_at,
        attendees=each.new.attendees,
    )


def _missed(asked: Asked, missed: Missed, elsewhere: Shared[dict[str, int]]) -> MarketplaceError:
    """What somebody is told who was too late: the truth, and what there is instead."""
    if missed.gone and missed.free:
        return SeatsTaken(missed.gone, free_seats=list(missed.free_seats))
    others = {
        sku: free
        for sku, free in elsewhere.get(missed.kind.event_id).items()
        if free >= asked.quantity and sku != missed.kind.sku
    }
    told = f"{missed.free} free, {missed.quantity} asked for."
    if others:
        told += f" There are places of {', '.join(others)}."
    return SoldOut(told, free=missed.free, others=others)


def _places_of(host: Host, event_id: UUID) -> dict[str, int]:
    """What is free of each category of an event, by sku."""
    with host.transaction() as session:
        counts = counting.of_event(session, event_id, host.now(session))
        return {each.sku: counting.standing(each.id, counts).free for each in counts}
