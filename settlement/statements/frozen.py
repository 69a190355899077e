"""Which lines are under dispute, and what settlements did with them.

Each but `fates` answers for one member: lines that do not concern it are left out.
"""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.coalition.models import Member
from settlement.clearing.models import Settlement
from settlement.disputes import repository
from settlement.disputes.domain import DisputeStatus, LineAction, LineId
from settlement.disputes.models import Dispute, DisputedLineSettled, DisputeLine


class Fate(msgspec.Struct, frozen=True):
    """What disputes did to a line."""

    disputed: bool = False
    """Under dispute now: whatever settles its window meanwhile leaves it out."""
    left_out_of: Settlement | None = None
    """The settlement of its window, which was made without it."""
    taken_in_by: Settlement | None = None
    """The later one that it was settled with."""


async def fates(session: AsyncSession, lines: Collection[LineId]) -> dict[LineId, Fate]:
    """What disputes did to these lines; those that were never disputed are left out."""
    asked = [(each.wallet_id, each.id) for each in lines]
    pair = sa.tuple_(DisputeLine.wallet_id, DisputeLine.line_id)
    held = (
        sa.select(DisputeLine.wallet_id, DisputeLine.line_id, Dispute.status)
        .join(Dispute, Dispute.id == DisputeLine.dispute_id)
        .where(DisputeLine.holds, pair.in_(asked))
    )
    found = {
        LineId(wallet_id, number): Fate(disputed=status is DisputeStatus.OPEN)
        for wallet_id, number, status in await session.execute(held)
    }
    place = sa.tuple_(DisputedLineSettled.wallet_id, DisputedLineSettled.line_id)
    noted = (
        sa.select(DisputedLineSettled, Settlement)
        .join(Settlement, Settlement.id == DisputedLineSettled.settlement_id)
        .where(place.in_(asked), repository.LIVE)
        .order_by(Settlement.id)
    )
    for row, settlement in await session.execute(noted):
        line = LineId(row.wallet_id, row.line_id)
        left_out = row.action is LineAction.FROZEN
        name = "left_out_of" if left_out else "taken_in_by"
        found[line] = msgspec.structs.replace(found.get(line, Fate()), **{name: settlement})
    return found


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
