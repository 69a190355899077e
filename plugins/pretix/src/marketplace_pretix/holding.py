"""Numbered seats, held at pretix while somebody chooses: places in a cart of pretix's own.

Whoever orders may name a cart, whose places are then theirs. How long a cart lasts is the event's
setting; then its places are free again by themselves.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

import msgspec

from marketplace import api
from marketplace_pretix.client import Pretix, status_of
from marketplace_pretix.domain import NONE_LEFT, Sku
from marketplace_pretix.words import SEAT_TAKEN, SOLD_OUT

log = logging.getLogger(__name__)

TIMEOUT_S: Final = 5.0
EARLIER: Final = timedelta(seconds=30)
"""So much before pretix frees a seat it counts as free here."""
SUFFIX: Final = "@api"
"""Of carts that are not of a shop's visitor: pretix takes no other name."""


class Place(msgspec.Struct, frozen=True):
    """One seat in a cart."""

    id: int
    seat: str
    name: str = ""


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """What is held for one form."""

    cart: str
    places: list[Place] = []
    until: datetime | None = None
    """None where pretix did not say that anything is held; the cart is named all the same."""


class _Added(msgspec.Struct, frozen=True):
    id: int
    expires: datetime


class _Result(msgspec.Struct, frozen=True):
    success: bool
    data: _Added | None = None
    errors: Any = None


class _Results(msgspec.Struct, frozen=True):
    results: list[_Result]


class Taken(Exception):
    """Some seats cannot be held: `why` by their place in the list, for the participant."""

    def __init__(self, why: Mapping[int, api.Lazy]) -> None:
        super().__init__(why)
        self.why = why


def hold(client: Pretix, sku: Sku, seats: Sequence[tuple[str, str]], channel: str) -> Held:
    """Hold seats (guid, name) all together, or none. Taken.

    Where pretix has no carts for us, or does not answer, nothing is held and nobody is kept from
    ordering: the seat then goes to who orders it first.
    """
    cart = secrets.token_hex(20) + SUFFIX
    body = msgspec.json.encode([_place(sku, guid, cart, channel) for guid, _ in seats])
    try:
        answer = client.call("POST", f"{_path(sku.event)}bulk_create/", body, timeout_s=TIMEOUT_S)
    except api.MarketplaceError as error:
        log.warning("no seat is held at %s: %s", sku.event, error.detail)
        return Held(cart=cart)
    try:
        found = msgspec.json.decode(answer.body, type=_Results).results
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        found = []
    if answer.status != 200 or len(found) != len(seats):
        log.warning("no seat is held at %s: %s", sku.event, status_of(answer))
        return Held(cart=cart)
    return _judged(client, sku, seats, cart, found)


def _judged(
    client: Pretix,
    sku: Sku,
    seats: Sequence[tuple[str, str]],
    cart: str,
    found: Sequence[_Result],
) -> Held:
    places, ends, why = [], [], {}
    for number, (result, (guid, name)) in enumerate(zip(found, seats, strict=True)):
        if result.success and result.data is not None:
            places.append(Place(result.data.id, guid, name))
            ends.append(result.data.expires)
            continue
        complained = msgspec.json.encode(result.errors).decode()
        if NONE_LEFT in complained:
            why[number] = SOLD_OUT
        elif "seat" in complained:
            why[number] = SEAT_TAKEN
        else:
            log.warning("a seat at %s is not held: %s", sku.event, complained[:200])
    if why:
        release(client, sku, places)
        raise Taken(why)
    until = min(ends) - EARLIER if len(ends) == len(seats) else None
    return Held(cart=cart, places=places, until=until)


def release(client: Pretix, sku: Sku, places: Iterable[Place]) -> None:
    """Let seats go; those that cannot be reached now are free again once their time is over."""
    for each in places:
        try:
            client.call("DELETE", place_path(sku.event, each.id), timeout_s=TIMEOUT_S)
        except api.MarketplaceError as error:
            log.warning("a seat at %s is not let go: %s", sku.event, error.detail)
            return


def _place(sku: Sku, guid: str, cart: str, channel: str) -> dict[str, Any]:
    return {
        "item": sku.item,
        "variation": sku.variation,
        "price": "0.00",
        "seat": guid,
        "cart_id": cart,
        "sales_channel": channel,
        **({} if sku.subevent is None else {"subevent": sku.subevent}),
    }


def place_path(event: str, number: int) -> str:
    """Of one place in a cart."""
    return f"{_path(event)}{number}/"


def _path(event: str) -> str:
    return f"/events/{quote(event, safe='')}/cartpositions/"
