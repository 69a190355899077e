"""Matches that are not certain: a person takes them or leaves them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.clock import NOW
from marketplace.errors import NotFound
from marketplace.ids import uuid7
from settlement.arrays import among
from settlement.bank import cascade, lines
from settlement.bank.domain import LineStatus, Rule, SuggestionStatus
from settlement.bank.models import BankLine, LineState, Suggestion
from settlement.clearing.models import SettlementLeg

MOST_PAIRS: Final = 100_000


async def suggest(session: AsyncSession, near_days: int) -> int:
    """Pairs of open lines and awaited legs whose amount, date and other side agree, where no other
    line and no other leg does; returns how many are new."""
    pairs = await _pairs(session, near_days)
    by_line, by_leg = dict[UUID, int](), dict[UUID, int]()
    for line, leg, _, _ in pairs:
        by_line[line.id] = by_line.get(line.id, 0) + 1
        by_leg[leg.id] = by_leg.get(leg.id, 0) + 1
    rows = [
        {
            "id": uuid7(),
            "entry_id": line.id,
            "leg_id": leg.id,
            "rule": Rule.AMOUNT_AND_PARTY,
            "confidence": confidence,
            "reason": words.format(leg.reference),
            "status": SuggestionStatus.PROPOSED,
            "made_at": NOW,
        }
        for line, leg, confidence, words in pairs
        if by_line[line.id] == 1 and by_leg[leg.id] == 1
    ]
    fresh = 0
    for start in range(0, len(rows), lines.ROWS):
        made = await session.scalars(
            insert(Suggestion)
            .values(rows[start : start + lines.ROWS])
            .on_conflict_do_nothing(index_elements=["entry_id", "leg_id"])
            .returning(Suggestion.id)
        )
        fresh += len(made.all())
    await overtake_booked(session)
    return fresh


async def _pairs(
    session: AsyncSession, near_days: int
) -> list[tuple[BankLine, SettlementLeg, int, str]]:
    legs = await session.scalars(
        sa.select(SettlementLeg).where(
            SettlementLeg.status.in_(lines.AWAITED),
            SettlementLeg.amount_minor > 0,
            SettlementLeg.counterparty_id.is_(None),
        )
    )
    wanted: dict[tuple[str, int], list[SettlementLeg]] = {}
    for leg in legs:
        wanted.setdefault((leg.currency, lines.expected(leg)), []).append(leg)
    if not wanted:
        return []
    rows = await session.scalars(
        sa.select(BankLine)
        .join(LineState, LineState.entry_id == BankLine.id)
        .where(
            LineState.status == LineStatus.OPEN,
            among(BankLine.amount_micros, {amount for _, amount in wanted}),
        )
        .limit(MOST_PAIRS)
    )
    found = []
    for line in rows:
        for leg in wanted.get((line.currency, line.amount_micros), ()):
            near = abs((line.booked_on - leg.due_on).days) <= near_days
            if near and (why := cascade.alike(line, leg)) is not None:
                found.append((line, leg, *why))
    return found


async def overtake(session: AsyncSession, *, entry_ids: Sequence[UUID]) -> None:
    """Suggestions for lines that found another match."""
    if entry_ids:
        await _overtake(session, Suggestion.entry_id.in_(entry_ids))


async def overtake_booked(session: AsyncSession) -> None:
    """Suggestions for legs whose money is not awaited any more."""
    gone = sa.select(SettlementLeg.id).where(SettlementLeg.status.not_in(lines.AWAITED))
    await _overtake(session, Suggestion.leg_id.in_(gone))


async def _overtake(session: AsyncSession, which: Any) -> None:
    await session.execute(
        sa.update(Suggestion)
        .where(which, Suggestion.status == SuggestionStatus.PROPOSED)
        .values(status=SuggestionStatus.OVERTAKEN)
    )


async def find(session: AsyncSession, suggestion_id: UUID) -> Suggestion:
    """A suggestion by id, locked."""
    found = await session.scalar(
        sa.select(Suggestion)
        .where(Suggestion.id == suggestion_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if found is None:
        raise NotFound(f"There is no suggestion {suggestion_id}.")
    return found


async def suggestions(session: AsyncSession, *, limit: int = 200) -> list[Suggestion]:
    """What waits for a decision, surest first."""
    return list(
        await session.scalars(
            sa.select(Suggestion)
            .where(Suggestion.status == SuggestionStatus.PROPOSED)
            .order_by(Suggestion.confidence.desc(), Suggestion.id)
            .limit(limit)
        )
    )
