"""What a settlement becomes when its legs are booked."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Final
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.coalition.exposure import Carried, change_exposures, hold_openings
from marketplace.ledger.domain import WindowStatus
from marketplace.ledger.models import SettlementWindow
from marketplace.ledger.totals import totals
from settlement import history
from settlement.clearing import carrying, repository
from settlement.clearing.carrying import COUNTED
from settlement.clearing.domain import SettlementStatus
from settlement.clearing.models import Settlement

TOGETHER: Final = "settlement.together"
"""In `session.info`: the `Together` of a block."""


class Became(msgspec.Struct):
    """What is to change of caps, because of what settlements became."""

    lower: Counter[UUID] = msgspec.field(default_factory=Counter)
    carried: list[Carried] = []


class Together(msgspec.Struct):
    """Settlements of which it is said at the end what they become."""

    settlement_ids: set[UUID] = set()
    also: set[UUID] = set()
    """Members whose exposures the caller changes after that."""


@asynccontextmanager
async def together(session: AsyncSession, *, actor: str) -> AsyncIterator[Together]:
    """Within, legs of many settlements are booked or come back; what the settlements become is
    said at the end, for all of them at once.

    So every settlement is locked before the first exposure, as by whoever books one leg, and the
    exposures in one order. Else each of two could hold what the other waits for. Who locks several
    settlements holds `repository.lock_matching`, and nobody does so within another's block.
    """
    if (outer := session.info.get(TOGETHER)) is not None:
        yield outer
        return
    waiting = session.info[TOGETHER] = Together()
    try:
        yield waiting
    finally:
        del session.info[TOGETHER]
    if not waiting.settlement_ids and not waiting.also:
        return
    became = Became()
    if waiting.also:
        await hold_openings(session)
    for settlement_id in sorted(waiting.settlement_ids, key=str):
        await _become(session, settlement_id, became, actor)
    await change_exposures(session, became.lower, became.carried, also=waiting.also)


async def progress(
    session: AsyncSession, settlement_id: UUID, *, actor: str, also: Collection[UUID] = ()
) -> None:
    """Settling once a leg is booked; settled once no leg is left, with its windows.

    The settlement is locked by the caller. One that is settled stays so, whatever comes back; only
    what counts against caps follows. `also`: members whose exposures the caller changes next.
    """
    async with together(session, actor=actor) as waiting:
        waiting.settlement_ids.add(settlement_id)
        waiting.also.update(also)


async def _become(session: AsyncSession, settlement_id: UUID, became: Became, actor: str) -> None:
    settlement = await repository.find(session, settlement_id, lock=True)
    if settlement.status is SettlementStatus.SETTLED:
        await hold_openings(session)
        became.carried += await carrying.of_payments(session, settlement.id)
        return
    left = await repository.unfinished(session, settlement.id)
    if settlement.status is SettlementStatus.SUBMITTED and (
        not left or await repository.has_booked(session, settlement.id)
    ):
        await move(session, settlement, SettlementStatus.SETTLING, actor=actor)
    if settlement.status is not SettlementStatus.SETTLING or left:
        return
    await move(session, settlement, SettlementStatus.SETTLED, actor=actor)
    await _settle_windows(session, settlement, became, actor)


async def move(
    session: AsyncSession,
    settlement: Settlement,
    after: SettlementStatus,
    *,
    actor: str,
    note: str = "",
    **values: object,
) -> None:
    """Change the status of a settlement as it was read, and write it down."""
    change = history.Change(
        subject=history.Subject.SETTLEMENT,
        id=settlement.id,
        before=settlement.status,
        after=after,
        actor=actor,
        note=note,
    )
    await history.move(session, Settlement, change, **values)
    await session.refresh(settlement)


async def _settle_windows(
    session: AsyncSession, settlement: Settlement, became: Became, actor: str
) -> None:
    """Its windows are settled: what they captured counts against no cap any more, but for lines
    that it leaves out. Those of other windows that it takes in count no more either."""
    await hold_openings(session)
    window_ids = await repository.windows_of(session, settlement.id)
    for window_id in window_ids:
        change = history.Change(
            subject=history.Subject.WINDOW,
            id=window_id,
            before=WindowStatus.IN_SETTLEMENT,
            after=WindowStatus.SETTLED,
            actor=actor,
            note=settlement.reference,
        )
        await history.move(session, SettlementWindow, change)
    if not window_ids:
        return
    for total in await totals(session, window_ids):
        if total.kind in COUNTED:
            became.lower[total.issuer_id] += total.funded_micros
    became.carried += await carrying.at_settling(session, settlement.id)
