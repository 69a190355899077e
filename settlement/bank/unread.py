"""Answers of banks that say of a leg what nobody knows the meaning of: kept with the leg for ever,
and a break while the bank may still move its money."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.clock import now
from settlement import history
from settlement.arrays import among
from settlement.bank import breaking, lines
from settlement.bank.domain import BreakKind, BreakStatus
from settlement.bank.models import Break
from settlement.clearing.legs import BANK_KNOWS
from settlement.clearing.models import SettlementLeg
from settlement.history import SettlementEvent, Subject


async def keep(
    session: AsyncSession, said: Sequence[tuple[SettlementLeg, str]], *, actor: str
) -> None:
    """Keep what the bank said of legs, as locked by the caller; said again it changes nothing."""
    fresh = await _not_kept(session, said)
    changes = [
        history.Change(
            subject=Subject.LEG,
            id=leg.id,
            before=leg.status,
            after=leg.status,
            actor=actor,
            note=words,
        )
        for leg, words in fresh
    ]
    await history.record_many(session, changes)
    today = (await now(session)).date()
    rows: dict[UUID, dict[str, Any]] = {
        leg.id: {
            "subject_id": leg.id,
            "leg_id": leg.id,
            "currency": leg.currency,
            "amount_micros": lines.expected(leg),
            "opened_on": today,
            "reason": f"{leg.reference}: {words}. Nobody knows what that means; ask the bank.",
        }
        for leg, words in fresh
        if leg.status in BANK_KNOWS
    }
    for each in await _resolved(session, rows):
        await breaking.open_(session, kind=BreakKind.UNKNOWN_ANSWER, undone=True, **rows[each])
    await breaking.keep_open(session, BreakKind.UNKNOWN_ANSWER, list(rows.values()))


async def _not_kept(
    session: AsyncSession, said: Sequence[tuple[SettlementLeg, str]]
) -> list[tuple[SettlementLeg, str]]:
    asked = {(leg.id, words): leg for leg, words in said}
    rows = await session.execute(
        sa.select(SettlementEvent.subject_id, SettlementEvent.note).where(
            SettlementEvent.subject == Subject.LEG,
            among(SettlementEvent.subject_id, {leg_id for leg_id, _ in asked}),
            among(SettlementEvent.note, {words for _, words in asked}),
        )
    )
    kept = {(row.subject_id, row.note) for row in rows}
    return [(leg, words) for (leg_id, words), leg in asked.items() if (leg_id, words) not in kept]


async def _resolved(session: AsyncSession, leg_ids: Collection[UUID]) -> set[UUID]:
    """Legs of which a person looked at another such answer before."""
    return set(
        await session.scalars(
            sa.select(Break.subject_id).where(
                Break.kind == BreakKind.UNKNOWN_ANSWER,
                Break.status == BreakStatus.RESOLVED,
                among(Break.subject_id, leg_ids),
            )
        )
    )


async def let_go(session: AsyncSession) -> None:
    """Breaks go once the bank has said what is known, or its statement has."""
    query = (
        sa.select(Break.subject_id)
        .join(SettlementLeg, SettlementLeg.id == Break.subject_id)
        .where(
            Break.kind == BreakKind.UNKNOWN_ANSWER,
            Break.status.in_(breaking.UNRESOLVED),
            SettlementLeg.status.not_in(BANK_KNOWS),
        )
    )
    gone = list(await session.scalars(query))
    await breaking.let_go(session, BreakKind.UNKNOWN_ANSWER, gone, "it is known how the leg fared")
