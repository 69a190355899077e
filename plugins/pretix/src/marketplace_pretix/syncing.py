"""Products and prices of a member's pretix, compared with its offers."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from marketplace import api
from marketplace_pretix import stock
from marketplace_pretix.client import Pretix, Refused
from marketplace_pretix.domain import Sku, write_sku
from marketplace_pretix.models import product
from marketplace_pretix.servers import client_of

MICROS: Final = 1_000_000
COLUMNS: Final = (
    *("reference", "kind", "name", "acceptor", "plugin", "sku", "points", "cost", "currency"),
    *("stock", "status"),
)


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """Something that can be bought at a pretix, beside what we know of it."""

    sku: str
    name: str
    price_micros: int
    currency: str
    free: int
    offers: tuple[str, ...]
    """References of offers that name it."""
    price_before_micros: int | None
    """What it cost when it was last looked at, where that was something else."""


class Compared(msgspec.Struct, frozen=True):
    """All of a member's products, and offers whose product is not among them."""

    found: list[Found]
    gone: list[api.PluginOffer]


class _Named(msgspec.Struct, frozen=True):
    id: int
    active: bool
    default_price: str | None
    name: dict[str, str] | str = ""
    value: dict[str, str] | str = ""


class _Item(_Named, frozen=True):
    variations: list[_Named] = []


class _Event(msgspec.Struct, frozen=True):
    slug: str
    currency: str
    name: dict[str, str] | str = ""


def compare(host: api.Host, member_id: UUID, event: str | None = None) -> Compared:
    """Ask a member's pretix what it sells, and remember the prices. Refused, NotConfigured."""
    client = client_of(host, member_id)
    read: list[Found] = []
    events: set[str] = set()
    for each in _read(client.list("/events/"), _Event):
        if event is None or each.slug == event:
            events.add(each.slug)
            read += _products(client, each)
    with host.transaction() as session:
        offers = host.offers(session, member_id=member_id)
        found = [_beside(session, member_id, offers, one) for one in read]
    known = {each.sku for each in found}
    gone = [
        each
        for each in offers
        if each.sku not in known and (event is None or each.sku.split("/")[0] == event)
    ]
    return Compared(found, gone)


def offers_file(
    compared: Compared, member: str, points_per_unit: int, status: str = "announced"
) -> str:
    """Lines of `marketplace import offers` for what no offer names yet.

    Points are the price at `points_per_unit` for one unit of its currency, rounded up. Stock is 0:
    the quotas fill it as soon as the offers are there.
    """
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(COLUMNS)
    for each in compared.found:
        if each.offers or each.price_micros <= 0:
            continue
        points = -(-each.price_micros * points_per_unit // MICROS)
        reference = f"PRETIX-{member}-{each.sku.replace('/', '-')}"
        cost = f"{each.price_micros // MICROS}.{each.price_micros % MICROS // 10_000:02d}"
        what = (reference, "seat", each.name, member, "pretix", each.sku)
        lines.writerow((*what, points, cost, each.currency, 0, status))
    return text.getvalue()


def _products(client: Pretix, event: _Event) -> list[Found]:
    """Every product, variation and date of an event that is active."""
    shelf = stock.shelf(client, event.slug)
    dates: list[int | None] = [
        int(each["id"])
        for each in client.list(f"/events/{event.slug}/subevents/")
        if each.get("active")
    ]
    found: list[Found] = []
    for item in _read(client.list(f"/events/{event.slug}/items/"), _Item):
        if not item.active:
            continue
        variations: list[_Named | None] = [each for each in item.variations if each.active]
        for variation in variations or [None]:
            for date in dates or [None]:
                sku = Sku(event.slug, item.id, variation.id if variation else None, date)
                found.append(_found(event, item, variation, sku, shelf.free(sku)))
    return found


def _found(event: _Event, item: _Item, variation: _Named | None, sku: Sku, free: int) -> Found:
    price = (variation and variation.default_price) or item.default_price or "0"
    try:
        price_micros = api.micros_from_decimal(price)
    except ValueError as error:
        raise Refused(f"a price cannot be read: {error}") from None
    return Found(
        sku=write_sku(sku),
        name=_name(event, item, variation),
        price_micros=price_micros,
        currency=event.currency,
        free=free,
        offers=(),
        price_before_micros=None,
    )


def _beside(
    session: Session, member_id: UUID, offers: Sequence[api.PluginOffer], found: Found
) -> Found:
    key = sa.and_(product.c.member_id == member_id, product.c.sku == found.sku)
    before = session.scalar(sa.select(product.c.price_micros).where(key))
    values = {
        "name": found.name,
        "price_micros": found.price_micros,
        "currency": found.currency,
        "seen_at": sa.func.statement_timestamp(),
    }
    session.execute(
        insert(product)
        .values(member_id=member_id, sku=found.sku, **values)
        .on_conflict_do_update(index_elements=["member_id", "sku"], set_=values)
    )
    return msgspec.structs.replace(
        found,
        offers=tuple(each.reference for each in offers if each.sku == found.sku),
        price_before_micros=None if before == found.price_micros else before,
    )


def _read(raw: Iterator[dict[str, Any]], what: type[Any]) -> list[Any]:
    try:
        return [msgspec.convert(each, what) for each in raw]
    except msgspec.ValidationError as error:
        raise Refused(f"pretix's answer cannot be read: {error}") from None


def _name(event: _Event, item: _Item, variation: _Named | None) -> str:
    words = [_words(event.name) or event.slug, _words(item.name)]
    if variation is not None:
        words.append(_words(variation.value))
    return ": ".join(each for each in words if each)[:200]


def _words(text: dict[str, str] | str) -> str:
    if isinstance(text, str):
        return text
    return text.get("en") or next(iter(text.values()), "")
