"""SQL that reads the whole published catalog, and the pulse that tells whether it has changed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

LOW_UNITS = 20
"""Units left from which on the number is told."""

# `{which}` is everything published, or one listing whatever its status.
PUBLISHED = "l.status = 'published' and $1::uuid is null"
ONE = "l.id = $1"

LISTINGS = """
select l.id, l.slug, l.category, l.tags, l.countries, l.place, l.delivery::text as delivery,
       l.delivery_days, l.languages, l.default_locale, l.visible_from, l.visible_to, l.featured,
       l.taken, l.published_at
from catalog_listing l where {which} order by l.id
"""
TEXTS = """
select t.listing_id, t.locale, t.title, t.summary
from catalog_listing_text t join catalog_listing l on l.id = t.listing_id
where {which}
"""
DENOMINATIONS = """
select d.listing_id, d.least, d.most, d.step, d.face_micros, d.face_currency,
       o.id as offer_id, o.reference as offer, o.name, o.kind, o.points, o.cost_micros, o.currency,
       o.status::text as status, o.starts_at, o.ends_at, o.closed::text as closed, o.plugin,
       o.limit_per_wallet,
       o.eligibility::text as eligibility, m.slug as partner, m.name as partner_name
from catalog_denomination d
join catalog_listing l on l.id = d.listing_id
join offer o on o.reference = d.offer_reference
join member m on m.id = o.acceptor_id
where {which}
order by d.listing_id, d.position
"""
PICTURES = """
select distinct on (lp.listing_id) lp.listing_id, p.hash, p.width, p.height, p.widths
from catalog_listing_picture lp
join catalog_listing l on l.id = lp.listing_id
join catalog_picture p on p.hash = lp.hash
where {which}
order by lp.listing_id, lp.position
"""
CATEGORIES = """
select c.slug, c.parent, c.position,
       coalesce(json_object_agg(t.locale, t.name) filter (where t.locale is not null), '{}')::text
         as names
from catalog_category c left join catalog_category_text t on t.category = c.slug
group by c.slug order by c.position, c.slug
"""
# One row. The sum changes with every change of an offer, for versions only grow.
PULSE = """
select version, texts,
       (select coalesce(sum(version), 0)::bigint from offer) as offers,
       marketplace_now() as now,
       (select coalesce(jsonb_object_agg(plugin, open_until), '{}')::text from supplier_health
        where open_until > statement_timestamp()) as away,
       (select array_agg(offer_id) from offer_stock where remaining <= $1) as low,
       (select array_agg(remaining) from offer_stock where remaining <= $1) as left
from catalog_state
"""


class Pulse(msgspec.Struct, frozen=True):
    """What changes without the catalog's doing: offers, stock, partners, time."""

    version: int
    texts: int
    offers: int
    """Changes whenever an offer does."""
    now: datetime
    away: dict[str, datetime]
    """Plugins whose supplier is left alone for now, and until when."""
    left: dict[UUID, int]
    """Units left of offers that have few."""


class Rows(msgspec.Struct, frozen=True):
    """The published catalog as the tables hold it."""

    listings: list[Mapping[str, Any]]
    texts: list[Mapping[str, Any]]
    denominations: list[Mapping[str, Any]]
    pictures: list[Mapping[str, Any]]
    categories: list[Mapping[str, Any]]


async def read_pulse(connection: Any) -> Pulse:
    """How things stand now: one round trip."""
    row = await connection.fetchrow(PULSE, LOW_UNITS)
    return Pulse(
        row["version"],
        row["texts"],
        row["offers"],
        row["now"],
        msgspec.json.decode(row["away"], type=dict[str, datetime]),
        dict(zip(row["low"] or (), row["left"] or (), strict=True)),
    )


async def read_rows(connection: Any, listing_id: UUID | None = None) -> Rows:
    """Everything published, or one listing whatever its status."""
    which = PUBLISHED if listing_id is None else ONE
    listings, texts, denominations, pictures = [
        await connection.fetch(statement.format(which=which), listing_id)
        for statement in (LISTINGS, TEXTS, DENOMINATIONS, PICTURES)
    ]
    categories = await connection.fetch(CATEGORIES)
    return Rows(listings, texts, denominations, pictures, categories)
