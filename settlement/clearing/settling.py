"""What a settlement becomes when its legs are booked."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.coalition.exposure import change_exposures, hold_openings
from marketplace.ledger.domain import WindowStatus
from marketplace.ledger.models import SettlementWindow
from marketplace.ledger.totals import totals
from settlement import history
from settlement.clearing import carrying, repository
from settlement.clearing.carrying import COUNTED
from settlement.clearing.domain import SettlementStatus
from settlement.clearing.models import Settlement


async def progress(
    session: AsyncSession, settlement_id: UUID, *, actor: str, also: Collection[UUID] = ()
) -> None:
    """Settling once a leg is booked; settled once no leg is left, with its windows.

    The settlement is locked by the caller. One that is settled stays so, whatever comes back; only
    what counts against caps follows. `also`: members whose exposures the caller changes next.
    """
    settlement = await repository.find(session, settlement_id, lock=True)
    if settlement.status is SettlementStatus.SETTLED:
        await hold_openings(session)
        carried = await carrying.of_payments(session, settlement.id)
        await change_exposures(session, {}, carried, also=also)
        return
    left = await repository.unfinished(session, settlement.id)
    if settlement.status is SettlementStatus.SUBMITTED and (
        not left or await repository.has_booked(session, settlement.id)
    ):
        await move(session, settlement, SettlementStatus.SETTLING, actor=actor)
    if settlement.status is not SettlementStatus.SETTLING or left:
        return
    await move(session, settlement, SettlementStatus.SETTLED, actor=actor)
    await _settle_windows(session, settlement, actor, also)


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
    session: AsyncSession, settlement: Settlement, actor: str, also: Collection[UUID]
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
    lower: dict[UUID, int] = {}
    for total in await totals(session, window_ids):
        if total.kind in COUNTED:
            lower[total.issuer_id] = lower.get(total.issuer_id, 0) + total.funded_micros
    carried = await carrying.at_settling(session, settlement.id)
    await change_exposures(session, lower, carried, also=also)
