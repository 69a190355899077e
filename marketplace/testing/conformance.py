"""What every supplier, rule, notifier and rail must do, as classes of tests to subclass."""

# ruff: noqa: S101
from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from marketplace import api
from marketplace.certify.target import seen
from marketplace.ids import uuid7
from marketplace.testing.laboratory import Lab, member_id, open_lab

FULL_CHUNK = 200
IN_TIME_S = 30.0
HEALTH_S = 2.0
ATTEMPTS = 3
QUESTIONS = 10_000
QUESTIONS_S = 1.0


@pytest.fixture(scope="session")
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """One marketplace for all tests of a plugin: let each test use a sku of its own.

    The plugin in the folder where pytest runs need not be installed.
    """
    with seen(request.config.rootpath), open_lab() as opened:
        yield opened


def tells_health_in(limit_s: float, health: Callable[[], api.Health]) -> bool:
    """Whether the quickest of a few answers comes in time: a busy machine is nobody's fault."""
    for _ in range(ATTEMPTS):
        started = time.monotonic()
        assert isinstance(health(), api.Health)
        if time.monotonic() - started < limit_s:
            return True
    return False


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
        assert tells_health_in(HEALTH_S, supplier.health)


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
            texts = list(words.values()) if isinstance(words, Mapping) else [words]
            assert words is None or (texts and all(isinstance(t, str) and t.strip() for t in texts))
            assert rule.refusal(who, "offer") == words

    def test_it_decides_in_microseconds(self, rule: api.EligibilityRule) -> None:
        """It is asked inside the burn engine: ten thousand questions within a second."""
        who = self.people()[-1]
        started = time.thread_time()  # a busy machine is not the rule's fault
        for _ in range(QUESTIONS):
            rule.refusal(who, "offer")
        assert time.thread_time() - started < QUESTIONS_S


class NotifierConformance:
    """What every notifier must do. Subclass it and give it three fixtures:

    `notifier`: an `api.Notifier`; `slug`: your plugin's slug; `address`: one it can send to, as a
    person would type it.
    """

    @staticmethod
    def notice(address: str, text: str = "2,000 points are yours.") -> api.Notice:
        """A new notice, as a worker hands it over."""
        return api.Notice(
            reference=str(uuid7()),
            address=address,
            language="en",
            subject="You were given points",
            text=text,
            link="https://rewards.example/wallet",
            action="Look at your wallet",
        )

    def test_it_is_a_notifier(self, notifier: api.Notifier, slug: str) -> None:
        """Its channel begins with the plugin's slug, and it has names for people."""
        assert isinstance(notifier, api.Notifier)
        assert notifier.channel.startswith(f"{slug}.")
        assert str(notifier.label)
        assert str(notifier.address_label)

    def test_it_keeps_an_address_in_one_form(self, notifier: api.Notifier, address: str) -> None:
        """What `accept` answered, it accepts again unchanged."""
        kept = notifier.accept(address)
        assert kept
        assert notifier.accept(kept) == kept

    def test_it_says_what_is_wrong_with_an_address(self, notifier: api.Notifier) -> None:
        """Nonsense is refused with words for the person who typed it."""
        for nonsense in ("", "?", "x" * 1_000, "\u202e\u0000"):
            with pytest.raises(api.InvalidRequest) as refused:
                notifier.accept(nonsense)
            assert refused.value.detail

    def test_every_notice_is_answered_once(self, notifier: api.Notifier, address: str) -> None:
        """Also with no notice at all, and with long and odd words."""
        assert list(notifier.send([])) == []
        kept = notifier.accept(address)
        texts = ("A gift.", "\u0416\u00f3\u0142\u0107 \U0001f381\nnext line", "long " * 1_000)
        notices = [self.notice(kept, text) for text in texts]
        answers = list(notifier.send(notices))
        assert {each.reference for each in answers} == {each.reference for each in notices}
        assert len(answers) == len(notices)
        assert all(isinstance(each, api.Sent) for each in answers), answers


class RailConformance:
    """What every rail must do. Subclass it and give it two fixtures:

    `rail`: an `api.Rail`; `account`: an account that money reaches, a struct of `Rail.account`.
    """

    @staticmethod
    def leg(rail: api.Rail, account: Any, *, amount_minor: int = 12_345) -> api.Leg:
        """A new leg, as a worker hands it over."""
        return api.Leg(
            reference=f"CRM-{uuid7().hex[-20:].upper()}",
            direction=min(rail.directions),
            amount_minor=amount_minor,
            currency=min(rail.currencies, default="EUR"),
            name="Example Ltd",
            account=account,
            due_on=datetime.now(UTC).date() + timedelta(days=2),
            text="Coalition settlement",
        )

    @staticmethod
    def by_reference(
        legs: Sequence[api.Leg], answers: Sequence[api.LegOutcome]
    ) -> dict[str, api.LegOutcome]:
        """Outcomes by reference; fails unless each leg has exactly one."""
        found = {answer.reference: answer for answer in answers}
        assert len(answers) == len(found), "a leg was answered twice"
        assert set(found) == {leg.reference for leg in legs}
        return found

    def test_it_is_a_rail(self, rail: api.Rail) -> None:
        """It says what it can do."""
        assert isinstance(rail, api.Rail)
        assert rail.slug
        assert rail.directions <= set(api.Direction)
        assert rail.directions

    def test_a_good_account_passes(self, rail: api.Rail, account: Any) -> None:
        """`check_account` is silent about it."""
        rail.check_account(account)

    def test_nothing_asked_is_nothing_answered(self, rail: api.Rail) -> None:
        """An empty batch is no error."""
        assert list(rail.submit([])) == []
        assert list(rail.lookup([])) == []

    def test_a_leg_is_taken_once_and_found_again(self, rail: api.Rail, account: Any) -> None:
        """The same leg has the same rail_reference for ever; one that never came is proved."""
        leg, never = self.leg(rail, account), self.leg(rail, account)
        before = self.by_reference([leg], rail.lookup([leg]))
        assert isinstance(before[leg.reference], api.NeverOrdered)
        given = self.by_reference([leg], rail.submit([leg]))[leg.reference]
        assert isinstance(given, api.Submitted | api.Booked), given
        both = self.by_reference([leg, never], rail.submit([leg, never]))
        for again in (both[leg.reference], rail.lookup([leg])[0]):
            assert isinstance(again, api.Submitted | api.Booked), again
            assert again.rail_reference == given.rail_reference

    def test_another_amount_under_a_known_reference_is_no_new_payment(
        self, rail: api.Rail, account: Any
    ) -> None:
        """It answers what it kept, or refuses."""
        leg = self.leg(rail, account)
        given = self.by_reference([leg], rail.submit([leg]))[leg.reference]
        assert isinstance(given, api.Submitted | api.Booked), given
        other = msgspec.structs.replace(leg, amount_minor=leg.amount_minor * 2)
        again = self.by_reference([other], rail.submit([other]))[leg.reference]
        if isinstance(again, api.Submitted | api.Booked | api.Returned):
            assert again.rail_reference == given.rail_reference

    def test_it_tells_its_health_quickly(self, rail: api.Rail) -> None:
        """`health` answers within a second or two."""
        assert tells_health_in(HEALTH_S, rail.health)
