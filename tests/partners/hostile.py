"""Suppliers with one thing wrong each, and the scenario that finds it."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from marketplace import api
from tests.partners.good import Good

HOSTILE: dict[str, list[type[Good]]] = {}
"""Scenario -> suppliers that fail it."""


def fails(scenario: str) -> Any:
    """Say which scenario finds the supplier below."""

    def note(supplier: type[Good]) -> type[Good]:
        HOSTILE.setdefault(scenario, []).append(supplier)
        return supplier

    return note


@fails("delivers")
class TooManyCodes(Good):
    def fulfilled(self, order: api.Order, codes: Sequence[str]) -> api.Fulfilled:
        return super().fulfilled(order, [*codes, "one-for-luck"])


@fails("delivers")
class WrongTypes(Good):
    def fulfilled(self, order: api.Order, codes: Sequence[str]) -> api.Fulfilled:
        return replace(super().fulfilled(order, codes), supplier_reference=7)


@fails("delivers")
class Foreign(Good):
    def fulfil(self, orders: Sequence[api.Order]) -> Sequence[api.Outcome]:
        answers = list(super().fulfil(orders))
        return [*answers[1:], api.Rejected(reference="nobody's", reason="no")] if orders else []


@fails("delivers")
class Twice(Good):
    def fulfil(self, orders: Sequence[api.Order]) -> Sequence[api.Outcome]:
        return [*super().fulfil(orders), *super().fulfil(orders[:1])]


@fails("delivers")
class Huge(Good):
    def fulfilled(self, order: api.Order, codes: Sequence[str]) -> api.Fulfilled:
        return replace(super().fulfilled(order, codes), supplier_reference="x" * 100_000)


@fails("delivers")
class Exits(Good):
    def fulfil(self, orders: Sequence[api.Order]) -> Sequence[api.Outcome]:
        raise SystemExit("and everybody comes along")


@fails("delivers")
class Interrupts(Good):
    def lookup(self, orders: Sequence[api.Order]) -> Sequence[api.Outcome]:
        raise KeyboardInterrupt


@fails("delivers")
class Endless(Good):
    def fulfil(self, orders: Sequence[api.Order]) -> Sequence[api.Outcome]:
        time.sleep(60)
        return []


@fails("duplicate-order")
class AlwaysNew(Good):
    def fulfil(self, orders: Sequence[api.Order]) -> Sequence[api.Outcome]:
        for order in orders:
            self.world.sold.pop(order.reference, None)
        return super().fulfil(orders)


LOOKED_S = 0.5
"""Longer than threads that begin together take to do so on a busy machine."""


@fails("duplicate-parallel")
class LooksThenBuys(Good):
    def fulfil(self, orders: Sequence[api.Order]) -> Sequence[api.Outcome]:
        new = [order for order in orders if order.reference not in self.world.sold]
        time.sleep(LOOKED_S)
        for order in new:
            if self.refusal(order) is None:
                self.world.deliver(order.reference, order.quantity)
        return super().fulfil(orders)


@fails("changed-order")
class KnowsOrdersByPrice(Good):
    def fulfil(self, orders: Sequence[api.Order]) -> Sequence[api.Outcome]:
        for order in orders:
            if order.cost_micros > 10_000_000 and order.quantity == 1:
                self.world.deliver(order.reference, order.quantity)
        return super().fulfil(orders)


@fails("lookup")
class OrdersWhenLookedUp(Good):
    def lookup(self, orders: Sequence[api.Order]) -> Sequence[api.Outcome]:
        return super().fulfil(orders)


@fails("lookup")
class NeverProves(Good):
    def lookup(self, orders: Sequence[api.Order]) -> Sequence[api.Outcome]:
        return [
            api.Unknown(reference=each.reference, reason="who knows")
            if isinstance(each, api.NeverOrdered)
            else each
            for each in super().lookup(orders)
        ]


@fails("partial-batch")
class StumblesOverOne(Good):
    def fulfil(self, orders: Sequence[api.Order]) -> Sequence[api.Outcome]:
        if any(len(order.sku) > 100 for order in orders):
            raise ValueError("this sku is too long")
        return super().fulfil(orders)


@fails("partial-batch")
class AllOrNothing(Good):
    def fulfil(self, orders: Sequence[api.Order]) -> Sequence[api.Outcome]:
        words = [self.refusal(order) for order in orders]
        if any(words) and len(orders) > 2:
            return [api.Rejected(reference=each.reference, reason="no") for each in orders]
        return super().fulfil(orders)


@fails("partial-batch")
class LeavesOut(Good):
    def fulfil(self, orders: Sequence[api.Order]) -> Sequence[api.Outcome]:
        return [each for each in super().fulfil(orders) if not isinstance(each, api.Rejected)]


@fails("partial-batch")
class CannotLookUpTheStrange(Good):
    def lookup(self, orders: Sequence[api.Order]) -> Sequence[api.Outcome]:
        if not all(order.sku.isascii() for order in orders):
            raise UnicodeError("letters only")
        return super().lookup(orders)


@fails("stock-out")
class TriesForEver(Good):
    def fulfil(self, orders: Sequence[api.Order]) -> Sequence[api.Outcome]:
        return [
            api.Retry(reference=each.reference, reason="later")
            if isinstance(each, api.Rejected)
            else each
            for each in super().fulfil(orders)
        ]


@fails("stock-out")
class Silent(Good):
    def refusal(self, order: api.Order) -> str | None:
        return " " if super().refusal(order) else None


@fails("cancel-after-fulfil")
class ForgetsRefunded(Good):
    @api.hookimpl
    def marketplace_after_burn_refunded(self, fact: api.RefundFact) -> None:
        self.world.sold.pop(str(fact.burn_id), None)


@fails("cancel-after-fulfil")
class RaisesWhenTold(Good):
    @api.hookimpl
    def marketplace_after_burn_voided(self, fact: api.BurnFact) -> None:
        raise LookupError("no such burn")


@fails("timeout-after-success")
class RefusesWhenUnsure(Good):
    def in_trouble(self, order: api.Order, error: OSError) -> api.Outcome:
        if isinstance(error, TimeoutError):
            return api.Rejected(reference=order.reference, reason="no answer")
        return super().in_trouble(order, error)


@fails("timeout-after-success")
class NotesAtTheEnd(Good):
    def __init__(self) -> None:
        super().__init__()
        self.noted: set[str] = set()

    def fulfil(self, orders: Sequence[api.Order]) -> Sequence[api.Outcome]:
        answers = super().fulfil(orders)
        self.noted |= {each.reference for each in answers if isinstance(each, api.Fulfilled)}
        return answers

    def lookup(self, orders: Sequence[api.Order]) -> Sequence[api.Outcome]:
        return [
            each if each.reference in self.noted else api.NeverOrdered(reference=each.reference)
            for each in super().lookup(orders)
        ]


@fails("late-answer")
class DeliversWhatIsStillHandled(Good):
    def __init__(self) -> None:
        super().__init__()
        self.answered: set[str] = set()

    def fulfil(self, orders: Sequence[api.Order]) -> Sequence[api.Outcome]:
        for order in orders:
            if order.reference in self.world.sold and order.reference not in self.answered:
                self.world.deliver(order.reference, order.quantity)
        answers = super().fulfil(orders)
        self.answered |= {each.reference for each in answers}
        return answers

    def lookup(self, orders: Sequence[api.Order]) -> Sequence[api.Outcome]:
        return [
            each if each.reference in self.answered else api.NeverOrdered(reference=each.reference)
            for each in super().lookup(orders)
        ]


@fails("outage")
class AnOutageIsProof(Good):
    def lookup(self, orders: Sequence[api.Order]) -> Sequence[api.Outcome]:
        return [
            api.NeverOrdered(reference=each.reference) if isinstance(each, api.Unknown) else each
            for each in super().lookup(orders)
        ]


@fails("outage")
class AnOutageIsARefusal(Good):
    def fulfil(self, orders: Sequence[api.Order]) -> Sequence[api.Outcome]:
        return [
            api.Rejected(reference=each.reference, reason="closed")
            if isinstance(each, api.Unknown)
            else each
            for each in super().fulfil(orders)
        ]


@fails("late-outcome")
class ImpatientWithPending(Good):
    def outcome(self, order: api.Order, codes: Any) -> api.Outcome:
        if codes is None:
            return api.Retry(reference=order.reference, reason="not yet")
        return super().outcome(order, codes)


@fails("price-drift")
class PaysAnyPrice(Good):
    def refusal(self, order: api.Order) -> str | None:
        words = super().refusal(order)
        return None if words and "price" in words else words


@fails("malformed-reply")
class RefusesTheUnreadable(Good):
    def outcome(self, order: api.Order, codes: Any) -> api.Outcome:
        if codes == "?":
            return api.Rejected(reference=order.reference, reason="unreadable")
        return super().outcome(order, codes)


@fails("partial-reply")
class SilenceIsConsent(Good):
    def outcome(self, order: api.Order, codes: Any) -> api.Outcome:
        if codes == "?" and order.reference not in self.world.sold:
            return self.fulfilled(order, [])
        return super().outcome(order, codes)


@fails("health")
class SlowHealth(Good):
    def health(self) -> api.Health:
        time.sleep(1.2)
        return super().health()


@fails("health")
class RaisesWhenAskedHow(Good):
    def health(self) -> api.Health:
        raise ConnectionError("not well")


@fails("thousand-orders")
class OneCodeForAll(Good):
    def fulfilled(self, order: api.Order, codes: Sequence[str]) -> api.Fulfilled:
        return super().fulfilled(order, ["SAME-CODE"] * len(codes))


@fails("thousand-orders")
class Slow(Good):
    def fulfil(self, orders: Sequence[api.Order]) -> Sequence[api.Outcome]:
        time.sleep(len(orders) * 0.02)
        return super().fulfil(orders)


@fails("threads")
class KeepsTheBatchInSelf(Good):
    def fulfil(self, orders: Sequence[api.Order]) -> Sequence[api.Outcome]:
        self.orders = orders
        time.sleep(0.05)
        return super().fulfil(self.orders)


@fails("secrets")
class Talks(Good):
    def fulfilled(self, order: api.Order, codes: Sequence[str]) -> api.Fulfilled:
        found = super().fulfilled(order, codes)
        logging.getLogger("acme").debug("delivered %s", found)
        return found


@fails("secrets")
class ShowsItself(Good):
    def __repr__(self) -> str:
        return f"<Acme {self.world.sold}>"


@fails("secrets")
class CodeInTheLabel(Good):
    def fulfilled(self, order: api.Order, codes: Sequence[str]) -> api.Fulfilled:
        found = super().fulfilled(order, codes)
        return replace(found, supplier_reference=codes[0])
