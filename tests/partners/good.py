"""A supplier that does everything right, its outside world, and how that world stumbles.

The hostile plugins of test_scenarios.py are this one with one thing wrong.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from marketplace import api
from marketplace.testing import LATE_S, Goods, Lab, Rehearsal, Trouble

SKU, EMPTY = "HELLO", "NOTHING"
PRICE_MICROS = 5_000_000
MOST_UNITS = 100


class World:
    """A shop that takes orders by reference, once each."""

    def __init__(self) -> None:
        self.sold: dict[str, list[str]] = {}
        self.count: dict[str, int] = {}
        self.trouble: Trouble | None = None
        self.lock = threading.Lock()

    def reach(self) -> None:
        """Raises while the shop is closed."""
        if self.trouble is Trouble.DOWN:
            raise ConnectionError("the shop is closed")

    def price(self, sku: str) -> int | None:
        """Micros for a unit; None where it is not sold."""
        factor = 10 if self.trouble is Trouble.PRICE else 1
        return PRICE_MICROS * factor if sku == SKU else None

    def deliver(self, reference: str, quantity: int) -> list[str]:
        """New codes, whether it delivered this order before or not."""
        codes = [secrets.token_hex(6) for _ in range(quantity)]
        with self.lock:
            self.sold[reference] = codes
            self.count[reference] = self.count.get(reference, 0) + 1
        return codes

    def buy(self, orders: Sequence[api.Order]) -> dict[str, Any]:
        """Codes by reference; None while they are to come."""
        self.reach()
        taken = orders[:1] if self.trouble is Trouble.PARTIAL else orders
        for order in taken:
            with self.lock:
                new = order.reference not in self.sold
                if new:
                    self.sold[order.reference] = []
            if new:
                self.deliver(order.reference, order.quantity)
        if self.trouble is Trouble.LOST_ANSWER:
            raise TimeoutError("no answer")
        if self.trouble is Trouble.SLOW:
            time.sleep(LATE_S)
        return self.tell([order.reference for order in taken])

    def tell(self, references: Sequence[str]) -> dict[str, Any]:
        """What was sold under these references."""
        self.reach()
        found: dict[str, Any] = {r: self.sold[r] for r in references if r in self.sold}
        if self.trouble is Trouble.PENDING:
            return dict.fromkeys(found)
        if self.trouble is Trouble.MALFORMED:
            return dict.fromkeys(found, "?")
        return found


class Good:
    """Delivers each order once, and claims nothing it cannot prove."""

    slug = "acme"

    def __init__(self) -> None:
        self.world = World()

    def fulfil(self, orders: Sequence[api.Order]) -> Sequence[api.Outcome]:
        """What the world says, order by order."""
        refused = {o.reference: words for o in orders if (words := self.refusal(o))}
        wanted = [order for order in orders if order.reference not in refused]
        try:
            bought = self.world.buy(wanted)
        except OSError as error:
            return [self.in_trouble(order, error) for order in orders]
        return [
            api.Rejected(reference=order.reference, reason=refused[order.reference])
            if order.reference in refused
            else self.outcome(order, bought.get(order.reference, "?"))
            for order in orders
        ]

    def refusal(self, order: api.Order) -> str | None:
        """Why an order cannot be taken."""
        price = self.world.price(order.sku)
        if order.reference in self.world.sold:
            return None
        if price is None or order.quantity > MOST_UNITS:
            return "sold out"
        return "the price has changed" if price * order.quantity > order.cost_micros else None

    def lookup(self, orders: Sequence[api.Order]) -> Sequence[api.Outcome]:
        """What the world knows."""
        try:
            found = self.world.tell([order.reference for order in orders])
        except OSError as error:
            return [self.in_trouble(order, error) for order in orders]
        return [
            self.outcome(order, found[order.reference])
            if order.reference in found
            else api.NeverOrdered(reference=order.reference)
            for order in orders
        ]

    def health(self) -> api.Health:
        """Whether the world can be reached."""
        return api.Health(ok=self.world.trouble is None)

    def in_trouble(self, order: api.Order, error: OSError) -> api.Outcome:
        """Nobody knows."""
        return api.Unknown(reference=order.reference, reason=str(error))

    def outcome(self, order: api.Order, codes: Any) -> api.Outcome:
        """Codes, or their absence, as an outcome."""
        if codes is None:
            return api.Pending(reference=order.reference)
        if not isinstance(codes, list) or len(codes) != order.quantity:
            return api.Unknown(reference=order.reference, reason="unreadable")
        return self.fulfilled(order, codes)

    def fulfilled(self, order: api.Order, codes: Sequence[str]) -> api.Fulfilled:
        """The delivery."""
        return api.Fulfilled(
            reference=order.reference,
            supplier_reference=f"S-{order.reference[-12:]}",
            artefacts=tuple(
                api.Artefact(kind="code", label=order.sku, secret=code) for code in codes
            ),
        )


class GoodRehearsal(Rehearsal):
    """Plays every trouble there is."""

    def __init__(self, lab: Lab, host: api.Host, supplier: api.Supplier) -> None:
        super().__init__(lab, host, supplier)
        assert isinstance(supplier, Good)
        self.world = supplier.world

    def goods(self, units: int) -> Goods:
        return Goods(sku=SKU, empty_sku=EMPTY)

    @contextmanager
    def trouble(self, trouble: Trouble) -> Iterator[None]:
        self.world.trouble = trouble
        try:
            yield
        finally:
            self.world.trouble = None

    def delivered(self, reference: str) -> int:
        return self.world.count.get(reference, 0)
