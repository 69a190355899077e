"""Matches that are not certain: a person takes them or leaves them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any, Final
from uuid import UUID

import msgspec
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

MOST_LINES: Final = 100_000
MOST_ALIKE: Final = 50
"""Legs of one amount and one other side; where there are more, none of them is suggested."""


class _Asked(msgspec.Struct, frozen=True):
    """What is asked of an open line."""

    id: UUID
    currency: str
    amount_micros: int
    booked_on: date
    counterparty_account: str
    counterparty_name: str


class _Pair(msgspec.Struct, frozen=True):
    line_id: UUID
    leg: SettlementLeg
    confidence: int
    words: str


async def suggest(session: AsyncSession, near_days: int) -> int:
    """Pairs of open lines and awaited legs whose amount, date and other side agree, where no other
    line and no other leg does; returns how many are new."""
    rows = [
        {
            "id": uuid7(),
            "entry_id": pair.line_id,
            "leg_id": pair.leg.id,
            "rule": Rule.AMOUNT_AND_PARTY,
            "confidence": pair.confidence,
            "reason": pair.words.format(pair.leg.reference),
            "status": SuggestionStatus.PROPOSED,
            "made_at": NOW,
        }
        for pair in await _pairs(session, near_days)
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


async def _pairs(session: AsyncSession, near_days: int) -> list[_Pair]:
    """Pairs of a line and a leg that are each other's only ones."""
    wanted = await _awaited(session)
    if not wanted:
        return []
    found: list[_Pair] = []
    crowds = [legs for legs in wanted.values() if len(legs) > MOST_ALIKE]
    crowded = {leg.id for legs in crowds for leg in legs}
    times: Counter[UUID] = Counter()
    for line in await _asked(session, {amount for _, amount, _ in wanted}):
        fitting = _fitting(line, wanted, near_days)
        times.update(pair.leg.id for pair in fitting)
        if len(fitting) == 1:
            found += fitting
    return [pair for pair in found if times[pair.leg.id] == 1 and pair.leg.id not in crowded]


async def _awaited(session: AsyncSession) -> dict[tuple[str, int, str], list[SettlementLeg]]:
    """Legs whose money may come, by currency, amount, and what tells their member's side."""
    legs = await session.scalars(
        sa.select(SettlementLeg).where(
            SettlementLeg.status.in_(lines.AWAITED),
            SettlementLeg.amount_minor > 0,
            SettlementLeg.counterparty_id.is_(None),
        )
    )
    found: dict[tuple[str, int, str], list[SettlementLeg]] = {}
    for leg in legs:
        for side in cascade.sides(leg):
            found.setdefault((leg.currency, lines.expected(leg), side), []).append(leg)
    return found


async def _asked(session: AsyncSession, amounts: Collection[int]) -> list[_Asked]:
    rows = await session.execute(
        sa.select(*(getattr(BankLine, name) for name in _Asked.__struct_fields__))
        .join(LineState, LineState.entry_id == BankLine.id)
        .where(LineState.status == LineStatus.OPEN, among(BankLine.amount_micros, amounts))
        .limit(MOST_LINES)
    )
    return [_Asked(*row) for row in rows]


def _fitting(
    line: _Asked, wanted: Mapping[tuple[str, int, str], list[SettlementLeg]], near_days: int
) -> list[_Pair]:
    """The legs that a line may be the money of; none where that is anybody's guess."""
    account, name = line.counterparty_account, cascade.plain_name(line.counterparty_name)
    found: dict[UUID, _Pair] = {}
    for side in filter(None, (account, name)):
        legs = wanted.get((line.currency, line.amount_micros, side), ())
        if len(legs) > MOST_ALIKE:
            return []
        for leg in legs:
            near = abs((line.booked_on - leg.due_on).days) <= near_days
            if near and (why := cascade.alike(account, name, leg)) is not None:
                found[leg.id] = _Pair(line.id, leg, *why)
    return list(found.values())


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
