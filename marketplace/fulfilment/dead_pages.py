"""Pages: orders of a member that were given up, and asking about them again, in the console."""

from __future__ import annotations

from typing import Annotated, Any, Final
from uuid import UUID

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import QueryParameter
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.errors import NotFound
from marketplace.fulfilment.dead_letters import dead_letters, replay
from marketplace.identity.domain import Principal
from marketplace.web.access import access
from marketplace.web.console import CONSOLE_ROLES, Console
from marketplace.web.i18n import lazy as _l
from marketplace.web.page import Html, Page
from marketplace.web.paging import cut_page, decode_cursor

HERE: Final = "/partner/plugins/dead-letters"
ROWS: Final = 50
IN_CONSOLE = access(roles=CONSOLE_ROLES, page=True)

AnyRequest = Request[Any, Any, Any]
Plugin = Annotated[str, QueryParameter(max_length=40)]


@get(HERE, opt=IN_CONSOLE, include_in_schema=False)
async def show_dead(
    page: NamedDependency[Page],
    console: NamedDependency[Console],
    session: NamedDependency[AsyncSession],
    plugin: Plugin = "",
    cursor: Annotated[str, QueryParameter(max_length=500)] = "",
) -> Html:
    """Orders given up: why, how long they wait, and what their supplier last said."""
    found = await dead_letters(
        session,
        member_id=console.member_id,
        plugin=plugin or None,
        after=decode_cursor(cursor or None, UUID),
        limit=ROWS + 1,
    )
    letters, following = cut_page(found, ROWS, lambda each: each.burn_id)
    return page.render("fulfilment/dead.html", letters=letters, following=following, plugin=plugin)


@post(HERE, opt=IN_CONSOLE, include_in_schema=False, status_code=303)
async def replay_dead(
    request: AnyRequest,
    page: NamedDependency[Page],
    console: NamedDependency[Console],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
    plugin: Plugin = "",
) -> Html:
    """Ask the supplier again about those that are ticked, or all; nothing is ordered twice."""
    form = await request.form()
    back = console.path(HERE, plugin=plugin)
    chosen = None if form.get("do") == "all" else _ids(form.getall("burn", []))
    if chosen is not None and not chosen:
        return page.redirect(back, notice=_l("Tick at least one order."), tone="warning")
    try:
        async with session.begin_nested():
            done = await replay(
                session,
                principal.actor,
                member_id=console.member_id,
                burn_ids=chosen,
                plugin=plugin or None,
            )
    except NotFound:
        notice = _l("Some of them are no longer given up: nothing was asked again.")
        return page.redirect(back, notice=notice, tone="warning")
    return page.redirect(back, notice=_l("Asked again: %(count)s.", count=len(done)))


def _ids(values: list[Any]) -> list[UUID]:
    try:
        return [UUID(str(each)) for each in values]
    except ValueError:
        raise NotFound("There is no such order.") from None


routes = [show_dead, replay_dead]
