"""Brings legs to their rails and asks what became of them. Safe to run twice at once, and to be
killed anywhere.

Rails are asked outside any transaction. Before an online rail is asked to submit legs they are
marked unknown, and committed: whoever is killed meanwhile leaves legs that are looked up, never
legs that are submitted again without proof. Files are stored in the transaction that marks their
legs, so there is no file without its legs and no leg without its file.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.contract.rails import Direction, LegOutcome
from marketplace.db import Database
from marketplace.errors import MarketplaceError
from settlement.clearing import files, heard, legs, outcomes, paying, prefunding, repository
from settlement.clearing.domain import LegStatus, SettlementStatus
from settlement.clearing.models import Settlement, SettlementLeg
from settlement.clearing.rails import MOST_LEGS, Rails, ask, contract_leg, makes_files, rail_of
from settlement.errors import StatusChanged

log = logging.getLogger(__name__)

SYSTEM: Final = "system"
LEASE: Final = timedelta(minutes=10)
"""How long whoever submits legs is left alone before they are looked up: longer than any call."""
CLOCK: Final = sa.func.clock_timestamp()
FAULT: Final = "it could not be seen to, by a fault of ours that the log tells"


class Driven(msgspec.Struct):
    """What one pass did, in numbers of legs; `files` in numbers of files."""

    submitted: int = 0
    looked_up: int = 0
    files: int = 0
    waiting: list[str] = []
    """Why legs that could go did not, in words."""


async def drive(database: Database, rails: Rails, *, settlement_id: UUID | None = None) -> Driven:
    """Let every leg that can go, go, and ask about those that are due; of one settlement or all."""
    done = Driven()
    await heard.act(database, rails)
    async with database.begin() as session:
        ids = [settlement_id] if settlement_id else await repository.moving(session)
    for each in ids:
        trouble: list[str] = []
        try:
            await _drive_one(database, rails, each, done, trouble)
        except Exception:
            # Whatever it is, the others have their turn. Where the database is away, noting it ends
            # the pass.
            log.exception("settlement %s could not be driven", each)
            trouble.append(FAULT)
        await _note_trouble(database, each, "; ".join(trouble))
        done.waiting += trouble
    return done


async def _drive_one(
    database: Database, rails: Rails, settlement_id: UUID, done: Driven, trouble: list[str]
) -> None:
    async with database.begin() as session:
        due = await _due(session, settlement_id)
    await _each_rail(rails, due, trouble, lambda rail, some: _look_up(database, rail, some, done))
    async with database.begin() as session:
        ready = await _ready(session, settlement_id, trouble)

    async def go(rail: Any, some: list[SettlementLeg]) -> None:
        unfit = [leg.reference for leg in some if not fits(rail, leg)]
        if unfit:
            trouble.append(f"rail {rail.slug} cannot move {', '.join(unfit)}")
            return
        if makes_files(rail):
            made = await files.make(database, rail, settlement_id, some, actor=SYSTEM)
            done.files += len(made)
            done.submitted += len(some)
        else:
            await _submit(database, rail, some, done)

    await _each_rail(rails, ready, trouble, go)


async def _each_rail(
    rails: Rails, found: Sequence[SettlementLeg], trouble: list[str], work: Any
) -> None:
    """Work on the legs of each rail; what one refuses or lacks holds no other up."""
    by_rail: dict[str, list[SettlementLeg]] = {}
    for leg in found:
        by_rail.setdefault(leg.rail or "", []).append(leg)
    for slug, some in sorted(by_rail.items()):
        try:
            await work(rail_of(rails, slug), some)
        except StatusChanged:
            # Somebody else has just done it.
            continue
        except MarketplaceError as error:
            trouble.append(error.detail)


def fits(rail: Any, leg: SettlementLeg) -> bool:
    """Whether a rail can move a leg at all."""
    return leg.direction in rail.directions and (
        not rail.currencies or leg.currency in rail.currencies
    )


async def _ready(
    session: AsyncSession, settlement_id: UUID, trouble: list[str]
) -> list[SettlementLeg]:
    """Planned legs that may go now: debits, and credits once there is money for them."""
    settlement = await repository.find(session, settlement_id, lock=True)
    if settlement.status not in (*repository.MOVING, SettlementStatus.SETTLED):
        return []
    planned = [
        leg
        for leg in await repository.legs(session, settlement_id)
        if leg.status is LegStatus.PLANNED and leg.counterparty_id is None
    ]
    without = [leg for leg in planned if leg.rail is None]
    await paying.fix_accounts(session, without, settlement, or_refuse=False)
    if not settlement.keep_prefund:
        await prefunding.use(session, planned, actor=SYSTEM)
    waiting = [leg.reference for leg in planned if leg.status is LegStatus.PLANNED and not leg.rail]
    if waiting:
        trouble.append(f"no approved account for {', '.join(waiting)}")
    moment = (await session.execute(sa.select(CLOCK))).scalar_one()
    able = [
        leg
        for leg in planned
        if leg.status is LegStatus.PLANNED
        and leg.rail
        and (leg.due_at is None or leg.due_at <= moment)
    ]
    covered = await _covered(session, settlement, able, trouble)
    return [leg for leg in able if leg.direction is Direction.COLLECT or leg.currency in covered]


async def _covered(
    session: AsyncSession, settlement: Settlement, able: list[SettlementLeg], trouble: list[str]
) -> set[str]:
    """Currencies whose creditors may be paid now."""
    currencies = {leg.currency for leg in able if leg.direction is Direction.PAY}
    if settlement.pay_before_collected:
        return currencies
    covered = set()
    for currency in sorted(currencies):
        if await paying.lacking(session, settlement, currency):
            trouble.append(f"creditors in {currency} wait until what debtors owe is there")
        else:
            covered.add(currency)
    return covered


async def _due(session: AsyncSession, settlement_id: UUID) -> list[SettlementLeg]:
    """Legs with an online rail whose fate is asked for now."""
    found = await session.scalars(
        sa.select(SettlementLeg)
        .where(
            SettlementLeg.settlement_id == settlement_id,
            SettlementLeg.status.in_(repository.WITH_RAIL),
            SettlementLeg.rail.is_not(None),
            SettlementLeg.batch_id.is_(None),
            SettlementLeg.due_at <= CLOCK,
        )
        .order_by(SettlementLeg.reference)
    )
    return list(found)


async def _submit(
    database: Database, rail: Any, ready: Sequence[SettlementLeg], done: Driven
) -> None:
    for start in range(0, len(ready), MOST_LEGS):
        chunk = ready[start : start + MOST_LEGS]
        async with database.begin() as session:
            claimed = [await repository.leg(session, leg.id, lock=True) for leg in chunk]
            for leg in claimed:
                await legs.send(
                    session,
                    leg,
                    LegStatus.UNKNOWN,
                    actor=SYSTEM,
                    note=f"being submitted to {rail.slug}",
                    due_at=CLOCK + LEASE,
                )
            asked = [contract_leg(leg) for leg in claimed]
        answers = await ask(rail.submit, asked)
        done.submitted += len(asked)
        await _apply(database, answers, lookup=False)


async def _look_up(
    database: Database, rail: Any, due: Sequence[SettlementLeg], done: Driven
) -> None:
    for start in range(0, len(due), MOST_LEGS):
        chunk = due[start : start + MOST_LEGS]
        async with database.begin() as session:
            # Nobody else asks about them meanwhile.
            claimed = set(
                await session.scalars(
                    sa.update(SettlementLeg)
                    .where(
                        SettlementLeg.id.in_([leg.id for leg in chunk]),
                        SettlementLeg.status.in_(repository.WITH_RAIL),
                        SettlementLeg.due_at <= CLOCK,
                    )
                    .values(due_at=CLOCK + LEASE)
                    .returning(SettlementLeg.id)
                )
            )
        mine = [contract_leg(leg) for leg in chunk if leg.id in claimed]
        if mine:
            answers = await ask(rail.lookup, mine)
            done.looked_up += len(mine)
            await _apply(database, answers, lookup=True)


async def _apply(database: Database, answers: Sequence[LegOutcome], *, lookup: bool) -> None:
    """Each answer in a transaction of its own: one that comes too late, or that cannot be written
    down, harms no other. Its leg is asked about again."""
    for answer in answers:
        try:
            async with database.begin() as session:
                await outcomes.apply(session, answer, lookup=lookup, actor=SYSTEM)
        except StatusChanged as error:
            log.info("an answer for leg %s came too late: %s", answer.reference, error.detail)
        except Exception:
            log.exception("an answer for leg %s could not be written down", answer.reference)


async def _note_trouble(database: Database, settlement_id: UUID, words: str) -> None:
    async with database.begin() as session:
        await session.execute(
            sa.update(Settlement)
            .where(Settlement.id == settlement_id, Settlement.trouble != words)
            .values(trouble=words)
        )
