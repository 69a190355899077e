"""Publishing and withdrawing listings, and giving them pictures. Audited."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from catalog import pictures, repository, writing
from catalog.domain import ListingStatus
from catalog.errors import NotPublishable, UnknownListing
from catalog.models import Denomination, Listing, ListingText
from marketplace.exchange.models import Offer
from marketplace.identity.audit import audit
from marketplace.web.pictures import Encoded


async def _found(session: AsyncSession, slug: str) -> Listing:
    listing = await repository.listing(session, slug)
    if listing is None:
        raise UnknownListing(f"There is no listing {slug!r}.")
    return listing


async def publish(session: AsyncSession, slug: str, *, actor: str) -> None:
    """Let people see a listing; NotPublishable where it lacks what they must see."""
    listing = await _found(session, slug)
    texts = sa.select(ListingText.locale).where(ListingText.listing_id == listing.id).limit(1)
    if await session.scalar(texts) is None:
        raise NotPublishable(f"{slug!r} has no text in any language.")
    offers = (
        sa.select(Offer.id)
        .join(Denomination, Denomination.offer_reference == Offer.reference)
        .where(Denomination.listing_id == listing.id)
        .limit(1)
    )
    if await session.scalar(offers) is None:
        raise NotPublishable(f"{slug!r} has no offer.")
    await _change(session, listing, ListingStatus.PUBLISHED, actor)


async def withdraw(session: AsyncSession, slug: str, *, actor: str) -> None:
    """Let nobody see a listing any more; wishes for it are kept."""
    await _change(session, await _found(session, slug), ListingStatus.WITHDRAWN, actor)


async def _change(
    session: AsyncSession, listing: Listing, status: ListingStatus, actor: str
) -> None:
    if listing.status is status:
        return
    await writing.set_status(session, listing.id, status)
    await writing.touch(session)
    await audit(session, actor, f"catalog.{status.value}", "listing", listing.slug)


async def add_picture(session: AsyncSession, slug: str, encoded: Encoded, *, actor: str) -> None:
    """Put a picture behind those a listing has."""
    await writing.one_at_a_time(session)  # nobody forgets it meanwhile, or takes its place
    listing = await _found(session, slug)
    await pictures.store(session, encoded)
    await writing.add_picture(session, listing.id, encoded.hash)
    await writing.touch(session)
    await audit(session, actor, "catalog.picture", "listing", slug, hash=encoded.hash)
