"""SQL about the lots of a wallet: which go first, what expires when."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.clock import NOW
from marketplace.coalition.models import Member
from marketplace.ledger.domain import DRAW_ORDER
from marketplace.ledger.models import Lot

# The driver cannot read an infinite timestamp into a datetime.
FINITE_EXPIRY: Final = sa.case((sa.func.isfinite(Lot.expires_at), Lot.expires_at))


class LotRow(msgspec.Struct, frozen=True):
    """A lot of a wallet, with the name of its issuer."""

    id: int
    issuer: str
    reference: str
    points: int
    """As issued."""
    remaining: int
    currency: str
    effective_at: datetime
    expires_at: datetime | None
    """None: never."""


class MonthExpiry(msgspec.Struct, frozen=True):
    """Points that expire within one calendar month (UTC)."""

    month: datetime
    """Its first moment."""
    first_at: datetime
    """When the first of them expire."""
    points: int


def _lots(wallet_id: UUID) -> sa.Select[Any]:
    return (
        sa.select(
            Lot.id,
            Member.name,
            Lot.reference,
            Lot.points,
            Lot.remaining,
            Lot.currency,
            Lot.effective_at,
            FINITE_EXPIRY,
        )
        .join(Member, Member.id == Lot.issuer_id)
        .where(Lot.wallet_id == wallet_id)
    )


async def lots_by_id(
    session: AsyncSession, wallet_id: UUID, lot_ids: Iterable[int]
) -> dict[int, LotRow]:
    """These lots of a wallet."""
    rows = await session.execute(_lots(wallet_id).where(Lot.id.in_(list(lot_ids))))
    return {row[0]: LotRow(*row) for row in rows}


async def lots_in_draw_order(
    session: AsyncSession, wallet_id: UUID, *, limit: int
) -> Sequence[LotRow]:
    """Lots with points that have not expired, those that go first first."""
    order = sa.text(", ".join(f"lot.{column}" for column in DRAW_ORDER.split(", ")))
    query = _lots(wallet_id).where(Lot.open, Lot.expires_at > NOW).order_by(order).limit(limit)
    return [LotRow(*row) for row in await session.execute(query)]


async def expiries_by_month(
    session: AsyncSession, wallet_id: UUID, *, months: int
) -> list[MonthExpiry]:
    """What expires in the present calendar month and the `months` after it, by month."""
    month = sa.func.date_trunc("month", Lot.expires_at)
    horizon = sa.func.date_trunc("month", NOW) + sa.func.make_interval(0, months + 1)
    query = (
        sa.select(month, sa.func.min(Lot.expires_at), sa.func.sum(Lot.remaining))
        .where(Lot.wallet_id == wallet_id, Lot.open, Lot.expires_at > NOW)
        .where(Lot.expires_at < horizon)
        .group_by(month)
        .order_by(month)
    )
    rows = await session.execute(query)
    return [MonthExpiry(at, first, int(points)) for at, first, points in rows]
