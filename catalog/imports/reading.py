"""Reads listings and categories back as the specs they were written from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from catalog.models import Category, CategoryText, Denomination, Listing, ListingText
from catalog.specs import CategorySpec, DenominationSpec, ListingSpec, TextSpec
from marketplace.exchange.models import Offer


async def category_specs(session: AsyncSession) -> dict[str, CategorySpec]:
    """Every category by slug, parents before children."""
    names: dict[str, dict[str, str]] = defaultdict(dict)
    for text in await session.scalars(sa.select(CategoryText)):
        names[text.category][text.locale] = text.name
    rows = (await session.scalars(sa.select(Category).order_by(Category.slug))).all()
    waiting = {row.slug: row for row in rows}
    made: dict[str, CategorySpec] = {}

    def add(row: Category) -> None:
        if row.slug in made:
            return
        if row.parent is not None and row.parent not in made:
            add(waiting[row.parent])
        made[row.slug] = CategorySpec(
            slug=row.slug, parent=row.parent, position=row.position, names=names[row.slug]
        )

    for row in rows:
        add(row)
    return made


async def listing_specs(
    session: AsyncSession, slugs: Collection[str] | None = None
) -> tuple[dict[str, UUID], dict[str, ListingSpec]]:
    """Ids and specs of these listings by slug; of all of them where none are named."""
    statement = sa.select(Listing).order_by(Listing.slug)
    if slugs is not None:
        statement = statement.where(Listing.slug.in_(slugs))
    listings = (await session.scalars(statement)).all()
    keys = [row.id for row in listings]
    texts: dict[UUID, dict[str, TextSpec]] = defaultdict(dict)
    for text in await session.scalars(_of(ListingText, keys)):
        texts[text.listing_id][text.locale] = TextSpec(
            title=text.title, summary=text.summary, body=text.body, terms=text.terms
        )
    denominations: dict[UUID, list[DenominationSpec]] = defaultdict(list)
    ordered = _of(Denomination, keys).order_by(Denomination.position)
    for each in await session.scalars(ordered):
        denominations[each.listing_id].append(
            DenominationSpec(
                offer=each.offer_reference,
                least=each.least,
                most=each.most,
                step=each.step,
                face_micros=each.face_micros,
                face_currency=each.face_currency,
            )
        )
    specs = {row.slug: _spec(row, texts[row.id], tuple(denominations[row.id])) for row in listings}
    return {row.slug: row.id for row in listings}, specs


def _of(table: Any, keys: Iterable[UUID]) -> Any:
    return sa.select(table).where(table.listing_id.in_(list(keys)))


def _spec(
    row: Listing, texts: dict[str, TextSpec], denominations: tuple[DenominationSpec, ...]
) -> ListingSpec:
    return ListingSpec(
        slug=row.slug,
        status=row.status,
        category=row.category,
        tags=tuple(row.tags),
        countries=tuple(row.countries),
        place=row.place,
        delivery=row.delivery,
        delivery_days=row.delivery_days,
        languages=tuple(row.languages),
        default_locale=row.default_locale,
        visible_from=row.visible_from,
        visible_to=row.visible_to,
        featured=row.featured,
        denominations=denominations,
        texts=texts,
    )


async def owners_of_offers(
    session: AsyncSession, references: Collection[str]
) -> dict[str, str | None]:
    """Of those of the references that are offers: the slug of the listing each is in."""
    rows = await session.execute(
        sa.select(Offer.reference, Listing.slug)
        .outerjoin(Denomination, Denomination.offer_reference == Offer.reference)
        .outerjoin(Listing, Listing.id == Denomination.listing_id)
        .where(Offer.reference.in_(references))
    )
    return {reference: slug for reference, slug in rows}  # noqa: C416 - typed rows
