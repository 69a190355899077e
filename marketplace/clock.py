"""One clock for business time: the database's, plus an offset that tests and replays may set.

`marketplace_now()` in SQL is `statement_timestamp()` plus the offset in the one row of table
`clock`. Business times (effective_at, expiry, hold_until, offer dates) use it; `posted_at` and
technical due times use the real clock. Moving the clock is refused unless
`MARKETPLACE_CLOCK_TRAVEL=1`; without it `marketplace serve` does not start on a shifted clock.
"""

from __future__ import annotations

import time
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.errors import UsageError
from marketplace.models import Base


class Clock(Base):
    """The single row that holds the offset of business time from the database clock."""

    __tablename__ = "clock"
    __table_args__ = (sa.CheckConstraint("id = 1", name="clock_is_one_row"),)

    id: Mapped[int] = mapped_column(sa.SmallInteger, primary_key=True, autoincrement=False)
    # `offset` is reserved in SQL.
    shift: Mapped[timedelta] = mapped_column(sa.Interval, server_default="0")


_DATABASE_CLOCK = sa.text("select extract(epoch from clock_timestamp())::float8")
NOW = sa.func.marketplace_now(type_=sa.DateTime(timezone=True))


async def now(session: AsyncSession) -> datetime:
    """Business time, UTC."""
    moment: datetime = (await session.execute(sa.select(NOW))).scalar_one()
    return moment


async def shift(session: AsyncSession) -> timedelta:
    """How far business time is ahead of the database clock (zero in production)."""
    return (await session.execute(sa.select(Clock.shift))).scalar_one()


async def ahead_s(session: AsyncSession) -> float:
    """Seconds that the database's clock is ahead of this machine's; about zero as a rule."""
    theirs: float = (await session.execute(_DATABASE_CLOCK)).scalar_one()
    return theirs - time.time()


async def travel_to(session: AsyncSession, moment: datetime, *, allowed: bool) -> None:
    """Set business time to `moment` (aware) from now on; refused unless `allowed`."""
    if not allowed:
        raise UsageError("Moving the clock needs MARKETPLACE_CLOCK_TRAVEL=1 (tests, replays).")
    try:
        async with session.begin_nested():
            await session.execute(
                sa.update(Clock).values(shift=moment - sa.func.statement_timestamp())
            )
    except sa.exc.IntegrityError as error:
        # The trigger of a locked period; the only check that business time could break.
        raise UsageError(f"The clock cannot be set to {moment}: that period is locked.") from error


async def travel_back(session: AsyncSession) -> None:
    """Set business time to the database clock again."""
    await session.execute(sa.update(Clock).values(shift=timedelta(0)))
