"""Where a member's people come in: how it stands, what comes next, how much of its cap is used."""

from __future__ import annotations

from collections.abc import Sequence

from litestar import get
from litestar.di import NamedDependency
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.api import Html, Page
from marketplace.ledger.domain import WindowStatus
from marketplace.runtime import Runtime
from marketplace.web.console import Console
from marketplace.web.paging import Cursor, cut_page, decode_cursor
from settlement.clearing import accounts, caps
from settlement.clearing.books import balances
from settlement.clearing.domain import AccountKind, PayAccountStatus
from settlement.console import outlook
from settlement.console.frame import CAP, HOME, IN_CONSOLE, tabs
from settlement.console.standing import Standing, exceptional, standings
from settlement.disputes import repository as disputes
from settlement.disputes.domain import DisputeStatus
from settlement.pages.words import SETTLEMENTS, WINDOWS
from settlement.statements.domain import Reader
from settlement.windows import repository
from settlement.windows.repository import Place

AT_ONCE = 6
"""Windows on a page: half a year of months."""


def reader_of(console: Console) -> Reader:
    """The member in question, as what is told about lines knows it."""
    return Reader(console.member_id, console.slug, console.is_operator)


@get("/partner", opt=IN_CONSOLE, include_in_schema=False)
async def show_overview(
    page: NamedDependency[Page],
    console: NamedDependency[Console],
    session: NamedDependency[AsyncSession],
    runtime: NamedDependency[Runtime],
    cursor: Cursor = None,
) -> Html:
    """The window that is open and those before it: who owes, and what happens when."""
    before = decode_cursor(cursor, Place)
    rows = await repository.page(session, before=before, most=AT_ONCE + 1)
    shown, following = cut_page(rows, AT_ONCE, lambda row: Place(row.opened_at, row.id))
    reader = reader_of(console)
    found = await standings(session, reader, shown, page.now)
    others = await exceptional(session, reader) if cursor is None else []
    uses = await caps.uses(session, console.member_id)
    missing = await _without_account(session, console, found) if runtime.rails else []
    waiting = await disputes.disputes(session, console.member_id, DisputeStatus.OPEN)
    return page.render(
        "settlement/console/overview.html",
        tabs=tabs(page, HOME),
        opened=next((each for each in found if each.status is WindowStatus.OPEN), None),
        closed=[each for each in found if each.status is not WindowStatus.OPEN],
        others=others,
        task=outlook.what_next(found, others, uses, missing, now=page.now),
        uses=uses,
        waiting=waiting,
        statuses=WINDOWS,
        settlement_statuses=SETTLEMENTS,
        next=following,
    )


async def _without_account(
    session: AsyncSession, console: Console, found: Sequence[Standing]
) -> list[str]:
    """Currencies in which the member owes or is owed, and has put no account forward."""
    known = {
        each.currency
        for each in await accounts.all_accounts(session, member_id=console.member_id)
        if each.status in (PayAccountStatus.ACTIVE, PayAccountStatus.PROPOSED)
    }
    due = {share.currency for each in found for share in each.shares if share.net_micros}
    return sorted(due - known)


@get("/partner/cap", opt=IN_CONSOLE, include_in_schema=False)
async def show_cap(
    page: NamedDependency[Page],
    console: NamedDependency[Console],
    session: NamedDependency[AsyncSession],
) -> Html:
    """How much the member may owe, how much of it is used, and what happens at the end of it."""
    return page.render(
        "settlement/console/cap.html",
        tabs=tabs(page, CAP),
        uses=await caps.uses(session, console.member_id),
        ahead=await balances(session, account=AccountKind.PREFUND, owner=console.member_id),
    )


ROUTES = [show_overview, show_cap]
