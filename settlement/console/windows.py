"""One window of a member: its lines, each with its way to the bank, and disputing some of them."""

from __future__ import annotations

from collections.abc import Collection
from http import HTTPStatus
from typing import Final
from uuid import UUID

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.api import Html, Page
from marketplace.api import lazy as _l
from marketplace.errors import MarketplaceError
from marketplace.identity.domain import Principal
from marketplace.web.console import Console
from marketplace.web.i18n import Lazy
from marketplace.web.page import AnyRequest
from marketplace.web.paging import DEFAULT_LIMIT, Cursor
from settlement.console.frame import DISPUTES, IN_CONSOLE, STATEMENTS, WINDOWS, tabs
from settlement.console.lines import page_of_lines
from settlement.console.overview import reader_of
from settlement.console.standing import has_lines, standings
from settlement.disputes import service
from settlement.disputes.domain import line_id
from settlement.pages.words import LEGS, SETTLEMENTS, TOTALS
from settlement.pages.words import WINDOWS as STATUSES
from settlement.statements import tracing
from settlement.windows import repository

AT: Final = "/partner/windows/{window_id:uuid}"


class Asked:
    """What was ticked and typed, to be shown again where it cannot be taken."""

    def __init__(
        self,
        lines: Collection[str] = (),
        reason: str = "",
        missing: Lazy | None = None,
        error: MarketplaceError | None = None,
    ) -> None:
        self.lines = frozenset(lines)
        self.reason = reason
        self.missing = missing
        self.error = error
        self.title = Lazy(error.title) if error else None


@get(AT, opt=IN_CONSOLE, include_in_schema=False)
async def show_window(
    window_id: FromPath[UUID],
    page: NamedDependency[Page],
    console: NamedDependency[Console],
    session: NamedDependency[AsyncSession],
    cursor: Cursor = None,
) -> Html:
    """How the member stands in a window, and why: line by line."""
    return await _window(page, console, session, window_id, cursor, Asked())


async def _window(
    page: Page,
    console: Console,
    session: AsyncSession,
    window_id: UUID,
    cursor: str | None,
    asked: Asked,
) -> Html:
    row = await repository.window(session, window_id)
    reader = reader_of(console)
    (standing,) = await standings(session, reader, [row], page.now)
    lines, following = await page_of_lines(
        session, reader, window_id, cursor=cursor, limit=DEFAULT_LIMIT
    )
    status = asked.error.status if asked.error else HTTPStatus.OK
    return page.render(
        "settlement/console/window.html",
        status_code=HTTPStatus.UNPROCESSABLE_ENTITY if asked.missing else status,
        tabs=tabs(page, WINDOWS),
        window=standing,
        told=standing.is_final and await has_lines(session, reader, [window_id]),
        lines=lines,
        cursor=cursor,
        next=following,
        asked=asked,
        kinds=TOTALS,
        statuses=STATUSES,
        settlement_statuses=SETTLEMENTS,
        longest=service.LONGEST_TEXT,
    )


@post(f"{AT}/dispute", opt=IN_CONSOLE, include_in_schema=False, status_code=HTTPStatus.OK)
async def dispute(
    window_id: FromPath[UUID],
    request: AnyRequest,
    page: NamedDependency[Page],
    console: NamedDependency[Console],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
    cursor: Cursor = None,
) -> Html:
    """Say that the lines that were ticked are wrong, and why."""
    form = await request.form()
    ticked = [str(each) for each in form.getall("line", [])]
    reason = str(form.get("reason") or "").strip()
    missing = None
    if not ticked:
        missing = _l("Tick the lines that are wrong.")
    elif not reason:
        missing = _l("Say what is wrong with them.")
    if missing is not None:
        again = Asked(ticked, reason, missing)
        return await _window(page, console, session, window_id, cursor, again)
    lines = [line_id(each) for each in ticked]
    asked = service.NewDispute(console.member_id, lines, reason)
    try:
        async with session.begin_nested():
            made = await service.open_dispute(session, asked, actor=principal.actor)
    except MarketplaceError as error:
        again = Asked(ticked, reason, error=error)
        return await _window(page, console, session, window_id, cursor, again)
    notice = _l("Disputed. Only these lines wait; all others are settled.")
    return page.redirect(console.path(f"{DISPUTES}/{made.id}"), notice=notice)


@get("/partner/lines/{line:str}", opt=IN_CONSOLE, include_in_schema=False)
async def show_line(
    line: FromPath[str],
    page: NamedDependency[Page],
    console: NamedDependency[Console],
    session: NamedDependency[AsyncSession],
) -> Html:
    """From a line to its burn, lot, contract, window and payment; the member's own side of it."""
    found = await tracing.trace(session, line, member_id=console.member_id)
    return page.render(
        "settlement/console/line.html",
        tabs=tabs(page, STATEMENTS),
        lines=found.lines,
        kinds=TOTALS,
        statuses=SETTLEMENTS,
        window_statuses=STATUSES,
        leg_statuses=LEGS,
    )


ROUTES = [show_window, dispute, show_line]
