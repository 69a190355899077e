"""What rails have heard of legs: those under way are due to be asked about, booked ones are asked.

A payment can be taken back months after it was booked: the rail tells so, and says when it is
asked whether it is true.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa

from marketplace.contract.rails import Booked, Returned
from marketplace.db import Database
from marketplace.rails import news
from marketplace.rails.news import News
from settlement.clearing import outcomes, repository
from settlement.clearing.domain import LegStatus
from settlement.clearing.models import SettlementLeg
from settlement.clearing.rails import MOST_LEGS, Rails, ask, contract_leg, makes_files
from settlement.errors import StatusChanged

log = logging.getLogger(__name__)

SYSTEM: Final = "system"


async def act(database: Database, rails: Rails) -> None:
    """Act on what was told, as much as one question holds. What cannot be answered now is asked
    again when everything else has had its turn."""
    async with database.begin() as session:
        told = await news.untold(session, most=MOST_LEGS)
        known = await repository.legs_by_reference(session, [each.reference for each in told])
    for slug in sorted({each.plugin for each in told}):
        own = [each for each in told if each.plugin == slug]
        legs = {ref: leg for ref, leg in known.items() if leg.rail == slug}
        await _act_on(database, rails, slug, own, legs)


async def _act_on(
    database: Database,
    rails: Rails,
    slug: str,
    told: Sequence[News],
    legs: dict[str, SettlementLeg],
) -> None:
    booked = [leg for leg in legs.values() if leg.status is LegStatus.BOOKED and not leg.batch_id]
    unanswered = await _ask_booked(database, rails, slug, booked)
    async with database.begin() as session:
        await session.execute(
            sa.update(SettlementLeg)
            .where(
                SettlementLeg.id.in_([leg.id for leg in legs.values()]),
                SettlementLeg.status.in_(repository.WITH_RAIL),
                SettlementLeg.batch_id.is_(None),
            )
            .values(due_at=sa.func.clock_timestamp())
        )
        await news.forget(session, [each for each in told if each.reference not in unanswered])
        await news.put_back(session, [each for each in told if each.reference in unanswered])


async def _ask_booked(
    database: Database, rails: Rails, slug: str, booked: Sequence[SettlementLeg]
) -> set[str]:
    """References of booked legs whose rail could not say what became of them."""
    rail = rails.get(slug)
    if not booked or rail is None or makes_files(rail):
        return {leg.reference for leg in booked} if rail is None else set()
    unanswered = set()
    for answer in await ask(rail.lookup, [contract_leg(leg) for leg in booked]):
        if isinstance(answer, Returned):
            try:
                async with database.begin() as session:
                    await outcomes.apply(session, answer, lookup=True, actor=SYSTEM)
            except StatusChanged as error:
                log.info("an answer for leg %s came too late: %s", answer.reference, error.detail)
            except Exception:
                log.exception("an answer for leg %s could not be written down", answer.reference)
                unanswered.add(answer.reference)
        elif not isinstance(answer, Booked):
            unanswered.add(answer.reference)
    return unanswered
