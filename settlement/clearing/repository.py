"""SQL of settlements and their legs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from marketplace.coalition.models import Contract, Member
from marketplace.errors import NotFound, UsageError
from marketplace.ledger.domain import WindowStatus
from marketplace.ledger.models import SettlementWindow
from settlement.arrays import among
from settlement.clearing.domain import LegStatus, SettlementKind, SettlementStatus
from settlement.clearing.models import (
    CoveredWindow,
    SentBatch,
    SentFile,
    SettledFlow,
    SettledPosition,
    Settlement,
    SettlementLeg,
)
from settlement.clearing.netting import Flow, Party

REFERENCE_LOCK = 7_219_004_530
MATCHING_LOCK = 7_219_004_531
"""Advisory lock of whoever numbers a settlement."""
FAILED = (LegStatus.REJECTED, LegStatus.RETURNED)
WITH_RAIL = (LegStatus.SUBMITTED, LegStatus.ACCEPTED, LegStatus.UNKNOWN)
MOVING = (SettlementStatus.SUBMITTED, SettlementStatus.SETTLING)
SETTLED = SettlementStatus.SETTLED
VOUCHED = (
    SettlementStatus.APPROVED,
    SettlementStatus.SUBMITTED,
    SettlementStatus.SETTLING,
    SettlementStatus.SETTLED,
)


async def operator_id(session: AsyncSession) -> UUID:
    """The member that operates the coalition."""
    found = await session.scalar(sa.select(Member.id).where(Member.is_operator))
    if found is None:
        raise UsageError("No member is the operator: import the members first.")
    return found


async def names(session: AsyncSession, member_ids: Collection[UUID]) -> dict[UUID, Member]:
    """Members by id."""
    rows = await session.scalars(sa.select(Member).where(Member.id.in_(member_ids)))
    return {row.id: row for row in rows}


async def fee_bps(session: AsyncSession, contract_ids: Collection[UUID]) -> dict[UUID, int]:
    """Fees of contracts, in basis points."""
    rows = await session.execute(
        sa.select(Contract.id, Contract.fee_bps).where(Contract.id.in_(contract_ids))
    )
    return {row.id: row.fee_bps for row in rows}


async def closed_windows(session: AsyncSession) -> list[UUID]:
    """Windows that wait to be settled, oldest first."""
    return list(
        await session.scalars(
            sa.select(SettlementWindow.id)
            .where(SettlementWindow.status == WindowStatus.CLOSED)
            .order_by(SettlementWindow.opened_at, SettlementWindow.id)
        )
    )


async def next_reference(session: AsyncSession, year: int) -> str:
    """The next `S-2026-0001`; nobody else takes one before this transaction ends."""
    await session.execute(sa.select(sa.func.pg_advisory_xact_lock(REFERENCE_LOCK)))
    start = f"S-{year}-"
    last = await session.scalar(
        sa.select(
            sa.func.max(sa.cast(sa.func.substr(Settlement.reference, len(start) + 1), sa.Integer))
        ).where(Settlement.reference.like(start + "%"))
    )
    return f"{start}{(last or 0) + 1:04d}"


async def lock_matching(session: AsyncSession) -> None:
    """Whoever locks more than one settlement is alone with it until its transaction ends: matches
    lines, decides of one, takes answers of a bank, approves what covers another's payment."""
    await session.execute(sa.select(sa.func.pg_advisory_xact_lock(MATCHING_LOCK)))


async def find(session: AsyncSession, which: UUID | str, *, lock: bool = False) -> Settlement:
    """A settlement by id or reference; with `lock` nobody changes it before this transaction ends.

    Lock a settlement before its legs, everywhere.
    """
    column = Settlement.id if isinstance(which, UUID) else Settlement.reference
    query = sa.select(Settlement).where(column == which)
    if lock:
        query = query.with_for_update()
    found = await session.scalar(query.execution_options(populate_existing=True))
    if found is None:
        raise NotFound(f"There is no settlement {which}.")
    return found


async def settlements(session: AsyncSession) -> list[Settlement]:
    """All of them, newest first."""
    return list(
        await session.scalars(
            sa.select(Settlement).order_by(Settlement.made_at.desc(), Settlement.reference.desc())
        )
    )


async def moving(session: AsyncSession) -> list[UUID]:
    """Settlements with legs that may have something to do, oldest first."""
    return list(
        await session.scalars(
            sa.select(Settlement.id)
            .where(Settlement.status.in_([*MOVING, SettlementStatus.SETTLED]))
            .where(
                sa.exists().where(
                    SettlementLeg.settlement_id == Settlement.id,
                    SettlementLeg.status.in_([LegStatus.PLANNED, *WITH_RAIL]),
                )
            )
            .order_by(Settlement.made_at)
        )
    )


async def legs(
    session: AsyncSession, settlement_id: UUID, *, lock: bool = False
) -> list[SettlementLeg]:
    """The legs of a settlement, in the order of their references."""
    query = (
        sa.select(SettlementLeg)
        .where(SettlementLeg.settlement_id == settlement_id)
        .order_by(SettlementLeg.reference)
        .execution_options(populate_existing=True)
    )
    return list(await session.scalars(query.with_for_update() if lock else query))


async def leg(session: AsyncSession, leg_id: UUID, *, lock: bool = False) -> SettlementLeg:
    """A leg by id; with `lock`, its settlement is locked first."""
    query = sa.select(SettlementLeg).where(SettlementLeg.id == leg_id)
    if lock:
        owner = await session.scalar(
            sa.select(SettlementLeg.settlement_id).where(SettlementLeg.id == leg_id)
        )
        if owner is not None:
            await find(session, owner, lock=True)
        query = query.with_for_update()
    found = await session.scalar(query.execution_options(populate_existing=True))
    if found is None:
        raise NotFound(f"There is no leg {leg_id}.")
    return found


async def legs_by_reference(
    session: AsyncSession, references: Collection[str]
) -> dict[str, SettlementLeg]:
    """Legs by their references."""
    # PostgreSQL keeps no zero bytes in texts, so no reference of ours has one.
    wanted = [each for each in references if "\0" not in each]
    rows = await session.scalars(
        sa.select(SettlementLeg).where(among(SettlementLeg.reference, wanted))
    )
    return {row.reference: row for row in rows}


async def windows_of(session: AsyncSession, settlement_id: UUID) -> list[UUID]:
    """The windows that a settlement covers, or covered before it was aborted; oldest first."""
    return list(
        await session.scalars(
            sa.select(CoveredWindow.window_id)
            .join(SettlementWindow, SettlementWindow.id == CoveredWindow.window_id)
            .where(CoveredWindow.settlement_id == settlement_id)
            .order_by(SettlementWindow.opened_at, SettlementWindow.id)
        )
    )


async def positions(session: AsyncSession, settlement_id: UUID) -> list[SettledPosition]:
    """Positions by currency and party."""
    return list(
        await session.scalars(
            sa.select(SettledPosition)
            .where(SettledPosition.settlement_id == settlement_id)
            .order_by(SettledPosition.currency, SettledPosition.party, SettledPosition.member_id)
        )
    )


async def flows(session: AsyncSession, settlement_id: UUID) -> list[Flow]:
    """The gross matrix of a settlement, as it was netted."""
    rows = await session.scalars(
        sa.select(SettledFlow)
        .where(SettledFlow.settlement_id == settlement_id)
        .order_by(SettledFlow.currency, SettledFlow.payer_id, SettledFlow.payee_id)
    )
    return [
        Flow(
            row.currency,
            Party(row.payer, row.payer_id),
            Party(row.payee, row.payee_id),
            row.what,
            row.amount_micros,
        )
        for row in rows
    ]


async def family(session: AsyncSession, settlement: Settlement) -> list[UUID]:
    """A settlement and those that settle what its debtors failed to pay, aborted ones left out."""
    origin = settlement.origin_id or settlement.id
    found = await session.scalars(
        sa.select(Settlement.id).where(
            sa.or_(Settlement.id == origin, Settlement.origin_id == origin),
            Settlement.status != SettlementStatus.ABORTED,
        )
    )
    return list(found)


def _replaced(leg: Any) -> sa.ColumnElement[bool]:
    """Whether a failed leg was paid by another, or is covered by an approved default."""
    by, whose = aliased(SettlementLeg), aliased(Settlement)
    return sa.exists(
        sa.select(by.id)
        .join(whose, whose.id == by.settlement_id)
        .where(
            by.replaces_id == leg.id,
            sa.or_(
                # A chain of legs ends in one that is booked, and each is looked at by itself.
                whose.id == leg.settlement_id,
                sa.and_(whose.kind == SettlementKind.EXCEPTIONAL, whose.status.in_(VOUCHED)),
            ),
        )
    )


async def unfinished(session: AsyncSession, settlement_id: UUID) -> int:
    """How many legs of a settlement are neither booked nor replaced."""
    query = sa.select(sa.func.count()).where(
        SettlementLeg.settlement_id == settlement_id,
        SettlementLeg.status.not_in([LegStatus.BOOKED, LegStatus.CANCELLED]),
        sa.not_(sa.and_(SettlementLeg.status.in_(FAILED), _replaced(SettlementLeg))),
    )
    return (await session.execute(query)).scalar_one()


async def has_booked(session: AsyncSession, settlement_id: UUID) -> bool:
    """Whether the money of any leg has moved."""
    found = await session.scalar(
        sa.select(SettlementLeg.id)
        .where(
            SettlementLeg.settlement_id == settlement_id,
            SettlementLeg.amount_minor > 0,
            SettlementLeg.status.in_([LegStatus.BOOKED, LegStatus.RETURNED]),
        )
        .limit(1)
    )
    return found is not None


async def batches(session: AsyncSession, settlement_id: UUID) -> list[SentBatch]:
    """Batches of a settlement, oldest first."""
    return list(
        await session.scalars(
            sa.select(SentBatch)
            .where(SentBatch.settlement_id == settlement_id)
            .order_by(SentBatch.made_at, SentBatch.reference)
        )
    )


async def files(
    session: AsyncSession, settlement_id: UUID, batch_ids: Sequence[UUID] | None = None
) -> list[SentFile]:
    """Files of a settlement, oldest first."""
    query = sa.select(SentFile).where(SentFile.settlement_id == settlement_id)
    if batch_ids is not None:
        query = query.where(SentFile.batch_id.in_(batch_ids))
    return list(await session.scalars(query.order_by(SentFile.made_at, SentFile.name)))
