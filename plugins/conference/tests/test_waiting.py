"""Who waits is served in the order of joining, before the public, and told why not yet."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import pytest
import sqlalchemy as sa
from marketplace_conference import events, holding, reserving, selling, waiting
from marketplace_conference.errors import NotWaiting, PlacesAreFree, SoldOut, UnknownCategory
from marketplace_conference.models import event, reservation, waiter
from marketplace_conference.schemas import NewWaiter, WaiterView

from marketplace.api import Fulfilled, Host, InvalidRequest, Order, Principal
from marketplace.testing import Lab

from .conftest import Hall
from .test_reserving import all_at_once, expire

STARTS_LONG_AGO: Final = datetime(2020, 1, 1, tzinfo=UTC)


def join(
    hall: Hall, *skus: str, quantity: int = 1, who: Principal | None = None
) -> tuple[Principal, WaiterView]:
    """Somebody joins the list."""
    person = who or hall.person()
    return person, waiting.join(hall.host, person, NewWaiter(skus=list(skus), quantity=quantity))


def now(hall: Hall, who: Principal, seen: WaiterView) -> WaiterView:
    return waiting.read(hall.host, who, seen.token)


def free(hall: Hall, order: Order, *positions: int) -> None:
    with hall.host.transaction() as session:
        selling.release(hall.host, session, order.reference, positions or None)


def lapse(hall: Hall, seen: WaiterView, selection: str) -> None:
    """The time of an offer is over, and nobody has noticed yet."""
    expire(hall.host, selection)
    with hall.host.transaction() as session:
        past = datetime.now(UTC) - timedelta(seconds=1)
        mine = waiter.c.token == seen.token
        session.execute(sa.update(waiter).where(mine).values(offer_ends_at=past))


@pytest.fixture
def sold_out(hall: Hall) -> Order:
    """All ten seats of the rows are one order."""
    order = hall.order(hall.row, 10)
    hall.fulfil(order)
    return order


def test_what_becomes_free_is_offered_in_order_and_never_to_the_public_first(
    hall: Hall, sold_out: Order
) -> None:
    (ann, first), (bob, second) = join(hall, hall.row, quantity=2), join(hall, hall.row)
    assert (first.ahead, second.ahead) == (0, 1)
    assert second.why == "Nothing is free at present; 1 is ahead of you for the same places."
    free(hall, sold_out, 1)
    assert now(hall, ann, first).why == "1 free, and you wait for 2 together."
    free(hall, sold_out, 2, 3)
    with pytest.raises(SoldOut):
        hall.reserve(hall.row, quantity=1)
    with pytest.raises(SoldOut):
        hall.reserve(hall.row, "A-1")
    assert hall.numbers(hall.row) == {"places": 10, "sold": 7, "waiting": 3}
    assert waiting.serve_all(hall.host) >= 2
    offered = now(hall, ann, first)
    assert (offered.state, now(hall, bob, second).state) == ("offered", "offered")
    assert offered.selection is not None
    assert reserving.read(hall.host, ann, offered.selection).seats == ["A-1", "A-2"]
    (sold,) = hall.fulfil(hall.order(hall.row, 2, offered.selection))
    assert isinstance(sold, Fulfilled)
    assert now(hall, ann, first).state == "taken"


def test_who_declines_or_is_too_late_leaves_it_to_the_next(hall: Hall, sold_out: Order) -> None:
    (ann, first), (bob, second), (eve, third) = (join(hall, hall.row) for _ in range(3))
    free(hall, sold_out, 1)
    waiting.serve_all(hall.host)
    assert now(hall, eve, third).why.endswith("1 is ahead of you for the same places.")
    assert waiting.decline(hall.host, ann, first.token).state == "declined"
    offered = now(hall, bob, second)
    assert offered.state == "offered"
    assert offered.selection is not None
    lapse(hall, second, offered.selection)
    waiting.serve_all(hall.host)
    assert (now(hall, bob, second).state, now(hall, eve, third).state) == ("lapsed", "offered")
    assert waiting.decline(hall.host, ann, first.token).state == "declined"
    with pytest.raises(NotWaiting):
        waiting.read(hall.host, eve, first.token)


def test_however_many_wait_it_is_tried_once_whether_so_many_places_can_be_had(
    hall: Hall, sold_out: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody buys of the event while the list is served."""
    tries: list[int] = []
    hold = holding.Holder.hold

    def count(self: holding.Holder, wishes: Sequence[holding.Wish]) -> list[holding.Outcome]:
        tries.append(wishes[0].quantity)
        return hold(self, wishes)

    for quantity in (2, 1, 1, 3, 1, 2):
        join(hall, hall.row, quantity=quantity)
    monkeypatch.setattr(holding.Holder, "hold", count)
    waiting.serve(hall.host, event_id_of(hall))
    assert tries == [2, 1]
    free(hall, sold_out, 1, 2, 3)
    tries.clear()
    monkeypatch.setattr(waiting, "AT_ONCE", 2)
    assert waiting.serve(hall.host, event_id_of(hall)) == 2
    assert tries == [2, 1, 1]
    assert hall.numbers(hall.row) == {"places": 10, "sold": 7, "held": 3}


def event_id_of(hall: Hall) -> UUID:
    with hall.host.transaction() as session:
        found: UUID = session.execute(
            sa.select(event.c.id).where(event.c.slug == hall.slug)
        ).scalar_one()
    return found


def test_an_event_that_cannot_be_served_or_is_over_holds_up_no_other(
    lab: Lab, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    halls = [Hall(lab, host, rows=1, seats=1) for _ in range(3)]
    seen = []
    for each in halls:
        order = each.order(each.row)
        each.fulfil(order)
        seen.append(join(each, each.row))
        free(each, order)
    bad, good, over = sorted(halls, key=event_id_of)
    with host.transaction() as session:
        ended = sa.update(event).where(event.c.slug == over.slug)
        session.execute(ended.values(ends_at=datetime.now(UTC), starts_at=STARTS_LONG_AGO))
    served, serve = [], waiting.serve

    def fail(host: Host, event_id: UUID) -> int:
        served.append(event_id)
        if event_id == event_id_of(bad):
            raise ZeroDivisionError
        return serve(host, event_id)

    monkeypatch.setattr(waiting, "serve", fail)
    waiting.serve_all(host)
    states = {
        each.slug: now(each, who, place).state
        for each, (who, place) in zip(halls, seen, strict=True)
    }
    assert states == {bad.slug: "waiting", good.slug: "offered", over.slug: "waiting"}
    assert event_id_of(over) not in served


def test_who_declines_has_declined_though_the_next_cannot_be_served_now(
    hall: Hall, sold_out: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, first = join(hall, hall.row)

    def fail(host: Host, event_id: UUID) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr(waiting, "serve", fail)
    assert waiting.decline(hall.host, ann, first.token).state == "left"


def test_the_stock_of_one_event_that_cannot_be_aligned_holds_up_no_other(
    lab: Lab, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    halls = [Hall(lab, host, rows=1, seats=1) for _ in range(2)]
    bad, good = sorted(each.slug for each in halls)
    aligned = []

    def fail(host: Host, slug: str) -> None:
        if slug == bad:
            raise ZeroDivisionError
        aligned.append(slug)

    monkeypatch.setattr(events, "align", fail)
    events.align_all(host)
    assert good in aligned


def test_the_dearest_wish_that_can_be_had_is_offered(hall: Hall, sold_out: Order) -> None:
    hall.fulfil(hall.order(hall.stand, 5))
    who, seen = join(hall, hall.row, hall.stand)
    assert waiting.decline(hall.host, *reversed_pair(join(hall, hall.balcony))).state == "left"
    hall.put(quotas={"floor": 6})
    waiting.serve_all(hall.host)
    offered = now(hall, who, seen)
    assert offered.selection is not None
    assert reserving.read(hall.host, who, offered.selection).sku == hall.stand


def reversed_pair(joined: tuple[Principal, WaiterView]) -> tuple[Principal, str]:
    return joined[0], joined[1].token


def test_nobody_waits_for_what_can_be_had(hall: Hall) -> None:
    with pytest.raises(PlacesAreFree):
        join(hall, hall.row)
    with pytest.raises(UnknownCategory):
        join(hall, "no-such")
    with pytest.raises(InvalidRequest):
        join(hall, hall.row, hall.row)


def test_list_and_public_race_for_what_becomes_free_and_the_list_wins(
    hall: Hall, sold_out: Order
) -> None:
    waiters = [join(hall, hall.row) for _ in range(6)]
    public = [lambda: hall.reserve(hall.row, quantity=1)] * 8
    chosen = [lambda: hall.reserve(hall.row, "A-1")] * 4
    frees = [lambda n=n: free(hall, sold_out, n) for n in range(1, 7)]
    serves = [lambda: waiting.serve_all(hall.host)] * 4
    outcomes = all_at_once([*public, *frees, *serves, *chosen])
    waiting.serve_all(hall.host)
    assert [now(hall, *each).state for each in waiters] == ["offered"] * 6
    assert outcomes["done"] == 10
    assert hall.numbers(hall.row) == {"places": 10, "sold": 4, "held": 6}


def offer(hall: Hall, sold_out: Order) -> tuple[Principal, WaiterView, str]:
    """Somebody who was offered a place, and let the time for it pass."""
    who, seen = join(hall, hall.row)
    free(hall, sold_out, 1)
    waiting.serve_all(hall.host)
    selection = now(hall, who, seen).selection
    assert selection is not None
    lapse(hall, seen, selection)
    return who, seen, selection


def in_turn(hall: Hall, selection: str, *work: Callable[[], Any]) -> list[Future[Any]]:
    """Begin these one after the other, each once the one before waits; then let all go on.

    The reservation is locked meanwhile: whoever needs it stops there, with all it locked before.
    """
    with ThreadPoolExecutor(len(work)) as pool, hall.host.transaction() as session:
        mine = sa.select(reservation.c.id).where(reservation.c.id == selection)
        session.execute(mine.with_for_update())
        begun = []
        for number, each in enumerate(work, start=1):
            begun.append(pool.submit(each))
            stop_at_a_lock(hall, number)
    return begun


def stop_at_a_lock(hall: Hall, number: int) -> None:
    """Return once so many wait for a lock."""
    waits = sa.text(
        "select count(distinct pid) from pg_locks join pg_stat_activity using (pid) "
        "where datname = current_database() and not granted"
    )
    for _ in range(1_000):
        with hall.host.transaction() as session:
            if session.scalar(waits) == number:
                return
        threading.Event().wait(0.01)
    raise AssertionError("Nobody waits.")


@pytest.mark.parametrize("first", ["serve", "decline"])
def test_an_offer_is_declined_while_the_list_is_served(
    hall: Hall, sold_out: Order, first: str
) -> None:
    who, seen, selection = offer(hall, sold_out)
    serve = lambda: waiting.serve_all(hall.host)  # noqa: E731
    decline = lambda: waiting.decline(hall.host, who, seen.token)  # noqa: E731
    both = (serve, decline) if first == "serve" else (decline, serve)
    for each in in_turn(hall, selection, *both):
        each.result()
    assert now(hall, who, seen).state == ("lapsed" if first == "serve" else "declined")
    assert hall.numbers(hall.row) == {"places": 10, "sold": 9, "free": 1}


def test_an_offer_that_is_burnt_for_at_the_last_moment_is_not_said_to_have_lapsed(
    hall: Hall, sold_out: Order
) -> None:
    who, seen, selection = offer(hall, sold_out)
    reserving.sweep(hall.host)
    order = hall.order(hall.row, 1, selection)
    burn, serve = in_turn(
        hall, selection, lambda: hall.fulfil(order), lambda: waiting.serve_all(hall.host)
    )
    assert isinstance(burn.result()[0], Fulfilled)
    serve.result()
    assert now(hall, who, seen).state == "taken"


def test_declines_burns_and_the_list_at_once_block_nobody(hall: Hall, sold_out: Order) -> None:
    waiters = [join(hall, hall.row) for _ in range(8)]
    free(hall, sold_out, *range(1, 9))
    waiting.serve_all(hall.host)
    offered = [(who, now(hall, who, seen)) for who, seen in waiters]
    for _, seen in offered:
        assert seen.selection is not None
        lapse(hall, seen, seen.selection)
    orders = [hall.order(hall.row, 1, seen.selection) for _, seen in reversed(offered[::2])]
    outcomes = all_at_once(
        [
            lambda: hall.fulfil(*orders),
            *[lambda: waiting.serve_all(hall.host)] * 3,
            *[lambda: reserving.sweep(hall.host)] * 2,
            *[
                lambda a=who, b=seen: waiting.decline(hall.host, a, b.token)
                for who, seen in offered
            ],
        ]
    )
    assert outcomes == {"done": 14}
    waiting.serve_all(hall.host)
    states = [now(hall, *each).state for each in offered]
    sold = states.count("taken")
    assert set(states) <= {"taken", "declined", "lapsed"}
    assert hall.numbers(hall.row)["sold"] == 2 + sold


def test_a_shared_quota_is_aligned_in_the_order_in_which_the_exchange_locks(hall: Hall) -> None:
    """The stand was offered first, and comes after the balcony by sku."""
    one = sa.text("select 1 from offer_stock where offer_id = :offer for update")
    with ThreadPoolExecutor(1) as pool, hall.host.transaction() as session:
        session.execute(one, {"offer": hall.offers[hall.stand]})
        sold = pool.submit(hall.fulfil, hall.order(hall.balcony))
        stop_at_a_lock(hall, 1)
        session.execute(sa.text("set local lock_timeout = '2s'"))
        session.execute(one, {"offer": hall.offers[hall.balcony]})
    assert isinstance(sold.result()[0], Fulfilled)
    assert hall.stock(hall.stand) == hall.stock(hall.balcony) == 4
