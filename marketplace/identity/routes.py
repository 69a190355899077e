"""Signing in and out, and API keys, over HTTP."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from litestar import Response, delete, get, post, put
from litestar.background_tasks import BackgroundTask
from litestar.di import NamedDependency
from litestar.params import FromPath, HeaderParameter, JSONBody
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.identity import keys, links, own_password, sessions
from marketplace.identity.cookies import no_session_cookie, session_cookie
from marketplace.identity.devices import device_of
from marketplace.identity.domain import Principal, Role
from marketplace.identity.schemas import (
    KeyMade,
    KeyPage,
    LinkAsked,
    LinkRequest,
    NewKey,
    NewPassword,
    SignedIn,
    SignInRequest,
    WhoAmI,
)
from marketplace.runtime import Runtime
from marketplace.web.access import access
from marketplace.web.i18n import choose_language
from marketplace.web.page import local_path
from marketplace.web.paging import DEFAULT_LIMIT, Cursor, Limit, cut_page, decode_cursor

KEEPERS = [Role.OPERATOR, Role.PARTNER]
UserAgent = Annotated[str, HeaderParameter(name="User-Agent", required=False)]
Accepts = Annotated[str, HeaderParameter(name="Accept-Language", required=False)]


@post("/v1/session", opt=access(public=True), tags=["session"], summary="Sign in")
async def sign_in(
    data: JSONBody[SignInRequest],
    runtime: NamedDependency[Runtime],
    user_agent: UserAgent = "",
) -> Response[SignedIn]:
    """Open a session: the cookie is for browsers, the token in the body for other clients.

    After 10 failures for an e-mail within 15 minutes the answer is 429 with Retry-After.
    """
    signed_in = await sessions.sign_in(
        runtime.database,
        data.email.strip(),
        data.password,
        days=runtime.settings.session_days,
        device=device_of(user_agent),
    )
    cookie = session_cookie(runtime.settings, signed_in.token)
    return Response(signed_in, status_code=201, cookies=[cookie])


@post(
    "/v1/session/link",
    opt=access(public=True),
    tags=["session"],
    summary="Ask for a link to sign in with",
    status_code=202,
)
async def ask_for_link(
    data: JSONBody[LinkRequest],
    runtime: NamedDependency[Runtime],
    accept_language: Accepts = "",
) -> Response[LinkAsked]:
    """Mail a link that works once, for 15 minutes, to whoever has this e-mail.

    The answer is the same whether anybody does, and whether too many were asked for. The mail is
    in the language they chose, else by Accept-Language.
    """
    wanted = local_path(data.next)
    asked = LinkAsked(works_for_s=int(links.LIFE.total_seconds()))
    language = choose_language(accept=accept_language) if accept_language else None
    sending = BackgroundTask(links.send_link, runtime, data.email.strip(), wanted, language)
    return Response(asked, status_code=202, background=sending)


@get("/v1/session", opt=access(roles=Role), tags=["session"], summary="Who am I?")
async def who_am_i(
    session: NamedDependency[AsyncSession], principal: NamedDependency[Principal]
) -> WhoAmI:
    """The signed-in person."""
    return await sessions.who_am_i(session, principal)


@delete("/v1/session", opt=access(roles=Role), tags=["session"], summary="Sign out")
async def sign_out(
    session: NamedDependency[AsyncSession],
    principal: NamedDependency[Principal],
    runtime: NamedDependency[Runtime],
) -> Response[None]:
    """End this session; its token and cookie are worth nothing from now on."""
    await sessions.sign_out(session, principal)
    return Response(None, status_code=204, cookies=[no_session_cookie(runtime.settings)])


@put(
    "/v1/session/password",
    opt=access(roles=Role),
    tags=["session"],
    summary="Change one's own password",
    status_code=204,
)
async def change_password(
    data: JSONBody[NewPassword],
    principal: NamedDependency[Principal],
    runtime: NamedDependency[Runtime],
) -> None:
    """All other sessions of the person end. A wrong present password counts as a failed sign-in."""
    await own_password.change_own(runtime.database, principal, present=data.present, new=data.new)


@post("/v1/api-keys", opt=access(roles=KEEPERS), tags=["api keys"], summary="Make an API key")
async def create_key(
    data: JSONBody[NewKey],
    session: NamedDependency[AsyncSession],
    principal: NamedDependency[Principal],
) -> KeyMade:
    """The key is in the answer and cannot be shown again. A partner makes its member's keys."""
    return await keys.create_key_for(
        session, principal, member=data.member, label=data.label, scopes=data.scopes
    )


@get("/v1/api-keys", opt=access(roles=KEEPERS), tags=["api keys"], summary="List API keys")
async def list_keys(
    session: NamedDependency[AsyncSession],
    principal: NamedDependency[Principal],
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> KeyPage:
    """Newest first, revoked ones too; the operator sees every member's."""
    found = await keys.list_keys(
        session,
        member_id=_reach(principal),
        before=decode_cursor(cursor, UUID),
        limit=limit + 1,
    )
    page, following = cut_page(found, limit, lambda key: key.id)
    return KeyPage(items=page, next=following)


@delete(
    "/v1/api-keys/{key_id:uuid}",
    opt=access(roles=KEEPERS),
    tags=["api keys"],
    summary="Revoke an API key",
)
async def revoke_key(
    key_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    principal: NamedDependency[Principal],
) -> None:
    """At once and for good; revoking it again changes nothing."""
    await keys.revoke_key(session, principal.actor, key_id, member_id=_reach(principal))


def _reach(principal: Principal) -> UUID | None:
    """The member whose keys this person looks after; None for the operator: all of them."""
    return None if principal.is_operator else principal.member_id


routes = [
    sign_in,
    ask_for_link,
    who_am_i,
    sign_out,
    change_password,
    create_key,
    list_keys,
    revoke_key,
]
