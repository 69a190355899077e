"""A numbered seat is held at pretix from the moment it is chosen until it is ordered."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from uuid import UUID, uuid4

import msgspec
import pytest
import sqlalchemy as sa
from marketplace_pretix import choosing, letting_go, models, stock, words
from marketplace_pretix.asking import Person
from marketplace_pretix.double.server import Double, Mischief
from marketplace_pretix.settings import PretixSettings
from marketplace_pretix.supplier import PretixSupplier

from marketplace import api
from marketplace.testing import Lab, SupplierConformance

LONG_AGO = "2020-01-01T09:00:00Z"


@pytest.fixture
def sku(double: Double) -> str:
    """A product whose number no other test has: what is known of it is kept."""
    made, number = double.world.add(3), secrets.randbelow(10**9) + 1_000
    double.world.items[number] = {**double.world.items.pop(made), "id": number}
    double.world.sizes[number] = double.world.sizes.pop(made)
    return f"summit/{number}"


@pytest.fixture
def offer(lab: Lab, host: api.Host, double: Double, supplier: PretixSupplier, sku: str) -> str:
    """An offer of three numbered seats; its reference."""
    item = int(sku.split("/")[1])
    double.world.seat(item, "A1", "A2", "A3")
    lab.offer("pretix", sku, stock=3)
    stock.keep(host)
    with host.transaction() as session:
        return host.offers(session, sku=sku)[-1].reference


Choose = Callable[..., str]


@pytest.fixture
def choose(host: api.Host, offer: str) -> Choose:
    """`choose(person, "A1")` sends the form; returns the selection, or what is wrong."""

    def send(person: UUID, *seats: str) -> str:
        chosen = choosing.find(host, offer, person)
        people = [Person(seat=each) for each in seats]
        wrong = choosing.problems_of(people, chosen)
        kept = wrong or choosing.keep(host, chosen, people, person)
        if isinstance(kept, str):
            return kept.rpartition("=")[2]
        return ", ".join(f"{field}: {why.message}" for field, why in kept.items())

    return send


def seats(host: api.Host, offer: str, person: UUID) -> list[str]:
    return sorted(each.seat_guid for each in choosing.find(host, offer, person).seats)


def ordered(lab: Lab, supplier: PretixSupplier, sku: str, selection: str) -> api.Outcome:
    order = SupplierConformance.order(sku)
    member = lab.member("shop")
    order = msgspec.structs.replace(order, selection=selection, acceptor_id=member)
    (outcome,) = supplier.fulfil([order])
    return outcome


def test_a_seat_that_was_chosen_is_nobody_elses_until_it_is_ordered(
    lab: Lab, host: api.Host, supplier: PretixSupplier, offer: str, sku: str, choose: Choose
) -> None:
    ann, bo = uuid4(), uuid4()
    selection = choose(ann, "A1")
    assert (seats(host, offer, bo), seats(host, offer, ann)) == (["A2", "A3"], ["A1", "A2", "A3"])
    assert choose(bo, "A1") == f"1-seat: {choosing.asking.NOT_OFFERED.message}"
    assert isinstance(ordered(lab, supplier, sku, selection), api.Fulfilled)
    assert seats(host, offer, ann) == ["A2", "A3"]


def test_who_loses_the_race_is_told_on_the_form(
    host: api.Host, double: Double, offer: str, choose: Choose
) -> None:
    """Both saw the seat as free; nothing of the second form stays held."""
    ann, bo = uuid4(), uuid4()
    chosen = choosing.find(host, offer, bo)
    choose(ann, "A1")
    wrong = choosing.keep(host, chosen, [Person(seat="A2"), Person(seat="A1")], bo)
    assert wrong == {"2-seat": words.SEAT_TAKEN}
    assert seats(host, offer, bo) == ["A2", "A3"]


def test_who_chooses_anew_lets_the_first_seat_go(
    host: api.Host, offer: str, choose: Choose
) -> None:
    ann, bo = uuid4(), uuid4()
    choose(ann, "A1")
    choose(ann, "A1")
    choose(ann, "A3")
    assert seats(host, offer, bo) == ["A1", "A2"]


def test_seats_that_are_held_stay_in_stock_for_who_holds_them(
    lab: Lab, host: api.Host, supplier: PretixSupplier, double: Double, sku: str, choose: Choose
) -> None:
    """Pretix counts them as taken at once: the burn for the last one would find nothing left."""
    choose(uuid4(), "A1", "A2", "A3")
    assert double.world.left(int(sku.split("/")[1])) == 0
    offer_id = lab.offer("pretix", sku, stock=0)
    stock.keep(host)
    assert lab.stock(offer_id) == 3


def test_a_hold_that_is_over_leaves_the_seat_to_who_orders_first(
    lab: Lab, host: api.Host, supplier: PretixSupplier, double: Double, sku: str, choose: Choose
) -> None:
    first, second = choose(uuid4(), "A1"), ""
    for each in double.world.carts.values():
        each["expires"] = LONG_AGO
    second = choose(uuid4(), "A1")
    late = ordered(lab, supplier, sku, first)
    assert isinstance(late, api.Rejected)
    assert late.reason == words.SEAT_TAKEN.message
    assert isinstance(ordered(lab, supplier, sku, second), api.Fulfilled)


@pytest.mark.parametrize("mischief", [Mischief.LOST, Mischief.BROKEN, Mischief.BUSY])
def test_where_nothing_can_be_held_the_seat_is_ordered_all_the_same(
    lab: Lab,
    host: api.Host,
    supplier: PretixSupplier,
    double: Double,
    offer: str,
    sku: str,
    mischief: Mischief,
) -> None:
    """Also where the answer was lost and the seat is held: the order names the cart."""
    ann = uuid4()
    chosen = choosing.find(host, offer, ann)
    double.mischief = mischief
    kept = choosing.keep(host, chosen, [Person(seat="A1")], ann)
    double.mischief = Mischief.NONE
    assert isinstance(kept, str)
    assert isinstance(ordered(lab, supplier, sku, kept.rpartition("=")[2]), api.Fulfilled)


def test_a_pretix_without_carts_sells_seats_as_before(
    lab: Lab, supplier: PretixSupplier, double: Double, sku: str, choose: Choose
) -> None:
    double.has_carts = False
    assert isinstance(ordered(lab, supplier, sku, choose(uuid4(), "A1")), api.Fulfilled)


def tries_of(host: api.Host, double: Double) -> list[int]:
    """Of each place at this double that is to be let go."""
    here = models.let_go.c.place.startswith(double.url)
    with host.transaction() as session:
        return list(session.scalars(sa.select(models.let_go.c.tries).where(here)))


def test_a_refused_order_lets_its_seats_go(
    lab: Lab, host: api.Host, supplier: PretixSupplier, double: Double, sku: str, choose: Choose
) -> None:
    selection = choose(uuid4(), "A1")
    double.world.items[int(sku.split("/")[1])]["active"] = False
    assert isinstance(ordered(lab, supplier, sku, selection), api.Rejected)
    letting_go.run(host)
    assert double.world.carts == {}
    assert tries_of(host, double) == []


def test_a_seat_that_cannot_be_let_go_is_tried_again_until_its_cart_ends(
    lab: Lab, host: api.Host, supplier: PretixSupplier, double: Double, sku: str, choose: Choose
) -> None:
    def later(column: str) -> None:
        with host.transaction() as session:
            session.execute(sa.update(models.let_go).values({column: sa.func.now()}))
        letting_go.run(host)

    def refused(seat: str) -> None:
        double.world.items[item]["active"] = True
        selection = choose(uuid4(), seat)
        double.world.items[item]["active"] = False
        assert isinstance(ordered(lab, supplier, sku, selection), api.Rejected)

    def tries() -> list[int]:
        return tries_of(host, double)

    item = int(sku.split("/")[1])
    refused("A1")
    double.mischief = Mischief.MAINTENANCE
    letting_go.run(host)
    letting_go.run(host)  # not due again so soon
    assert (tries(), len(double.world.carts)) == ([1], 1)
    later("due_at")
    assert (tries(), len(double.world.carts)) == ([2], 1)
    double.mischief = Mischief.NONE
    later("due_at")
    assert (tries(), double.world.carts) == ([], {})
    refused("A2")
    double.world.carts.clear()  # pretix let it go itself
    letting_go.run(host)
    assert tries() == []
    refused("A3")
    double.mischief = Mischief.MAINTENANCE
    later("ends_at")
    assert tries() == []


def test_a_trial_uses_up_nothing_that_is_held(
    lab: Lab,
    supplier: PretixSupplier,
    settings: PretixSettings,
    double: Double,
    sku: str,
    choose: Choose,
) -> None:
    lab.enable("pretix", "shop", settings, sandbox=settings)
    selection = choose(uuid4(), "A1")
    order = SupplierConformance.order(sku)
    member = lab.member("shop")
    order = msgspec.structs.replace(order, selection=selection, acceptor_id=member, sandbox=True)
    assert isinstance(next(iter(supplier.fulfil([order]))), api.Fulfilled)
    assert len(double.world.carts) == 1
