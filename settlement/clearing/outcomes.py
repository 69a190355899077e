"""What a rail says became of a leg, written down."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.clock import now
from marketplace.contract.orders import NeverOrdered, Rejected, Retry, Unknown
from marketplace.contract.rails import Booked, LegOutcome, Returned, Submitted
from marketplace.letters import shown
from settlement.clearing import legs, repository
from settlement.clearing.domain import LegStatus
from settlement.clearing.models import SettlementLeg

SHORTEST_S: Final = 5
LONGEST_S: Final = 86_400
LONGEST_WORDS: Final = 500


def again(after_s: int) -> sa.ColumnElement[object]:
    """When to ask again, within reason."""
    seconds = min(max(after_s, SHORTEST_S), LONGEST_S)
    return sa.func.clock_timestamp() + timedelta(seconds=seconds)


def _words(reason: str) -> str:
    """What a rail says, as it may be stored and shown."""
    return shown(reason, LONGEST_WORDS)


async def apply(session: AsyncSession, answer: LegOutcome, *, lookup: bool, actor: str) -> None:
    """Write down what `submit` or `lookup` answered for one leg.

    Only `NeverOrdered` of a look-up, for a leg whose submission nobody knows the end of, and
    `Retry` of `submit` itself let a leg be submitted again.
    """
    known = (await repository.legs_by_reference(session, [answer.reference])).get(answer.reference)
    if known is None:
        return
    leg = await repository.leg(session, known.id, lock=True)
    if isinstance(answer, Booked):
        await legs.book(
            session,
            leg.id,
            booked_on=answer.booked_on,
            rail_reference=answer.rail_reference,
            actor=actor,
        )
    elif isinstance(answer, Returned):
        await _returned(session, leg, answer, actor)
    elif isinstance(answer, Rejected):
        await legs.reject(session, leg.id, reason=_words(answer.reason), actor=actor)
    elif isinstance(answer, Submitted):
        await _submitted(session, leg, answer, actor)
    else:
        await _open(session, leg, answer, lookup=lookup, actor=actor)


async def _submitted(
    session: AsyncSession, leg: SettlementLeg, answer: Submitted, actor: str
) -> None:
    due_at = again(answer.after_s)
    if leg.status is not LegStatus.UNKNOWN:
        await legs.wait(session, leg, due_at)
        return
    await legs.move(
        session,
        leg,
        LegStatus.SUBMITTED,
        actor=actor,
        rail_reference=answer.rail_reference,
        due_at=due_at,
    )


async def _returned(
    session: AsyncSession, leg: SettlementLeg, answer: Returned, actor: str
) -> None:
    """It moved and came back; both are in the books."""
    if leg.status is not LegStatus.BOOKED:
        await legs.book(
            session,
            leg.id,
            booked_on=(await now(session)).date(),
            rail_reference=answer.rail_reference,
            actor=actor,
        )
    await legs.return_(session, leg.id, reason=_words(answer.reason), actor=actor)


async def _open(
    session: AsyncSession,
    leg: SettlementLeg,
    answer: Retry | Unknown | NeverOrdered,
    *,
    lookup: bool,
    actor: str,
) -> None:
    """Nothing is known for sure, or it is certain that nothing was taken."""
    after_s = getattr(answer, "after_s", SHORTEST_S)
    proof = isinstance(answer, NeverOrdered if lookup else Retry)
    if proof and leg.status is LegStatus.UNKNOWN:
        note = "the rail never had it" if lookup else _words(getattr(answer, "reason", ""))
        due_at = None if lookup else again(after_s)
        await legs.not_taken(session, leg, LegStatus.PLANNED, actor=actor, note=note, due_at=due_at)
    else:
        await legs.wait(session, leg, again(after_s))
