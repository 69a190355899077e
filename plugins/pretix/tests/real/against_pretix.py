"""Seat, ticket and cancellation against a real pretix: `make test-pretix` (the README says more).

Its name keeps it out of `make test`, which installs nothing: it is run by name, and fails where
pretix cannot be installed.
"""

from __future__ import annotations

import importlib.util
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen
from uuid import UUID, uuid4

import msgspec
import pytest
from marketplace_pretix import (
    cancelling,
    choosing,
    domain,
    giving_back,
    parts,
    printing,
    repository,
    routes,
    servers,
    showing,
    stock,
    sweeping,
    syncing,
    telling,
    words,
)
from marketplace_pretix.asking import Person
from marketplace_pretix.double.world import World
from marketplace_pretix.settings import PretixSettings
from marketplace_pretix.supplier import PretixSupplier

from marketplace import api
from marketplace.testing import Lab, SupplierConformance

CACHE = Path(os.environ.get("PRETIX_CACHE") or "var/pretix").absolute()
PATIENCE_S = 90.0


def _beside(name: str) -> Any:
    """A module beside this one; tests are no package."""
    spec = importlib.util.spec_from_file_location(
        f"real_pretix_{name}", Path(__file__).with_name(f"{name}.py")
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


events = _beside("events")


class Real:
    """A running pretix, and raw calls to it."""

    def __init__(self, url: str, seeded: dict[str, Any]) -> None:
        self.url, self.tokens, self.items = url, seeded["tokens"], seeded["items"]
        self.seat = f"summit/{self.items['seat']}"
        self.workshop = f"summit/{self.items['workshop']}"

    def settings(self, team: str = "orders") -> PretixSettings:
        return PretixSettings(url=self.url, organizer="meridian", token=self.tokens[team])

    def office(self, method: str, path: str, body: Any = None) -> tuple[int, dict[str, Any]]:
        """A call with all rights, below the organizer."""
        return self.call(method, path, body, team="office")

    def call(
        self, method: str, path: str, body: Any = None, *, team: str = "orders", **headers: str
    ) -> tuple[int, dict[str, Any]]:
        """A call below the event; below the organizer for a path that begins with a slash."""
        below = "" if path.startswith("/") else "/events/summit/"
        sent = None if body is None else json.dumps(body).encode()
        request = Request(  # noqa: S310 - our own server
            f"{self.url}/api/v1/organizers/meridian{below}{path}",
            sent,
            {
                "Authorization": f"Token {self.tokens[team]}",
                "Content-Type": "application/json",
                **headers,
            },
            method=method,
        )
        try:
            with urlopen(request, timeout=60) as answer:  # noqa: S310
                return answer.status, json.loads(answer.read())
        except HTTPError as error:
            return error.code, json.loads(error.read())


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Real]:
    with _beside("server").running(CACHE, tmp_path_factory.mktemp("pretix")) as (url, seeded):
        yield Real(url, seeded)


@pytest.fixture
def supplier(lab: Lab, host: api.Host, real: Real) -> PretixSupplier:
    lab.enable("pretix", "shop", real.settings())
    return PretixSupplier(host, settle_s=0)


@pytest.fixture
def seat(lab: Lab, real: Real) -> Callable[[], api.Order]:
    """`seat()` holds points for one seat."""
    offer_id = lab.offer("pretix", real.seat)

    def hold() -> api.Order:
        reference = lab.hold("pretix", offer_id)
        return msgspec.structs.replace(SupplierConformance.order(real.seat), reference=reference)

    return hold


def delivered(supplier: PretixSupplier, order: api.Order) -> api.Fulfilled:
    """As the exchange does it: what was not answered in time nobody knows until it is asked."""
    until = time.monotonic() + PATIENCE_S
    [outcome] = supplier.fulfil([order])
    while not isinstance(outcome, api.Fulfilled):
        assert time.monotonic() < until, outcome
        again = isinstance(outcome, api.NeverOrdered | api.Retry)
        [outcome] = (supplier.fulfil if again else supplier.lookup)([order])
    return outcome


def until_done(done: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not done():
        assert time.monotonic() < until
        time.sleep(0.5)


def test_two_rights_are_enough_and_one_is_not(
    lab: Lab, supplier: PretixSupplier, real: Real
) -> None:
    shop = lab.member("shop")
    # A pretix that has just started is slower than a health check may be.
    until_done(lambda: supplier.member_health(shop, sandbox=False).ok)
    lab.enable("pretix", "shop", real.settings("reader"))
    until_done(lambda: "may not order" in supplier.member_health(shop, sandbox=False).message)


def test_seat_ticket_and_cancelled_by_us(
    lab: Lab,
    host: api.Host,
    supplier: PretixSupplier,
    real: Real,
    seat: Callable[[], api.Order],
) -> None:
    order = seat()
    outcome = delivered(supplier, order)
    code = domain.order_code(order.reference)
    status, placed = real.call("GET", f"orders/{code}/")
    assert (status, placed["status"], placed["total"]) == (200, "p", "0.00")
    assert [each.secret for each in outcome.artefacts] == [p["secret"] for p in placed["positions"]]
    assert supplier.fulfil([order]) == [outcome]
    assert printing.fetch(host, order.reference).startswith(b"%PDF")
    lab.refund(order.reference)
    until_done(lambda: _cancelled(host, real, code))
    with host.transaction() as session:
        assert repository.sent(session, [order.reference])[order.reference].cancelled_by == "us"


def test_cancelled_by_the_organizer(
    host: api.Host, supplier: PretixSupplier, real: Real, seat: Callable[[], api.Order]
) -> None:
    order = seat()
    delivered(supplier, order)
    code = domain.order_code(order.reference)
    sweeping.run(host, now=True)
    until_done(
        lambda: real.call("POST", f"orders/{code}/mark_canceled/", {"send_email": False})[0] == 200
    )
    sweeping.run(host, now=True)
    with host.transaction() as session:
        found = [each.reference for each in repository.not_given_back(session)]
    assert found == [order.reference]


def test_made_valid_again_by_the_organizer(
    lab: Lab,
    host: api.Host,
    supplier: PretixSupplier,
    real: Real,
    seat: Callable[[], api.Order],
) -> None:
    """In time nothing is given back; later the order is cancelled anew."""
    at_once = msgspec.structs.replace(real.settings(), give_back_after_h=0)
    order = seat()
    delivered(supplier, order)
    code = domain.order_code(order.reference)

    def note() -> repository.Sent:
        with host.transaction() as session:
            return repository.sent(session, [order.reference])[order.reference]

    assert real.call("POST", f"orders/{code}/mark_canceled/", {"send_email": False})[0] == 200
    sweeping.run(host, now=True)
    assert note().cancelled_by == "them"
    assert real.call("POST", f"orders/{code}/reactivate/", {})[0] == 200
    lab.enable("pretix", "shop", at_once)
    giving_back.run(host)
    assert note().cancelled_by is None
    assert real.call("POST", f"orders/{code}/mark_canceled/", {"send_email": False})[0] == 200
    sweeping.run(host, now=True)
    lab.refund(order.reference)
    giving_back.run(host)
    assert note().given_back_at is not None
    assert real.call("POST", f"orders/{code}/reactivate/", {})[0] == 200
    until_done(lambda: _cancelled(host, real, code))


def test_its_webhook_has_the_change_looked_at_soon(
    lab: Lab, host: api.Host, supplier: PretixSupplier, real: Real, seat: Callable[[], api.Order]
) -> None:
    key = "a-word-of-our-own-choice-1"
    lab.enable("pretix", "shop", msgspec.structs.replace(real.settings(), webhook_key=key))
    called: list[str] = []

    def take(path: str) -> None:
        called.append(path)
        routes.take(host, *path.split("/")[-2:])

    order = seat()
    delivered(supplier, order)
    sweeping.run(host, now=True)
    with _beside("server").Listener(take) as listener:
        threading.Thread(target=listener.serve_forever, daemon=True).start()
        webhook = {
            "target_url": f"http://127.0.0.1:{listener.server_port}/v1/pretix/notices/shop/{key}",
            "enabled": True,
            "all_events": True,
            "limit_events": [],
            "action_types": ["pretix.event.order.canceled"],
        }
        assert real.call("POST", "/webhooks/", webhook, team="office")[0] == 201
        code = domain.order_code(order.reference)
        assert real.call("POST", f"orders/{code}/mark_canceled/", {"send_email": False})[0] == 200
        until_done(lambda: bool(called))
        listener.shutdown()

    def cancelled_by() -> str | None:
        with host.transaction() as session:
            return repository.sent(session, [order.reference])[order.reference].cancelled_by

    sweeping.run(host)
    assert cancelled_by() == "them"


def test_sold_out_stock_and_prices(
    lab: Lab, host: api.Host, supplier: PretixSupplier, real: Real
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


def known(lab: Lab, host: api.Host, *skus: str) -> dict[str, telling.State]:
    """What is known of products after a look; offers name them from now on."""
    for sku in skus:
        lab.offer("pretix", sku, stock=7)
    stock.keep(host)
    with host.transaction() as session:
        return dict(telling.known(session, lab.member("shop")))


def said(lab: Lab, host: api.Host, sku: str, *people: Person) -> api.Order:
    """An order for which was said who comes."""
    shop = lab.member("shop")
    with host.transaction() as session:
        selection = telling.tell(host, session, shop, sku, people)
    order = SupplierConformance.order(sku, quantity=len(people))
    return msgspec.structs.replace(order, selection=selection, acceptor_id=shop)


def test_all_that_an_organizer_asks_goes_with_the_order(
    lab: Lab, host: api.Host, supplier: PretixSupplier, real: Real
) -> None:
    """In German, New York and francs; the shop is not live, for nothing can be paid in it."""
    item, questions = events.gala(real.office)
    sku = f"gala/{item}"
    state = known(lab, host, sku)[sku]
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
    order = said(lab, host, sku, ann)
    delivered(supplier, order)
    code = domain.order_code(order.reference)
    [placed] = real.call("GET", f"/events/gala/orders/{code}/")[1]["positions"]
    assert (placed["attendee_name"], placed["attendee_email"]) == ("Ann Lee", "ann@firm.example")
    kept = {each["question_identifier"]: each["answer"] for each in placed["answers"]}
    assert len(kept) == len(events.KINDS)
    assert (kept["IDC"], kept["IDN"], kept["IDW"]) == ("Wahl 2", "3.5", "2099-01-02 15:30:00+00:00")


def test_a_numbered_seat_is_held_and_sold_once(
    lab: Lab, host: api.Host, supplier: PretixSupplier, real: Real
) -> None:
    """As the double does it: held while it is chosen, ordered with its cart, let go."""
    sku = f"hall/{events.hall(real.office)}"
    assert known(lab, host, sku)[sku].asks.is_seated
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
    assert known(lab, host, sku)[sku].free == 3  # of five, and two are held
    two = SupplierConformance.order(sku, quantity=2)
    shop = lab.member("shop")
    delivered(supplier, msgspec.structs.replace(two, selection=selection, acceptor_id=shop))
    assert real.call("GET", "/events/hall/cartpositions/")[1]["count"] == 0
    [late_order] = supplier.fulfil([said(lab, host, sku, Person(seat="A-2"))])
    assert isinstance(late_order, api.Rejected)
    assert late_order.reason == words.SEAT_TAKEN.message
    assert seats(ann) == ["A-3"]


def test_what_the_shop_would_not_sell_is_not_sold_here(
    lab: Lab, host: api.Host, supplier: PretixSupplier, real: Real
) -> None:
    good, troubles = events.tour(real.office)
    troubles |= events.shelf(real.office)
    found = known(lab, host, good, *troubles.values())
    assert {name: found[sku].trouble for name, sku in troubles.items()} == {
        name: name for name in troubles
    }
    assert (found[good].trouble, found[good].free) == (None, 3)
    delivered(supplier, SupplierConformance.order(good))
    prices = {
        each.sku: each.price_micros for each in syncing.compare(host, lab.member("shop")).found
    }
    assert prices[good] == 4_500_000


def test_what_comes_with_a_product_and_an_address_go_with_the_order(
    lab: Lab, host: api.Host, supplier: PretixSupplier, real: Real
) -> None:
    sku, dinner = events.kit(real.office)
    state = known(lab, host, sku)[sku]
    assert (state.trouble, state.free, state.asks.addresses) == (None, 2, "required")
    home = {"street": "Long Lane 1", "zipcode": "00-001", "city": "Warsaw", "country": "PL"}
    ann = Person(name={"given_name": "Ann", "family_name": "Lee"}, address=home)
    order = said(lab, host, sku, ann, ann)
    assert len(delivered(supplier, order).artefacts) == 2
    path = f"/events/kit/orders/{domain.order_code(order.reference)}/"
    placed = real.call("GET", path)[1]["positions"]
    assert [each["item"] == dinner for each in placed] == [False, True, True] * 2
    assert all(bool(each["addon_to"]) == (each["item"] == dinner) for each in placed)
    assert {part: placed[0][part] for part in home} == home


def test_tickets_are_shown_as_they_are_now(
    host: api.Host, supplier: PretixSupplier, real: Real, seat: Callable[[], api.Order]
) -> None:
    """With the code that is scanned, the PDF where one is printed, and when it is."""
    order = seat()
    [artefact] = delivered(supplier, order).artefacts
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


def test_what_an_organizer_changes_in_an_order_is_noticed(
    lab: Lab, host: api.Host, supplier: PretixSupplier, real: Real
) -> None:
    reference = lab.hold("pretix", lab.offer("pretix", real.seat), quantity=2)
    two = SupplierConformance.order(real.seat, quantity=2)
    delivered(supplier, msgspec.structs.replace(two, reference=reference))
    path = f"orders/{domain.order_code(reference)}/"
    first, second = (each["id"] for each in real.call("GET", path)[1]["positions"])

    def noticed_after(change: dict[str, Any]) -> str | None:
        assert real.call("POST", f"{path}change/", {"send_email": False, **change})[0] == 200
        sweeping.run(host, now=True)
        with host.transaction() as session:
            return repository.sent(session, [reference])[reference].noticed

    dearer = {"position": first, "body": {"price": "12.00"}}
    assert noticed_after({"patch_positions": [dearer]}) == "unpaid"
    cheap = {"position": first, "body": {"price": "0.00"}}
    assert noticed_after({"patch_positions": [cheap]}) is None
    other = {"position": first, "body": {"item": real.items["workshop"]}}
    assert noticed_after({"patch_positions": [other]}) == "moved"
    assert noticed_after({"cancel_positions": [{"position": second}]}) == "moved"
    with host.transaction() as session:
        assert repository.sent(session, [reference])[reference].gone == 1


def test_what_an_organizer_splits_off_is_followed(
    lab: Lab, host: api.Host, supplier: PretixSupplier, real: Real
) -> None:
    """It bears our reference, stands for a ticket, and is cancelled with our refund."""
    reference = lab.hold("pretix", lab.offer("pretix", real.seat), quantity=3)
    three = SupplierConformance.order(real.seat, quantity=3)
    delivered(supplier, msgspec.structs.replace(three, reference=reference))
    code = domain.order_code(reference)
    first, second, _ = (each["id"] for each in real.call("GET", f"orders/{code}/")[1]["positions"])

    def gone_after(**change: Any) -> int:
        change = {"send_email": False, **change}
        assert real.call("POST", f"orders/{code}/change/", change)[0] == 200
        sweeping.run(host, now=True)
        with host.transaction() as session:
            found = repository.sent(session, [reference])[reference]
        assert found.noticed is None
        return found.gone

    assert gone_after(split_positions=[{"position": first}]) == 0
    assert gone_after(cancel_positions=[{"position": second}]) == 1
    with host.transaction() as session:
        [split] = [each.code for each in parts.of(session, reference) if each.code != code]
    lab.refund(reference)
    until_done(lambda: _cancelled(host, real, split) and _cancelled(host, real, code))


def test_a_trial_keeps_nothing(lab: Lab, supplier: PretixSupplier, real: Real) -> None:
    lab.enable("pretix", "shop", real.settings(), sandbox=real.settings())
    order = msgspec.structs.replace(SupplierConformance.order(real.seat), sandbox=True)
    [outcome] = supplier.fulfil([order])
    assert isinstance(outcome, api.Fulfilled)
    assert real.call("GET", f"orders/{domain.order_code(order.reference)}/")[0] == 404


def test_the_double_answers_as_pretix_does(real: Real) -> None:
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


def test_a_refusal_is_stored_with_its_idempotency_key(real: Real) -> None:
    """Why none is sent: the answer to the first question is given to every other."""
    key = {"X-Idempotency-Key": str(time.time_ns())}
    first = real.call("POST", "orders/", {}, **key)
    assert first[0] == 400
    assert real.call("POST", "orders/NQSUCH/mark_canceled/", {}, **key) == first


def _cancelled(host: api.Host, real: Real, code: str) -> bool:
    sweeping.run(host, now=True)
    cancelling.run(host)
    return bool(real.call("GET", f"orders/{code}/")[1]["status"] == "c")
