"""A crowd asks at once: each is told the truth, and nobody gets more than is due."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from marketplace_conference import asking, events, holding, selling, waiting
from marketplace_conference.models import reservation, seat, waiter
from marketplace_conference.schemas import (
    NewAllotment,
    NewReservation,
    NewWaiter,
    ReservationView,
)

from marketplace.api import Host, MarketplaceError, Principal
from marketplace.testing import Lab

from .conftest import Hall
from .test_reserving import all_at_once
from .test_waiting import stop_at_a_lock


def ask(hall: Hall, *asked: tuple[Principal, dict[str, Any]]) -> list[Any]:
    """What a crowd is told: labels of seats, or number of places, or the code of an error."""
    wishes = [(who, NewReservation(**{"sku": hall.row, **each})) for who, each in asked]
    return [
        (each.seats or each.quantity) if isinstance(each, ReservationView) else each.code
        for each in asking.reserve_all(hall.host, wishes)
    ]


def key() -> Principal:
    """A partner's shop."""
    member = uuid4()
    return Principal(
        credential_id=uuid4(),
        caller_id=member,
        actor="key:shop",
        member_id=member,
        scopes=frozenset({"burns:write"}),
    )


def test_everybody_is_served_in_the_order_of_coming(hall: Hall) -> None:
    p = hall.person
    told = ask(
        hall,
        (p(), {"seats": ["A-1", "A-2"]}),
        (p(), {"quantity": 2}),
        (p(), {"seats": ["A-2", "A-3"]}),
        (p(), {"quantity": 1}),
        (p(), {"sku": "no-such", "quantity": 1}),
        (p(), {"seats": ["Z-9"]}),
        (p(), {"sku": hall.stand, "quantity": 3}),
        (p(), {"sku": hall.balcony, "quantity": 3}),
        (p(), {"sku": hall.balcony, "quantity": 2}),
        (p(), {"quantity": 11}),
        (p(), {}),
    )
    assert told == [
        ["A-1", "A-2"],
        ["A-3", "A-4"],
        "conference_seats_taken",
        ["A-5"],
        "conference_unknown_category",
        "conference_seats_taken",
        3,
        "conference_sold_out",
        2,
        "conference_too_many_at_once",
        "invalid_request",
    ]
    assert hall.numbers(hall.row) == {"places": 10, "held": 5, "free": 5}
    assert hall.numbers(hall.balcony) == {"places": 5, "held": 2, "elsewhere": 3}


def refusal(hall: Hall, **asked: Any) -> MarketplaceError:
    (answer,) = asking.reserve_all(
        hall.host, [(hall.person(), NewReservation(**{"sku": hall.row, **asked}))]
    )
    assert isinstance(answer, MarketplaceError)
    return answer


def test_who_is_too_late_is_told_what_is_free(hall: Hall) -> None:
    hall.reserve(hall.row, "A-1", "A-2", "A-3", "A-4", "A-5", "B-1", "B-2")
    taken = refusal(hall, seats=["A-1", "B-4"])
    assert taken.extra["seats"] == ["A-1"]
    assert sorted(taken.extra["free_seats"]) == ["B-3", "B-4", "B-5"]
    too_many = refusal(hall, quantity=4)
    assert (too_many.code, too_many.extra["free"]) == ("conference_sold_out", 3)
    assert too_many.extra["others"] == {hall.stand: 5, hall.balcony: 5}
    assert too_many.detail.startswith("3 free, 4 asked for. There are places of ")
    hall.reserve(hall.row, quantity=3)
    for asked in ({"quantity": 1}, {"seats": ["A-1"]}):
        gone = refusal(hall, **asked)
        assert (gone.code, gone.extra["free"]) == ("conference_sold_out", 0)


def test_nobody_reserves_more_by_asking_at_the_same_moment(hall: Hall) -> None:
    ann = hall.person()
    mine = lambda: hall.reserve(hall.row, quantity=4, who=ann)  # noqa: E731
    assert all_at_once([mine] * 6) == {"done": 2, "conference_too_many_at_once": 4}
    shop = key()
    of = lambda name: (shop, {"sku": hall.stand, "quantity": 1, "buyer": name})  # noqa: E731
    categories = [
        type(each)(**{**{n: getattr(each, n) for n in each.__struct_fields__}, "most_at_once": 1})
        for each in hall.new.categories
    ]
    hall.put(categories=categories)
    once = "conference_too_many_at_once"
    assert ask(
        hall, of("ilse"), of("max"), of("ilse"), (shop, {"sku": hall.stand, "quantity": 1})
    ) == [
        1,
        1,
        once,
        1,
    ]
    assert ask(hall, of("ilse"), of("eve"), (shop, {"sku": hall.stand, "quantity": 1})) == [
        once,
        1,
        once,
    ]
    assert ask(hall, (ann, {"quantity": 1, "buyer": "ilse"})) == ["invalid_request"]


def test_a_hundred_who_ask_take_as_many_statements_as_one(lab: Lab, host: Host) -> None:
    hall = Hall(lab, host, rows=10, seats=12)
    engine = lab.database.sync_engine
    seen: list[str] = []

    def note(*arguments: Any) -> None:
        seen.append(arguments[2])

    def statements(people: int) -> int:
        seen.clear()
        wishes = [(hall.person(), {"quantity": 1}) for _ in range(people)]
        wishes += [(hall.person(), {"seats": ["K-1"]})]
        ask(hall, *wishes)
        return len(seen)

    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        assert statements(1) == statements(100)
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)


def test_places_that_firms_get_while_it_is_looked_are_counted(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A firm is allotted all seats just after somebody found that nobody comes first."""
    once = iter([True])
    lock = asking.taking.lock

    def late(session: Any, names: Any) -> None:
        if next(once, False):
            later = datetime.now(UTC) + timedelta(days=1)
            new = NewAllotment(sku=hall.row, firm="F-1", size=10, releases_at=later)
            events.allot(hall.host, new, None, actor="cli:test")
        lock(session, names)

    monkeypatch.setattr(asking.taking, "lock", late)
    assert refusal(hall, quantity=1).code == "conference_sold_out"
    hall.reserve(hall.stand, quantity=1)
    kept = refusal(hall, seats=["A-1"])
    assert (kept.code, kept.extra["free"]) == ("conference_sold_out", 0)
    assert hall.numbers(hall.row) == {"places": 10, "allotted": 10}


def test_a_firms_people_take_its_allotment_one_after_the_other(
    lab: Lab, hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = datetime.now(UTC) + timedelta(days=1)
    who = uuid4()
    new = NewAllotment(sku=hall.stand, firm="F-1", size=3, releases_at=later)
    events.allot(hall.host, new, None, actor="cli:test")
    theirs = type("Who", (), {"firm_reference": "F-1"})()
    monkeypatch.setattr(type(hall.host), "who", lambda *_: theirs)
    member = lambda: hall.person(who)  # noqa: E731
    asked = {"sku": hall.stand, "quantity": 2}
    told = ask(hall, (member(), asked), (member(), asked), (member(), {**asked, "quantity": 1}))
    assert told == [2, 2, 1]
    assert hall.numbers(hall.stand) == {"places": 5, "held": 5}


def test_a_crowd_and_the_waiting_list_at_once_and_the_list_comes_first(
    lab: Lab, host: Host
) -> None:
    """Forty clients of the public against thirty who wait, while seats come back one by one."""
    hall = Hall(lab, host, rows=4, seats=10)
    order = hall.order(hall.row, 40)
    hall.fulfil(order)
    people = [hall.person() for _ in range(30)]
    waiters = [(who, waiting.join(hall.host, who, NewWaiter(skus=[hall.row]))) for who in people]
    told: list[Any] = []

    def public(number: int) -> None:
        chosen = {"seats": [f"{'ABCD'[number % 4]}-{number % 10 + 1}"]}
        crowd = [(hall.person(), {"quantity": 1}), (hall.person(), chosen)] * 5
        told.extend(ask(hall, *crowd))

    def free(position: int) -> None:
        with hall.host.transaction() as session:
            selling.release(hall.host, session, order.reference, [position])

    work: list[Callable[[], Any]] = [lambda n=n: public(n) for n in range(40)]
    work += [lambda n=n: free(n) for n in range(1, 31)]
    work += [lambda: waiting.serve_all(hall.host)] * 6
    assert all_at_once(work) == {"done": 76}
    waiting.serve_all(hall.host)
    states = [waiting.read(hall.host, who, seen.token).state for who, seen in waiters]
    assert Counter(states) == {"offered": 30}
    assert set(told) == {"conference_sold_out"}
    assert hall.numbers(hall.row) == {"places": 40, "sold": 10, "held": 30}
    with hall.host.transaction() as session:
        held = session.execute(
            sa.select(waiter.c.id, reservation.c.id, seat.c.id)
            .join(reservation, reservation.c.waiter_id == waiter.c.id)
            .join(seat, seat.c.held_by == reservation.c.id)
            .where(waiter.c.caller_id.in_([each.caller_id for each in people]))
        ).all()
    assert len(held) == len({each[2] for each in held}) == 30


def test_seats_that_others_have_in_hand_are_waited_for(hall: Hall) -> None:
    """Somebody has all seats in a transaction that then takes none: nobody is told "sold out"."""
    crowd = [(hall.person(), {"quantity": 1})] * 4
    with ThreadPoolExecutor(1) as pool, hall.host.transaction() as session:
        row = holding.kinds(session, [hall.row])[hall.row]
        theirs = sa.select(seat.c.id).where(seat.c.category_id == row.id)
        session.execute(theirs.with_for_update())
        told = pool.submit(ask, hall, *crowd)
        stop_at_a_lock(hall, 1)
        session.rollback()
    assert told.result() == [["A-1"], ["A-2"], ["A-3"], ["A-4"]]
