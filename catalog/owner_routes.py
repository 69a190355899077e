"""JSON for owners: their listings and prices in bulk, pictures, publishing. Under /v1/catalog."""

from __future__ import annotations

import asyncio
import io
from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

import msgspec
from litestar import Response, delete, get, post
from litestar.di import NamedDependency
from litestar.params import Body, FromPath, QueryParameter, RawBody
from sqlalchemy.ext.asyncio import AsyncSession

from catalog import editing, publishing
from catalog.imports import CatalogReport, export_listings, import_catalog
from catalog.owning import Owner, OwnListing, own_listings, own_prices, owned_listing, owner_of
from marketplace import api
from marketplace.coalition.imports.report import BadLines
from marketplace.errors import NotFound
from marketplace.identity.domain import Principal, Role, Scope
from marketplace.money import MAX_MICROS, MAX_POINTS
from marketplace.web import pictures
from marketplace.web.access import access
from marketplace.web.paging import DEFAULT_LIMIT, Cursor, Limit, cut_page, decode_cursor

MOST_BYTES: Final = 16 * 1_048_576
TAGS = ["catalog"]
MAY_READ = access(roles=[Role.PARTNER, Role.OPERATOR], scope=Scope.OFFERS_READ)
MAY_WRITE = access(roles=[Role.PARTNER, Role.OPERATOR], scope=Scope.OFFERS_WRITE)
FILES: Final = {
    "listings.csv": ("csv", "text/csv"),
    "listings.json": ("json", "application/x-ndjson"),
}
Format = Annotated[
    str, QueryParameter(name="format", pattern="^(csv|json)$", description="`csv` or `json`.")
]


class OwnListingPage(msgspec.Struct, frozen=True):
    """A page of listings."""

    items: list[OwnListing]
    next: str | None


class PriceBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of `POST /v1/catalog/prices`."""

    offer: str
    """Reference of the offer."""
    at: Annotated[datetime, msgspec.Meta(tz=True)]
    """Moment from which on it costs this."""
    points: Annotated[int, msgspec.Meta(ge=1, le=MAX_POINTS)] | None = None
    cost_micros: Annotated[int, msgspec.Meta(ge=0, le=MAX_MICROS)] | None = None
    """Null, as for points: stays as it is. Only the operator may leave one out."""


class OwnPriceView(msgspec.Struct, frozen=True):
    """A price that is announced and has not come."""

    id: UUID
    offer: str
    at: datetime
    points: int | None
    cost_micros: int | None
    currency: str


class PriceMade(msgspec.Struct, frozen=True):
    """An announced price."""

    id: UUID


@get("/own", opt=MAY_READ, tags=TAGS, summary="List the listings of one's member")
async def get_own_listings(
    *,
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> OwnListingPage:
    """Drafts too: those whose every offer the member is paid for; the operator sees all."""
    rows = await own_listings(
        session, owner_of(principal), after=decode_cursor(cursor, str), limit=limit + 1
    )
    return OwnListingPage(*cut_page(rows, limit, lambda each: each.slug))


@get("/file", opt=MAY_READ, tags=TAGS, summary="Download one's listings")
async def get_file(
    *,
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
    format_: Format = "json",
) -> Response[str]:
    """In the form that is uploaded (docs/imports/catalog.md)."""
    return await download(session, owner_of(principal), f"listings.{format_}")


async def download(session: AsyncSession, owner: Owner, name: str) -> Response[str]:
    """A file of an owner's listings, to be kept; NotFound for another name than those of FILES."""
    if name not in FILES:
        raise NotFound(f"There is no file {name!r}; there is {' and '.join(FILES)}.")
    format_, media_type = FILES[name]
    text = io.StringIO()
    await export_listings(session, text, format_, owner)
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(text.getvalue(), media_type=media_type, headers=headers)


@post(
    "/file",
    opt=MAY_WRITE,
    tags=TAGS,
    summary="Write listings in bulk",
    status_code=200,
    request_max_body_size=MOST_BYTES,
)
async def post_file(
    *,
    body: RawBody,
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
    format_: Format = "json",
    dry_run: Annotated[
        bool, QueryParameter(description="Check everything, write nothing.")
    ] = False,
) -> CatalogReport:
    """All of it or nothing. Categories and placement are the operator's."""
    report = await import_catalog(
        session,
        io.BytesIO(body),
        format_,
        dry_run=dry_run,
        actor=principal.actor,
        owner=owner_of(principal),
    )
    if not report.ok:
        raise BadLines(report.bad, report.bad_lines)
    return report


@post("/{slug:str}/publish", opt=MAY_WRITE, tags=TAGS, summary="Publish a listing", status_code=204)
async def post_publish(
    slug: FromPath[str],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> None:
    """People see it at once."""
    await owned_listing(session, owner_of(principal), slug)
    await publishing.publish(session, slug, actor=principal.actor)


@post(
    "/{slug:str}/withdraw", opt=MAY_WRITE, tags=TAGS, summary="Withdraw a listing", status_code=204
)
async def post_withdraw(
    slug: FromPath[str],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> None:
    """People see it no more; wishes for it are kept."""
    await owned_listing(session, owner_of(principal), slug)
    await publishing.withdraw(session, slug, actor=principal.actor)


@post(
    "/{slug:str}/pictures",
    opt=MAY_WRITE,
    tags=TAGS,
    summary="Add a picture to a listing",
    status_code=204,
    request_max_body_size=pictures.MOST_BYTES,
)
async def post_picture(
    slug: FromPath[str],
    body: RawBody,
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> None:
    """The bytes of a JPEG, PNG, WebP or GIF; the same again changes nothing."""
    await editing.check_room(session, owner_of(principal), slug)
    encoded = await asyncio.to_thread(pictures.encode, body)
    await publishing.add_picture(session, slug, encoded, actor=principal.actor)


@get("/prices", opt=MAY_READ, tags=TAGS, summary="List announced prices of one's offers")
async def get_prices(
    principal: NamedDependency[Principal], session: NamedDependency[AsyncSession]
) -> list[OwnPriceView]:
    """Those that have not come, soonest first."""
    return [
        OwnPriceView(
            change.id, offer.reference, change.at, change.points, change.cost_micros, offer.currency
        )
        for change, offer in await own_prices(session, owner_of(principal))
    ]


@post("/prices", opt=MAY_WRITE, tags=TAGS, summary="Announce what an offer will cost")
async def post_price(
    data: Annotated[PriceBody, Body()],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> PriceMade:
    """From a moment ahead on. Burns made before keep what they were made at."""
    made = await editing.announce_price(
        session,
        owner_of(principal),
        data.offer,
        at=data.at,
        points=data.points,
        cost_micros=data.cost_micros,
        actor=principal.actor,
    )
    return PriceMade(made)


@delete("/prices/{price_id:uuid}", opt=MAY_WRITE, tags=TAGS, summary="Take an announced price back")
async def delete_price(
    price_id: FromPath[UUID],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> None:
    """While it has not come."""
    owner = owner_of(principal)
    await editing.cancel_price(session, owner, price_id, actor=principal.actor)


ROUTES: api.Routes = [
    get_own_listings,
    get_file,
    post_file,
    post_publish,
    post_withdraw,
    post_picture,
    get_prices,
    post_price,
    delete_price,
]
