"""Windows over HTTP, under /v1/settlement/windows."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace import api
from marketplace.api import Role, access
from marketplace.coalition.service import get_member
from marketplace.identity.domain import Principal
from marketplace.runtime import Runtime
from marketplace.web.paging import DEFAULT_LIMIT, Cursor, Limit, cut_page, decode_cursor
from settlement.windows import repository
from settlement.windows.closing import close_window
from settlement.windows.lines import Asked, Position, lines
from settlement.windows.repository import Place
from settlement.windows.schemas import CloseBody, ClosedView, LinePage, WindowDetail, WindowPage
from settlement.windows.tasks import teller
from settlement.windows.views import closed_view, line_views, window_detail, window_view

FINANCE = access(roles=[Role.FINANCE, Role.OPERATOR])
TAGS = ["settlement"]
Slug = Annotated[str | None, QueryParameter(max_length=100, description="Slug of a member.")]


@get("/windows", opt=FINANCE, tags=TAGS, summary="List settlement windows")
async def list_windows(
    session: NamedDependency[AsyncSession], limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> WindowPage:
    """Windows, newest first."""
    rows = await repository.page(session, before=decode_cursor(cursor, Place), most=limit + 1)
    shown, following = cut_page(rows, limit, lambda row: Place(row.opened_at, row.id))
    return WindowPage([window_view(row) for row in shown], following)


@get("/windows/{window_id:uuid}", opt=FINANCE, tags=TAGS, summary="Read a settlement window")
async def read_window(
    window_id: FromPath[UUID], session: NamedDependency[AsyncSession]
) -> WindowDetail:
    """A window with totals by currency and kind, and the matrix of who owes whom before netting."""
    return await window_detail(session, await repository.window(session, window_id))


@get(
    "/windows/{window_id:uuid}/lines",
    opt=FINANCE,
    tags=TAGS,
    summary="Read the obligations and debts of a window",
)
async def list_lines(
    window_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    debtor: Slug = None,
    creditor: Slug = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> LinePage:
    """What a figure is made of: each burn, lot and voucher. Of an open window what is counted."""
    await repository.window(session, window_id)
    asked = Asked(
        window_id=window_id,
        debtor_id=None if debtor is None else (await get_member(session, debtor)).id,
        creditor_id=None if creditor is None else (await get_member(session, creditor)).id,
    )
    after = decode_cursor(cursor, Position)
    found = await lines(session, asked, after=after, most=limit + 1)
    shown, following = cut_page(found, limit, lambda line: line.position)
    return LinePage(await line_views(session, shown), following)


@post(
    "/windows/{window_id:uuid}/close",
    opt=FINANCE,
    tags=TAGS,
    status_code=200,
    summary="Close a settlement window",
)
async def close(
    window_id: FromPath[UUID],
    data: JSONBody[CloseBody],
    principal: NamedDependency[Principal],
    runtime: NamedDependency[Runtime],
) -> ClosedView:
    """Close the open window, naming it: who closes one that is closed gets `status_changed`."""
    closed = await close_window(
        runtime.database.begin,
        teller(runtime.tell),
        actor=principal.actor,
        note=data.note,
        window_id=window_id,
    )
    return closed_view(closed)


ROUTES: api.Routes = [list_windows, read_window, list_lines, close]
