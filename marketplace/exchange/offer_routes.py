"""HTTP: offers, for the members that are paid for them and the operator."""

from __future__ import annotations

import io
from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Response, get, patch, post
from litestar.di import NamedDependency
from litestar.params import Body, FromPath, QueryParameter, RawBody
from msgspec import UNSET, UnsetType
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.coalition.imports import ImportReport
from marketplace.coalition.imports.report import BadLines
from marketplace.coalition.imports.service import import_own_offers
from marketplace.coalition.service import get_member
from marketplace.errors import InvalidRequest
from marketplace.exchange import offer_queries, offering
from marketplace.exchange.domain import Eligibility, OfferStatus
from marketplace.exchange.offer_queries import OwnOfferView
from marketplace.identity.domain import Principal, Role, Scope
from marketplace.money import MAX_MICROS, MAX_POINTS
from marketplace.runtime import Runtime
from marketplace.web.access import access
from marketplace.web.paging import DEFAULT_LIMIT, Cursor, Limit, cut_page, decode_cursor

MOST_BYTES = 16 * 1_048_576
TAGS = ["offers"]
MAY_READ = access(roles=[Role.PARTNER, Role.OPERATOR], scope=Scope.OFFERS_READ)
MAY_WRITE = access(roles=[Role.PARTNER, Role.OPERATOR], scope=Scope.OFFERS_WRITE)
LINE = r"^(?!\s)[^\x00-\x1f\x7f]{1,200}(?<!\s)$"

Line = Annotated[str, msgspec.Meta(pattern=LINE, description="One line without blanks around it.")]
Label = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,49}$")]
Moment = Annotated[datetime, msgspec.Meta(tz=True)]
Units = Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000)]
Member = Annotated[
    str | None, QueryParameter(max_length=63, description="Slug of the member; absent: all yours.")
]


class OfferBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of `POST /v1/offers`."""

    member: str | None = None
    """Slug of the member that is paid; absent: the caller's."""
    reference: Line
    kind: Label
    name: Line
    plugin: Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9]{1,30}$")]
    sku: Line
    points: Annotated[int, msgspec.Meta(ge=1, le=MAX_POINTS)]
    cost_micros: Annotated[int, msgspec.Meta(ge=0, le=MAX_MICROS)]
    """What the member is paid for one unit, in micros of `currency`."""
    currency: str
    stock: Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000)] | None = None
    limit_per_wallet: Units | None = None
    status: OfferStatus = OfferStatus.ANNOUNCED
    starts_at: Moment | None = None
    ends_at: Moment | None = None
    eligibility: Eligibility = Eligibility()


class OfferPatch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of `PATCH /v1/offers/{id}`: what is absent stays as it is."""

    version: int | None = None
    """The version you looked at; absent: whatever it is."""
    name: Line | UnsetType = UNSET
    limit_per_wallet: Units | UnsetType | None = UNSET
    starts_at: Moment | UnsetType | None = UNSET
    ends_at: Moment | UnsetType | None = UNSET
    eligibility: Eligibility | UnsetType = UNSET


class StatusBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /v1/offers/{id}/status`."""

    status: OfferStatus


class OwnOfferPage(msgspec.Struct, frozen=True):
    """A page of offers."""

    items: list[OwnOfferView]
    next: str | None


async def _member_id(session: AsyncSession, principal: Principal, slug: str | None) -> UUID | None:
    """The member meant: the named one, else the caller's; None is all of them, for the operator."""
    if slug is not None:
        return (await get_member(session, slug)).id
    return None if principal.is_operator else principal.member_id


def check_names(runtime: Runtime, plugin: str | None, eligibility: Eligibility | UnsetType) -> None:
    """InvalidRequest for a plugin that delivers nothing here, or a rule that nobody registered."""
    if plugin is not None and plugin not in runtime.suppliers:
        known = ", ".join(sorted(runtime.suppliers))
        raise InvalidRequest(f"No plugin {plugin!r} delivers here; {known} do.", field="plugin")
    rules = () if eligibility is UNSET else eligibility.rules
    if unknown := set(rules) - set(runtime.eligibility_rules):
        raise InvalidRequest(f"There is no rule {', '.join(sorted(unknown))}.", field="rules")


@get("/v1/offers/own", opt=MAY_READ, tags=TAGS, summary="List the offers of one's member")
async def get_own_offers(
    *,
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
    member: Member = None,
    status: Annotated[OfferStatus | None, QueryParameter()] = None,
    q: Annotated[
        str, QueryParameter(max_length=200, description="Part of reference or name.")
    ] = "",
) -> OwnOfferPage:
    """With cost, sku, version and what was burnt lately; the operator sees all of them."""
    rows = await offer_queries.own_offers(
        session,
        principal,
        member_id=await _member_id(session, principal, member),
        after=decode_cursor(cursor, str),
        limit=limit + 1,
        words=q,
        status=status,
    )
    return OwnOfferPage(*cut_page(rows, limit, lambda offer: offer.reference))


@get(
    "/v1/offers/own/{offer_id:uuid}", opt=MAY_READ, tags=TAGS, summary="Read an offer of one's own"
)
async def get_own_offer(
    *,
    offer_id: FromPath[UUID],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> OwnOfferView:
    """As the list shows it."""
    return await offer_queries.own_offer(session, principal, offer_id)


@post("/v1/offers", opt=MAY_WRITE, tags=TAGS, summary="Make an offer")
async def post_offer(
    *,
    data: Annotated[OfferBody, Body()],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
    runtime: NamedDependency[Runtime],
) -> OwnOfferView:
    """Of the caller's member; the operator names one. Unless you say more it is announced."""
    check_names(runtime, data.plugin, data.eligibility)
    given = {name: getattr(data, name) for name in offering.OfferDraft.__struct_fields__}
    member_id = principal.member_id
    if data.member is not None or member_id is None:
        member_id = (await get_member(session, data.member or "")).id
    draft = offering.OfferDraft(**given)
    offer = await offering.make_offer(session, principal, member_id, draft)
    return await offer_queries.own_offer(session, principal, offer.id)


@patch("/v1/offers/{offer_id:uuid}", opt=MAY_WRITE, tags=TAGS, summary="Amend an offer")
async def patch_offer(
    *,
    offer_id: FromPath[UUID],
    data: Annotated[OfferPatch, Body()],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
    runtime: NamedDependency[Runtime],
) -> OwnOfferView:
    """Name, limit, dates and eligibility. Burns that were made keep what they were made at."""
    check_names(runtime, None, data.eligibility)
    given = {name: getattr(data, name) for name in offering.OfferChanges.__struct_fields__}
    changes = offering.OfferChanges(**given)
    await offering.amend_offer(session, principal, offer_id, changes, version=data.version)
    return await offer_queries.own_offer(session, principal, offer_id)


@post(
    "/v1/offers/{offer_id:uuid}/status",
    opt=MAY_WRITE,
    tags=TAGS,
    summary="Put an offer on sale, pause or retire it",
    status_code=200,
)
async def post_status(
    *,
    offer_id: FromPath[UUID],
    data: Annotated[StatusBody, Body()],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> OwnOfferView:
    """At once and for every process. Retired is for good."""
    offer = await offering.managed_offer(session, principal, offer_id, lock=True)
    await offering.set_status(session, offer, data.status, principal.actor)
    return await offer_queries.own_offer(session, principal, offer_id)


@get(
    "/v1/offers/file",
    opt=MAY_READ,
    tags=TAGS,
    summary="Download one's offers",
    media_type="text/csv",
)
async def get_file(
    *,
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
    member: Member = None,
) -> Response[str]:
    """In the form that is uploaded (docs/concepts/imports.md)."""
    return await download(session, principal, await _member_id(session, principal, member))


async def download(
    session: AsyncSession, principal: Principal, member_id: UUID | None
) -> Response[str]:
    """The file of a member's offers, to be kept."""
    text = io.StringIO()
    await offer_queries.export_offers(session, principal, member_id, text)
    headers = {"Content-Disposition": 'attachment; filename="offers.csv"'}
    return Response(text.getvalue(), media_type="text/csv", headers=headers)


@post(
    "/v1/offers/file",
    opt=MAY_WRITE,
    tags=TAGS,
    summary="Make and amend offers in bulk",
    status_code=200,
    request_max_body_size=MOST_BYTES,
)
async def post_file(
    *,
    body: RawBody,
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
    dry_run: Annotated[
        bool, QueryParameter(description="Check everything, write nothing.")
    ] = False,
) -> ImportReport:
    """A CSV (`text/csv`) as of the import of offers, all of it or nothing.

    New references are made, present ones amended in name, limit, status, dates and eligibility.
    """
    report = await import_own_offers(
        session,
        io.BytesIO(body),
        owner_id=None if principal.is_operator else principal.member_id,
        may_subsidise=principal.is_operator,
        dry_run=dry_run,
        actor=principal.actor,
    )
    if not report.ok:
        raise BadLines(report.bad, report.bad_lines)
    return report


routes = [
    get_own_offers,
    get_own_offer,
    post_offer,
    patch_offer,
    post_status,
    get_file,
    post_file,
]
