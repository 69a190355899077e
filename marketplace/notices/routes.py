"""HTTP: the notices of whoever is signed in, and what they want to hear."""

from __future__ import annotations

from typing import Any

from litestar import Request, get, post, put
from litestar.di import NamedDependency
from litestar.params import JSONBody
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.errors import InvalidRequest
from marketplace.identity.domain import Principal, Role
from marketplace.notices import inbox, service
from marketplace.notices.domain import CHOOSABLE
from marketplace.notices.schemas import MarkRead, NoticePage, Preferences, Unread
from marketplace.runtime import Runtime
from marketplace.web.access import access
from marketplace.web.i18n import Accepts, choose_language
from marketplace.web.paging import DEFAULT_LIMIT, Cursor, Limit

EVERYBODY = list(Role)
AnyRequest = Request[Any, Any, Any]


@get("/v1/notices", opt=access(roles=EVERYBODY), tags=["notices"], summary="List notices")
async def list_notices(
    *,
    request: AnyRequest,
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
    runtime: NamedDependency[Runtime],
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
    accept_language: Accepts = "",
) -> NoticePage:
    """The caller's notices in words, unread first; in their language, else by Accept-Language."""
    language = choose_language(principal.language, accept=accept_language)
    spoken = request.app.state.site.languages[language]
    items, following = await inbox.read_inbox(
        session, principal, spoken, runtime.faces, limit=limit, cursor=cursor
    )
    unread = await inbox.unread_count(session, principal)
    return NoticePage(items=items, next=following, unread=unread)


@post(
    "/v1/notices/read",
    status_code=200,
    opt=access(roles=EVERYBODY),
    tags=["notices"],
    summary="Mark notices as read",
)
async def post_read(
    *,
    data: JSONBody[MarkRead],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> Unread:
    """Mark the named notices, or all, as read. Those that are not the caller's are left alone."""
    ids = None if data.all else [int(each) for each in data.ids]
    return Unread(await inbox.mark_read(session, principal, ids))


@get(
    "/v1/notices/preferences",
    opt=access(roles=EVERYBODY),
    tags=["notices"],
    summary="Read what one wants to hear",
)
async def get_preferences(
    *, principal: NamedDependency[Principal], session: NamedDependency[AsyncSession]
) -> Preferences:
    """For each category that is a choice: shown in the inbox or not, and when it is mailed."""
    return Preferences(await service.preferences(session, principal.caller_id))


@put(
    "/v1/notices/preferences",
    opt=access(roles=EVERYBODY),
    tags=["notices"],
    summary="Choose what one wants to hear",
)
async def put_preferences(
    *,
    data: JSONBody[Preferences],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> Preferences:
    """Store the choices; categories that are not named stay as they are."""
    fixed = [each.category.value for each in data.items if each.category not in CHOOSABLE]
    if fixed:
        raise InvalidRequest(f"Mails about {fixed[0]} cannot be turned off.")
    await service.set_preferences(session, principal.caller_id, data.items)
    return Preferences(await service.preferences(session, principal.caller_id))


routes = [list_notices, post_read, get_preferences, put_preferences]
