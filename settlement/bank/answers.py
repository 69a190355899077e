"""What a bank says of the legs it was sent: taken, or refused. Said twice it changes nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import chain
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.contract.bank_records import BankAnswer, BatchStatus
from marketplace.contract.bank_records import LegStatus as LegAnswer
from settlement.arrays import among
from settlement.bank import files
from settlement.clearing import legs
from settlement.clearing.domain import LegStatus
from settlement.clearing.models import Settlement, SettlementLeg

WAITING: Final = (LegStatus.SUBMITTED, LegStatus.UNKNOWN)
REFUSABLE: Final = (*WAITING, LegStatus.ACCEPTED)


class Answered(msgspec.Struct, kw_only=True):
    """What became of answers: references of legs."""

    accepted: list[str] = []
    rejected: list[str] = []
    unchanged: list[str] = []
    """What they say was known, or says nothing yet."""
    strange: list[str] = []
    """Answers in words, that name nothing of ours or contradict what the bank said before."""


async def apply(
    session: AsyncSession, said: Sequence[LegAnswer | BatchStatus], *, actor: str
) -> Answered:
    """Accept and reject legs. What is said of one leg goes before what is said of its batch."""
    found = Answered()
    judged: set[UUID] = set()
    single = [each for each in said if isinstance(each, LegAnswer)]
    batches = [each for each in said if isinstance(each, BatchStatus)]
    known = await legs.by_reference(session, [each.reference for each in single if each.reference])
    by_instruction = await legs.by_reference(
        session, [each.instruction_id for each in single if each.instruction_id]
    )
    blocks = await files.legs_of(session, [_name(each) for each in batches])
    named = [*known.values(), *by_instruction.values(), *chain.from_iterable(blocks.values())]
    await _hold(session, named)
    for each in single:
        leg = known.get(each.reference) or by_instruction.get(each.instruction_id)
        if leg is None:
            said_of = each.reference or each.instruction_id or "without a reference"
            found.strange.append(f"{said_of}: there is no such leg")
            continue
        judged.add(leg.id)
        await _judge(session, leg, each, found, actor)
    # The whole file last: its blocks know better.
    for batch in sorted(batches, key=lambda each: not each.payment_information_id):
        await _judge_batch(session, batch, blocks.get(_name(batch), []), judged, found, actor)
    return found


async def _hold(session: AsyncSession, named: Sequence[SettlementLeg]) -> None:
    """Nobody else moves these legs before this transaction ends; they are as they are now."""
    owners = {leg.settlement_id for leg in named}
    ids = sa.select(Settlement.id).where(among(Settlement.id, owners)).order_by(Settlement.id)
    await session.execute(ids.with_for_update())
    again = sa.select(SettlementLeg).where(among(SettlementLeg.id, {leg.id for leg in named}))
    await session.execute(again.execution_options(populate_existing=True))


def _name(batch: BatchStatus) -> files.Name:
    return batch.payment_information_id, batch.original_message_id


async def _judge_batch(
    session: AsyncSession,
    batch: BatchStatus,
    members: Sequence[SettlementLeg],
    judged: set[UUID],
    found: Answered,
    actor: str,
) -> None:
    if batch.state in (BankAnswer.PENDING, BankAnswer.PARTIAL):
        return
    if not members:
        named = " ".join(filter(None, reversed(_name(batch)))) or "without an id"
        found.strange.append(f"{named}: there is no such file of payments")
    for leg in members:
        if leg.id not in judged:
            judged.add(leg.id)
            await _judge(session, leg, batch, found, actor)


async def _judge(
    session: AsyncSession,
    leg: SettlementLeg,
    said: LegAnswer | BatchStatus,
    found: Answered,
    actor: str,
) -> None:
    if said.state is BankAnswer.ACCEPTED and leg.status in WAITING:
        await legs.accept(session, leg.id, actor=actor, note=_words(said))
        found.accepted.append(leg.reference)
    elif said.state is BankAnswer.REJECTED and leg.status in REFUSABLE:
        await legs.reject(
            session, leg.id, reason=_words(said) or "the bank refused it", actor=actor
        )
        found.rejected.append(leg.reference)
    elif said.state is BankAnswer.REJECTED and leg.status is not LegStatus.REJECTED:
        found.strange.append(f"{leg.reference}: the bank refuses it, but it is {leg.status}")
    else:
        found.unchanged.append(leg.reference)


def _words(said: LegAnswer | BatchStatus) -> str:
    text = re.sub(r"[\s\0]+", " ", f"{said.code} {said.text}")
    return text.strip()[:500]
