"""What the example sells: codes, from a stock. Every order is kept with the answer it got."""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Json = dict[str, Any]


class Shop:
    """Orders and stock, in memory and, where a file is given, on disk."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._lock = threading.Lock()
        self.stock: dict[str, int] = {}
        self.price_micros: dict[str, int] = {}
        """What a unit costs at least, by sku; absent: whatever is paid."""
        self.answers: dict[str, Json] = {}
        """By reference: what an order was answered, for ever."""
        self.waiting: dict[str, Json] = {}
        """Orders that were accepted and are delivered later."""
        self.deliveries: dict[str, int] = {}
        """How often each order was delivered: never more than once."""
        if file is not None and file.exists():
            known = json.loads(file.read_text())
            self.stock, self.answers = known["stock"], known["answers"]
            self.deliveries = dict.fromkeys(self.answers, 1)

    def fill(self, sku: str, units: int) -> None:
        """Have so many units more."""
        with self._lock:
            self.stock[sku] = self.stock.get(sku, 0) + units
            self._keep()

    def order(self, orders: Sequence[Json], *, later: bool = False) -> list[Json]:
        """Deliver orders, or (`later`) accept them; one that came before is answered as it was."""
        with self._lock:
            found = [self._order(each, later) for each in orders]
            self._keep()
            return found

    def lookup(self, orders: Sequence[Json]) -> list[Json]:
        """What became of orders. Delivers nothing."""
        with self._lock:
            return [self._known(each["reference"]) for each in orders]

    def deliver_waiting(self) -> list[str]:
        """Deliver what was accepted; returns the references."""
        with self._lock:
            done = list(self.waiting)
            for reference in done:
                self.answers[reference] = self._deliver(self.waiting.pop(reference))
            self._keep()
            return done

    def _order(self, order: Json, later: bool) -> Json:
        reference = order["reference"]
        known = self._known(reference)
        if known["type"] != "never_ordered":
            return known
        refusal = self._refusal(order)
        if refusal is not None:
            self.answers[reference] = {
                "type": "rejected",
                "reference": reference,
                "reason": refusal,
            }
        elif later:
            self.stock[order["sku"]] -= order["quantity"]
            self.waiting[reference] = order
        else:
            self.stock[order["sku"]] -= order["quantity"]
            self.answers[reference] = self._deliver(order)
        return self._known(reference)

    def _refusal(self, order: Json) -> str | None:
        asked = self.price_micros.get(order["sku"], 0) * order["quantity"]
        if self.stock.get(order["sku"], 0) < order["quantity"]:
            return "This is sold out."
        if asked > order["cost_micros"]:
            return "The price has changed."
        return None

    def _deliver(self, order: Json) -> Json:
        reference = order["reference"]
        self.deliveries[reference] = self.deliveries.get(reference, 0) + 1
        artefacts = [
            {"kind": "code", "label": order["sku"], "secret": secrets.token_hex(8).upper()}
            for _ in range(order["quantity"])
        ]
        return {
            "type": "fulfilled",
            "reference": reference,
            "supplier_reference": f"EX-{reference}",
            "artefacts": artefacts,
        }

    def _known(self, reference: str) -> Json:
        if reference in self.waiting:
            return {"type": "pending", "reference": reference, "after_s": 60}
        return self.answers.get(reference, {"type": "never_ordered", "reference": reference})

    def _keep(self) -> None:
        if self._file is not None:
            draft = self._file.with_suffix(".new")
            draft.write_text(json.dumps({"stock": self.stock, "answers": self.answers}))
            draft.replace(self._file)
