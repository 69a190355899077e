"""Statements of a member: of windows and settlements, to download, and how to prove them."""

from __future__ import annotations

from litestar import get
from litestar.di import NamedDependency
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.api import Html, Page
from marketplace.house_key import signing_key
from marketplace.runtime import Runtime
from marketplace.web.console import Console
from marketplace.web.paging import Cursor, cut_page, decode_cursor
from settlement.console.frame import IN_CONSOLE, STATEMENTS, tabs
from settlement.console.overview import reader_of
from settlement.console.standing import UNFINISHED, has_lines, settled_with, shares
from settlement.pages.words import SETTLEMENTS, WINDOWS
from settlement.statements import records, service
from settlement.statements.delivery import Form
from settlement.windows import repository
from settlement.windows.repository import Place

AT_ONCE = 12
"""Windows on a page."""


@get("/partner/statements", opt=IN_CONSOLE, include_in_schema=False)
async def show_statements(
    page: NamedDependency[Page],
    console: NamedDependency[Console],
    session: NamedDependency[AsyncSession],
    runtime: NamedDependency[Runtime],
    cursor: Cursor = None,
) -> Html:
    """Windows that are closed and settlements, newest first, each with its files."""
    reader = reader_of(console)
    rows = await repository.page(session, before=decode_cursor(cursor, Place), most=AT_ONCE + 1)
    shown, following = cut_page(rows, AT_ONCE, lambda row: Place(row.opened_at, row.id))
    closed = [row for row in shown if row.status not in UNFINISHED]
    issued = await service.issued(session, console.member_id)
    return page.render(
        "settlement/console/statements.html",
        tabs=tabs(page, STATEMENTS),
        windows=[
            (row, await shares(session, reader, row.id))
            for row in closed
            if await has_lines(session, reader, [row.id])
        ],
        settlements=await settled_with(session, reader) if cursor is None else [],
        issued={each.window_id or each.settlement_id: each for each in issued},
        key=signing_key(runtime.settings, records.PURPOSE).public_text,
        forms=[(each.value, each.value.upper()) for each in Form],
        statuses=WINDOWS,
        settlement_statuses=SETTLEMENTS,
        next=following,
    )


ROUTES = [show_statements]
