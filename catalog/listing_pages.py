"""Pages: one listing, what it comes to, the way to its burn, and previews of it."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any, Final
from urllib.parse import quote

import msgspec
from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter
from sqlalchemy.ext.asyncio import AsyncSession

from catalog import previewing, service
from catalog.choosing import Chosen, chosen_of, first_open, options_of
from catalog.domain import ListingStatus
from catalog.presenting import PATH, Shown
from catalog.query import Query
from catalog.schemas import Detail, DetailFor, Hit
from catalog.viewer import Viewer, viewer_of
from marketplace import api
from marketplace.identity.domain import Principal, Role
from marketplace.notices.inbox import note_arrival
from marketplace.runtime import Runtime
from marketplace.web.access import access
from marketplace.web.page import Html, Page

ANYBODY = access(public=True, page=True)
OWNERS = access(roles=[Role.OPERATOR, Role.PARTNER], page=True)
RELATED: Final = 4

Choice = Annotated[str, QueryParameter(max_length=300)]
Quantity = Annotated[str, QueryParameter(max_length=20)]


class Banner(msgspec.Struct, frozen=True):
    """What is said above a preview."""

    status: ListingStatus
    share: str | None
    """The address that opens it to others; told to its owners alone."""


@get("/{slug:str}", opt=ANYBODY, include_in_schema=False)
async def show_listing(
    slug: FromPath[str],
    page: NamedDependency[Page],
    runtime: NamedDependency[Runtime],
    session: NamedDependency[AsyncSession],
) -> Html:
    """A listing in full, with what it costs the reader and how to have it."""
    viewer = await viewer_of(session, page.principal)
    shown = await service.detail(runtime, session, slug, locale=page.locale, viewer=viewer)
    await note_arrival(session, page.principal, f"{PATH}/{slug}")
    return await _listing(runtime, session, page, viewer, shown)


@get("/{slug:str}/burn", opt=ANYBODY, include_in_schema=False)
async def choose(
    slug: FromPath[str],
    page: NamedDependency[Page],
    runtime: NamedDependency[Runtime],
    session: NamedDependency[AsyncSession],
    choice: Choice = "",
    quantity: Quantity = "",
) -> Html:
    """Lead from what was chosen to the page that confirms the burn."""
    viewer = await viewer_of(session, page.principal)
    shown = await service.detail(runtime, session, slug, locale=page.locale, viewer=viewer)
    chosen = chosen_of(options_of(shown), choice, quantity)
    if chosen is None or not chosen.fits:
        return await _listing(runtime, session, page, viewer, shown, chosen, typed=quantity)
    offer = quote(chosen.option.denomination.offer, safe="/")
    return page.redirect(f"/burn/{offer}?quantity={chosen.quantity}")


@get("/{slug:str}/sum", opt=ANYBODY, include_in_schema=False)
async def show_sum(
    slug: FromPath[str],
    page: NamedDependency[Page],
    runtime: NamedDependency[Runtime],
    session: NamedDependency[AsyncSession],
    choice: Choice = "",
    quantity: Quantity = "",
) -> Html:
    """What a choice comes to and leaves, while the reader chooses."""
    viewer = await viewer_of(session, page.principal)
    shown = await service.detail(runtime, session, slug, locale=page.locale, viewer=viewer)
    if not page.is_htmx:
        return page.redirect(f"{PATH}/{slug}")
    return page.fragment(
        "catalog/_sum.html",
        chosen=chosen_of(options_of(shown), choice, quantity),
        mine=shown.mine,
        said=True,
    )


@get("/preview/{token:str}", opt=ANYBODY, include_in_schema=False)
async def show_preview(
    token: FromPath[str],
    page: NamedDependency[Page],
    runtime: NamedDependency[Runtime],
    session: NamedDependency[AsyncSession],
) -> Html:
    """What people will see once it is published, for whoever was given the token."""
    detail = await previewing.by_token(runtime, session, token, locale=page.locale)
    return await _preview(runtime, session, page, detail, share=None)


@get("/{slug:str}/preview", opt=OWNERS, include_in_schema=False)
async def show_own_preview(
    slug: FromPath[str],
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    runtime: NamedDependency[Runtime],
    session: NamedDependency[AsyncSession],
) -> Html:
    """The same for the operator and the members paid for it, with the address to share."""
    own = await previewing.of_own(runtime, session, principal, slug, locale=page.locale)
    share = f"{PATH}/preview/{own.token}"
    return await _preview(runtime, session, page, own.detail, share=share)


async def _preview(
    runtime: Runtime, session: AsyncSession, page: Page, detail: Detail, *, share: str | None
) -> Html:
    banner = Banner(detail.status, share)
    return await _listing(runtime, session, page, None, DetailFor(detail=detail), banner=banner)


async def _listing(
    runtime: Runtime,
    session: AsyncSession,
    page: Page,
    viewer: Viewer | None,
    shown: DetailFor,
    chosen: Chosen | None = None,
    *,
    typed: str | None = None,
    banner: Banner | None = None,
) -> Html:
    """The page; with `typed`, a choice that does not fit, which is told beside the form."""
    page.active = "catalog"
    options = options_of(shown)
    first = first_open(options)
    if chosen is None and first is not None:
        chosen = Chosen(option=first, quantity=first.least, fits=True)
    context: dict[str, Any] = {
        "detail": shown.detail,
        "card": shown.detail.card,
        "mine": shown.mine,
        "options": options,
        "chosen": chosen,
        "typed": typed,
        "banner": banner,
        "viewer": viewer,
        "shown": Shown(page, viewer),
        "related": await _related(runtime, session, page, viewer, shown.detail),
        "said": False,
    }
    status = HTTPStatus.OK if typed is None else HTTPStatus.UNPROCESSABLE_ENTITY
    return page.render("catalog/listing.html", status_code=status, **context)


async def _related(
    runtime: Runtime, session: AsyncSession, page: Page, viewer: Viewer | None, detail: Detail
) -> list[Hit]:
    """A few others of its category that are on sale."""
    if detail.card.category is None:
        return []
    query = Query(category=(detail.card.category,), available=True, limit=RELATED + 1)
    found = await service.search(runtime, session, query, locale=page.locale, viewer=viewer)
    return [hit for hit in found.items if hit.card.slug != detail.card.slug][:RELATED]


ROUTES: api.Routes = [show_listing, choose, show_sum, show_preview, show_own_preview]
