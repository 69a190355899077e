"""SQL of disputes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.clock import NOW
from marketplace.coalition.domain import Funding
from marketplace.coalition.models import Contract
from marketplace.ledger.domain import ObligationKind
from marketplace.ledger.models import MemberDebt, Obligation
from settlement.clearing.domain import SettlementStatus
from settlement.clearing.models import CoveredWindow, Settlement
from settlement.disputes.domain import NO_WALLET, DisputeStatus, Line, LineAction, LineId
from settlement.disputes.models import Adjustment, Dispute, DisputedLineSettled, DisputeLine

SAME_LINE: Final = sa.and_(
    DisputedLineSettled.wallet_id == DisputeLine.wallet_id,
    DisputedLineSettled.line_id == DisputeLine.line_id,
)
HELD: Final = sa.func.count().filter(DisputedLineSettled.action == LineAction.RELEASED)
LEFT_OUT: Final = sa.func.count().filter(DisputedLineSettled.action == LineAction.FROZEN)
"""How often live settlements took a line in, and left it out, in groups of lines."""
LIVE: Final = Settlement.status != SettlementStatus.ABORTED


async def lines(session: AsyncSession, ids: Collection[LineId]) -> dict[LineId, Line]:
    """These obligations and debts, by line; those that do not exist are left out."""
    obligations = [(each.wallet_id, each.id) for each in ids if not each.is_debt]
    debts = [each.id for each in ids if each.is_debt]
    found: dict[LineId, Line] = {}
    if obligations:
        pair = sa.tuple_(Obligation.wallet_id, Obligation.id)
        for row in await session.scalars(sa.select(Obligation).where(pair.in_(obligations))):
            line = LineId(row.wallet_id, row.id)
            found[line] = _of_obligation(line, row)
    if debts:
        for debt in await session.scalars(sa.select(MemberDebt).where(MemberDebt.id.in_(debts))):
            line = LineId(NO_WALLET, debt.id)
            found[line] = _of_debt(line, debt)
    return found


def _of_obligation(line: LineId, row: Obligation) -> Line:
    return Line(
        line=line,
        window_id=row.window_id,
        kind=ObligationKind(row.kind),
        funding=Funding(row.funding),
        issuer_id=row.issuer_id,
        acceptor_id=row.acceptor_id,
        contract_id=row.contract_id,
        acceptor_contract_id=row.acceptor_contract_id,
        points=row.points,
        currency=row.currency,
        funded_micros=row.funded_micros,
        cost_micros=row.cost_micros,
        effective_at=row.effective_at,
        txid=row.txid,
    )


def _of_debt(line: LineId, row: MemberDebt) -> Line:
    return Line(
        line=line,
        window_id=row.window_id,
        kind=None,
        funding=None,
        issuer_id=row.debtor_id,
        acceptor_id=row.creditor_id,
        contract_id=None,
        acceptor_contract_id=None,
        points=0,
        currency=row.currency,
        funded_micros=row.amount_micros,
        cost_micros=row.amount_micros,
        effective_at=row.effective_at,
        txid=row.txid,
    )


async def contract_at(session: AsyncSession, member_id: UUID, at: datetime) -> Contract | None:
    """The member's contract in force at a moment, or its last one before."""
    return await session.scalar(
        sa.select(Contract)
        .where(Contract.member_id == member_id, Contract.valid_from <= at)
        .order_by(Contract.valid_from.desc())
        .limit(1)
    )


async def dispute_days(
    session: AsyncSession, member_ids: Collection[UUID], at: datetime
) -> dict[UUID, int]:
    """How many days each of these members has for disputes of what was closed at a moment."""
    rows = await session.execute(
        sa.select(Contract.member_id, Contract.dispute_days)
        .where(Contract.member_id.in_(member_ids), Contract.valid_from <= at)
        .ext(distinct_on(Contract.member_id))
        .order_by(Contract.member_id, Contract.valid_from.desc())
    )
    return {row[0]: row[1] for row in rows}


async def fee_bps(session: AsyncSession, contract_id: UUID | None) -> int:
    """The fee of a contract, in basis points."""
    found = await session.scalar(sa.select(Contract.fee_bps).where(Contract.id == contract_id))
    return found or 0


async def disputes(
    session: AsyncSession, member_id: UUID | None, status: DisputeStatus | None
) -> Sequence[Dispute]:
    """Disputes of one member or of all, newest first."""
    query = sa.select(Dispute).order_by(Dispute.opened_at.desc(), Dispute.id.desc())
    if member_id is not None:
        query = query.where(Dispute.member_id == member_id)
    if status is not None:
        query = query.where(Dispute.status == status)
    return (await session.scalars(query)).all()


async def overdue(session: AsyncSession) -> Sequence[Dispute]:
    """Open disputes whose deadline has passed, oldest first."""
    query = sa.select(Dispute).where(Dispute.status == DisputeStatus.OPEN, Dispute.decide_by <= NOW)
    return (await session.scalars(query.order_by(Dispute.decide_by))).all()


async def lines_of(
    session: AsyncSession, dispute_ids: Collection[UUID]
) -> dict[UUID, list[LineId]]:
    """The lines of each of these disputes, in order."""
    rows = await session.execute(
        sa.select(DisputeLine.dispute_id, DisputeLine.wallet_id, DisputeLine.line_id)
        .where(DisputeLine.dispute_id.in_(dispute_ids))
        .order_by(DisputeLine.wallet_id, DisputeLine.line_id)
    )
    found: dict[UUID, list[LineId]] = {each: [] for each in dispute_ids}
    for dispute_id, wallet_id, line_id in rows:
        found[dispute_id].append(LineId(wallet_id, line_id))
    return found


async def holding(session: AsyncSession, lines: Collection[LineId]) -> dict[LineId, Dispute]:
    """The dispute that each of these lines is or was decided in; those never disputed, or whose
    dispute was withdrawn, are left out."""
    pair = sa.tuple_(DisputeLine.wallet_id, DisputeLine.line_id)
    rows = await session.execute(
        sa.select(DisputeLine.wallet_id, DisputeLine.line_id, Dispute)
        .join(Dispute, Dispute.id == DisputeLine.dispute_id)
        .where(DisputeLine.holds, pair.in_([(each.wallet_id, each.id) for each in lines]))
    )
    return {LineId(row[0], row[1]): row[2] for row in rows}


async def adjustments_of(
    session: AsyncSession, dispute_ids: Collection[UUID]
) -> Sequence[tuple[Adjustment, MemberDebt]]:
    """The adjustments of these disputes with the debts they are booked as."""
    rows = await session.execute(
        sa.select(Adjustment, MemberDebt)
        .join(MemberDebt, MemberDebt.id == Adjustment.debt_id)
        .where(Adjustment.dispute_id.in_(dispute_ids))
        .order_by(Adjustment.line_id, Adjustment.part)
    )
    return [(row[0], row[1]) for row in rows]


async def frozen_lines(session: AsyncSession, window_ids: Sequence[UUID]) -> list[LineId]:
    """Lines of these windows that a settlement of them leaves out.

    Those under dispute now, and those that another live settlement has taken in already: it holds
    them although the one that had left them out was aborted.
    """
    disputed = (
        sa.select(DisputeLine.wallet_id, DisputeLine.line_id)
        .join(Dispute, Dispute.id == DisputeLine.dispute_id)
        .where(Dispute.status == DisputeStatus.OPEN, DisputeLine.window_id.in_(window_ids))
    )
    of_windows = (
        sa.select(sa.literal(1))
        .select_from(DisputeLine)
        .where(SAME_LINE, DisputeLine.window_id.in_(window_ids))
    )
    held_elsewhere = (
        sa.select(DisputedLineSettled.wallet_id, DisputedLineSettled.line_id)
        .join(Settlement, Settlement.id == DisputedLineSettled.settlement_id)
        .where(LIVE, sa.exists(of_windows))
        .group_by(DisputedLineSettled.wallet_id, DisputedLineSettled.line_id)
        .having(HELD > LEFT_OUT)
    )
    rows = await session.execute(disputed.union(held_elsewhere))
    return sorted(LineId(*row) for row in rows)


async def releasable_lines(session: AsyncSession, window_ids: Sequence[UUID]) -> list[LineId]:
    """Lines that live settlements left out and that a settlement of these windows is to hold.

    Nobody disputes them any more, and no live settlement holds them. A line that was upheld comes
    together with its adjustment, in a settlement of the window of that or in a later one.
    """
    under_dispute = (
        sa.select(sa.literal(1))
        .select_from(DisputeLine)
        .join(Dispute, Dispute.id == DisputeLine.dispute_id)
        .where(SAME_LINE, Dispute.status == DisputeStatus.OPEN)
    )
    covered = sa.select(CoveredWindow.window_id).where(CoveredWindow.live)
    adjusted_later = sa.select(sa.literal(1)).where(
        Adjustment.wallet_id == DisputedLineSettled.wallet_id,
        Adjustment.line_id == DisputedLineSettled.line_id,
        Adjustment.window_id.not_in(window_ids),
        Adjustment.window_id.not_in(covered),
    )
    rows = await session.execute(
        sa.select(DisputedLineSettled.wallet_id, DisputedLineSettled.line_id)
        .join(Settlement, Settlement.id == DisputedLineSettled.settlement_id)
        .where(LIVE, ~sa.exists(under_dispute), ~sa.exists(adjusted_later))
        .group_by(DisputedLineSettled.wallet_id, DisputedLineSettled.line_id)
        .having(LEFT_OUT > HELD)
        .order_by(DisputedLineSettled.wallet_id, DisputedLineSettled.line_id)
    )
    return [LineId(*row) for row in rows]


async def settlement_of(session: AsyncSession, window_ids: Sequence[UUID]) -> UUID | None:
    """The live settlement that covers these windows."""
    return await session.scalar(
        sa.select(CoveredWindow.settlement_id)
        .where(CoveredWindow.live, CoveredWindow.window_id.in_(window_ids))
        .limit(1)
    )


async def note_lines(
    session: AsyncSession, settlement_id: UUID, found: Sequence[LineId], action: LineAction
) -> None:
    """Write down what a settlement did with these lines."""
    rows: list[dict[str, Any]] = [
        {
            "settlement_id": settlement_id,
            "wallet_id": each.wallet_id,
            "line_id": each.id,
            "action": action,
        }
        for each in found
    ]
    if rows:
        await session.execute(sa.insert(DisputedLineSettled), rows)


async def adjusting(
    session: AsyncSession, lines: Collection[LineId], debt_ids: Collection[int]
) -> dict[int, LineId]:
    """The debts that undo these lines after disputes that were upheld, and which of these debts
    undo a line: the line, by debt."""
    pair = sa.tuple_(Adjustment.wallet_id, Adjustment.line_id)
    query = sa.select(Adjustment.debt_id, Adjustment.wallet_id, Adjustment.line_id).where(
        sa.or_(
            pair.in_([(each.wallet_id, each.id) for each in lines]),
            Adjustment.debt_id.in_(debt_ids),
        )
    )
    return {row[0]: LineId(row[1], row[2]) for row in await session.execute(query)}


async def adjusted(session: AsyncSession, lines: Collection[LineId]) -> set[LineId]:
    """Those of these lines that adjustments have undone."""
    pair = sa.tuple_(Adjustment.wallet_id, Adjustment.line_id)
    query = sa.select(Adjustment.wallet_id, Adjustment.line_id).where(
        pair.in_([(each.wallet_id, each.id) for each in lines])
    )
    return {LineId(*row) for row in await session.execute(query)}
