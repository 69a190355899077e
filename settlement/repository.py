"""SQL of the clearing house."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from marketplace.coalition.models import Member
from marketplace.ledger.models import Obligation
from settlement.domain import Flow


class By(StrEnum):
    """What a period is."""

    MONTH = "month"
    """The month, in UTC, of the obligation's business time."""
    WINDOW = "window"
    """The settlement window it was posted into."""


async def flows(session: AsyncSession, by: By, since: datetime | None = None) -> list[Flow]:
    """Obligations, summed by period, currency, kind, funding, issuer and acceptor.

    All of them, or those whose business time is not before `since`.
    """
    period = (
        sa.func.to_char(sa.func.timezone("UTC", Obligation.effective_at), "YYYY-MM")
        if by is By.MONTH
        else sa.cast(Obligation.window_id, sa.Text)
    )
    # Summed before the members are looked up: a few rows are joined instead of all of them.
    summing = (
        sa.select(
            period.label("period"),
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
