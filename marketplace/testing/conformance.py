"""What every supplier and every eligibility rule must do, as classes of tests to subclass."""

# ruff: noqa: S101
from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from marketplace import api
from marketplace.certify.target import seen
from marketplace.ids import uuid7
from marketplace.testing.laboratory import Lab, member_id, open_lab

FULL_CHUNK = 200
IN_TIME_S = 30.0
HEALTH_S = 2.0
QUESTIONS = 10_000
QUESTIONS_S = 1.0


@pytest.fixture(scope="session")
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """One marketplace for all tests of a plugin: let each test use a sku of its own.

    The plugin in the folder where pytest runs need not be installed.
    """
    with seen(request.config.rootpath), open_lab() as opened:
        yield opened


class SupplierConformance:
    """What every supplier must do. Subclass it and give it three fixtures:

    `supplier`: an `api.Supplier`; `sku`: something it has at least 1,000 units of; `empty_sku`:
    something it can never deliver.
    """

    @staticmethod
    def order(sku: str, *, quantity: int = 1, attempt: int = 1) -> api.Order:
        """A new order, as a worker hands it over; the member `shop` is paid for it."""
        return api.Order(
            reference=str(uuid7()),
            offer_reference=f"offer-{sku}",
            sku=sku,
            quantity=quantity,
            points=1_000 * quantity,
            cost_micros=7_000_000 * quantity,
            currency="EUR",
            attempt=attempt,
            acceptor_id=member_id("shop"),
        )

    @staticmethod
    def by_reference(
        orders: Sequence[api.Order], answers: Sequence[api.Outcome]
    ) -> dict[str, api.Outcome]:
        """Outcomes by reference; fails unless each order has exactly one."""
        found = {answer.reference: answer for answer in answers}
        assert len(answers) == len(found), "an order was answered twice"
        assert set(found) == {order.reference for order in orders}
        return found

    def test_it_is_a_supplier(self, supplier: api.Supplier) -> None:
        """It has a slug and the methods of `api.Supplier`."""
        assert isinstance(supplier, api.Supplier)
        assert supplier.slug

    def test_nothing_asked_is_nothing_answered(self, supplier: api.Supplier) -> None:
        """An empty batch is no error."""
        assert list(supplier.fulfil([])) == []
        assert list(supplier.lookup([])) == []

    def test_an_order_is_answered_the_same_for_ever(self, supplier: api.Supplier, sku: str) -> None:
        """`fulfil` is idempotent by reference, also when orders come again beside new ones."""
        orders = [self.order(sku), self.order(sku, quantity=3)]
        first = self.by_reference(orders, supplier.fulfil(orders))
        for order in orders:
            outcome = first[order.reference]
            assert isinstance(outcome, api.Fulfilled), outcome
            assert outcome.supplier_reference
            assert len(outcome.artefacts) in (0, order.quantity)
        more = [*orders, self.order(sku)]
        again = self.by_reference(more, supplier.fulfil(more))
        assert {order.reference: again[order.reference] for order in orders} == first

    def test_no_two_units_get_the_same_secret(self, supplier: api.Supplier, sku: str) -> None:
        """A code or ticket is given once."""
        orders = [self.order(sku, quantity=2) for _ in range(10)]
        outcomes = self.by_reference(orders, supplier.fulfil(orders)).values()
        secrets = [
            artefact.secret
            for outcome in outcomes
            if isinstance(outcome, api.Fulfilled)
            for artefact in outcome.artefacts
            if artefact.kind in ("code", "ticket")
        ]
        assert len(set(secrets)) == len(secrets)

    def test_a_lookup_tells_what_was_ordered_and_orders_nothing(
        self, supplier: api.Supplier, sku: str
    ) -> None:
        """`lookup` proves that an order never came, and repeats the answer to one that did."""
        order, never = self.order(sku), self.order(sku)
        before = self.by_reference([order], supplier.lookup([order]))
        assert before == {order.reference: api.NeverOrdered(reference=order.reference)}
        given = self.by_reference([order], supplier.fulfil([order]))
        after = self.by_reference([order, never], supplier.lookup([order, never]))
        assert after[order.reference] == given[order.reference]
        assert after[never.reference] == api.NeverOrdered(reference=never.reference)

    def test_what_it_cannot_deliver_is_refused_for_good(
        self, supplier: api.Supplier, sku: str, empty_sku: str
    ) -> None:
        """A refusal says why, stays, and harms no other order of the batch."""
        bad, good = self.order(empty_sku), self.order(sku)
        outcomes = self.by_reference([bad, good], supplier.fulfil([bad, good]))
        refusal = outcomes[bad.reference]
        assert isinstance(refusal, api.Rejected), refusal
        assert refusal.reason
        assert isinstance(outcomes[good.reference], api.Fulfilled)
        assert self.by_reference([bad], supplier.fulfil([bad])) == {bad.reference: refusal}
        assert isinstance(
            self.by_reference([bad], supplier.lookup([bad]))[bad.reference],
            api.Rejected | api.NeverOrdered,
        )

    def test_a_full_chunk_is_delivered_in_time(self, supplier: api.Supplier, sku: str) -> None:
        """Two hundred orders at once, within the time a worker gives (30 s)."""
        orders = [self.order(sku) for _ in range(FULL_CHUNK)]
        started = time.monotonic()
        outcomes = self.by_reference(orders, supplier.fulfil(orders))
        assert time.monotonic() - started < IN_TIME_S
        assert all(isinstance(outcome, api.Fulfilled) for outcome in outcomes.values())

    def test_the_same_orders_at_once_are_delivered_once(
        self, supplier: api.Supplier, sku: str
    ) -> None:
        """Two workers may ask at the same time, after a timeout: both get the same answer."""
        orders = [self.order(sku) for _ in range(20)]
        with ThreadPoolExecutor(2) as pool:
            calls = [pool.submit(supplier.fulfil, batch) for batch in (orders, orders[::-1])]
            one, two = (self.by_reference(orders, call.result(IN_TIME_S)) for call in calls)
        assert one == two

    def test_it_tells_its_health_quickly(self, supplier: api.Supplier) -> None:
        """`health` answers within a second or two."""
        started = time.monotonic()
        assert isinstance(supplier.health(), api.Health)
        assert time.monotonic() - started < HEALTH_S


class EligibilityConformance:
    """What every eligibility rule must do. Subclass it and give it two fixtures:

    `rule`: an `api.EligibilityRule`; `slug`: your plugin's slug.
    """

    @staticmethod
    def people() -> list[api.Who]:
        """Participants of every make, and a firm's pooled wallet, which has none."""
        return [
            api.Who(
                wallet_id=uuid4(),
                participant_id=None if role is None else uuid4(),
                role=role,
                firm_reference=firm,
                country=country,
            )
            for role in (None, "buyer", "")
            for firm in ("F-100", "\u00c9 & S\u00f6hne")
            for country in ("DE", "PL", "")
        ]

    def test_it_is_a_rule(self, rule: api.EligibilityRule, slug: str) -> None:
        """It has a name that begins with the plugin's slug, and `refusal`."""
        assert isinstance(rule, api.EligibilityRule)
        assert rule.name.startswith(f"{slug}.")

    def test_it_allows_or_says_why_not(self, rule: api.EligibilityRule) -> None:
        """None, or words; the same for the same person and offer."""
        for who in self.people():
            words = rule.refusal(who, "offer")
            assert words is None or (isinstance(words, str) and words.strip())
            assert rule.refusal(who, "offer") == words

    def test_it_decides_in_microseconds(self, rule: api.EligibilityRule) -> None:
        """It is asked inside the burn engine: ten thousand questions within a second."""
        who = self.people()[-1]
        started = time.thread_time()  # a busy machine is not the rule's fault
        for _ in range(QUESTIONS):
            rule.refusal(who, "offer")
        assert time.thread_time() - started < QUESTIONS_S
