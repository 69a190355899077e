"""What goes to pretix and what its answers are worth: pure, no I/O.

Nothing that a server sends can raise here: what cannot be read is None, or breaks a rule and says
which.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from marketplace import api
from marketplace_pretix.asking import Bundled
from marketplace_pretix.words import CANCELLED_THERE, NOT_SOLD, NOT_TAKEN, SEAT_TAKEN, SOLD_OUT

ALPHABET: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ0123456789"
"""Of order codes: pretix takes no letter O."""
CODE_LENGTH: Final = 16
"""The longest that pretix takes: 34^16 codes, so two references never share one."""
META: Final = "marketplace"
"""In an order's `api_meta`: our reference, which tells our orders from all others."""
LONGEST: Final = 200
IN_USE: Final = "already in use"
NONE_LEFT: Final = "not enough quota"
DEFAULT_CHANNEL: Final = "web"
"""Pretix's own shop: where no sales channel is named, an order is of this one."""
OF_PEOPLE: Final = frozenset(("answers", "attendee_name_parts", "attendee_email", "company"))


class Sku(msgspec.Struct, frozen=True):
    """`event/item[/variation[/subevent]]`; `-` is no variation."""

    event: str
    item: int
    variation: int | None = None
    subevent: int | None = None


class Position(msgspec.Struct, frozen=True):
    """One ticket of an order, as pretix has it."""

    item: int
    positionid: int
    secret: str
    variation: int | None = None
    subevent: int | None = None
    addon_to: int | None = None
    canceled: bool = False
    valid_until: datetime | None = None


class _Event(msgspec.Struct, frozen=True):
    slug: str


class _Events(msgspec.Struct, frozen=True):
    results: list[_Event]


class Placed(msgspec.Struct, frozen=True):
    """An order, as pretix has it."""

    code: str
    event: str
    status: str
    """`p` paid, `n` pending, `e` expired, `c` cancelled."""
    positions: list[Position] = []
    api_meta: dict[str, Any] = {}
    url: str = ""

    @property
    def reference(self) -> str:
        """Ours, or empty."""
        found = self.api_meta.get(META)
        return found if isinstance(found, str) else ""


def parse_sku(sku: str) -> Sku | None:
    """The parts of a sku; None where it is none."""
    parts = sku.split("/")
    if not 2 <= len(parts) <= 4 or not parts[0] or len(parts[0]) > 50:
        return None
    if not all(each.isalnum() or each in ".-" for each in parts[0]):
        return None
    try:
        item = int(parts[1])
        variation = int(parts[2]) if len(parts) > 2 and parts[2] != "-" else None
        subevent = int(parts[3]) if len(parts) > 3 else None
    except ValueError:
        return None
    return Sku(parts[0], item, variation, subevent)


def write_sku(sku: Sku) -> str:
    """The opposite of `parse_sku`."""
    words = [sku.event, str(sku.item)]
    if sku.variation is not None or sku.subevent is not None:
        words.append("-" if sku.variation is None else str(sku.variation))
    if sku.subevent is not None:
        words.append(str(sku.subevent))
    return "/".join(words)


def order_code(reference: str) -> str:
    """The order's code at pretix: always the same for a reference, hence the idempotency key."""
    number = int.from_bytes(hashlib.blake2b(reference.encode(), digest_size=16).digest())
    letters: list[str] = []
    for _ in range(CODE_LENGTH):
        number, rest = divmod(number, len(ALPHABET))
        letters.append(ALPHABET[rest])
    return "".join(letters)


def new_order(
    order: api.Order,
    sku: Sku,
    people: Sequence[Mapping[str, Any]] = (),
    channel: str = DEFAULT_CHANNEL,
    cart: str | None = None,
    bundled: Sequence[Bundled] = (),
) -> bytes:
    """The body that orders the tickets: paid already, for nothing (the coalition settles).

    `people` is what each position says of who comes, where that was asked; `cart` is where their
    seats are held; `bundled` is what comes with each unit.
    """
    units = [{**_position(sku), **who} for who in people or [{}] * order.quantity]
    body = {
        "code": order_code(order.reference),
        "status": "p",
        "payment_provider": "free",
        "email": None,
        "send_email": False,
        "comment": f"Paid with points. Reference: {order.reference}",
        "api_meta": {META: order.reference},
        "positions": _with_bundled(units, sku, bundled) if bundled else units,
        **({} if channel == DEFAULT_CHANNEL else {"sales_channel": channel}),
        **({} if cart is None else {"consume_carts": [cart]}),
        # A trial: pretix says what it would do, and keeps nothing.
        **({"simulate": True} if order.sandbox else {}),
    }
    return msgspec.json.encode(body)


def _position(sku: Sku) -> dict[str, Any]:
    return {
        "item": sku.item,
        "variation": sku.variation,
        "price": "0.00",
        **({} if sku.subevent is None else {"subevent": sku.subevent}),
    }


def _with_bundled(
    units: Sequence[Mapping[str, Any]], sku: Sku, bundled: Sequence[Bundled]
) -> list[dict[str, Any]]:
    """Each unit, and right behind it what comes with it: pretix wants them numbered then."""
    made: list[dict[str, Any]] = []
    for unit in units:
        main = len(made) + 1
        made.append({**unit, "positionid": main})
        for each in bundled:
            part = msgspec.structs.replace(sku, item=each.item, variation=each.variation)
            for _ in range(each.count):
                number = {"positionid": len(made) + 1, "addon_to": main, "is_bundled": True}
                made.append({**_position(part), **number})
    return made


def read_order(body: bytes) -> Placed | None:
    """An order in an answer; None where it is none."""
    try:
        return msgspec.json.decode(body, type=Placed)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def first_event(body: bytes) -> str | None:
    """The first event in a list of them; None where there is none."""
    try:
        found = msgspec.json.decode(body, type=_Events).results
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return found[0].slug if found else None


def complaints(body: bytes) -> Mapping[str, str]:
    """What a refusal says, by field; empty where it is not pretix that speaks."""
    try:
        found = msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return {}
    return {field: msgspec.json.encode(words).decode() for field, words in found.items()}


def refusal_of_positions(complained: str) -> api.Lazy:
    """Why pretix does not sell what an order's positions say, in words for the participant."""
    found = msgspec.json.decode(complained)
    rows = [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
    if NONE_LEFT in complained:
        return SOLD_OUT
    fields = {field for each in rows for field in each}
    if "seat" in fields:
        return SEAT_TAKEN
    return NOT_TAKEN if fields & OF_PEOPLE else NOT_SOLD


def judged(placed: Placed, order: api.Order, sku: Sku, *, hand_out: str) -> api.Outcome:
    """What an order that pretix has means for the burn."""
    fault = _fault(placed, order, sku)
    if fault is not None:
        return api.Unknown(reference=order.reference, reason=fault, after_s=300)
    if placed.status in ("c", "e"):
        # Cancelled before we knew of the delivery: the tickets are worth nothing.
        return api.Rejected(reference=order.reference, reason=CANCELLED_THERE.message)
    if placed.status != "p":
        return api.Pending(reference=order.reference, after_s=300)
    return api.Fulfilled(
        reference=order.reference,
        supplier_reference=f"{placed.event}/{placed.code}",
        artefacts=tuple(_artefacts(placed, hand_out)),
    )


def tickets(placed: Placed) -> list[Position]:
    """What somebody is let in with: no add-ons, nothing taken out of the order."""
    return [each for each in placed.positions if each.addon_to is None and not each.canceled]


def _fault(placed: Placed, order: api.Order, sku: Sku) -> str | None:
    if placed.reference != order.reference:
        return "the order of this code at pretix does not name our reference"
    found = tickets(placed)
    if placed.status in ("c", "e"):
        return None
    if len(found) != order.quantity:
        return f"the order at pretix has {len(found)} tickets for {order.quantity} units"
    if any((each.item, each.variation) != (sku.item, sku.variation) for each in found):
        return "the order at pretix is for another product"
    if any(not each.secret or len(each.secret) > 4_000 for each in found):
        return "a ticket at pretix has no code"
    if not placed.code or len(placed.code) > LONGEST or len(placed.event) > LONGEST:
        return "the order at pretix has no code"
    return None


def _artefacts(placed: Placed, hand_out: str) -> list[api.Artefact]:
    has_page = hand_out == "page" and placed.url.startswith("https://")
    return [
        api.Artefact(
            kind="link" if has_page else "ticket",
            label=f"{placed.code}-{each.positionid}",
            secret=placed.url if has_page else each.secret,
            expires_at=_aware(each.valid_until),
        )
        for each in tickets(placed)
    ]


def _aware(moment: datetime | None) -> datetime | None:
    return moment if moment is not None and moment.tzinfo is not None else None
