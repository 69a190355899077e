"""Whose listings are whose: a member's are those whose every offer it is paid for."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from catalog.domain import LOCALES, ListingStatus
from catalog.errors import UnknownListing
from catalog.models import Denomination, Listing, ListingPicture, ListingText, PriceChange
from marketplace.exchange.models import Offer
from marketplace.identity.domain import Principal


class Owner(msgspec.Struct, frozen=True):
    """Whose listings somebody looks after."""

    member_id: UUID | None
    """None: everybody's."""
    runs_all: bool = False
    """The operator: listings of several members too, and where they are placed."""


def owner_of(principal: Principal) -> Owner:
    """What a caller looks after: the operator everything, others their own member's."""
    if principal.is_operator:
        return Owner(None, runs_all=True)
    return Owner(principal.member_id)


class OwnListing(msgspec.Struct, frozen=True, kw_only=True):
    """A listing as its owner sees it in a list."""

    slug: str
    title: str
    status: ListingStatus
    languages: tuple[str, ...]
    """Languages it has texts in, ours first."""
    choices: int
    pictures: int
    taken: int
    """People who took it in the last 90 days."""


class OwnChoice(msgspec.Struct, frozen=True):
    """An offer that a listing of this owner may hold."""

    reference: str
    name: str
    listing: str | None
    """Slug of the listing it is in."""


def _offers_of(listing_id: Any) -> sa.Select[UUID]:
    return (
        sa.select(Offer.acceptor_id)
        .join(Denomination, Denomination.offer_reference == Offer.reference)
        .where(Denomination.listing_id == listing_id)
        .correlate(Listing)
    )


def owned_by(owner: Owner) -> sa.ColumnElement[bool]:
    """Listings of an owner."""
    if owner.member_id is None:
        return sa.true() if owner.runs_all else sa.false()
    query = _offers_of(Listing.id)
    mine = query.where(Offer.acceptor_id == owner.member_id).exists()
    if owner.runs_all:
        return mine
    return sa.and_(mine, ~query.where(Offer.acceptor_id != owner.member_id).exists())


async def owned_listing(session: AsyncSession, owner: Owner, slug: str) -> Listing:
    """The listing, if it is this owner's; UnknownListing otherwise."""
    found = await session.scalar(sa.select(Listing).where(Listing.slug == slug, owned_by(owner)))
    if found is None:
        raise UnknownListing(f"There is no listing {slug!r} of yours.")
    return found


async def owned_slugs(session: AsyncSession, owner: Owner) -> list[str]:
    """Addresses of every listing of an owner, in order."""
    query = sa.select(Listing.slug).where(owned_by(owner)).order_by(Listing.slug)
    return list(await session.scalars(query))


async def own_listings(
    session: AsyncSession,
    owner: Owner,
    *,
    words: str = "",
    status: ListingStatus | None = None,
    after: str | None = None,
    limit: int,
) -> list[OwnListing]:
    """Listings of an owner by address, from after `after`."""
    query = sa.select(Listing).where(owned_by(owner)).order_by(Listing.slug).limit(limit)
    if status is not None:
        query = query.where(Listing.status == status)
    if after is not None:
        query = query.where(Listing.slug > after)
    if words:
        titled = sa.select(ListingText.listing_id).where(
            ListingText.title.icontains(words, autoescape=True)
        )
        named = Listing.slug.icontains(words, autoescape=True)
        query = query.where(sa.or_(named, Listing.id.in_(titled)))
    listings = (await session.scalars(query)).all()
    keys = [row.id for row in listings]
    titles: dict[UUID, dict[str, str]] = {key: {} for key in keys}
    for text in await session.scalars(
        sa.select(ListingText).where(ListingText.listing_id.in_(keys))
    ):
        titles[text.listing_id][text.locale] = text.title
    choices = await _counts(session, Denomination, keys)
    pictures = await _counts(session, ListingPicture, keys)
    return [
        OwnListing(
            slug=row.slug,
            title=titles[row.id].get(row.default_locale, row.slug),
            status=row.status,
            languages=_in_order(titles[row.id]),
            choices=choices.get(row.id, 0),
            pictures=pictures.get(row.id, 0),
            taken=row.taken,
        )
        for row in listings
    ]


async def _counts(session: AsyncSession, table: Any, keys: Collection[UUID]) -> dict[UUID, int]:
    rows = await session.execute(
        sa.select(table.listing_id, sa.func.count())
        .where(table.listing_id.in_(keys))
        .group_by(table.listing_id)
    )
    return {key: count for key, count in rows}  # noqa: C416 - typed rows


def _in_order(locales: Collection[str]) -> tuple[str, ...]:
    ours = [each for each in LOCALES if each in locales]
    return (*ours, *sorted(set(locales) - set(LOCALES)))


async def own_choices(session: AsyncSession, owner: Owner) -> list[OwnChoice]:
    """Offers of an owner by reference, and the listing each is in."""
    query = (
        sa.select(Offer.reference, Offer.name, Listing.slug)
        .outerjoin(Denomination, Denomination.offer_reference == Offer.reference)
        .outerjoin(Listing, Listing.id == Denomination.listing_id)
        .order_by(Offer.reference)
    )
    if owner.member_id is not None:
        query = query.where(Offer.acceptor_id == owner.member_id)
    return [OwnChoice(*row) for row in await session.execute(query)]


async def not_own(session: AsyncSession, owner: Owner, references: Collection[str]) -> set[str]:
    """Which of these offers are not there, or another member's (which the operator may use)."""
    query = sa.select(Offer.reference).where(Offer.reference.in_(references))
    if not owner.runs_all:
        query = query.where(Offer.acceptor_id == owner.member_id)
    return set(references) - set(await session.scalars(query))


async def not_own_listings(session: AsyncSession, owner: Owner, slugs: Collection[str]) -> set[str]:
    """Which of these listings are there and not this owner's."""
    query = sa.select(Listing.slug).where(Listing.slug.in_(slugs), ~owned_by(owner))
    return set(await session.scalars(query))


async def own_prices(session: AsyncSession, owner: Owner) -> list[tuple[PriceChange, Offer]]:
    """Announced prices of an owner's offers that have not come, soonest first."""
    query = (
        sa.select(PriceChange, Offer)
        .join(Offer, Offer.reference == PriceChange.offer_reference)
        .where(PriceChange.applied_at.is_(None), PriceChange.cancelled_at.is_(None))
        .order_by(PriceChange.at, PriceChange.id)
    )
    if owner.member_id is not None:
        query = query.where(Offer.acceptor_id == owner.member_id)
    return [(change, offer) for change, offer in await session.execute(query)]
