"""Disputes of a member: what it says is wrong, what became of it, and taking it back."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Final
from uuid import UUID

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter, URLEncodedBody
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.api import Html, Page
from marketplace.api import lazy as _l
from marketplace.identity.domain import Principal
from marketplace.web.console import Console
from settlement.console.frame import DISPUTES, IN_CONSOLE, tabs
from settlement.console.overview import reader_of
from settlement.disputes import repository, schemas, service
from settlement.disputes.domain import DisputeStatus
from settlement.pages.words import DISPUTES as STATUSES
from settlement.pages.words import TOTALS
from settlement.statements.service import named

AT: Final = "/partner/disputes/{dispute_id:uuid}"
All = Annotated[str | None, QueryParameter(max_length=10)]


class WithdrawForm(msgspec.Struct):
    """Why it is taken back, if there is anything to say."""

    note: str = ""


@get("/partner/disputes", opt=IN_CONSOLE, include_in_schema=False)
async def show_disputes(
    page: NamedDependency[Page],
    console: NamedDependency[Console],
    session: NamedDependency[AsyncSession],
    all: All = None,
) -> Html:
    """The member's disputes that wait for a decision; with `?all=yes` those too that are over."""
    status = None if all else DisputeStatus.OPEN
    found = await repository.disputes(session, console.member_id, status)
    lines = await repository.lines_of(session, [each.id for each in found])
    return page.render(
        "settlement/console/disputes.html",
        tabs=tabs(page, DISPUTES),
        disputes=found,
        counts={key: len(of) for key, of in lines.items()},
        statuses=STATUSES,
        all=bool(all),
    )


@get(AT, opt=IN_CONSOLE, include_in_schema=False)
async def show_dispute(
    dispute_id: FromPath[UUID],
    page: NamedDependency[Page],
    console: NamedDependency[Console],
    session: NamedDependency[AsyncSession],
) -> Html:
    """One dispute: its lines, the decision or when there will be one, and what it brought."""
    row = await service.get(session, dispute_id, member_id=console.member_id)
    (view,) = await schemas.views(session, [row], member_id=console.member_id)
    return page.render(
        "settlement/console/dispute.html",
        tabs=tabs(page, DISPUTES),
        row=row,
        lines=await named(session, view.lines, reader_of(console)),
        adjustments=view.adjustments,
        kinds=TOTALS,
        statuses=STATUSES,
        longest=service.LONGEST_TEXT,
    )


@post(f"{AT}/withdraw", opt=IN_CONSOLE, include_in_schema=False, status_code=HTTPStatus.OK)
async def withdraw(
    dispute_id: FromPath[UUID],
    data: URLEncodedBody[WithdrawForm],
    page: NamedDependency[Page],
    console: NamedDependency[Console],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> Html:
    """Take a dispute back: its lines are settled as they are."""
    await service.withdraw(
        session,
        dispute_id,
        member_id=console.member_id,
        actor=principal.actor,
        note=data.note[: service.LONGEST_TEXT].strip(),
    )
    notice = _l("Taken back. The lines are settled as they are.")
    return page.redirect(console.path(f"{DISPUTES}/{dispute_id}"), notice=notice)


ROUTES = [show_disputes, show_dispute, withdraw]
