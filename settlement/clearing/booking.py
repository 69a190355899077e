"""Many legs are booked at once, as `legs.book` books one: what a statement of a busy day takes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from settlement import history
from settlement.arrays import among
from settlement.clearing import books, settling
from settlement.clearing.domain import LegStatus, PostingCode
from settlement.clearing.legs import BANK_KNOWS, PAYABLE
from settlement.clearing.models import Settlement, SettlementLeg
from settlement.errors import StatusChanged


class Booking(msgspec.Struct, frozen=True, kw_only=True):
    """The whole amount of a leg has moved."""

    leg: SettlementLeg
    booked_on: date
    entry_id: UUID
    bank_account_id: UUID
    note: str


async def book_many(session: AsyncSession, bookings: Sequence[Booking], *, actor: str) -> None:
    """Book legs that are with a rail, each once, in a few statements for all of them.

    StatusChanged where one is not with a rail any more, or its settlement is not on its way:
    then the caller takes back what was done, and books them one by one.
    """
    wanted = {each.leg.id: each for each in bookings}
    owners = sorted({each.leg.settlement_id for each in bookings}, key=str)
    await _lock_settlements(session, owners)
    before = await _lock_legs(session, list(wanted))
    await _update(session, list(wanted.values()))
    await history.record_many(
        session,
        [
            history.Change(
                subject=history.Subject.LEG,
                id=leg_id,
                before=before[leg_id],
                after=LegStatus.BOOKED,
                actor=actor,
                note=each.note,
            )
            for leg_id, each in wanted.items()
        ],
    )
    await books.post(session, [_posting(each) for each in wanted.values()])
    for owner in owners:
        await settling.progress(session, owner, actor=actor)


async def _lock_settlements(session: AsyncSession, ids: Sequence[UUID]) -> None:
    rows = await session.scalars(
        sa.select(Settlement)
        .where(among(Settlement.id, ids))
        .order_by(Settlement.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    for each in rows:
        if each.status not in PAYABLE:
            raise StatusChanged(f"Settlement {each.reference} is {each.status}. Look again.")


async def _lock_legs(session: AsyncSession, ids: Sequence[UUID]) -> dict[UUID, LegStatus]:
    rows = await session.execute(
        sa.select(SettlementLeg.id, SettlementLeg.status)
        .where(among(SettlementLeg.id, ids))
        .order_by(SettlementLeg.id)
        .with_for_update()
    )
    found = {row.id: row.status for row in rows}
    if len(found) < len(ids) or not set(found.values()) <= set(BANK_KNOWS):
        raise StatusChanged("A leg of a statement went on meanwhile. Look again.")
    return found


async def _update(session: AsyncSession, bookings: Sequence[Booking]) -> None:
    ids = sa.cast([each.leg.id for each in bookings], ARRAY(sa.Uuid))
    days = sa.cast([each.booked_on for each in bookings], ARRAY(sa.Date))
    given = sa.select(
        sa.func.unnest(ids).label("id"), sa.func.unnest(days).label("booked_on")
    ).subquery()
    done = await session.execute(
        sa.update(SettlementLeg)
        .where(SettlementLeg.id == given.c.id, SettlementLeg.status.in_(BANK_KNOWS))
        .values(status=LegStatus.BOOKED, booked_on=given.c.booked_on, due_at=None)
        .returning(SettlementLeg.id)
        .execution_options(synchronize_session=False)
    )
    if len(done.all()) != len(bookings):
        raise StatusChanged("A leg of a statement went on meanwhile. Look again.")


def _posting(booking: Booking) -> books.PostingRow:
    leg = booking.leg
    far = books.far_side(leg, booking.bank_account_id)
    return books.of_leg(PostingCode.BOOK, leg, far, books.transit(leg), entry_id=booking.entry_id)
