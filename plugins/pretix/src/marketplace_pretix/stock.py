"""Stock follows the quotas of pretix, within half a minute."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Final
from uuid import UUID

import msgspec

from marketplace import api
from marketplace_pretix import repository
from marketplace_pretix.client import Pretix, Refused
from marketplace_pretix.domain import Sku, parse_sku
from marketplace_pretix.servers import enabled, guarded

UNLIMITED: Final = 1_000_000
"""What the stock says of a product without an end."""


class Quota(msgspec.Struct, frozen=True):
    """A quota, with what is left of it."""

    items: list[int]
    variations: list[int]
    subevent: int | None
    available: bool
    available_number: int | None

    def covers(self, sku: Sku) -> bool:
        """Whether a sale of the sku takes from it."""
        has_variation = sku.variation is None or sku.variation in self.variations
        return sku.item in self.items and has_variation and self.subevent == sku.subevent


class Product(msgspec.Struct, frozen=True):
    """A product, as far as stock is concerned."""

    id: int
    active: bool


class Shelf(msgspec.Struct, frozen=True):
    """What one event has, as pretix said at one moment."""

    products: list[Product]
    quotas: list[Quota]

    def free(self, sku: Sku) -> int:
        """Units left: the least that any quota of the product has."""
        if not any(each.id == sku.item and each.active for each in self.products):
            return 0
        left = [_left(each) for each in self.quotas if each.covers(sku)]
        return min(left, default=0)


def keep(host: api.Host) -> None:
    """Look at the quotas of every event that offers name, and make their stock so."""
    owners, skus = _skus(host)
    free: dict[str, int] = {}
    with host.transaction() as session:
        # Before any server is asked: what is delivered from now on may not be counted there yet.
        asked_at = repository.moment(session)
    answered: set[UUID] = set()
    for member_id, settings in enabled(host):
        client = Pretix(host.outbound, settings)
        own = [sku for sku in skus if member_id in owners[sku]]
        guarded("quotas", member_id, partial(_look, client, member_id, own, free, answered))
    for sku, units in free.items():
        # Two members with the same words for different things: the less is safe for both.
        if owners[sku] <= answered:
            _align(host, sku, units, asked_at)


def _look(
    client: Pretix, member_id: UUID, skus: Sequence[str], free: dict[str, int], answered: set[UUID]
) -> None:
    shelves: dict[str, Shelf] = {}
    found: dict[str, int] = {}
    for text in skus:
        sku = parse_sku(text)
        if sku is None:
            found[text] = 0
            continue
        if sku.event not in shelves:
            shelves[sku.event] = shelf(client, sku.event)
        found[text] = shelves[sku.event].free(sku)
    for text, units in found.items():
        free[text] = min(units, free.get(text, units))
    answered.add(member_id)


def shelf(client: Pretix, event: str) -> Shelf:
    """Products and quotas of an event. Refused."""
    try:
        return Shelf(
            products=msgspec.convert(list(client.list(f"/events/{event}/items/")), list[Product]),
            quotas=msgspec.convert(
                list(client.list(f"/events/{event}/quotas/", with_availability="true")),
                list[Quota],
            ),
        )
    except msgspec.ValidationError as error:
        raise Refused(f"quotas of {event} cannot be read: {error}") from None


def _align(host: api.Host, sku: str, units: int, asked_at: datetime) -> None:
    with host.transaction() as session:

        def free_units(held: Sequence[api.OpenOrder]) -> int:
            counted, later = repository.delivered_of(session, sku, asked_at)
            open_units = {each.reference: each.quantity for each in held}
            taken = {**later, **{r: n for r, n in open_units.items() if r not in counted}}
            return units - sum(taken.values())

        host.align_stock(session, sku, free_units)


def _skus(host: api.Host) -> tuple[dict[str, set[UUID]], list[str]]:
    with host.transaction() as session:
        offers = host.offers(session)
    owners: dict[str, set[UUID]] = {}
    for each in offers:
        owners.setdefault(each.sku, set()).add(each.member_id)
    return owners, sorted(owners)


def _left(quota: Quota) -> int:
    if not quota.available:
        return 0
    return UNLIMITED if quota.available_number is None else quota.available_number
