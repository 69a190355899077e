"""Liability for outstanding points, how fast they are burnt, and the run-off of a member."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.api import Chart, Html, Page, Series
from marketplace.coalition.domain import Funding
from marketplace.coalition.models import Contract
from marketplace.coalition.service import get_member
from marketplace.ledger.totals import Total, totals
from marketplace.web.formats import day as day_text
from settlement.pages.frame import FINANCE, names_by_slug
from settlement.pages.words import AGES
from settlement.runoff import service
from settlement.runoff.domain import AGE_NAMES, Outstanding
from settlement.windows.service import windows

RATE_OVER: Final = 24
"""Windows whose burns are drawn."""


class Owed(msgspec.Struct, kw_only=True):
    """What outstanding points of one issuer come to, in one currency."""

    issuer: str
    currency: str
    points: int = 0
    value_micros: int = 0
    pooled_micros: int = 0
    expected_breakage_micros: int = 0


def by_issuer(rows: Iterable[Outstanding]) -> list[Owed]:
    """Ages added up, by issuer and currency, in order."""
    found: dict[tuple[str, str], Owed] = {}
    for each in rows:
        key = (each.issuer, each.currency)
        owed = found.setdefault(key, Owed(issuer=each.issuer, currency=each.currency))
        owed.points += each.points
        owed.value_micros += each.value_micros
        owed.pooled_micros += each.pooled_micros
        owed.expected_breakage_micros += each.expected_breakage_micros
    return [found[key] for key in sorted(found)]


@get("/liability", opt=FINANCE, include_in_schema=False)
async def show_liability(
    page: NamedDependency[Page], session: NamedDependency[AsyncSession]
) -> Html:
    """What outstanding points are worth, by issuer and by age, and how fast they go."""
    page.active = "liability"
    found = await service.liability(session)
    return page.render(
        "settlement/liability.html",
        owed=by_issuer(found.by_age),
        history=found.history,
        names=await names_by_slug(session),
        ages=age_charts(page, found.by_age),
        rate=await _rate(page, session),
    )


def age_charts(page: Page, rows: Sequence[Outstanding]) -> list[Chart]:
    """The value of outstanding points by age, a chart for each currency."""
    charts = []
    for currency in sorted({each.currency for each in rows}):
        own = [each for each in rows if each.currency == currency]
        value = [_sum(own, age, "value_micros") for age in AGE_NAMES]
        broken = [_sum(own, age, "expected_breakage_micros") for age in AGE_NAMES]
        charts.append(
            Chart(
                title=page._("Outstanding points by age, in %(currency)s") % {"currency": currency},
                label=page._("Age"),
                labels=[page._(AGES[age]) for age in AGE_NAMES],
                series=[
                    Series(
                        page._("Expected to be burnt"),
                        [whole - part for whole, part in zip(value, broken, strict=True)],
                    ),
                    Series(page._("Expected to expire"), broken, "quiet"),
                ],
                currency=currency,
            )
        )
    return charts


def _sum(rows: Iterable[Outstanding], group: str, field: str) -> int:
    return sum(getattr(each, field) for each in rows if each.group == group)


async def _rate(page: Page, session: AsyncSession) -> Chart:
    rows = list(reversed((await windows(session))[:RATE_OVER]))
    found = await totals(session, [row.id for row in rows])
    mixed = set(
        await session.scalars(sa.select(Contract.id).where(Contract.funding == Funding.MIXED))
    )
    return rate_chart(page, [(row.id, row.opened_at) for row in rows], found, mixed)


def rate_chart(
    page: Page,
    rows: Sequence[tuple[UUID, datetime]],
    found: Iterable[Total],
    mixed: Collection[UUID | None] = (),
) -> Chart:
    """Points burnt (less given back) and expired in each window."""
    burnt = {window_id: 0 for window_id, _ in rows}
    expired = dict(burnt)
    for each in found:
        # Points of a mixed contract are in two obligations, and counted with that of the burn.
        if each.funding is Funding.ISSUANCE and each.contract_id in mixed:
            continue
        if each.kind == "expiry":
            expired[each.window_id] += each.points
        elif each.kind in ("capture", "refund"):
            burnt[each.window_id] += each.points
    return Chart(
        title=page._("Points burnt in each window"),
        label=page._("Window since"),
        labels=[day_text(opened_at) for _, opened_at in rows],
        series=[
            Series(page._("Burnt"), [max(each, 0) for each in burnt.values()]),
            Series(page._("Expired"), [max(each, 0) for each in expired.values()], "quiet"),
        ],
    )


@get("/liability/{member:str}", opt=FINANCE, include_in_schema=False)
async def show_run_off(
    member: FromPath[str], page: NamedDependency[Page], session: NamedDependency[AsyncSession]
) -> Html:
    """A member that leaves: what is left of its points, and what covers them."""
    page.active = "liability"
    found = await service.run_off(session, member)
    return page.render(
        "settlement/runoff.html",
        member=await get_member(session, member),
        found=found,
        ages=age_charts(page, found.by_age),
    )


ROUTES = [show_liability, show_run_off]
