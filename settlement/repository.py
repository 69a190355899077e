"""SQL of the clearing house."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from marketplace.coalition.models import Member
from marketplace.ledger.models import MemberDebt, Obligation, SettlementWindow
from marketplace.ledger.totals import Total, totals
from settlement.domain import DebtFlow, Flow


class By(StrEnum):
    """What a period is."""

    MONTH = "month"
    """The month, in UTC, of the business time of the obligation or debt."""
    WINDOW = "window"
    """The settlement window it was posted into."""


def _month(table: type[Obligation] | type[MemberDebt]) -> sa.ColumnElement[str]:
    """The month of a row, in UTC, by business time."""
    return sa.func.to_char(sa.func.timezone("UTC", table.effective_at), "YYYY-MM")


async def window_flows(session: AsyncSession) -> list[Flow | DebtFlow]:
    """Everything committed, by window: from running totals and what they do not count yet."""
    ids = (await session.scalars(sa.select(SettlementWindow.id))).all()
    members = await session.execute(sa.select(Member.id, Member.slug))
    slug = {row.id: row.slug for row in members}
    return [_flow(each, slug) for each in await totals(session, ids, fresh=True)]


def _flow(total: Total, slug: dict[UUID, str]) -> Flow | DebtFlow:
    period, issuer = str(total.window_id), slug[total.issuer_id]
    acceptor = None if total.acceptor_id is None else slug[total.acceptor_id]
    if total.funding is None or total.kind == "debt":
        return DebtFlow(period, total.currency, issuer, acceptor or "", total.funded_micros)
    return Flow(
        period,
        total.currency,
        total.kind,
        total.funding,
        issuer,
        acceptor,
        total.funded_micros,
        total.cost_micros,
    )


async def flows(session: AsyncSession, since: datetime | None = None) -> list[Flow]:
    """Obligations, summed by month, currency, kind, funding, issuer and acceptor.

    All of them, or those whose business time is not before `since`.
    """
    # Summed before the members are looked up: a few rows are joined instead of all of them.
    summing = (
        sa.select(
            _month(Obligation).label("period"),
            Obligation.currency,
            Obligation.kind,
            Obligation.funding,
            Obligation.issuer_id,
            Obligation.acceptor_id,
            sa.func.sum(Obligation.funded_micros).label("funded"),
            sa.func.sum(Obligation.cost_micros).label("cost"),
        )
        # The period by its place: asyncpg numbers the parameters of two equal expressions apart.
        .group_by(
            sa.literal_column("1"),
            Obligation.currency,
            Obligation.kind,
            Obligation.funding,
            Obligation.issuer_id,
            Obligation.acceptor_id,
        )
    )
    if since is not None:
        summing = summing.where(Obligation.effective_at >= since)
    summed = summing.subquery()
    issuer, acceptor = aliased(Member), aliased(Member)
    rows = await session.execute(
        sa.select(
            summed.c.period,
            summed.c.currency,
            summed.c.kind,
            summed.c.funding,
            issuer.slug,
            acceptor.slug,
            summed.c.funded,
            summed.c.cost,
        )
        .join(issuer, issuer.id == summed.c.issuer_id)
        .outerjoin(acceptor, acceptor.id == summed.c.acceptor_id)
    )
    return [
        Flow(period, currency, kind, funding, payer, payee, int(funded), int(cost))
        for period, currency, kind, funding, payer, payee, funded, cost in rows
    ]


async def debt_flows(session: AsyncSession, since: datetime | None = None) -> list[DebtFlow]:
    """Debts between members outside burns, summed by month, currency and the two members.

    All of them, or those whose business time is not before `since`.
    """
    summing = sa.select(
        _month(MemberDebt).label("period"),
        MemberDebt.currency,
        MemberDebt.debtor_id,
        MemberDebt.creditor_id,
        sa.func.sum(MemberDebt.amount_micros).label("amount"),
    ).group_by(
        sa.literal_column("1"),
        MemberDebt.currency,
        MemberDebt.debtor_id,
        MemberDebt.creditor_id,
    )
    if since is not None:
        summing = summing.where(MemberDebt.effective_at >= since)
    summed = summing.subquery()
    debtor, creditor = aliased(Member), aliased(Member)
    rows = await session.execute(
        sa.select(summed.c.period, summed.c.currency, debtor.slug, creditor.slug, summed.c.amount)
        .join(debtor, debtor.id == summed.c.debtor_id)
        .join(creditor, creditor.id == summed.c.creditor_id)
    )
    return [
        DebtFlow(period, currency, payer, payee, int(amount))
        for period, currency, payer, payee, amount in rows
    ]
