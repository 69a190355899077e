"""Listings as they will look, before they are published: by token, or to whom they belong."""

from __future__ import annotations

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from catalog import loading, repository, service
from catalog.errors import UnknownListing
from catalog.models import Listing
from catalog.schemas import Detail
from catalog.shelf import Shelf
from marketplace.db import raw_connection
from marketplace.identity.domain import Principal
from marketplace.runtime import Runtime


class OwnPreview(msgspec.Struct, frozen=True):
    """A preview for the listing's owner, with the token that opens it to others."""

    detail: Detail
    token: str


async def by_token(runtime: Runtime, session: AsyncSession, token: str, *, locale: str) -> Detail:
    """The preview a token opens; UnknownListing where it opens none."""
    listing = await repository.listing_by_token(session, token)
    if listing is None:
        raise UnknownListing("The address of this preview is not, or no longer, right.")
    return await _detail(runtime, session, listing, locale)


async def of_own(
    runtime: Runtime, session: AsyncSession, principal: Principal, slug: str, *, locale: str
) -> OwnPreview:
    """The preview of a listing, for the operator and the members paid for its offers."""
    listing = await repository.listing(session, slug)
    if listing is None or not await may_manage(session, principal, listing):
        raise UnknownListing(f"There is no listing {slug!r} of yours.")
    detail = await _detail(runtime, session, listing, locale)
    return OwnPreview(detail, listing.preview_token)


async def may_manage(session: AsyncSession, principal: Principal, listing: Listing) -> bool:
    """The operator, or somebody of a member that is paid for one of its offers."""
    if principal.is_operator:
        return True
    return principal.member_id in await repository.owners(session, listing.id)


async def _detail(runtime: Runtime, session: AsyncSession, listing: Listing, locale: str) -> Detail:
    """Made from a shelf that holds this one listing, whatever its status."""
    connection = await raw_connection(session)
    rows = await loading.read_rows(connection, listing.id)
    shelf = Shelf(rows, await loading.read_pulse(connection), runtime.suppliers)
    if not shelf.entries:
        raise UnknownListing(f"{listing.slug!r} has no text or no offer yet.")
    return await service.detail_of(session, shelf, shelf.entries[0], locale, listing.status)
