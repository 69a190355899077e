"""Pages: where else a person wants to be told, at `/me`, and the link that confirms an address."""

from __future__ import annotations

from typing import Any

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.errors import InvalidRequest, NotFound, TooManyRequests
from marketplace.identity.domain import Principal, Role
from marketplace.notices import channels
from marketplace.notices.addresses import read_confirm_token
from marketplace.runtime import Runtime
from marketplace.web.access import access
from marketplace.web.i18n import lazy as _l
from marketplace.web.page import Html, Page

EVERYBODY = access(roles=Role, page=True)
FROM_A_MESSAGE = access(public=True, page=True)
ME = "/me"


@post("/me/channels/{channel:str}", opt=EVERYBODY, include_in_schema=False, status_code=303)
async def choose_channel(
    channel: FromPath[str],
    request: Request[Any, Any, Any],
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
    runtime: NamedDependency[Runtime],
) -> Html:
    """Be told over a channel, or not any more; what is wrong with an address is said on top."""
    form = await request.form()
    if "leave" in form:
        await channels.leave(session, principal.caller_id, channel)
        return page.redirect(ME, notice=_l("You hear nothing more from us there."))
    notifier = (await channels.in_force(session, runtime.notifiers)).get(channel)
    if notifier is None:
        raise NotFound
    wanted = channels.known_categories(form.getall("category", []))
    try:
        async with session.begin_nested():
            asked = await channels.choose(
                session, principal.caller_id, notifier, str(form.get("address", "")), wanted
            )
    except (InvalidRequest, TooManyRequests) as error:
        return page.redirect(ME, notice=page._(error.detail), tone="danger")
    if asked:
        words = _l("We have sent a link there. Open it to confirm that the address is yours.")
        return page.redirect(ME, notice=words, tone="info")
    return page.redirect(ME, notice=_l("Saved."))


@get("/me/channels/confirm/{token:str}", opt=FROM_A_MESSAGE, include_in_schema=False)
async def show_confirm(
    token: FromPath[str], page: NamedDependency[Page], runtime: NamedDependency[Runtime]
) -> Html:
    """Which address the link confirms. Looking confirms nothing: programs look at every link."""
    return _confirm(page, runtime, token, done=False)


@post(
    "/me/channels/confirm/{token:str}", opt=FROM_A_MESSAGE, include_in_schema=False, status_code=200
)
async def confirm_channel(
    token: FromPath[str],
    page: NamedDependency[Page],
    session: NamedDependency[AsyncSession],
    runtime: NamedDependency[Runtime],
) -> Html:
    """The address is theirs who asked for it."""
    await channels.confirm(session, read_confirm_token(runtime.vault, token))
    return _confirm(page, runtime, token, done=True)


def _confirm(page: Page, runtime: Runtime, token: str, *, done: bool) -> Html:
    said = read_confirm_token(runtime.vault, token)
    notifier = runtime.notifiers.get(said.channel)
    if notifier is None:
        raise NotFound
    return page.render(
        "notices/confirm.html",
        label=notifier.label,
        address=said.address,
        token=token,
        done=done,
    )


routes = [choose_channel, show_confirm, confirm_channel]
