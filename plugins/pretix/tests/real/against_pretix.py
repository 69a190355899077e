"""Seats and tickets against a real pretix: `make test-pretix` (the README says more).

Its name keeps it out of `make test`, which installs nothing: it is run by name, and fails where
pretix cannot be installed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import msgspec
from marketplace_pretix import (
    choosing,
    domain,
    printing,
    repository,
    servers,
    showing,
    stock,
    syncing,
    words,
)
from marketplace_pretix.asking import Person
from marketplace_pretix.double.world import World
from marketplace_pretix.supplier import PretixSupplier

from marketplace import api
from marketplace.testing import Lab, SupplierConformance


def test_two_rights_are_enough_and_one_is_not(
    lab: Lab, supplier: PretixSupplier, real: Any, steps: Any
) -> None:
    shop = lab.member("shop")
    # A pretix that has just started is slower than a health check may be.
    steps.until_done(lambda: supplier.member_health(shop, sandbox=False).ok)
    lab.enable("pretix", "shop", real.settings("reader"))
    steps.until_done(lambda: "may not order" in supplier.member_health(shop, sandbox=False).message)


def test_seat_ticket_and_cancelled_by_us(
    lab: Lab,
    host: api.Host,
    supplier: PretixSupplier,
    real: Any,
    seat: Callable[[], api.Order],
    steps: Any,
) -> None:
    order = seat()
    outcome = steps.delivered(supplier, order)
    code = domain.order_code(order.reference)
    status, placed = real.call("GET", f"orders/{code}/")
    assert (status, placed["status"], placed["total"]) == (200, "p", "0.00")
    assert [each.secret for each in outcome.artefacts] == [p["secret"] for p in placed["positions"]]
    assert supplier.fulfil([order]) == [outcome]
    assert printing.fetch(host, order.reference).startswith(b"%PDF")
    lab.refund(order.reference)
    steps.until_done(lambda: steps.cancelled(host, real, code))
    with host.transaction() as session:
        assert repository.sent(session, [order.reference])[order.reference].cancelled_by == "us"


def test_sold_out_stock_and_prices(
    lab: Lab, host: api.Host, supplier: PretixSupplier, real: Any
) -> None:
    offer_id = lab.offer("pretix", real.workshop, stock=9)
    stock.keep(host)
    assert lab.stock(offer_id) == 1
    two = SupplierConformance.order(real.workshop, quantity=2)
    [refused] = supplier.fulfil([two])
    assert refused == api.Rejected(
        reference=two.reference, reason="Nothing of this is left at the organizer."
    )
    assert supplier.lookup([two]) == [api.NeverOrdered(reference=two.reference)]
    found = syncing.compare(host, lab.member("shop")).found
    assert {each.sku: each.price_micros for each in found} == {
        real.seat: 149_000_000,
        real.workshop: 149_000_000,
    }


def test_all_that_an_organizer_asks_goes_with_the_order(
    lab: Lab, host: api.Host, supplier: PretixSupplier, real: Any, steps: Any, events: Any
) -> None:
    """In German, New York and francs; the shop is not live, for nothing can be paid in it."""
    item, questions = events.gala(real.office)
    sku = f"gala/{item}"
    state = steps.known(lab, host, sku)[sku]
    assert (state.trouble, state.free, state.name) == (None, 5, "Gala: Platz")
    assert (state.asks.names, state.asks.emails) == ("required", "required")
    assert state.asks.name_scheme == "given_family"
    assert [each.type for each in state.asks.questions] == list(events.KINDS)
    order = SupplierConformance.order(sku)
    [refused] = supplier.fulfil([order])
    assert isinstance(refused, api.Rejected)
    typed = {"N": "3,5", "S": "a", "T": "a\nb", "B": "True", "D": "2099-01-02", "H": "10:30"}
    typed |= {"W": "2099-01-02T10:30", "CC": "DE", "TEL": "+48 22 123 45 67"}
    typed |= {kind: str(questions[kind]["options"][1]["id"]) for kind in ("C", "M")}
    answers = {str(questions[kind]["id"]): [text] for kind, text in typed.items()}
    ann = Person(
        name={"given_name": "Ann", "family_name": "Lee"}, email="ann@firm.example", answers=answers
    )
    order = steps.said(lab, host, sku, ann)
    steps.delivered(supplier, order)
    code = domain.order_code(order.reference)
    [placed] = real.call("GET", f"/events/gala/orders/{code}/")[1]["positions"]
    assert (placed["attendee_name"], placed["attendee_email"]) == ("Ann Lee", "ann@firm.example")
    kept = {each["question_identifier"]: each["answer"] for each in placed["answers"]}
    assert len(kept) == len(events.KINDS)
    assert (kept["IDC"], kept["IDN"], kept["IDW"]) == ("Wahl 2", "3.5", "2099-01-02 15:30:00+00:00")


def test_a_numbered_seat_is_held_and_sold_once(
    lab: Lab, host: api.Host, supplier: PretixSupplier, real: Any, steps: Any, events: Any
) -> None:
    """As the double does it: held while it is chosen, ordered with its cart, let go."""
    sku = f"hall/{events.hall(real.office)}"
    assert steps.known(lab, host, sku)[sku].asks.is_seated
    with host.transaction() as session:
        offer = host.offers(session, sku=sku)[0].reference
    ann, bo = uuid4(), uuid4()

    def seats(person: UUID) -> list[str]:
        return sorted(each.seat_guid for each in choosing.find(host, offer, person).seats)

    def choose(person: UUID, *guids: str) -> str:
        chosen = choosing.find(host, offer, person)
        kept = choosing.keep(host, chosen, [Person(seat=each) for each in guids], person)
        assert isinstance(kept, str), kept
        return kept.rpartition("=")[2]

    assert seats(bo) == list(events.SEATS)
    late = choosing.find(host, offer, bo)
    choose(ann, "A-1", "A-3")
    selection = choose(ann, "A-1", "A-2")
    assert (seats(bo), seats(ann)) == (["A-3"], list(events.SEATS))
    wrong = choosing.keep(host, late, [Person(seat="A-3"), Person(seat="A-1")], bo)
    assert wrong == {"2-seat": words.SEAT_TAKEN}
    assert seats(bo) == ["A-3"]
    assert steps.known(lab, host, sku)[sku].free == 3  # of five, and two are held
    two = SupplierConformance.order(sku, quantity=2)
    shop = lab.member("shop")
    steps.delivered(supplier, msgspec.structs.replace(two, selection=selection, acceptor_id=shop))
    assert real.call("GET", "/events/hall/cartpositions/")[1]["count"] == 0
    [late_order] = supplier.fulfil([steps.said(lab, host, sku, Person(seat="A-2"))])
    assert isinstance(late_order, api.Rejected)
    assert late_order.reason == words.SEAT_TAKEN.message
    assert seats(ann) == ["A-3"]


def test_what_the_shop_would_not_sell_is_not_sold_here(
    lab: Lab, host: api.Host, supplier: PretixSupplier, real: Any, steps: Any, events: Any
) -> None:
    good, troubles = events.tour(real.office)
    troubles |= events.shelf(real.office)
    found = steps.known(lab, host, good, *troubles.values())
    assert {name: found[sku].trouble for name, sku in troubles.items()} == {
        name: name for name in troubles
    }
    assert (found[good].trouble, found[good].free) == (None, 3)
    steps.delivered(supplier, SupplierConformance.order(good))
    prices = {
        each.sku: each.price_micros for each in syncing.compare(host, lab.member("shop")).found
    }
    assert prices[good] == 4_500_000


def test_what_comes_with_a_product_and_an_address_go_with_the_order(
    lab: Lab, host: api.Host, supplier: PretixSupplier, real: Any, steps: Any, events: Any
) -> None:
    sku, dinner = events.kit(real.office)
    state = steps.known(lab, host, sku)[sku]
    assert (state.trouble, state.free, state.asks.addresses) == (None, 2, "required")
    home = {"street": "Long Lane 1", "zipcode": "00-001", "city": "Warsaw", "country": "PL"}
    ann = Person(name={"given_name": "Ann", "family_name": "Lee"}, address=home)
    order = steps.said(lab, host, sku, ann, ann)
    assert len(steps.delivered(supplier, order).artefacts) == 2
    path = f"/events/kit/orders/{domain.order_code(order.reference)}/"
    placed = real.call("GET", path)[1]["positions"]
    assert [each["item"] == dinner for each in placed] == [False, True, True] * 2
    assert all(bool(each["addon_to"]) == (each["item"] == dinner) for each in placed)
    assert {part: placed[0][part] for part in home} == home


def test_tickets_are_shown_as_they_are_now(
    host: api.Host, supplier: PretixSupplier, real: Any, seat: Callable[[], api.Order], steps: Any
) -> None:
    """With the code that is scanned, the PDF where one is printed, and when it is."""
    order = seat()
    [artefact] = steps.delivered(supplier, order).artefacts
    with host.transaction() as session:
        sent = repository.sent(session, [order.reference])[order.reference]
    client = servers.client_of(host, sent.member_id)
    placed = showing.order_of(client, sent, sent.code)
    assert placed is not None
    assert [each.secret for each in placed.positions] == [artefact.secret]
    assert placed.has_pdf
    entry = showing.entry_of(client, sent, None, True, "en")
    assert entry is not None
    assert entry.name == "Summit"
    assert real.call("POST", f"orders/{sent.code}/regenerate_secrets/", {})[0] == 200
    placed = showing.order_of(client, sent, sent.code)
    assert placed is not None
    assert [each.secret for each in placed.positions] != [artefact.secret]


def test_a_trial_keeps_nothing(lab: Lab, supplier: PretixSupplier, real: Any) -> None:
    lab.enable("pretix", "shop", real.settings(), sandbox=real.settings())
    order = msgspec.structs.replace(SupplierConformance.order(real.seat), sandbox=True)
    [outcome] = supplier.fulfil([order])
    assert isinstance(outcome, api.Fulfilled)
    assert real.call("GET", f"orders/{domain.order_code(order.reference)}/")[0] == 404


def test_the_double_answers_as_pretix_does(real: Any) -> None:
    """Status, and the fields that are complained of; with one text that the supplier reads."""
    world = World()
    world.add(500)
    world.add(1, name="Workshop")
    reference = SupplierConformance.order("x/1").reference
    order = msgspec.structs.replace(SupplierConformance.order("x/1"), reference=reference)

    def body(item: int, quantity: int = 1, **more: Any) -> dict[str, Any]:
        asked = msgspec.structs.replace(order, quantity=quantity)
        made = domain.new_order(asked, domain.Sku("summit", item))
        return {**msgspec.json.decode(made), **more}

    here, there = (1, 2), (real.items["seat"], real.items["workshop"])
    for make in (
        lambda items: {},
        lambda items: body(items[1], 2),
        lambda items: body(999),
        lambda items: body(items[0], code="LETTERO"),
        lambda items: body(items[0], simulate=True),
        lambda items: body(items[0]),
        lambda items: body(items[0]),
    ):
        status, found = world.order(make(here))
        real_status, real_found = real.call("POST", "orders/", make(there))
        assert (status, set(found) & set(real_found)) == (real_status, set(found))
        for field in ("code", "positions"):
            if status == 400 and field in found:
                words = json.dumps(found[field]), json.dumps(real_found[field])
                for telling in (domain.IN_USE, domain.NONE_LEFT):
                    assert (telling in words[0]) == (telling in words[1])
    code = domain.order_code(reference)
    for path, answer in (("orders/NQSUCH/", world.get("NQSUCH")), (f"orders/{code}/", None)):
        status, found = real.call("GET", path)
        assert (status, found) == answer if answer else status == 200
    for _ in range(2):
        said = world.cancel(code)
        asked = real.call("POST", f"orders/{code}/mark_canceled/", {"send_email": False})
        assert said[0] == asked[0]


def test_a_refusal_is_stored_with_its_idempotency_key(real: Any) -> None:
    """Why none is sent: the answer to the first question is given to every other."""
    key = {"X-Idempotency-Key": str(time.time_ns())}
    first = real.call("POST", "orders/", {}, **key)
    assert first[0] == 400
    assert real.call("POST", "orders/NQSUCH/mark_canceled/", {}, **key) == first
