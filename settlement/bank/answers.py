"""What a bank says of the legs it was sent: taken, refused, or what nobody knows the meaning of.

Said twice it changes nothing.
"""

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
from settlement.bank import breaking, files, unread
from settlement.bank.domain import BreakKind
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
    unknown: list[str] = []
    """Legs of which the bank says what nobody knows the meaning of: it is kept in their history,
    and a break while their money may still move."""
    strange: list[str] = []
    """Answers in words, that name nothing of ours or contradict what the bank said before."""


async def apply(
    session: AsyncSession, said: Sequence[LegAnswer | BatchStatus], *, actor: str
) -> Answered:
    """Accept and reject legs. What is said of one leg goes before what is said of its batch."""
    single = [each for each in said if isinstance(each, LegAnswer)]
    batches = [each for each in said if isinstance(each, BatchStatus)]
    known = await legs.by_reference(session, [each.reference for each in single if each.reference])
    by_instruction = await legs.by_reference(
        session, [each.instruction_id for each in single if each.instruction_id]
    )
    blocks = await files.legs_of(session, [_name(each) for each in batches])
    named = [*known.values(), *by_instruction.values(), *chain.from_iterable(blocks.values())]
    await _hold(session, named)
    judging = _Judging(session, actor)
    for each in single:
        leg = known.get(each.reference) or by_instruction.get(each.instruction_id)
        if leg is None:
            said_of = each.reference or each.instruction_id or "without a reference"
            judging.found.strange.append(f"{said_of}: there is no such leg")
            continue
        judging.judged.add(leg.id)
        await judging.leg(leg, each)
    # The whole file last: its blocks know better.
    for batch in sorted(batches, key=lambda each: not each.payment_information_id):
        await judging.batch(batch, blocks.get(_name(batch), []))
    await unread.keep(session, judging.unread, actor=actor)
    why = "the bank said what is known"
    await breaking.let_go(session, BreakKind.UNKNOWN_ANSWER, sorted(judging.known), why)
    return judging.found


async def _hold(session: AsyncSession, named: Sequence[SettlementLeg]) -> None:
    """Nobody else moves these legs before this transaction ends; they are as they are now."""
    owners = {leg.settlement_id for leg in named}
    ids = sa.select(Settlement.id).where(among(Settlement.id, owners)).order_by(Settlement.id)
    await session.execute(ids.with_for_update())
    again = sa.select(SettlementLeg).where(among(SettlementLeg.id, {leg.id for leg in named}))
    await session.execute(again.execution_options(populate_existing=True))


def _name(batch: BatchStatus) -> files.Name:
    return batch.payment_information_id, batch.original_message_id


class _Judging:
    """The answers of one file, one after the other."""

    def __init__(self, session: AsyncSession, actor: str) -> None:
        self._session, self._actor = session, actor
        self.found = Answered()
        self.judged: set[UUID] = set()
        self.unread: list[tuple[SettlementLeg, str]] = []
        self.known: set[UUID] = set()
        """Legs of which the last thing that is said is known."""

    async def batch(self, batch: BatchStatus, members: Sequence[SettlementLeg]) -> None:
        """What is said of a whole file or block is said of its legs that it says no more of."""
        if batch.state in (BankAnswer.PENDING, BankAnswer.PARTIAL):
            return
        if not members:
            named = " ".join(filter(None, reversed(_name(batch)))) or "without an id"
            self.found.strange.append(f"{named}: there is no such file of payments")
        for leg in members:
            if leg.id not in self.judged:
                self.judged.add(leg.id)
                await self.leg(leg, batch)

    async def leg(self, leg: SettlementLeg, said: LegAnswer | BatchStatus) -> None:
        """What is said of one leg."""
        if said.state is BankAnswer.UNKNOWN:
            self.known.discard(leg.id)
            self.found.unknown.append(leg.reference)
            self.unread.append((leg, _unread_words(said)))
        elif said.state is BankAnswer.ACCEPTED and leg.status in WAITING:
            await legs.accept(self._session, leg.id, actor=self._actor, note=_words(said))
            self.known.add(leg.id)
            self.found.accepted.append(leg.reference)
        elif said.state is BankAnswer.REJECTED and leg.status in REFUSABLE:
            reason = _words(said) or "the bank refused it"
            await legs.reject(self._session, leg.id, reason=reason, actor=self._actor)
            self.known.add(leg.id)
            self.found.rejected.append(leg.reference)
        elif said.state is BankAnswer.ACCEPTED:
            self.known.add(leg.id)
            self.found.unchanged.append(leg.reference)
        elif said.state is BankAnswer.REJECTED and leg.status is not LegStatus.REJECTED:
            self.found.strange.append(
                f"{leg.reference}: the bank refuses it, but it is {leg.status}"
            )
        else:
            self.found.unchanged.append(leg.reference)


def _words(said: LegAnswer | BatchStatus) -> str:
    text = re.sub(r"[\s\0]+", " ", f"{said.code} {said.text}")
    return text.strip()[:500]


def _unread_words(said: LegAnswer | BatchStatus) -> str:
    """What the bank says, with its own word and why."""
    status = re.sub(r"[\s\0]+", " ", said.status).strip()[:100]
    begin = f"the bank says {status}" if status else "the bank names it and says no status"
    why = _words(said)
    return f"{begin} ({why})" if why else begin
