"""What counts against caps though its window is settled, because nobody has paid it."""

from __future__ import annotations

from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.coalition.exposure import Carried
from marketplace.ledger.domain import ObligationKind
from marketplace.ledger.models import Obligation
from settlement.disputes.domain import LineAction, LineId
from settlement.disputes.models import DisputedLineSettled

COUNTED: Final = (ObligationKind.CAPTURE, ObligationKind.REFUND)
"""Obligations that count against an issuer's cap."""


async def of_lines(session: AsyncSession, settlement_id: UUID) -> list[Carried]:
    """What a settlement that is settled now leaves to be paid, and below zero what it pays of
    windows that others cover.

    A line may be taken in by a settlement that is done before the one that left it out: it is below
    zero for a while, and both come to nothing.
    """
    same = sa.and_(
        Obligation.wallet_id == DisputedLineSettled.wallet_id,
        Obligation.id == DisputedLineSettled.line_id,
    )
    rows = await session.execute(
        sa.select(DisputedLineSettled.action, Obligation)
        .join(Obligation, same)
        .where(DisputedLineSettled.settlement_id == settlement_id, Obligation.kind.in_(COUNTED))
        .order_by(Obligation.id, Obligation.wallet_id)
    )
    return [
        Carried(
            origin=str(LineId(row.wallet_id, row.id)),
            cause_id=settlement_id,
            member_id=row.issuer_id,
            currency=row.currency,
            micros=row.funded_micros if action is LineAction.FROZEN else -row.funded_micros,
        )
        for action, row in rows
        if row.funded_micros
    ]
