"""What the double keeps: products, quotas and orders, in memory.

Answers are those that pretix 2026.8 gave; `tests/real` holds both to the same story.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
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
        self.about: Json = {
            "slug": event,
            "name": {"en": "Summit"},
            "currency": "EUR",
            "live": True,
            "testmode": False,
            "has_subevents": False,
            "date_from": "2099-01-01T09:00:00Z",
            "date_to": None,
            "presale_start": None,
            "presale_end": None,
            "timezone": "Europe/Warsaw",
            "seating_plan": None,
            "seat_category_mapping": {},
            "all_sales_channels": True,
            "limit_sales_channels": [],
        }
        """The event itself."""
        self.settings: Json = {
            "attendee_names_asked": True,
            "attendee_names_required": False,
            "attendee_emails_asked": False,
            "attendee_emails_required": False,
            "name_scheme": "full",
            "max_items_per_order": 10,
        }
        self.questions: list[Json] = []
        self.dates: list[Json] = []
        """Of a series."""
        self.seats: dict[str, Json] = {}
        """By their name at pretix, as its plan has them."""
        self.carts: dict[int, Json] = {}
        """Places that are held, by their id."""
        self.hidden = False
        """Whether the token may not see the event."""

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
                "addons": [],
                "bundles": [],
                "personalized": False,
                "min_per_order": None,
                "max_per_order": None,
            }
            self.sizes[number] = size
            return number

    def ask(self, question: str, kind: str, *items: int, required: bool = True, **more: Any) -> int:
        """A question about who comes with these products; returns its id."""
        with self.lock:
            number = len(self.questions) + 1
            words = more.pop("options", [])
            self.questions.append(
                {
                    "id": number,
                    "question": {"en": question},
                    "type": kind,
                    "required": required,
                    "items": list(items),
                    "options": [
                        {"id": number * 100 + place, "identifier": each, "answer": {"en": each}}
                        for place, each in enumerate(words)
                    ],
                    "position": number,
                    "identifier": f"Q{number}",
                    "dependency_question": None,
                    "dependency_values": [],
                    **more,
                }
            )
            return number

    def seat(self, item: int, *names: str) -> None:
        """Numbered seats for a product, which is sold with one of them from now on."""
        with self.lock:
            self.about["seat_category_mapping"]["Stalls"] = item
            for name in names:
                self.seats[name] = {
                    "seat_guid": name,
                    "product": item,
                    "zone_name": "Stalls",
                    "row_name": name[0],
                    "seat_number": name[1:],
                    "blocked": False,
                    "orderposition": None,
                }

    def free_seats(self) -> list[Json]:
        """`GET seats/?is_available=true`."""
        with self.lock:
            held = {each["seat"]["seat_guid"] for each in self.live_carts()}
            free = [each for each in self.seats.values() if each["orderposition"] is None]
            return [each for each in free if each["seat_guid"] not in held]

    def live_carts(self, but: Sequence[str] = ()) -> list[Json]:
        """Places in carts whose time is not over."""
        live = [each for each in self.carts.values() if each["expires"] > _now()]
        return [each for each in live if each["cart_id"] not in but]

    def hold(self, body: list[Json]) -> Said:
        """`POST cartpositions/bulk_create/`: each by itself, in one transaction."""
        with self.lock:
            return 200, {"results": [self._held(each) for each in body]}

    def _held(self, place: Json) -> Json:
        fault = self._fault(place["item"], 1, ()) or self._fault_of_seat(place, ())
        if not place["cart_id"].endswith("@api"):
            fault = {"cart_id": ["Cart ID should end in @api or be empty."]}
        if fault:
            if "item" in fault:
                fault = {"non_field_errors": fault["item"]}
            return {"success": False, "data": None, "errors": fault}
        number = len(self.carts) + 1 + secrets.randbelow(10**6)
        until = datetime.now(UTC) + timedelta(minutes=30)
        expires = until.isoformat(timespec="microseconds").replace("+00:00", "Z")
        seat = {"seat_guid": place["seat"]}
        self.carts[number] = {**place, "id": number, "expires": expires, "seat": seat}
        return {"success": True, "data": self.carts[number], "errors": None}

    def let_go(self, number: str) -> Said:
        """`DELETE cartpositions/<id>/`."""
        with self.lock:
            if self.carts.pop(int(number), None) is None:
                return 404, {"detail": "No CartPosition matches the given query."}
            return 204, b""

    def left(self, item: int, carts: Sequence[str] = ()) -> int | None:
        """What is left of an item, for who has these carts."""
        size = self.sizes[item]
        if size is None:
            return None
        paid = [each for each in self.orders.values() if each["status"] == "p"]
        stand = [p for each in paid for p in each["positions"] if not p["canceled"]]
        taken = [*stand, *self.live_carts(carts)]
        sold = sum(1 for each in taken if each["item"] == item)
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
                used = body.get("consume_carts", ())
                self.carts = {n: c for n, c in self.carts.items() if c["cart_id"] not in used}
                reference = str(body.get("api_meta", {}).get("marketplace", ""))
                self.created[reference] = self.created.get(reference, 0) + 1
            return 201, made

    def get(self, code: str, query: Mapping[str, str] = MappingProxyType({})) -> Said:
        """`GET orders/<code>/`."""
        with self.lock:
            found = self.orders.get(code)
            return (200, _shown(found, query)) if found else NO_ORDER

    def cancel(self, code: str) -> Said:
        """`POST orders/<code>/mark_canceled/`."""
        with self.lock:
            found = self.orders.get(code)
            if found is None:
                return NO_ORDER
            if found["status"] == "c":
                return 400, {"detail": "The order is not allowed to be canceled."}
            found["status"] = "c"
            for each in self.seats.values():
                if each["orderposition"] in {one["id"] for one in found["positions"]}:
                    each["orderposition"] = None
            found["last_modified"] = _now()
            return 200, dict(found)

    def reactivate(self, code: str) -> None:
        """The organizer makes a cancelled order valid again, by hand."""
        with self.lock:
            found = self.orders[code]
            found["status"], found["last_modified"] = "p", _now()

    def take_out(self, code: str, number: int) -> None:
        """The organizer cancels one ticket of an order, by its number in it."""
        with self.lock:
            found = self.orders[code]
            next(p for p in found["positions"] if p["positionid"] == number)["canceled"] = True
            found["last_modified"] = _now()

    def split(self, code: str, *numbers: int) -> str:
        """The organizer splits tickets into an order of their own; returns its code."""
        with self.lock:
            found = self.orders[code]
            moved = [each for each in found["positions"] if each["positionid"] in numbers]
            found["positions"] = [each for each in found["positions"] if each not in moved]
            found["last_modified"] = _now()
            made = "".join(secrets.choice("ABCDEFGHJKLM3789") for _ in range(5))
            for each in moved:
                each["secret"] = secrets.token_hex(16)
            self.orders[made] = {**found, "code": made, "positions": moved}
            self.orders[made]["url"] = found["url"].replace(code, made)
            return made

    def change(self, code: str, **values: Any) -> None:
        """The organizer changes an order by hand: its status, its total ..."""
        with self.lock:
            self.orders[code].update(values, last_modified=_now())

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
        """`GET orders/` of the organizer."""
        since = query.get("modified_since", "")
        with self.lock:
            found = [_shown(each, query) for each in self.orders.values()]
        found = [each for each in found if not since or each["last_modified"] >= since]
        by = query.get("ordering", "datetime")
        return sorted(found, key=lambda each: str(each[by]))

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
        carts = body.get("consume_carts", ())
        for each in body["positions"]:
            item = each["item"]
            asked[item] = asked.get(item, 0) + 1
            fault = self._fault(item, asked[item], carts) or self._fault_of_seat(each, carts)
            faults.append(fault or self._fault_of_answers(each))
        if any(faults):
            wrong["positions"] = faults
        return wrong

    def _fault(self, item: int, asked: int, carts: Sequence[str]) -> Json:
        if item not in self.items:
            return {"item": [f'Invalid pk "{item}" - object does not exist.']}
        if not self.items[item]["active"]:
            return {"item": ["The specified item is not active."]}
        left = self.left(item, carts)
        if left is not None and left < asked:
            name = self.items[item]["name"]["en"]
            words = (
                f'There is not enough quota available on quota "{name}" to perform the operation.'
            )
            return {"item": [words]}
        return {}

    def _fault_of_seat(self, position: Json, carts: Sequence[str]) -> Json:
        seated = position["item"] in self.about["seat_category_mapping"].values()
        name = position.get("seat")
        if not name:
            return {"seat": ["The specified product requires to choose a seat."]} if seated else {}
        found = self.seats.get(name)
        if found is None:
            return {"seat": ["The specified seat does not exist."]}
        held = {each["seat"]["seat_guid"] for each in self.live_carts(carts)}
        if found["orderposition"] is not None or name in held:
            return {"seat": [f'The selected seat "{name}" is not available.']}
        return {}

    def _fault_of_answers(self, position: Json) -> Json:
        """Pretix looks at the answers that there are, and asks for none."""
        by_id = {each["id"]: each for each in self.questions}
        faults: list[Json] = []
        for each in position.get("answers", []):
            question = by_id.get(each["question"])
            chosen = {one["id"] for one in question["options"]} if question else set()
            if question is None:
                faults.append({"question": ["Invalid pk - object does not exist."]})
            elif not set(each["options"]) <= chosen:
                faults.append({"non_field_errors": ["The specified option does not belong."]})
            elif not each["answer"]:
                faults.append({"answer": ["This field may not be blank."]})
        return {"answers": faults} if faults else {}

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
                "attendee_name_parts": each.get("attendee_name_parts", {}),
                "attendee_email": each.get("attendee_email"),
                "company": each.get("company"),
                "answers": each.get("answers", []),
                "seat": each.get("seat") and {"name": each["seat"], "seat_guid": each["seat"]},
                **{part: each.get(part) for part in ("street", "zipcode", "city", "country")},
                "secret": "" if trial else secrets.token_hex(16),
                "addon_to": each.get("addon_to"),
                "canceled": False,
                "downloads": [{"output": "pdf", "url": "https://tickets.example/pdf"}],
                "attendee_name": " ".join(
                    text
                    for part, text in each.get("attendee_name_parts", {}).items()
                    if part != "_scheme"
                ),
                "valid_until": None,
            }
            for number, each in enumerate(body["positions"], start=1)
        ]
        if not trial:
            for each in positions:
                if each["seat"]:
                    self.seats[each["seat"]["seat_guid"]]["orderposition"] = each["id"]
        return {
            "code": code,
            "sales_channel": body.get("sales_channel", "web"),
            "event": self.event,
            "status": "p",
            "total": "0.00",
            "positions": positions,
            "api_meta": body.get("api_meta", {}),
            "datetime": (moment := _now()),
            "last_modified": moment,
            "url": f"https://tickets.example/{self.organizer}/{self.event}/order/{code}/secret/",
        }


def _shown(order: Json, query: Mapping[str, str]) -> Json:
    """An order without the tickets that were taken out of it, unless these are asked for."""
    if query.get("include_canceled_positions") == "true":
        return {**order, "positions": [dict(each) for each in order["positions"]]}
    stand = [dict(each) for each in order["positions"] if not each["canceled"]]
    return {**order, "positions": stand}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
