"""Which lines are under dispute, and what settlements did with them.

Each answers for one member: lines that do not concern it are left out.
"""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.coalition.models import Member
from settlement.disputes import repository
from settlement.disputes.domain import DisputeStatus, LineAction, LineId
from settlement.disputes.models import Dispute, DisputedLineSettled, DisputeLine


async def disputed(
    session: AsyncSession, window_ids: Collection[UUID], member_id: UUID
) -> frozenset[str]:
    """Lines (`Line.line`) of these windows that are under dispute now."""
    found = (
        sa.select(DisputeLine.wallet_id, DisputeLine.line_id)
        .join(Dispute, Dispute.id == DisputeLine.dispute_id)
        .where(DisputeLine.window_id.in_(window_ids), Dispute.status == DisputeStatus.OPEN)
    )
    return await _concerning(session, found, member_id)


async def left_out(session: AsyncSession, settlement_id: UUID, member_id: UUID) -> frozenset[str]:
    """Lines that were under dispute when the settlement was made."""
    return await _concerning(session, _settled(settlement_id, LineAction.FROZEN), member_id)


async def taken_in(session: AsyncSession, settlement_id: UUID, member_id: UUID) -> frozenset[str]:
    """Lines of earlier windows, left out of their own settlement, that this one settles."""
    return await _concerning(session, _settled(settlement_id, LineAction.RELEASED), member_id)


def _settled(settlement_id: UUID, action: LineAction) -> sa.Select[UUID, int]:
    return sa.select(DisputedLineSettled.wallet_id, DisputedLineSettled.line_id).where(
        DisputedLineSettled.settlement_id == settlement_id, DisputedLineSettled.action == action
    )


async def _concerning(
    session: AsyncSession, found: sa.Select[UUID, int], member_id: UUID
) -> frozenset[str]:
    """Those that make the member owe or be owed; the operator has its margin in every reward."""
    ids = [LineId(*row) for row in await session.execute(found)]
    if not ids:
        return frozenset()
    operator = await session.scalar(sa.select(Member.is_operator).where(Member.id == member_id))
    return frozenset(
        str(name)
        for name, line in (await repository.lines(session, ids)).items()
        if member_id in (line.issuer_id, line.acceptor_id) or (operator and not name.is_debt)
    )
