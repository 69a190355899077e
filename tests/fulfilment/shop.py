"""A supplier that keeps books and can misbehave in every way we know of."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

from marketplace import api


class FakeShop:
    """Delivers one code per unit. `moods` says how the next calls of `fulfil` go; then "good"."""

    def __init__(self, slug: str = "fake", artefacts: bool = True) -> None:
        self.slug = slug
        self.delivered: dict[str, api.Fulfilled] = {}
        self.calls: list[tuple[str, list[str]]] = []
        self.moods: list[str] = []
        self.lookup_moods: list[str] = []
        self.artefacts = artefacts
        self.slow_s = 0.0
        self.gates: list[threading.Event] = []
        """What the next calls of `fulfil` wait for, each for its own."""
        self.ill = False
        self._lock = threading.Lock()

    def fulfil(self, orders: Sequence[api.Order]) -> Sequence[api.Outcome]:
        with self._lock:
            self.calls.append(("fulfil", [order.reference for order in orders]))
            mood = self.moods.pop(0) if self.moods else "good"
            gate = self.gates.pop(0) if self.gates else None
        if gate is not None:
            gate.wait(60)
        return self._answer(mood, orders)

    def lookup(self, orders: Sequence[api.Order]) -> Sequence[api.Outcome]:
        with self._lock:
            self.calls.append(("lookup", [order.reference for order in orders]))
            mood = self.lookup_moods.pop(0) if self.lookup_moods else "good"
        if mood == "raise":
            raise ConnectionError("the shop is closed")
        return [
            self.delivered.get(each.reference) or api.NeverOrdered(reference=each.reference)
            for each in orders
        ]

    def health(self) -> api.Health:
        if self.ill:
            raise ConnectionError("the shop is closed")
        return api.Health(ok=True)

    def count(self, kind: str) -> int:
        """Calls of `fulfil` or `lookup` so far."""
        return sum(1 for name, _ in self.calls if name == kind)

    def _deliver(self, order: api.Order) -> api.Fulfilled:
        with self._lock:
            if order.reference not in self.delivered:
                number = len(self.delivered) + 1
                codes = [
                    api.Artefact(kind="code", label=order.sku, secret=f"CODE-{number}-{unit}")
                    for unit in range(order.quantity if self.artefacts else 0)
                ]
                self.delivered[order.reference] = api.Fulfilled(
                    reference=order.reference,
                    supplier_reference=f"S{number}",
                    artefacts=tuple(codes),
                )
            return self.delivered[order.reference]

    def _answer(self, mood: str, orders: Sequence[api.Order]) -> Sequence[Any]:
        first = orders[0].reference
        time.sleep(self.slow_s)
        if mood == "raise":
            raise ConnectionError("the shop is closed")
        if mood == "exit":
            raise SystemExit("the shop takes everybody with it")
        if mood == "none":
            return None  # type: ignore[return-value]
        if mood in ("reject", "pending", "retry", "unknown"):
            return [_say(mood, order.reference) for order in orders]
        answers: list[Any] = [self._deliver(order) for order in orders]
        if mood == "late":
            time.sleep(2.0)
        if mood == "partial":
            return answers[1:]
        if mood == "twice":
            return [*answers, answers[0]]
        if mood == "foreign":
            return [*answers[1:], api.Fulfilled(reference="nobody's", supplier_reference="S")]
        if mood == "too_few_codes":
            return [api.Fulfilled(reference=first, supplier_reference="S", artefacts=(_CODE,) * 7)]
        if mood == "wrong_types":
            return [api.Fulfilled(reference=first, supplier_reference=7)]  # type: ignore[arg-type]
        if mood == "nonsense":
            return ["yes", None, 42, api.NeverOrdered(reference=first)]
        return answers


_CODE = api.Artefact(kind="code", label="x", secret="x")


def _say(mood: str, reference: str) -> api.Outcome:
    if mood == "reject":
        return api.Rejected(reference=reference, reason="out of codes")
    if mood == "pending":
        return api.Pending(reference=reference, after_s=120)
    if mood == "retry":
        return api.Retry(reference=reference, reason="busy", after_s=20)
    return api.Unknown(reference=reference, reason="who knows")
