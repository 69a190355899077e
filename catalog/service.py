"""The catalog as pages and JSON see it. Works in the caller's transaction and never commits.

`locale` is the reader's language ("en", "ru", "pl", "it" or any other tag); `viewer` is the
participant who looks (`catalog.viewer.viewer_of`), None for everybody else.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from catalog import repository, suggesting
from catalog.domain import ListingStatus, pick
from catalog.entries import Entry
from catalog.errors import TooManyWishes, UnknownListing
from catalog.facets import CategoryNode
from catalog.query import Query
from catalog.schemas import (
    CategoryTree,
    CategoryView,
    Detail,
    DetailFor,
    ForYou,
    Hit,
    Mine,
    PictureView,
    PriceView,
    Results,
    Suggestion,
    Wishes,
    WishView,
)
from catalog.search import find
from catalog.shelf import Shelf
from catalog.shop import shop_of
from catalog.standing import Reader, mine_of, outlooks
from catalog.viewer import Viewer
from catalog.words import asked_of, corrections
from marketplace.db import raw_connection
from marketplace.runtime import Runtime

MOST_WISHES = 200
SUGGESTED = 12


async def search(
    runtime: Runtime,
    session: AsyncSession,
    query: Query,
    *,
    locale: str,
    viewer: Viewer | None = None,
) -> Results:
    """A page of results with facets; for a viewer each result says how it stands to them.

    Raises BadCursor for a cursor that is not of this search's order.
    """
    shop = shop_of(runtime)
    shelf = await shop.shelf(session)
    matches = await shop.matches(session, shelf, query, locale)
    affordable = None
    if viewer is not None:
        affordable = shelf.affordable(await repository.balances(session, viewer.wallet_id))
    found = find(shelf, query, matches, locale, affordable)
    return Results(
        items=await _hits(runtime, session, shelf, found.entries, locale, viewer),
        total=found.total,
        next=found.next,
        facets=found.facets,
        corrections=corrections(asked_of(query.words, query.text), matches),
        locale=locale,
    )


async def _hits(
    runtime: Runtime,
    session: AsyncSession,
    shelf: Shelf,
    entries: Sequence[Entry],
    locale: str,
    viewer: Viewer | None,
) -> list[Hit]:
    mine = await _mine(runtime, session, entries, Reader(locale, shelf.names), viewer)
    return [Hit(card=shelf.card(entry, locale)[0], mine=mine.get(entry.id)) for entry in entries]


async def _mine(
    runtime: Runtime,
    session: AsyncSession,
    entries: Sequence[Entry],
    reader: Reader,
    viewer: Viewer | None,
) -> dict[UUID, Mine]:
    """How entries stand to a viewer, by listing."""
    if viewer is None or not entries:
        return {}
    connection = await raw_connection(session)
    found = await outlooks(
        connection, viewer, entries, runtime.eligibility_rules, shop_of(runtime).terms
    )
    wishes = await repository.wished(session, viewer.participant_id)
    made = {
        entry.id: mine_of(entry, found, reader=reader, wished=entry.id in wishes)[0]
        for entry in entries
    }
    return {listing_id: mine for listing_id, mine in made.items() if mine is not None}


async def detail(
    runtime: Runtime,
    session: AsyncSession,
    slug: str,
    *,
    locale: str,
    viewer: Viewer | None = None,
) -> DetailFor:
    """A published listing in full; UnknownListing where there is none to be seen."""
    shelf = await shop_of(runtime).shelf(session)
    entry = shelf.by_slug.get(slug)
    if entry is None or not shelf.visible >> entry.number & 1:
        raise UnknownListing(f"There is no listing {slug!r} to be seen now.")
    shown = await detail_of(session, shelf, entry, locale, ListingStatus.PUBLISHED)
    if viewer is None:
        return DetailFor(detail=shown)
    connection = await raw_connection(session)
    found = await outlooks(
        connection, viewer, [entry], runtime.eligibility_rules, shop_of(runtime).terms
    )
    wishes = await repository.wished(session, viewer.participant_id)
    reader = Reader(locale, shelf.names)
    mine, choices = mine_of(entry, found, reader=reader, wished=entry.id in wishes)
    return DetailFor(detail=shown, mine=mine, choices=choices)


async def detail_of(
    session: AsyncSession, shelf: Shelf, entry: Entry, locale: str, status: ListingStatus
) -> Detail:
    """The full view of an entry of any shelf (previews have one of their own)."""
    card, _ = shelf.card(entry, locale)
    text = (await repository.full_text(session, entry.id))[card.locale]
    changes = await repository.prices_to_come(session, [d.offer for d in entry.denominations])
    return Detail(
        card=card,
        status=status,
        body=text.body,
        terms=text.terms,
        pictures=tuple(
            PictureView(each.hash, each.width, each.height, tuple(each.widths))
            for each in await repository.pictures(session, entry.id)
        ),
        denominations=entry.denominations,
        path=_path(shelf, entry.row["category"], locale),
        other_locales=tuple(sorted(set(entry.texts) - {card.locale})),
        visible_from=entry.row["visible_from"],
        prices_to_come=tuple(
            PriceView(offer=each.offer_reference, points=each.points, at=each.at)
            for each in changes
            if each.points is not None
        ),
    )


def _path(shelf: Shelf, category: str | None, locale: str) -> tuple[CategoryView, ...]:
    node = shelf.categories.get(category or "")
    if node is None:
        return ()
    return tuple(
        CategoryView(
            slug=slug,
            name=pick(shelf.categories[slug].names, locale, slug),
            count=_count(shelf, slug),
        )
        for slug in (*node.ancestors, node.slug)
    )


def _count(shelf: Shelf, category: str) -> int:
    return (shelf.sets["category"].get(category, 0) & shelf.visible).bit_count()


async def categories(runtime: Runtime, session: AsyncSession, *, locale: str) -> CategoryTree:
    """The category tree with how many listings each has, descendants included."""
    shelf = await shop_of(runtime).shelf(session)
    children: dict[str | None, list[CategoryNode]] = {}
    for node in shelf.categories.values():
        children.setdefault(node.parent, []).append(node)

    def below(parent: str | None) -> tuple[CategoryView, ...]:
        return tuple(
            CategoryView(
                slug=node.slug,
                name=pick(node.names, locale, node.slug),
                count=_count(shelf, node.slug),
                children=below(node.slug),
            )
            for node in children.get(parent, ())
        )

    return CategoryTree(below(None))


async def for_you(
    runtime: Runtime,
    session: AsyncSession,
    viewer: Viewer,
    *,
    locale: str,
    limit: int = SUGGESTED,
) -> ForYou:
    """What may suit a viewer, each with its reason; nothing where they switched it off."""
    if not await repository.wants_suggestions(session, viewer.participant_id):
        return ForYou(on=False, items=[])
    shelf = await shop_of(runtime).shelf(session)
    about = suggesting.Past(
        own=await repository.offers_taken(session, viewer.wallet_id),
        firm=await repository.taken_by(session, "firm", str(viewer.firm_id)),
        role=await repository.taken_by(session, "role", viewer.role),
    )
    chosen = suggesting.suggest(shelf, about, viewer, locale, limit=limit * 2)
    hits = await _hits(runtime, session, shelf, [each.entry for each in chosen], locale, viewer)
    made = [
        Suggestion(hit=hit, reason=each.reason, about=each.about)
        for hit, each in zip(hits, chosen, strict=True)
        if hit.mine is not None and not _closed(hit.mine)
    ]
    return ForYou(on=True, items=made[:limit])


def _closed(mine: Mine) -> bool:
    """Whether more than points is in the way."""
    return any(each.blocks and each.why.value != "short" for each in mine.obstacles)


async def set_for_you(session: AsyncSession, viewer: Viewer, *, on: bool) -> None:
    """Switch suggestions on or off for a viewer."""
    await repository.want_suggestions(session, viewer.participant_id, on)


async def wishes(runtime: Runtime, session: AsyncSession, viewer: Viewer, *, locale: str) -> Wishes:
    """The wish list, newest first, with what each still takes. What is withdrawn is left out."""
    shelf = await shop_of(runtime).shelf(session)
    found = await repository.wished(session, viewer.participant_id)
    entries = [shelf.by_id[key] for key in found if key in shelf.by_id]
    hits = await _hits(runtime, session, shelf, entries, locale, viewer)
    made = []
    for entry, hit in zip(entries, hits, strict=True):
        mine = hit.mine
        if mine is None:
            continue
        percent = min(100, mine.have * 100 // mine.need)
        made.append(
            WishView(
                hit=hit,
                have=mine.have,
                need=mine.need,
                percent=percent,
                made_at=found[entry.id].made_at,
            )
        )
    return Wishes(made)


async def add_wish(runtime: Runtime, session: AsyncSession, viewer: Viewer, slug: str) -> None:
    """Wish for a published listing; UnknownListing, or TooManyWishes past MOST_WISHES."""
    entry = (await shop_of(runtime).shelf(session)).by_slug.get(slug)
    if entry is None:
        raise UnknownListing(f"There is no listing {slug!r} to be seen now.")
    if len(await repository.wished(session, viewer.participant_id)) >= MOST_WISHES:
        raise TooManyWishes(f"A wish list has at most {MOST_WISHES} wishes.")
    await repository.add_wish(session, viewer.participant_id, entry.id)


async def drop_wish(session: AsyncSession, viewer: Viewer, slug: str) -> None:
    """No longer wish for a listing; nothing where it was no wish. UnknownListing for no listing."""
    listing = await repository.listing(session, slug)
    if listing is None:
        raise UnknownListing(f"There is no listing {slug!r}.")
    await repository.drop_wish(session, viewer.participant_id, listing.id)
