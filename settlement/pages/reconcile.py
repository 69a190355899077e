"""Legs and lines of the bank side by side: suggestions are taken or left, matches undone."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final
from uuid import UUID

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, URLEncodedBody
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.api import Html, Page
from marketplace.api import lazy as _l
from marketplace.errors import InvalidRequest
from marketplace.identity.domain import Principal
from marketplace.web.paging import Cursor, cut_page, decode_cursor
from settlement.bank import deciding, transit
from settlement.bank.reading import Place
from settlement.pages import bank_queries
from settlement.pages.frame import FINANCE, RECONCILE, bank_tabs, member_names, people
from settlement.pages.words import LEGS, RULES

ON_A_PAGE: Final = 20
LONGEST_NOTE: Final = 500


class NoteForm(msgspec.Struct):
    """Why something is done."""

    note: str = ""


@get("/bank/reconcile", opt=FINANCE, include_in_schema=False)
async def show_reconcile(
    page: NamedDependency[Page], session: NamedDependency[AsyncSession], cursor: Cursor = None
) -> Html:
    """Suggestions, what waits on either side, and what is matched."""
    page.active = "bank"
    before = decode_cursor(cursor, Place)
    rows = await bank_queries.matched(session, before=before, most=ON_A_PAGE + 1)
    shown, following = cut_page(rows, ON_A_PAGE, lambda row: Place(row.id))
    waiting = (await transit.in_transit(session))[:200]
    return page.render(
        "settlement/reconcile.html",
        tabs=bank_tabs(page, RECONCILE),
        suggested=await bank_queries.suggested(session),
        legs=waiting,
        own=(await transit.own_in_transit(session))[:200],
        names=await member_names(session, {each.member_id for each in waiting}),
        lines=await bank_queries.open_lines(session),
        matched=shown,
        settlements=await bank_queries.settlement_references(
            session, [each.leg for each in shown if each.leg]
        ),
        people=await people(session, [each.match.actor for each in shown if each.match]),
        next=following,
        rules=RULES,
        leg_statuses=LEGS,
        longest=LONGEST_NOTE,
    )


@post(
    "/bank/suggestions/{suggestion_id:uuid}/{answer:str}",
    opt=FINANCE,
    include_in_schema=False,
    status_code=HTTPStatus.OK,
)
async def decide(
    suggestion_id: FromPath[UUID],
    answer: FromPath[str],
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> Html:
    """Take a suggestion or leave it."""
    if answer == "accept":
        await deciding.accept(session, suggestion_id, actor=principal.actor)
        notice = _l("Matched. The payment counts as paid.")
    elif answer == "refuse":
        await deciding.refuse(session, suggestion_id, actor=principal.actor)
        notice = _l("Left. It is not suggested again.")
    else:
        raise InvalidRequest("The form is not as we gave it; open the page again.")
    return page.redirect(RECONCILE, notice=notice)


@post(
    "/bank/matches/{match_id:uuid}/undo",
    opt=FINANCE,
    include_in_schema=False,
    status_code=HTTPStatus.OK,
)
async def undo(
    match_id: FromPath[UUID],
    data: URLEncodedBody[NoteForm],
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> Html:
    """Undo a match: its line waits again, its payment counts as come back."""
    note = data.note[:LONGEST_NOTE].strip()
    if not note:
        raise InvalidRequest(page._(_l("Say why it is undone: it stays on record.")))
    await deciding.undo(session, match_id, actor=principal.actor, note=note)
    return page.redirect(RECONCILE, notice=_l("Undone. Its line waits to be explained again."))


ROUTES = [show_reconcile, decide, undo]
