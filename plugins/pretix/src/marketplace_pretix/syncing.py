"""Products and prices of a member's pretix, compared with its offers."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from marketplace import api
from marketplace_pretix import shelf
from marketplace_pretix.client import Pretix, Refused
from marketplace_pretix.domain import Sku, write_sku
from marketplace_pretix.models import product
from marketplace_pretix.servers import required_settings
from marketplace_pretix.settings import PretixSettings
from marketplace_pretix.words import TROUBLES

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
    trouble: str | None = None
    """Why it cannot be sold here: a code of `words.TROUBLES`."""
    is_asked: bool = False
    """Whether participants are asked who comes before they burn points."""


class Compared(msgspec.Struct, frozen=True):
    """All of a member's products, and offers whose product is not among them."""

    found: list[Found]
    gone: list[api.PluginOffer]


class _Listed(msgspec.Struct, frozen=True):
    slug: str


def compare(host: api.Host, member_id: UUID, event: str | None = None) -> Compared:
    """Ask a member's pretix what it sells, and remember the prices. Refused, NotConfigured."""
    settings = required_settings(host, member_id)
    client = Pretix(host.outbound, settings)
    with host.transaction() as session:
        now = host.now(session)
    read: list[Found] = []
    for each in _read(client.list("/events/"), _Listed):
        if event is None or each.slug == event:
            read += _products(client, each.slug, settings, now)
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
    """Lines of `marketplace import offers` for what no offer names yet, and can be sold here.

    Points are the price at `points_per_unit` for one unit of its currency, rounded up. Stock is 0:
    the quotas fill it as soon as the offers are there.
    """
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(COLUMNS)
    for each in compared.found:
        if each.offers or each.price_micros <= 0 or each.trouble:
            continue
        points = -(-each.price_micros * points_per_unit // MICROS)
        reference = f"PRETIX-{member}-{each.sku.replace('/', '-')}"
        cost = f"{each.price_micros // MICROS}.{each.price_micros % MICROS // 10_000:02d}"
        what = (reference, "seat", each.name, member, "pretix", each.sku)
        lines.writerow((*what, points, cost, each.currency, 0, status))
    return text.getvalue()


def _products(client: Pretix, event: str, settings: PretixSettings, now: datetime) -> list[Found]:
    """Every product, variation and date of an event that is active."""
    try:
        seen = shelf.read(client, event)
    except shelf.OutOfSight as error:
        raise Refused(f"{event}: {TROUBLES[error.trouble].message}") from None
    dates: list[int | None] = [each.id for each in seen.dates if each.active]
    found: list[Found] = []
    for item in seen.products:
        if not item.active:
            continue
        variations: list[shelf.Variation | None] = [each for each in item.variations if each.active]
        if item.variations and not variations:
            continue
        for variation in variations or [None]:
            for date in dates or [None]:
                sku = Sku(event, item.id, variation.id if variation else None, date)
                found.append(_found(seen, item, variation, sku, settings, now))
    return found


def _found(
    seen: shelf.Shelf,
    item: shelf.Product,
    variation: shelf.Variation | None,
    sku: Sku,
    settings: PretixSettings,
    now: datetime,
) -> Found:
    price = (variation and variation.default_price) or item.default_price or "0"
    date = next((each for each in seen.dates if each.id == sku.subevent), None)
    price = (date and date.price(sku)) or price
    try:
        price_micros = api.micros_from_decimal(price)
    except ValueError as error:
        raise Refused(f"a price cannot be read: {error}") from None
    asks = seen.asks(sku)
    return Found(
        sku=write_sku(sku),
        name=seen.name(sku),
        price_micros=price_micros,
        currency=seen.event.currency,
        free=seen.free(sku),
        offers=(),
        price_before_micros=None,
        trouble=seen.trouble(sku, settings, now),
        is_asked=asks.must_be_told or not asks.fits(1),
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
