"""Who waits is served in the order of joining, before the public, and told why not yet."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from marketplace_conference import reserving, selling, waiting
from marketplace_conference.errors import NotWaiting, PlacesAreFree, SoldOut, UnknownCategory
from marketplace_conference.models import waiter
from marketplace_conference.schemas import NewWaiter, WaiterView

from marketplace.api import Fulfilled, InvalidRequest, Order, Principal

from .conftest import Hall
from .test_reserving import all_at_once, expire


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
    expire(hall.host, offered.selection)
    with hall.host.transaction() as session:
        past = datetime.now(UTC) - timedelta(seconds=1)
        mine = waiter.c.token == second.token
        session.execute(sa.update(waiter).where(mine).values(offer_ends_at=past))
    waiting.serve_all(hall.host)
    assert (now(hall, bob, second).state, now(hall, eve, third).state) == ("lapsed", "offered")
    assert waiting.decline(hall.host, ann, first.token).state == "declined"
    with pytest.raises(NotWaiting):
        waiting.read(hall.host, eve, first.token)


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
