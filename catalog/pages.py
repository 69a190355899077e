"""Pages: the catalog's search at `/catalog`, and how all its pages join the marketplace."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import msgspec
from litestar import Request, get
from litestar.di import NamedDependency
from sqlalchemy.ext.asyncio import AsyncSession

from catalog import (
    listing_pages,
    owner_pages,
    price_pages,
    repository,
    service,
    wish_pages,
)
from catalog.answers import CACHE_CONTROL
from catalog.errors import BadSearch
from catalog.presenting import PATH, Shown
from catalog.query import DEFAULT_LIMIT, MOST, Query, read_query
from catalog.schemas import ForYou, Results
from catalog.viewer import Viewer, viewer_of
from marketplace import api
from marketplace.identity.domain import Role
from marketplace.runtime import Runtime
from marketplace.web.access import access
from marketplace.web.i18n import Lazy
from marketplace.web.i18n import lazy as _l
from marketplace.web.nav import NavEntry
from marketplace.web.page import HEADERS, Html, Page
from marketplace.web.paging import BadCursor

AnyRequest = Request[Any, Any, Any]

SUGGESTED: Final = 8
"""Suggestions in the strip of the first page."""
EAGER: Final = 3
"""Pictures that are asked for at once; the others when they come near."""
SHARED: Final = {
    "Cache-Control": CACHE_CONTROL,
    "Vary": f"Authorization, {HEADERS['Vary']}",
}


class Sought(msgspec.Struct, frozen=True):
    """A search that was made, and what did not fit about the way it was asked."""

    query: Query
    results: Results
    problem: Lazy | None
    without_filters: int
    """Where there are no results: how many the words alone would have."""


@get("/", opt=access(public=True, page=True), include_in_schema=False)
async def show_catalog(
    request: AnyRequest,
    page: NamedDependency[Page],
    runtime: NamedDependency[Runtime],
    session: NamedDependency[AsyncSession],
) -> Html:
    """Search, facets, results and suggestions; parts of them for htmx."""
    page.active = "catalog"
    viewer = await viewer_of(session, page.principal)
    pairs = list(request.query_params.multi_items())
    sought = await _seek(runtime, session, page, viewer, pairs)
    context: dict[str, Any] = {
        "sought": sought,
        "query": sought.query,
        "results": sought.results,
        "viewer": viewer,
        "shown": Shown(page, viewer),
        "typed": dict(pairs),
        "next_path": _next_path(sought),
        "eager": EAGER,
    }
    if page.is_htmx and sought.query.cursor:
        return page.fragment(
            "catalog/_more.html", headers={"HX-Replace-Url": _longer(sought.query)}, **context
        )
    context["suggestions"] = await _suggestions(runtime, session, page, viewer, sought)
    if not sought.results.total:
        context["categories"] = (
            await service.categories(runtime, session, locale=page.locale)
        ).items
    status = 400 if sought.problem else 200
    if page.is_htmx:
        context["focus"] = _was_chip(request)
        return page.fragment("catalog/_update.html", headers=_address(request, sought), **context)
    context["have"] = await _points(session, viewer)
    headers = SHARED if _is_anybodys(request) and status == 200 else None
    return page.render("catalog/catalog.html", status_code=status, headers=headers, **context)


async def _seek(
    runtime: Runtime,
    session: AsyncSession,
    page: Page,
    viewer: Viewer | None,
    pairs: list[tuple[str, str]],
) -> Sought:
    """The search; what does not fit about it is put aside and told, not refused."""
    problem: Lazy | None = None
    try:
        query = read_query(pairs)
    except BadSearch:
        query = _words_alone(pairs)
        problem = _l("The filters do not fit together, so we left them out.")
    try:
        results = await service.search(runtime, session, query, locale=page.locale, viewer=viewer)
    except BadCursor:
        query = msgspec.structs.replace(query, cursor=None)
        results = await service.search(runtime, session, query, locale=page.locale, viewer=viewer)
        problem = _l("That part of the list is no longer there: this is its beginning.")
    without = 0
    if not results.total and query.narrowed:
        plain = Query(words=query.words, text=query.text, limit=1)
        found = await service.search(runtime, session, plain, locale=page.locale)
        without = found.total
    return Sought(query, results, problem, without)


def _words_alone(pairs: list[tuple[str, str]]) -> Query:
    """The search for the words, without filters; for nothing where the words do not fit either."""
    try:
        return read_query([pair for pair in pairs if pair[0] == "q"])
    except BadSearch:
        return Query()


async def _suggestions(
    runtime: Runtime, session: AsyncSession, page: Page, viewer: Viewer | None, sought: Sought
) -> ForYou | None:
    """The strip of suggestions, on a bare first page of a participant."""
    query = sought.query
    if viewer is None or query.text or query.narrowed or query.cursor or sought.problem:
        return None
    return await service.for_you(runtime, session, viewer, locale=page.locale, limit=SUGGESTED)


async def _points(session: AsyncSession, viewer: Viewer | None) -> int | None:
    if viewer is None:
        return None
    return sum((await repository.balances(session, viewer.wallet_id)).values())


def _next_path(sought: Sought) -> str | None:
    """The address of the next page."""
    if sought.results.next is None:
        return None
    return PATH + sought.query.link(cursor=sought.results.next, limit=DEFAULT_LIMIT)


def _longer(query: Query) -> str:
    """The address at which the list as far as it is shown now would be found again."""
    return PATH + query.link(limit=min(query.limit + DEFAULT_LIMIT, MOST))


def _address(request: AnyRequest, sought: Sought) -> dict[str, str]:
    """The header that puts the search into the address: typing adds no step to go back through."""
    link = sought.query.link()
    address = PATH if link == "?" else PATH + link
    before = parse_qsl(urlsplit(request.headers.get("hx-current-url", "")).query)
    after = parse_qsl(link[1:])

    def bare(pairs: list[tuple[str, str]]) -> set[tuple[str, str]]:
        return {(name, value) for name, value in pairs if value and name != "q"}

    only_words = bare(before) == bare(after) and bool(dict(before).get("q"))
    return {"HX-Replace-Url" if only_words else "HX-Push-Url": address}


def _was_chip(request: AnyRequest) -> bool:
    """Whether what was pressed is gone from the page, so that the focus needs a new place."""
    return request.headers.get("hx-trigger", "").startswith("gone-")


def _is_anybodys(request: AnyRequest) -> bool:
    """Whether nothing in the answer is of one reader: no cookie (a notice, a theme), no key."""
    return not {"cookie", "authorization"} & set(request.headers.keys())


NAV = (
    NavEntry(key="catalog", label=_l("Catalog"), path=PATH, strangers=True, order=10),
    NavEntry(
        key="wishes",
        label=_l("Wish list"),
        path=f"{PATH}/wishes",
        roles=frozenset({Role.PARTICIPANT}),
        order=15,
    ),
)
FOLDER = Path(__file__).parent
PAGES = api.Pages(
    routes=[
        show_catalog,
        *wish_pages.ROUTES,
        *owner_pages.ROUTES,
        *price_pages.ROUTES,
        *listing_pages.ROUTES,
    ],
    nav=(*NAV, *owner_pages.NAV, *price_pages.NAV),
    templates=FOLDER / "templates",
    translations=FOLDER / "locale",
)
