"""Disputes: what members say is wrong, and what finance decides."""

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
from marketplace.errors import InvalidRequest
from marketplace.identity.domain import Principal
from settlement.disputes import repository, schemas, service
from settlement.disputes.domain import DisputeStatus
from settlement.history import Subject, history
from settlement.pages.frame import DISPUTES, FINANCE, member_names, people
from settlement.pages.words import DISPUTES as STATUSES
from settlement.pages.words import TOTALS

AT: Final = "/disputes/{dispute_id:uuid}"
All = Annotated[str | None, QueryParameter(max_length=10)]


class DecideForm(msgspec.Struct):
    """A decision, and why."""

    outcome: str = ""
    note: str = ""


@get("/disputes", opt=FINANCE, include_in_schema=False)
async def show_disputes(
    page: NamedDependency[Page], session: NamedDependency[AsyncSession], all: All = None
) -> Html:
    """Disputes to be decided; with `?all=yes` those too that are."""
    page.active = "disputes"
    found = await repository.disputes(session, None, None if all else DisputeStatus.OPEN)
    return page.render(
        "settlement/disputes.html",
        disputes=found,
        names=await member_names(session, {each.member_id for each in found}),
        counts={
            key: len(lines)
            for key, lines in (
                await repository.lines_of(session, [each.id for each in found])
            ).items()
        },
        statuses=STATUSES,
        all=bool(all),
    )


@get(AT, opt=FINANCE, include_in_schema=False)
async def show_dispute(
    dispute_id: FromPath[UUID],
    page: NamedDependency[Page],
    session: NamedDependency[AsyncSession],
) -> Html:
    """One dispute: its lines, what the member says, and the decision."""
    page.active = "disputes"
    row = await service.get(session, dispute_id)
    ids = (await repository.lines_of(session, [row.id]))[row.id]
    found = await repository.lines(session, ids)
    view = (await schemas.views(session, [row]))[0]
    sides = {each.issuer_id for each in found.values()}
    sides |= {each.acceptor_id for each in found.values() if each.acceptor_id}
    events = await history(session, Subject.DISPUTE, row.id)
    actors = [row.opened_by, row.decided_by, *(each.actor for each in events)]
    return page.render(
        "settlement/dispute.html",
        row=row,
        lines=[found[each] for each in ids],
        adjustments=view.adjustments,
        names=await member_names(session, {row.member_id, *sides}),
        kinds=TOTALS,
        statuses=STATUSES,
        events=events,
        people=await people(session, actors),
        longest=service.LONGEST_TEXT,
    )


@post(f"{AT}/decide", opt=FINANCE, include_in_schema=False, status_code=HTTPStatus.OK)
async def decide(
    dispute_id: FromPath[UUID],
    data: URLEncodedBody[DecideForm],
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> Html:
    """Uphold it or reject it, and say why."""
    if data.outcome not in ("upheld", "rejected"):
        raise InvalidRequest("The form is not as we gave it; open the page again.")
    if not data.note.strip():
        raise InvalidRequest(page._(_l("Say why: the member reads it.")))
    upheld = data.outcome == "upheld"
    await service.decide(session, dispute_id, upheld=upheld, actor=principal.actor, note=data.note)
    notice = (
        _l("Upheld. Adjustments are in the window that is open.")
        if upheld
        else _l("Rejected. The lines are settled as they are.")
    )
    return page.redirect(f"{DISPUTES}/{dispute_id}", notice=notice)


ROUTES = [show_disputes, show_dispute, decide]
