"""Where finance comes in: one clear next action, and how members stand in the open window."""

from __future__ import annotations

from litestar import get
from litestar.di import NamedDependency
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.api import Html, Page
from marketplace.identity.domain import Principal
from marketplace.ledger.domain import WindowStatus
from marketplace.ledger.totals import totals
from settlement.clearing import repository
from settlement.clearing.domain import LegStatus, SettlementStatus
from settlement.clearing.drafting import netted
from settlement.clearing.models import Settlement
from settlement.domain import PartyKind
from settlement.pages.frame import FINANCE, in_order, member_names, party_name, waits_for_debtors
from settlement.pages.outlook import Standing, Window, tasks
from settlement.pages.waiting import waiting
from settlement.windows.service import windows

LOOKED_AT = 24
"""Windows that are looked at: two years of months."""
FINISHED = (SettlementStatus.SETTLED, SettlementStatus.ABORTED)


@get("/", opt=FINANCE, include_in_schema=False)
async def show_home(
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> Html:
    """What to do next, and who owes and is owed in the window that is open."""
    page.active = "settlement"
    rows = (await windows(session))[:LOOKED_AT]
    found = []
    for row in rows:
        watched = row.status in (WindowStatus.OPEN, WindowStatus.CLOSED)
        empty = watched and not await totals(session, [row.id])
        found.append(Window(str(row.id), row.status, row.opened_at, empty))
    unfinished = [
        await _standing(session, row)
        for row in await repository.settlements(session)
        if row.status not in FINISHED
    ]
    reader = principal.actor
    others = await waiting(session, reader)
    todo = tasks(unfinished, found, others, reader=reader, now=page.now)
    opened = next((row for row in rows if row.status is WindowStatus.OPEN), None)
    stand = (await netted(session, [opened.id])).positions if opened else []
    names = await member_names(session, {each.party.member_id for each in stand})
    return page.render(
        "settlement/home.html",
        tasks=todo,
        opened=opened,
        positions=in_order(
            (party_name(page, each.party.kind, names[each.party.member_id]), each, each.party.kind)
            for each in stand
            if each.net_micros or each.party.kind is PartyKind.MEMBER
        ),
    )


async def _standing(session: AsyncSession, row: Settlement) -> Standing:
    legs = await repository.legs(session, row.id)
    again = {leg.replaces_id for leg in legs}
    failed = [
        leg
        for leg in legs
        if leg.status in (LegStatus.REJECTED, LegStatus.RETURNED) and leg.id not in again
    ]
    return Standing(
        reference=row.reference,
        status=row.status,
        recorded_by=row.recorded_by,
        trouble="" if waits_for_debtors(legs) else row.trouble,
        failed=len(failed),
    )
