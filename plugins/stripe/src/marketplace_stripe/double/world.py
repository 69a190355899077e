"""The state of the double: customers, payments, transfers, disputes, a balance, events."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

CARD: Final = "card"
FEES: Final = {"card": (150, 25), "sepa_debit": (0, 35), "customer_balance": (50, 0)}
"""Basis points and a fixed part, in smallest units."""
DISPUTE_FEE: Final = 2_000
VERSION: Final = "2026-10-28.endive"


class Refused(Exception):
    """An answer that is an error of Stripe's."""

    def __init__(self, status: int, kind: str, code: str, message: str, **extra: Any) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error": {"type": kind, "code": code, "message": message, **extra}}


def invalid(code: str, message: str, **extra: Any) -> Refused:
    """A request that cannot be carried out."""
    return Refused(400, "invalid_request_error", code, message, **extra)


def missing(kind: str, object_id: str) -> Refused:
    """There is no such object."""
    words = f"No such {kind}: '{object_id}'"
    return Refused(404, "invalid_request_error", "resource_missing", words)


class World:
    """Everything Stripe would know. One lock: a request sees and leaves it whole."""

    def __init__(self, account: str = "acct_1House00000000001") -> None:
        self.account = account
        self.lock = threading.RLock()
        self.ahead_s = 0
        """How far the double's clock is ahead of ours."""
        self.objects: dict[str, dict[str, Any]] = {}
        self.lines: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []
        self.moods: dict[str, str] = {}
        """What becomes of charges, by payment method: `decline`, `authenticate`, `process`."""
        self.restricted: set[str] = set()
        """Connected accounts that can be paid nothing now."""
        self.complete = False
        """Whether new connected accounts have told Stripe everything already."""
        self.listeners: list[Callable[[dict[str, Any]], None]] = []

    def now(self) -> int:
        """Seconds since 1970, by the double's clock."""
        return int(time.time()) + self.ahead_s

    def new(self, prefix: str, kind: str, **fields: Any) -> dict[str, Any]:
        """A new object, kept."""
        made = {
            "id": f"{prefix}_{secrets.token_hex(12)}",
            "object": kind,
            "created": self.now(),
            "livemode": False,
            **fields,
        }
        self.objects[made["id"]] = made
        return made

    def get(self, kind: str, object_id: str) -> dict[str, Any]:
        """An object; Refused where there is none."""
        found = self.objects.get(object_id)
        if found is None or found["object"] != kind:
            raise missing(kind, object_id)
        return found

    def all(self, kind: str) -> list[dict[str, Any]]:
        """Objects of a kind, newest first."""
        return [each for each in reversed(self.objects.values()) if each["object"] == kind]

    def tell(self, event_type: str, about: dict[str, Any]) -> dict[str, Any]:
        """An event of what has just happened; webhooks carry it."""
        made = {
            "id": f"evt_{secrets.token_hex(12)}",
            "object": "event",
            "api_version": VERSION,
            "type": event_type,
            "created": self.now(),
            "livemode": False,
            "data": {"object": dict(about)},
        }
        self.events.append(made)
        for listener in self.listeners:
            listener(made)
        return made

    def book(
        self,
        kind: str,
        category: str,
        amount: int,
        fee: int,
        currency: str,
        source: dict[str, Any] | None,
        description: str | None = None,
    ) -> dict[str, Any]:
        """A movement of the balance; of no source: something that Stripe does by itself."""
        made = {
            "id": f"txn_{secrets.token_hex(12)}",
            "object": "balance_transaction",
            "type": kind,
            "reporting_category": category,
            "amount": amount,
            "fee": fee,
            "net": amount - fee,
            "currency": currency,
            "source": source and source["id"],
            "description": description or (source and source.get("description")),
            "balance_type": "payments",
            "created": self.now(),
            "available_on": self.now(),
            "status": "available",
        }
        self.lines.append(made)
        return made

    def balance(self, currency: str) -> int:
        """What is there, in smallest units."""
        return sum(
            each["net"]
            for each in self.lines
            if each["currency"] == currency and each.get("balance_type", "payments") == "payments"
        )

    def currencies(self) -> Iterator[str]:
        """Those that ever moved."""
        yield from sorted({each["currency"] for each in self.lines} | {"eur"})
