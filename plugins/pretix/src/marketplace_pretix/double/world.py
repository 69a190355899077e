"""What the double keeps: products, quotas and orders, in memory.

Answers are those that pretix 2026.8 gave; `tests/real` holds both to the same story.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]
Said = tuple[int, Any]
"""Status and body."""
LETTERS = frozenset("ABCDEFGHJKLMNPQRSTUVWXYZ1234567890")
NO_ORDER: Said = (404, {"detail": "No Order matches the given query."})
FORBIDDEN: Said = (403, {"detail": "You do not have permission to perform this action."})


class World:
    """One organizer with one event."""

    def __init__(self, organizer: str = "meridian", event: str = "summit") -> None:
        self.organizer, self.event = organizer, event
        self.token = secrets.token_hex(20)
        self.may_write = True
        self.lock = threading.RLock()
        self.sizes: dict[int, int | None] = {}
        """By item, as each item has one quota of its own id; None: unlimited."""
        self.items: dict[int, Json] = {}
        self.orders: dict[str, Json] = {}
        self.created: dict[str, int] = {}
        """By our reference: how many orders were made."""
        self.printed: set[str] = set()

    def add(self, size: int | None, *, name: str = "Seat", price: str = "149.00") -> int:
        """A product with a quota of its own; returns its id."""
        with self.lock:
            number = len(self.items) + 1
            self.items[number] = {
                "id": number,
                "name": {"en": name},
                "active": True,
                "default_price": price,
                "has_variations": False,
                "variations": [],
            }
            self.sizes[number] = size
            return number

    def left(self, item: int) -> int | None:
        """What is left of an item."""
        size = self.sizes[item]
        if size is None:
            return None
        paid = [each for each in self.orders.values() if each["status"] == "p"]
        sold = sum(1 for each in paid for p in each["positions"] if p["item"] == item)
        return max(size - sold, 0)

    # -- calls ---------------------------------------------------------------------------------

    def order(self, body: Json) -> Said:
        """`POST orders/`."""
        with self.lock:
            wrong = self._wrong(body)
            if wrong:
                return 400, wrong
            made = self._made(body)
            if not body.get("simulate"):
                self.orders[made["code"]] = made
                reference = str(body.get("api_meta", {}).get("marketplace", ""))
                self.created[reference] = self.created.get(reference, 0) + 1
            return 201, made

    def get(self, code: str) -> Said:
        """`GET orders/<code>/`."""
        with self.lock:
            found = self.orders.get(code)
            return (200, dict(found)) if found else NO_ORDER

    def cancel(self, code: str) -> Said:
        """`POST orders/<code>/mark_canceled/`."""
        with self.lock:
            found = self.orders.get(code)
            if found is None:
                return NO_ORDER
            if found["status"] == "c":
                return 400, {"detail": "The order is not allowed to be canceled."}
            found["status"] = "c"
            found["last_modified"] = _now()
            return 200, dict(found)

    def reactivate(self, code: str) -> None:
        """The organizer makes a cancelled order valid again, by hand."""
        with self.lock:
            found = self.orders[code]
            found["status"], found["last_modified"] = "p", _now()

    def pdf(self, code: str) -> Said:
        """`GET orders/<code>/download/pdf/`: not ready the first time."""
        with self.lock:
            found = self.orders.get(code)
            if found is None:
                return NO_ORDER
            if found["status"] == "c":
                return 403, {"detail": "Downloads are not available for canceled orders."}
            if code in self.printed:
                return 200, b"%PDF-1.4 a ticket"
            self.printed.add(code)
            return 409, {"detail": "The requested resource is not ready, please retry later."}

    def changed(self, query: Mapping[str, str]) -> list[Json]:
        """`GET orders/` of the organizer, by `last_modified`."""
        since = query.get("modified_since", "")
        with self.lock:
            found = [dict(each) for each in self.orders.values()]
        found = [each for each in found if not since or each["last_modified"] >= since]
        return sorted(found, key=lambda each: str(each["last_modified"]))

    def quotas(self) -> list[Json]:
        """`GET quotas/?with_availability=true`."""
        with self.lock:
            return [
                {
                    "id": item,
                    "name": self.items[item]["name"]["en"],
                    "size": size,
                    "items": [item],
                    "variations": [],
                    "subevent": None,
                    "available": self.left(item) != 0,
                    "available_number": self.left(item),
                }
                for item, size in self.sizes.items()
            ]

    # -- an order ------------------------------------------------------------------------------

    def _wrong(self, body: Json) -> Json:
        wrong: Json = {}
        code = body.get("code")
        if code in self.orders:
            wrong["code"] = ["This order code is already in use."]
        elif code is not None and not (5 <= len(code) <= 16 and set(code) <= LETTERS):
            wrong["code"] = ["This order code contains invalid characters."]
        if not body.get("positions"):
            wrong["positions"] = ["This field is required."]
            return wrong
        asked: dict[int, int] = {}
        faults: list[Json] = []
        for each in body["positions"]:
            item = each["item"]
            asked[item] = asked.get(item, 0) + 1
            faults.append(self._fault(item, asked[item]))
        if any(faults):
            wrong["positions"] = faults
        return wrong

    def _fault(self, item: int, asked: int) -> Json:
        if item not in self.items:
            return {"item": [f'Invalid pk "{item}" - object does not exist.']}
        if not self.items[item]["active"]:
            return {"item": ["The specified item is not active."]}
        left = self.left(item)
        if left is not None and left < asked:
            name = self.items[item]["name"]["en"]
            words = (
                f'There is not enough quota available on quota "{name}" to perform the operation.'
            )
            return {"item": [words]}
        return {}

    def _made(self, body: Json) -> Json:
        trial = bool(body.get("simulate"))
        code = "PREVIEW" if trial else body["code"]
        positions = [
            {
                "id": 0 if trial else secrets.randbelow(10**9),
                "positionid": number,
                "item": each["item"],
                "variation": each.get("variation"),
                "subevent": each.get("subevent"),
                "secret": "" if trial else secrets.token_hex(16),
                "addon_to": None,
                "canceled": False,
                "valid_until": None,
            }
            for number, each in enumerate(body["positions"], start=1)
        ]
        return {
            "code": code,
            "event": self.event,
            "status": "p",
            "total": "0.00",
            "positions": positions,
            "api_meta": body.get("api_meta", {}),
            "last_modified": _now(),
            "url": f"https://tickets.example/{self.organizer}/{self.event}/order/{code}/secret/",
        }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
