"""JSON of the catalog, mounted under /v1/catalog. Public; with a credential it is personal too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from litestar import MediaType, Request, Response, delete, get, put
from litestar.di import NamedDependency
from litestar.openapi.spec import Operation, Parameter, Schema
from litestar.openapi.spec.enums import OpenAPIType
from litestar.params import FromPath, JSONBody, QueryParameter
from sqlalchemy.ext.asyncio import AsyncSession

from catalog import owner_routes, previewing, repository, service
from catalog.answers import (
    CACHE_CONTROL,
    PATH,
    VARY,
    direct_search,
    language_of,
    public_answer,
    read_asked,
)
from catalog.domain import Sort
from catalog.query import LISTS, MOST
from catalog.schemas import CategoryTree, Detail, DetailFor, ForYou, Results, Wishes
from catalog.viewer import Viewer, caller_of, is_personal, viewer_of
from marketplace import api
from marketplace.errors import NotAllowed
from marketplace.identity.domain import Principal, Role, Scope
from marketplace.runtime import Runtime
from marketplace.web import pictures
from marketplace.web.access import access

AnyRequest = Request[Any, Any, Any]

TAGS = ["catalog"]
PUBLIC = access(public=True)
PARTICIPANTS = access(roles=[Role.PARTICIPANT])
PERSONAL = {"Cache-Control": "private, no-store", "Vary": VARY}
SHARED = {"Cache-Control": CACHE_CONTROL, "Vary": VARY}

Locale = Annotated[
    str | None,
    QueryParameter(max_length=20, description="Language of the texts; else Accept-Language."),
]


class ForYouSwitch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whether suggestions are made."""

    on: bool


@dataclass
class SearchOperation(Operation):
    """Describes the parameters, which the handler reads from the query string itself."""

    def __post_init__(self) -> None:
        text, whole, flag = OpenAPIType.STRING, OpenAPIType.INTEGER, ["yes", "no"]
        self.parameters = [
            _parameter("q", "Words; misspelt ones are forgiven.", Schema(type=text)),
            *(_parameter(name, "May be given again: any of them.", _many()) for name in LISTS),
            _parameter("points_min", "Fewest points.", Schema(type=whole, minimum=0)),
            _parameter("points_max", "Most points.", Schema(type=whole, minimum=0)),
            _parameter("affordable", "Only what you can pay.", Schema(type=text, enum=flag)),
            _parameter("available", "Only what is on sale.", Schema(type=text, enum=flag)),
            _parameter("sort", "Order.", Schema(type=text, enum=[each.value for each in Sort])),
            _parameter("limit", "Results.", Schema(type=whole, minimum=1, maximum=MOST)),
            _parameter("cursor", "`next` of the page before.", Schema(type=text)),
            _parameter("locale", "Language; else Accept-Language.", Schema(type=text)),
        ]


def _parameter(name: str, description: str, schema: Schema) -> Parameter:
    return Parameter(name=name, param_in="query", description=description, schema=schema)


def _many() -> Schema:
    return Schema(type=OpenAPIType.ARRAY, items=Schema(type=OpenAPIType.STRING))


def _locale(request: AnyRequest, wanted: str | None) -> str:
    return language_of(request.headers.get("accept-language", ""), wanted)


async def _viewer(session: AsyncSession, principal: Principal) -> Viewer:
    viewer = await viewer_of(session, principal)
    if viewer is None:
        raise NotAllowed("Only participants with a wallet have wishes and suggestions.")
    return viewer


@get(
    "/",
    opt=PUBLIC,
    tags=TAGS,
    summary="Search the catalog",
    operation_class=SearchOperation,
)
async def search(
    request: AnyRequest, runtime: NamedDependency[Runtime], session: NamedDependency[AsyncSession]
) -> Response[Results]:
    """Listings with facets. With a participant's credential each says how it stands to them."""
    asked = request.scope["query_string"].decode("latin-1")
    accept = request.headers.get("accept-language", "")
    state = request.app.state
    if (b"GET", PATH) not in state.direct:
        # From the first search of a process on, those like it are answered on the connection.
        state.direct[b"GET", PATH] = direct_search(runtime, state.authenticator)
    if not is_personal(request.scope["headers"]):  # type: ignore[arg-type]
        answer = await public_answer(runtime, session, asked, accept)
        etag = f'"{answer.etag}"'
        known = request.headers.get("if-none-match") == etag
        return Response(
            b"" if known else answer.body,  # type: ignore[arg-type]
            status_code=304 if known else 200,
            media_type=MediaType.JSON,
            headers={**SHARED, "ETag": etag},
        )
    viewer = await viewer_of(session, await caller_of(request))
    query, wanted = read_asked(asked)
    found = await service.search(
        runtime, session, query, locale=language_of(accept, wanted), viewer=viewer
    )
    return Response(found, headers=PERSONAL)


@get("/categories", opt=PUBLIC, tags=TAGS, summary="Read the category tree")
async def categories(
    request: AnyRequest,
    runtime: NamedDependency[Runtime],
    session: NamedDependency[AsyncSession],
    locale: Locale = None,
) -> Response[CategoryTree]:
    """Every category with how many listings it has, descendants included."""
    tree = await service.categories(runtime, session, locale=_locale(request, locale))
    return Response(tree, headers=SHARED)


@get("/for-you", opt=PARTICIPANTS, tags=TAGS, summary="Read suggestions")
async def for_you(
    request: AnyRequest,
    principal: NamedDependency[Principal],
    runtime: NamedDependency[Runtime],
    session: NamedDependency[AsyncSession],
    locale: Locale = None,
) -> ForYou:
    """What may suit you, each with its reason."""
    viewer = await _viewer(session, principal)
    return await service.for_you(runtime, session, viewer, locale=_locale(request, locale))


@put("/for-you", opt=PARTICIPANTS, tags=TAGS, summary="Switch suggestions on or off")
async def switch_for_you(
    data: JSONBody[ForYouSwitch],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> ForYouSwitch:
    """Kept until you change it."""
    await service.set_for_you(session, await _viewer(session, principal), on=data.on)
    return data


@get("/wishes", opt=PARTICIPANTS, tags=TAGS, summary="Read your wish list")
async def wishes(
    request: AnyRequest,
    principal: NamedDependency[Principal],
    runtime: NamedDependency[Runtime],
    session: NamedDependency[AsyncSession],
    locale: Locale = None,
) -> Wishes:
    """Your wishes with what each still takes, newest first."""
    viewer = await _viewer(session, principal)
    return await service.wishes(runtime, session, viewer, locale=_locale(request, locale))


@put("/wishes/{slug:str}", opt=PARTICIPANTS, tags=TAGS, summary="Wish for a listing")
async def put_wish(
    slug: FromPath[str],
    principal: NamedDependency[Principal],
    runtime: NamedDependency[Runtime],
    session: NamedDependency[AsyncSession],
) -> Response[None]:
    """Nothing changes where it is a wish already."""
    await service.add_wish(runtime, session, await _viewer(session, principal), slug)
    return Response(None, status_code=204)


@delete("/wishes/{slug:str}", opt=PARTICIPANTS, tags=TAGS, summary="Drop a wish")
async def delete_wish(
    slug: FromPath[str],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> None:
    """Nothing changes where it is none."""
    await service.drop_wish(session, await _viewer(session, principal), slug)


@get(
    "/pictures/{name:str}",
    opt=PUBLIC,
    tags=TAGS,
    summary="Read a picture",
    media_type="image/webp",
)
async def picture(name: FromPath[str], session: NamedDependency[AsyncSession]) -> Response[bytes]:
    """`<hash>-<width>.webp`; it never changes."""
    return pictures.serve(name, await repository.picture_file(session, *pictures.parts_of(name)))


@get("/previews/{token:str}", opt=PUBLIC, tags=TAGS, summary="Preview a listing by its token")
async def preview(
    request: AnyRequest,
    token: FromPath[str],
    runtime: NamedDependency[Runtime],
    session: NamedDependency[AsyncSession],
    locale: Locale = None,
) -> Response[Detail]:
    """What people will see once it is published, for whoever was given the token."""
    found = await previewing.by_token(runtime, session, token, locale=_locale(request, locale))
    return Response(found, headers=PERSONAL)


@get(
    "/{slug:str}/preview",
    opt=access(roles=[Role.OPERATOR, Role.PARTNER], scope=Scope.STOCK_WRITE),
    tags=TAGS,
    summary="Preview a listing of one's own",
)
async def preview_own(
    request: AnyRequest,
    slug: FromPath[str],
    principal: NamedDependency[Principal],
    runtime: NamedDependency[Runtime],
    session: NamedDependency[AsyncSession],
    locale: Locale = None,
) -> Response[previewing.OwnPreview]:
    """For the operator and the members that are paid for its offers; tells the token too."""
    shown = await previewing.of_own(
        runtime, session, principal, slug, locale=_locale(request, locale)
    )
    return Response(shown, headers=PERSONAL)


@get("/{slug:str}", opt=PUBLIC, tags=TAGS, summary="Read a listing")
async def listing(
    request: AnyRequest,
    slug: FromPath[str],
    runtime: NamedDependency[Runtime],
    session: NamedDependency[AsyncSession],
    locale: Locale = None,
) -> Response[DetailFor]:
    """A listing in full. With a participant's credential it says how each choice stands to them."""
    viewer = await viewer_of(session, await caller_of(request))
    shown = await service.detail(
        runtime, session, slug, locale=_locale(request, locale), viewer=viewer
    )
    personal = is_personal(request.scope["headers"])  # type: ignore[arg-type]
    return Response(shown, headers=PERSONAL if personal else SHARED)


ROUTES: api.Routes = [
    search,
    categories,
    for_you,
    switch_for_you,
    wishes,
    put_wish,
    delete_wish,
    picture,
    preview,
    preview_own,
    *owner_routes.ROUTES,
    listing,
]
