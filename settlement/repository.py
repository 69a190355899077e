"""SQL of the clearing house."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from marketplace.coalition.models import Member
from marketplace.ledger.models import MemberDebt, Obligation
from settlement.domain import DebtFlow, Flow


class By(StrEnum):
    """What a period is."""

    MONTH = "month"
    """The month, in UTC, of the business time of the obligation or debt."""
    WINDOW = "window"
    """The settlement window it was posted into."""


def _period(by: By, table: type[Obligation] | type[MemberDebt]) -> sa.ColumnElement[str]:
    """The period of a row, as text."""
    if by is By.MONTH:
        return sa.func.to_char(sa.func.timezone("UTC", table.effective_at), "YYYY-MM")
    return sa.cast(table.window_id, sa.Text)


async def flows(session: AsyncSession, by: By, since: datetime | None = None) -> list[Flow]:
    """Obligations, summed by period, currency, kind, funding, issuer and acceptor.

    All of them, or those whose business time is not before `since`.
    """
    # Summed before the members are looked up: a few rows are joined instead of all of them.
    summing = (
        sa.select(
            _period(by, Obligation).label("period"),
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


async def debt_flows(
    session: AsyncSession, by: By, since: datetime | None = None
) -> list[DebtFlow]:
    """Debts between members outside burns, summed by period, currency and the two members.

    All of them, or those whose business time is not before `since`.
    """
    summing = sa.select(
        _period(by, MemberDebt).label("period"),
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
