"""What owners do to their listings: save, order pictures, announce prices. Audited."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from catalog import pictures, pricing, writing
from catalog.errors import (
    BadListing,
    BadPriceChange,
    ListingChanged,
    ListingTaken,
    UnknownListing,
)
from catalog.imports import reading
from catalog.imports.checks import listing_faults
from catalog.imports.documents import document_of
from catalog.models import ListingPicture, PriceChange
from catalog.owning import Owner, not_own, not_own_listings, owned_listing
from catalog.specs import ListingSpec
from marketplace.exchange.models import Offer
from marketplace.exchange.offering import check_covered
from marketplace.identity.audit import audit
from marketplace.web.pictures import UnknownPicture

MOST_PICTURES: Final = 8


def mark_of(spec: ListingSpec) -> str:
    """Changes with anything of a listing but its pictures: says what somebody looked at."""
    return hashlib.blake2b(msgspec.json.encode(document_of(spec)), digest_size=12).hexdigest()


async def owned_spec(session: AsyncSession, owner: Owner, slug: str) -> ListingSpec:
    """A listing of an owner as it is stored; UnknownListing where it is none of theirs."""
    await owned_listing(session, owner, slug)
    _, specs = await reading.listing_specs(session, [slug])
    return specs[slug]


async def save_listing(
    session: AsyncSession, owner: Owner, spec: ListingSpec, *, seen: str | None, actor: str
) -> None:
    """Store a listing: a new one where `seen` is None, else the one whose mark `seen` is.

    Raises ListingTaken, ListingChanged, UnknownListing, or BadListing that names the `field`.
    """
    await writing.one_at_a_time(session)
    ids, present = await reading.listing_specs(session, [spec.slug])
    before = present.get(spec.slug)
    if seen is None and before is not None:
        raise ListingTaken(f"There is a listing {spec.slug!r} already.", field="slug")
    if seen is not None:
        if before is None or await not_own_listings(session, owner, [spec.slug]):
            raise UnknownListing(f"There is no listing {spec.slug!r} of yours.")
        if mark_of(before) != seen:
            raise ListingChanged("Look at what changed, then send yours again.")
    await _check(session, owner, spec, before)
    if spec == before:
        return
    await writing.put_listings(session, [spec], ids)
    await writing.touch(session)
    details = {"new": before is None}
    await audit(session, actor, "catalog.listing_saved", "listing", spec.slug, **details)


async def _check(
    session: AsyncSession, owner: Owner, spec: ListingSpec, before: ListingSpec | None
) -> None:
    """BadListing where a listing is none, or holds what is not its owner's."""
    for fault in listing_faults(spec):
        raise BadListing(f"{fault[0].upper()}{fault[1:]}.")
    offers = [each.offer for each in spec.denominations]
    if strange := await not_own(session, owner, offers):
        names = ", ".join(sorted(strange))
        raise BadListing(f"There is no offer {names} of yours.", field="choices")
    holders = await reading.owners_of_offers(session, offers)
    for offer, holder in holders.items():
        if holder not in (None, spec.slug):
            reason = f"Offer {offer!r} is in the listing {holder!r} already."
            raise BadListing(reason, field="choices")
    if spec.category is not None and spec.category not in await reading.category_specs(session):
        raise BadListing(f"There is no category {spec.category!r}.", field="category")
    if not owner.runs_all and spec.featured != (before.featured if before else 0):
        raise BadListing("The operator places listings.", field="featured")


async def drop_picture(
    session: AsyncSession, owner: Owner, slug: str, digest: str, *, actor: str
) -> None:
    """Take a picture off a listing; UnknownPicture where it has no such.

    One that no other listing shows is not kept: else they could fill the database.
    """
    await writing.one_at_a_time(session)
    listing = await owned_listing(session, owner, slug)
    order = await _pictures(session, listing.id)
    if digest not in order:
        raise UnknownPicture(f"{slug!r} has no picture {digest!r}.")
    await _put_pictures(session, listing.id, [each for each in order if each != digest])
    await pictures.forget_unused(session, digest)
    await audit(session, actor, "catalog.picture_dropped", "listing", slug, hash=digest)


async def first_picture(
    session: AsyncSession, owner: Owner, slug: str, digest: str, *, actor: str
) -> None:
    """Make a picture of a listing the one on its card."""
    listing = await owned_listing(session, owner, slug)
    order = await _pictures(session, listing.id)
    if digest not in order:
        raise UnknownPicture(f"{slug!r} has no picture {digest!r}.")
    others = [each for each in order if each != digest]
    await _put_pictures(session, listing.id, [digest, *others])
    await audit(session, actor, "catalog.picture_first", "listing", slug, hash=digest)


async def check_room(session: AsyncSession, owner: Owner, slug: str) -> None:
    """BadListing where a listing has all the pictures it may have."""
    listing = await owned_listing(session, owner, slug)
    if len(await _pictures(session, listing.id)) >= MOST_PICTURES:
        raise BadListing(f"A listing has at most {MOST_PICTURES} pictures.", field="file")


async def _pictures(session: AsyncSession, listing_id: UUID) -> list[str]:
    query = sa.select(ListingPicture.hash).where(ListingPicture.listing_id == listing_id)
    return list(await session.scalars(query.order_by(ListingPicture.position)))


async def _put_pictures(session: AsyncSession, listing_id: UUID, order: list[str]) -> None:
    gone = sa.delete(ListingPicture).where(ListingPicture.listing_id == listing_id)
    await session.execute(gone.execution_options(synchronize_session=False))
    rows = [
        {"listing_id": listing_id, "position": position, "hash": digest}
        for position, digest in enumerate(order)
    ]
    if rows:
        await session.execute(sa.insert(ListingPicture), rows)
    await writing.touch(session)


async def announce_price(
    session: AsyncSession,
    owner: Owner,
    reference: str,
    *,
    at: datetime,
    points: int | None,
    cost_micros: int | None,
    actor: str,
) -> UUID:
    """Announce what an own offer costs from a moment on.

    A partner says both points and cost, so that what the operator would pay is known whatever else
    is announced: PriceNotCovered where that is more than nothing. Raises BadPriceChange otherwise.
    """
    offer = await session.scalar(sa.select(Offer).where(Offer.reference == reference))
    if offer is None or owner.member_id not in (None, offer.acceptor_id):
        raise BadPriceChange(f"There is no offer {reference!r} of yours.", field="offer")
    if not owner.runs_all:
        if points is None or cost_micros is None:
            missing = "points" if points is None else "cost"
            raise BadPriceChange("Say both points and cost.", field=missing)
        await check_covered(session, points, cost_micros, offer.currency)
    return await pricing.announce(
        session, reference, at=at, actor=actor, points=points, cost_micros=cost_micros
    )


async def cancel_price(session: AsyncSession, owner: Owner, change_id: UUID, *, actor: str) -> None:
    """Take an announced price of an own offer back; BadPriceChange where none of theirs waits."""
    whose = (
        sa.select(Offer.acceptor_id)
        .join(PriceChange, PriceChange.offer_reference == Offer.reference)
        .where(PriceChange.id == change_id)
    )
    acceptor_id = await session.scalar(whose)
    if acceptor_id is None or owner.member_id not in (None, acceptor_id):
        raise BadPriceChange(f"No announced price {change_id} of yours is waiting.")
    await pricing.cancel(session, change_id, actor=actor)
