"""Who owes whom in a settlement, and from which windows an amount comes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.api import Flows, Html, Page
from marketplace.coalition.service import get_member
from settlement.clearing import repository as clearing
from settlement.clearing import views
from settlement.clearing.domain import FlowKind
from settlement.clearing.drafting import netted
from settlement.clearing.models import Settlement
from settlement.clearing.netting import Party
from settlement.clearing.schemas import FlowView
from settlement.domain import PartyKind
from settlement.pages.frame import FINANCE, SETTLEMENTS, WINDOWS, lines_query, party_name, picture
from settlement.windows import repository
from settlement.windows.service import WindowRow

Slug = Annotated[str, QueryParameter(max_length=100)]
Kind = Annotated[PartyKind, QueryParameter()]


async def windows_of(session: AsyncSession, ids: Sequence[UUID]) -> list[WindowRow]:
    """The windows, oldest first."""
    found = [await repository.window(session, each) for each in ids]
    return sorted(found, key=lambda each: each.opened_at)


async def pictures(page: Page, session: AsyncSession, row: Settlement) -> list[Flows]:
    """Who owes whom, a picture for each currency; each amount leads to what it is made of."""
    sums: dict[str, dict[tuple[str, str], tuple[int, str]]] = {}
    covered = await clearing.windows_of(session, row.id)
    flows = (await views.matrix(session, row)).flows
    # Where there is more than a fee between two, that says which lines they are.
    for each in sorted(flows, key=lambda flow: flow.what is not FlowKind.FEE):
        pair = (
            party_name(page, each.payer_party, each.payer.name),
            party_name(page, each.payee_party, each.payee.name),
        )
        of_currency = sums.setdefault(each.currency, {})
        before, _ = of_currency.get(pair, (0, ""))
        of_currency[pair] = before + each.amount_micros, _behind(row.reference, covered, each)
    return [picture(page, currency, sums[currency]) for currency in sorted(sums)]


def _behind(reference: str, covered: Sequence[UUID], flow: FlowView) -> str:
    """Where the lines of a flow are; of several windows, how much of it is in each."""
    if len(covered) == 1:
        payer, payee = (flow.payer_party, flow.payer.slug), (flow.payee_party, flow.payee.slug)
        query = lines_query(flow.what, payer, payee)
        return f"{WINDOWS}/{covered[0]}/lines?{query}"
    query = f"debtor={flow.payer.slug}&payer={flow.payer_party.value}"
    query += f"&creditor={flow.payee.slug}&payee={flow.payee_party.value}"
    return f"{SETTLEMENTS}/{reference}/between?{query}" if covered else ""


@get("/settlements/{reference:str}/between", opt=FINANCE, include_in_schema=False)
async def show_between(
    reference: FromPath[str],
    page: NamedDependency[Page],
    session: NamedDependency[AsyncSession],
    debtor: Slug,
    payer: Kind,
    creditor: Slug,
    payee: Kind,
) -> Html:
    """What one party owes another, window by window; each leads to its lines."""
    page.active = "settlements"
    row = await clearing.find(session, reference)
    owes = await get_member(session, debtor)
    owed = await get_member(session, creditor)
    pair = (Party(payer, owes.id), Party(payee, owed.id))
    found, sums, what = [], dict[str, int](), FlowKind.FEE
    for window in await windows_of(session, await clearing.windows_of(session, row.id)):
        here: dict[str, int] = {}
        for flow in (await netted(session, [window.id])).flows:
            if (flow.payer, flow.payee) == pair:
                here[flow.currency] = here.get(flow.currency, 0) + flow.amount_micros
                what = flow.what if what is FlowKind.FEE else what
        for currency, micros in sorted(here.items()):
            found.append((window, currency, micros))
            sums[currency] = sums.get(currency, 0) + micros
    return page.render(
        "settlement/between.html",
        settlement=row,
        payer=party_name(page, payer, owes.name),
        payee=party_name(page, payee, owed.name),
        windows=found,
        sums=sums,
        query=lines_query(what, (payer, debtor), (payee, creditor)),
    )


ROUTES = [show_between]
