"""People choose places, have them for a while, burn for them, or let them go."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from marketplace_conference import events, plan, reserving, selling
from marketplace_conference.errors import (
    BadAttendees,
    EventOff,
    ReservationEnded,
    SeatsTaken,
    SoldOut,
    TooManyAtOnce,
    UnknownCategory,
    UnknownReservation,
)
from marketplace_conference.models import place, reservation, seat
from marketplace_conference.schemas import Attendee, NewAllotment, NewReservation
from marketplace_conference.supplier import BoxOffice
from marketplace_conference.tickets import cancelling, repository

from marketplace.api import Conflict, Fulfilled, Host, InvalidRequest, MarketplaceError, Rejected

from .conftest import Hall


def all_at_once(work: Sequence[Callable[[], Any]]) -> Counter[str]:
    """Do everything in threads that start together; counts `done` and codes of errors."""
    outcomes: list[str] = []
    gate = threading.Barrier(len(work))

    def run(each: Callable[[], Any]) -> None:
        gate.wait()
        try:
            each()
        except MarketplaceError as error:
            outcomes.append(error.code)
        else:
            outcomes.append("done")

    threads = [threading.Thread(target=run, args=(each,)) for each in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Counter(outcomes)


def expire(host: Host, selection: str) -> None:
    """The time of a reservation is over."""
    with host.transaction() as session:
        past = datetime.now(UTC) - timedelta(seconds=1)
        mine = reservation.c.id == selection
        session.execute(sa.update(reservation).where(mine).values(ends_at=past))
        held = seat.c.held_by == selection
        session.execute(sa.update(seat).where(held).values(held_until=past))


def test_chosen_seats_are_kept_from_others_until_they_are_sold(hall: Hall) -> None:
    before = datetime.now(UTC)
    mine = hall.reserve(hall.row, "A-2", "A-3")
    after = datetime.now(UTC)
    assert (mine.seats, mine.points, mine.state) == (["A-2", "A-3"], 2_000, "held")
    assert before <= mine.ends_at - timedelta(minutes=10) <= after
    with pytest.raises(SeatsTaken) as taken:
        hall.reserve(hall.row, "A-3", "A-4")
    assert taken.value.extra["seats"] == ["A-3"]
    assert hall.reserve(hall.row, "A-4").seats == ["A-4"]
    assert hall.numbers(hall.row) == {"places": 10, "held": 3, "free": 7}
    assert hall.stock(hall.row) == 10
    order = hall.order(hall.row, 2, mine.selection)
    (sold,) = hall.fulfil(order)
    assert isinstance(sold, Fulfilled)
    assert [each.label for each in sold.artefacts] == [
        "Forum: Day · Row · A-2",
        "Forum: Day · Row · A-3",
    ]
    assert hall.fulfil(order) == [sold]
    assert hall.numbers(hall.row) == {"places": 10, "sold": 2, "held": 1, "free": 7}


def test_the_best_seats_are_beside_each_other_where_they_can_be(hall: Hall) -> None:
    hall.reserve(hall.row, "A-3")
    assert hall.reserve(hall.row, quantity=3).seats == ["B-1", "B-2", "B-3"]
    assert hall.reserve(hall.row, quantity=2).seats == ["A-1", "A-2"]
    assert hall.reserve(hall.row, quantity=4).seats == ["A-4", "A-5", "B-4", "B-5"]
    with pytest.raises(SoldOut):
        hall.reserve(hall.row, quantity=1)


def test_a_reservation_ends_by_itself_and_is_still_sold_while_nobody_took_it(hall: Hall) -> None:
    first, second = hall.reserve(hall.row, "A-1"), hall.reserve(hall.row, "A-2")
    for each in (first, second):
        expire(hall.host, each.selection)
    assert hall.numbers(hall.row) == {"places": 10, "free": 10}
    assert reserving.sweep(hall.host) >= 2
    hall.reserve(hall.row, "A-2")
    late, lost = hall.fulfil(
        hall.order(hall.row, 1, first.selection), hall.order(hall.row, 1, second.selection)
    )
    assert isinstance(late, Fulfilled)
    assert isinstance(lost, Rejected)
    assert lost.reason == selling.LOST


def test_a_selection_is_used_once_and_for_what_it_is(hall: Hall) -> None:
    mine = hall.reserve(hall.row, "A-1")
    others = [
        hall.order(hall.row, 2, mine.selection),
        hall.order(hall.stand, 1, mine.selection),
        hall.order(hall.row, 1, "made-up"),
    ]
    reasons = [each.reason for each in hall.fulfil(*others) if isinstance(each, Rejected)]
    assert reasons == [selling.NOT_THESE, selling.NOT_THESE, selling.NOT_CHOSEN]
    twice = hall.fulfil(*(hall.order(hall.row, 1, mine.selection) for _ in range(2)))
    assert sorted(type(each).__name__ for each in twice) == ["Fulfilled", "Rejected"]


def test_without_a_selection_the_best_free_places_are_sold(hall: Hall) -> None:
    hall.reserve(hall.row, "A-1")
    (sold,) = hall.fulfil(hall.order(hall.row, 2))
    assert isinstance(sold, Fulfilled)
    assert [each.label[-3:] for each in sold.artefacts] == ["A-2", "A-3"]
    categories = [
        each if each.sku != hall.row else type(each)(**{**as_dict(each), "must_choose": True})
        for each in hall.new.categories
    ]
    hall.put(categories=categories)
    (refused,) = hall.fulfil(hall.order(hall.row))
    assert isinstance(refused, Rejected)
    assert refused.reason == selling.NOT_CHOSEN


def as_dict(each: Any) -> dict[str, Any]:
    return {name: getattr(each, name) for name in each.__struct_fields__}


def test_a_shared_quota_is_sold_once(hall: Hall) -> None:
    held = hall.reserve(hall.stand, quantity=2)
    (sold,) = hall.fulfil(hall.order(hall.balcony, 2))
    assert isinstance(sold, Fulfilled)
    assert hall.numbers(hall.stand) == {"places": 5, "held": 2, "elsewhere": 2, "free": 1}
    assert hall.numbers(hall.balcony) == {"places": 5, "sold": 2, "elsewhere": 2, "free": 1}
    with pytest.raises(SoldOut):
        hall.reserve(hall.balcony, quantity=2)
    assert (hall.stock(hall.stand), hall.stock(hall.balcony)) == (3, 3)
    expire(hall.host, held.selection)
    (rest,) = hall.fulfil(hall.order(hall.balcony, 3))
    assert isinstance(rest, Fulfilled)
    (late,) = hall.fulfil(hall.order(hall.stand, 2, held.selection))
    assert isinstance(late, Rejected)
    assert hall.stock(hall.stand) == 0


def test_places_of_a_refunded_burn_are_free_and_back_in_the_stock(hall: Hall) -> None:
    order = hall.order(hall.row, 2)
    hall.fulfil(order)
    shared = hall.order(hall.stand, 2)
    hall.fulfil(shared)
    with hall.host.transaction() as session:
        assert selling.release(hall.host, session, order.reference, [1]) == 1
        assert selling.release(hall.host, session, shared.reference) == 2
        assert selling.release(hall.host, session, shared.reference) == 0
    assert hall.numbers(hall.row) == {"places": 10, "sold": 1, "free": 9}
    assert (hall.stock(hall.row), hall.stock(hall.balcony)) == (9, 5)
    assert hall.reserve(hall.row, "A-1").seats == ["A-1"]


def test_who_comes_is_asked_and_checked(hall: Hall) -> None:
    who = hall.person()
    mine = hall.reserve(hall.row, "A-1", "A-2", who=who)
    ilse = Attendee(name="Ilse", email="ilse@alder.example", answers={"badge": "Ilse A."})
    wrong = Attendee(name=" ", email="nobody", answers={"meal": "fish", "hat": "blue"})

    def name(*people: Attendee, complete: bool = True) -> None:
        reserving.name_attendees(hall.host, who, mine.selection, people, complete=complete)

    with pytest.raises(BadAttendees) as refused:
        name(ilse, wrong)
    assert {each["position"] for each in refused.value.extra["errors"]} == {2}
    assert len(refused.value.extra["errors"]) == 5
    for people in ((ilse,), (ilse, ilse, ilse)):
        with pytest.raises(BadAttendees):
            name(*people)
    name(ilse, complete=False)
    name(ilse, Attendee(name="Max", answers={"badge": "Max"}))
    order = hall.order(hall.row, 2, mine.selection)
    hall.fulfil(order)
    with hall.host.transaction() as session:
        (places,) = selling.places_of(session, [order.reference]).values()
    assert [each.attendee_name for each in places] == ["Ilse", "Max"]
    assert places[0].answers == {"badge": "Ilse A."}
    with pytest.raises(ReservationEnded):
        name(ilse, ilse)


def test_a_reservation_is_its_makers_who_may_let_it_go(hall: Hall) -> None:
    who = hall.person()
    mine = hall.reserve(hall.row, "A-1", who=who)
    for stranger in (hall.person(),):
        with pytest.raises(UnknownReservation):
            reserving.release(hall.host, stranger, mine.selection)
    assert reserving.release(hall.host, who, mine.selection).state == "ended"
    assert hall.reserve(hall.row, "A-1").seats == ["A-1"]
    (late,) = hall.fulfil(hall.order(hall.row, 1, mine.selection))
    assert isinstance(late, Rejected)


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"sku": "no-such", "quantity": 1}, UnknownCategory),
        ({}, InvalidRequest),
        ({"seats": ["A-1", "A-1"]}, InvalidRequest),
        ({"seats": ["A-1"], "quantity": 2}, InvalidRequest),
        ({"seats": ["Z-1"]}, SeatsTaken),
        ({"quantity": 11}, TooManyAtOnce),
    ],
)
def test_what_makes_no_sense_is_refused(
    asked: dict[str, Any], error: type[MarketplaceError], hall: Hall
) -> None:
    with pytest.raises(error):
        reserving.reserve(hall.host, hall.person(), NewReservation(**{"sku": hall.row, **asked}))


def test_a_draft_or_an_event_that_was_called_off_sells_nothing(hall: Hall) -> None:
    def withdraw() -> None:
        events.set_status(hall.host, hall.slug, None, "draft", actor="cli:test")

    def call_off() -> None:
        with hall.host.transaction() as session:
            event = repository.event_named(session, hall.slug)
        assert event is not None
        cancelling.call_off(hall.host, event, "Flooded.", actor="cli:test")

    for end in (withdraw, call_off):
        end()
        with pytest.raises(UnknownCategory):
            hall.reserve(hall.row, "A-1")
        (refused,) = hall.fulfil(hall.order(hall.row))
        assert isinstance(refused, Rejected)
    with pytest.raises(EventOff):
        events.set_status(hall.host, hall.slug, None, "published", actor="cli:test")


def test_a_ticket_that_comes_after_its_event_was_called_off_is_seen_to(hall: Hall) -> None:
    """Sold a moment before, issued a moment after."""
    with hall.host.transaction() as session:
        event = repository.event_named(session, hall.slug)
    assert event is not None
    box = BoxOffice(hall.host)
    order = hall.order(hall.row)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(box, "lookup", lambda orders: [])
        box.fulfil([order])
    cancelling.call_off(hall.host, event, "Flooded.", actor="cli:test")
    assert not cancelling.pay_all(hall.host)
    assert isinstance(box.lookup([order])[0], Fulfilled)
    cancelling.pay_all(hall.host)
    with hall.host.transaction() as session:
        seen = cancelling.progress(session, event)
        (ticket,) = repository.of_orders(session, [order.reference])
    assert (seen.tickets, seen.cancelled) == (1, 1)
    assert ticket.order_reference == order.reference


def test_seats_of_a_second_plan_are_drawn_below_the_first(hall: Hall) -> None:
    text = f"sku,row,number\n{hall.row},Z,1\n"
    plan.import_plan(hall.host, hall.slug, "day", text, None, actor="cli:test")
    places = {each.label: (each.x, each.y) for each in plan.seats(hall.host, hall.slug, "day")}
    assert len(set(places.values())) == len(places)
    assert places["Z-1"] == (1, 4)


def test_a_crowd_gets_each_seat_once(hall: Hall) -> None:
    best = [lambda: hall.reserve(hall.row, quantity=1)] * 12
    chosen = [lambda: hall.reserve(hall.row, "B-4", "B-5")] * 6
    outcomes = all_at_once([*best, *chosen])
    held = hall.numbers(hall.row)["held"]
    assert held == 10
    with hall.host.transaction() as session:
        seats = sa.select(seat.c.held_by).where(seat.c.label.in_(["B-4", "B-5"]))
        assert all(session.scalars(seats.join(reservation, reservation.c.id == seat.c.held_by)))
    assert outcomes["done"] in (9, 10)
    assert sum(outcomes.values()) == 18
    standing = all_at_once([lambda: hall.reserve(hall.stand, quantity=1)] * 12)
    assert standing == {"done": 5, "conference_sold_out": 7}


def test_the_database_itself_refuses_a_second_sale_of_a_seat(hall: Hall) -> None:
    before, again = hall.order(hall.row), hall.order(hall.row)
    hall.fulfil(before)
    hall.fulfil(again)
    theirs = sa.select(place.c.seat_id).where(place.c.order_reference == before.reference)
    first = theirs.scalar_subquery()
    mine = place.c.order_reference == again.reference
    with hall.host.transaction() as session, session.begin_nested() as attempt:
        with pytest.raises(sa.exc.DBAPIError, match="uq_conference_place_seat_id"):
            session.execute(sa.update(place).where(mine).values(seat_id=first))
        attempt.rollback()


def test_an_allotment_must_fit(hall: Hall) -> None:
    later = datetime.now(UTC) + timedelta(days=1)

    def allot(size: int) -> None:
        new = NewAllotment(sku=hall.stand, firm="F-1", size=size, releases_at=later)
        events.allot(hall.host, new, None, actor="cli:test")

    allot(3)
    assert hall.numbers(hall.balcony) == {"places": 5, "elsewhere": 3, "free": 2}
    assert hall.numbers(hall.stand) == {"places": 5, "allotted": 3, "free": 2}
    with pytest.raises(SoldOut):
        hall.reserve(hall.stand, quantity=3)
    with pytest.raises(Conflict):
        allot(6)
    allot(1)
    assert hall.reserve(hall.balcony, quantity=4).quantity == 4
