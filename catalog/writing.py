"""SQL that writes listings, set-wise. Every change ends with `touch`, which makes it seen."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from catalog.domain import ListingStatus
from catalog.models import (
    CatalogBase,
    CatalogState,
    Category,
    CategoryText,
    Denomination,
    Listing,
    ListingPicture,
    ListingText,
    SearchDocument,
)
from catalog.specs import CategorySpec, ListingSpec
from marketplace.clock import NOW
from marketplace.ids import uuid7

REINDEX = sa.text("""
with source as (
    select t.listing_id, t.locale, t.title, t.summary, t.body,
           concat_ws(' ', array_to_string(l.tags, ' '), l.place, partner.names,
                     coalesce(c.name, l.category)) as about
    from catalog_listing_text t
    join catalog_listing l on l.id = t.listing_id
    left join lateral (
        select name from catalog_category_text ct
        where ct.category = l.category
        order by ct.locale = t.locale desc, ct.locale = 'en' desc, ct.locale limit 1
    ) c on true
    left join lateral (
        select string_agg(distinct m.name, ' ') as names
        from catalog_denomination d
        join offer o on o.reference = d.offer_reference
        join member m on m.id = o.acceptor_id
        where d.listing_id = l.id
    ) partner on true
    where t.listing_id = any(:ids)
),
plainly as (
    select listing_id, locale, catalog_config(locale) as config,
           catalog_plain(title) as title, catalog_plain(about) as about,
           catalog_plain(summary) as summary, catalog_plain(body) as body
    from source
),
documents as (
    insert into catalog_search (listing_id, locale, level, document)
    select listing_id, locale, level, to_tsvector(config, words)
    from plainly, lateral (values (4, title), (3, about), (2, summary), (1, body))
      as leveled(level, words)
    where words <> ''
    on conflict (listing_id, locale, level) do update set document = excluded.document
    returning 1
)
insert into catalog_word (word, locale)
select distinct word, locale
from plainly, regexp_split_to_table(
    concat_ws(' ', title, about, summary, body), '[^[:alnum:]]+') as word
where char_length(word) between 3 and 40
on conflict do nothing
""")
# Words that no text holds any more would be offered for misspelt ones, and find nothing.
FORGET_WORDS = sa.text("""
delete from catalog_word w where not exists (
    select from catalog_search s
    where s.locale = w.locale and s.document @@ plainto_tsquery(catalog_config(w.locale), w.word)
) and numnode(plainto_tsquery(catalog_config(w.locale), w.word)) > 0
""")


async def touch(session: AsyncSession) -> None:
    """Tell every process that the catalog has changed."""
    await session.execute(sa.update(CatalogState).values(version=CatalogState.version + 1))


async def put_categories(session: AsyncSession, specs: Sequence[CategorySpec]) -> None:
    """Write categories, parents before children, replacing what they were."""
    for spec in specs:
        values = {"slug": spec.slug, "parent": spec.parent, "position": spec.position}
        statement = insert(Category).values(values)
        await session.execute(statement.on_conflict_do_update(index_elements=["slug"], set_=values))
    slugs = [spec.slug for spec in specs]
    await session.execute(sa.delete(CategoryText).where(CategoryText.category.in_(slugs)))
    await _insert(
        session,
        CategoryText,
        [
            {"category": spec.slug, "locale": locale, "name": name}
            for spec in specs
            for locale, name in spec.names.items()
        ],
    )


async def put_listings(
    session: AsyncSession, specs: Sequence[ListingSpec], present: dict[str, UUID]
) -> None:
    """Write listings with their texts and denominations; `present` are those that there are.

    A new listing is a draft unless its spec says otherwise; pictures are left as they are.
    """
    ids = {spec.slug: present.get(spec.slug) or uuid7() for spec in specs}
    for spec in specs:
        if spec.slug in present:
            await session.execute(
                sa.update(Listing).where(Listing.id == ids[spec.slug]).values(_columns(spec))
            )
    new = [
        {
            "id": ids[spec.slug],
            "slug": spec.slug,
            "preview_token": secrets.token_urlsafe(18),
            **_columns(spec),
        }
        for spec in specs
        if spec.slug not in present
    ]
    await _insert(session, Listing, new)
    await _replace_parts(session, specs, ids)
    await publish_marks(session, list(ids.values()))
    await reindex(session, ids.values())


async def _replace_parts(
    session: AsyncSession, specs: Sequence[ListingSpec], ids: dict[str, UUID]
) -> None:
    keys = list(ids.values())
    for table in (ListingText, Denomination):
        await session.execute(sa.delete(table).where(table.listing_id.in_(keys)))
    await _insert(
        session,
        ListingText,
        [
            {"listing_id": ids[spec.slug], "locale": locale, **msgspec.structs.asdict(text)}
            for spec in specs
            for locale, text in spec.texts.items()
        ],
    )
    await _insert(
        session,
        Denomination,
        [
            {
                "listing_id": ids[spec.slug],
                "position": position,
                "offer_reference": each.offer,
                "least": each.least,
                "most": each.most,
                "step": each.step,
                "face_micros": each.face_micros,
                "face_currency": each.face_currency,
            }
            for spec in specs
            for position, each in enumerate(spec.denominations)
        ],
    )


def _columns(spec: ListingSpec) -> dict[str, Any]:
    """What a spec says of the listing's own row."""
    return {
        "category": spec.category,
        "tags": list(spec.tags),
        "countries": list(spec.countries),
        "place": spec.place,
        "delivery": spec.delivery,
        "delivery_days": spec.delivery_days,
        "languages": list(spec.languages),
        "default_locale": spec.default_locale,
        "visible_from": spec.visible_from,
        "visible_to": spec.visible_to,
        "featured": spec.featured,
        "status": spec.status,
    }


async def publish_marks(session: AsyncSession, ids: Sequence[UUID]) -> None:
    """Note when listings were published first."""
    await session.execute(
        sa.update(Listing)
        .where(
            Listing.id.in_(ids),
            Listing.status == ListingStatus.PUBLISHED,
            Listing.published_at.is_(None),
        )
        .values(published_at=NOW)
    )


async def set_status(session: AsyncSession, listing_id: UUID, status: ListingStatus) -> None:
    """Publish, withdraw or take back to a draft."""
    await session.execute(sa.update(Listing).where(Listing.id == listing_id).values(status=status))
    await publish_marks(session, [listing_id])


async def reindex(session: AsyncSession, ids: Iterable[UUID]) -> None:
    """Make the search documents of these listings what their texts say."""
    keys = list(ids)
    await session.execute(sa.delete(SearchDocument).where(SearchDocument.listing_id.in_(keys)))
    await session.execute(REINDEX, {"ids": keys})
    await session.execute(sa.update(CatalogState).values(texts=CatalogState.texts + 1))


async def forget_words(session: AsyncSession) -> int:
    """Drop words that no text holds any more; returns how many."""
    done: Any = await session.execute(FORGET_WORDS)
    return int(done.rowcount)


async def add_picture(session: AsyncSession, listing_id: UUID, digest: str) -> None:
    """Put a stored picture behind those the listing has; nothing where it has it."""
    mine = ListingPicture.listing_id == listing_id
    if await session.scalar(
        sa.select(ListingPicture.hash).where(mine, ListingPicture.hash == digest)
    ):
        return
    last = await session.scalar(sa.select(sa.func.max(ListingPicture.position)).where(mine))
    session.add(
        ListingPicture(listing_id=listing_id, position=0 if last is None else last + 1, hash=digest)
    )
    await session.flush()


async def _insert(
    session: AsyncSession, table: type[CatalogBase], rows: Sequence[dict[str, Any]]
) -> None:
    if rows:
        await session.execute(sa.insert(table), list(rows))


async def reindex_categories(session: AsyncSession, slugs: Sequence[str]) -> None:
    """Make the search documents of listings of these categories say their new names."""
    found = await session.scalars(sa.select(Listing.id).where(Listing.category.in_(slugs)))
    if ids := found.all():
        await reindex(session, ids)


async def one_at_a_time(session: AsyncSession) -> None:
    """Two files of the catalog wait for each other, so both see what the other wrote."""
    await session.execute(
        sa.text("select pg_advisory_xact_lock(hashtextextended('import catalog', 0))")
    )
