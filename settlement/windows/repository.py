"""Reading windows."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.coalition.models import Member
from marketplace.errors import NotFound
from marketplace.ledger.models import SettlementWindow
from settlement.windows.service import WindowRow


class Place(msgspec.Struct, frozen=True, array_like=True):
    """Where a page of windows ends."""

    opened_at: datetime
    id: UUID


async def page(session: AsyncSession, *, before: Place | None, most: int) -> list[WindowRow]:
    """Up to `most` windows, newest first, from before a place."""
    found = (
        sa.select(SettlementWindow)
        .order_by(SettlementWindow.opened_at.desc(), SettlementWindow.id.desc())
        .limit(most)
    )
    if before is not None:
        place = sa.tuple_(SettlementWindow.opened_at, SettlementWindow.id)
        found = found.where(place < sa.tuple_(before.opened_at, before.id))
    return [_row(each) for each in await session.scalars(found)]


async def window(session: AsyncSession, window_id: UUID) -> WindowRow:
    """A window; NotFound where there is none."""
    found = await session.get(SettlementWindow, window_id)
    if found is None:
        raise NotFound(f"There is no window {window_id}.")
    return _row(found)


async def slugs(session: AsyncSession, member_ids: Iterable[UUID | None]) -> dict[UUID, str]:
    """Slugs of members."""
    wanted = {each for each in member_ids if each is not None}
    rows = await session.execute(sa.select(Member.id, Member.slug).where(Member.id.in_(wanted)))
    return {row.id: row.slug for row in rows}


def _row(row: SettlementWindow) -> WindowRow:
    return WindowRow(id=row.id, status=row.status, opened_at=row.opened_at, closed_at=row.closed_at)
