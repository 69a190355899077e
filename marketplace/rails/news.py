"""News of rails: which legs are to be asked about now."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from marketplace.rails.models import RailNews

LONGEST: Final = 35
"""Characters of a leg's reference."""


class News(msgspec.Struct, frozen=True):
    """What one rail has told."""

    plugin: str
    reference: str
    told_at: datetime


def tell(session: Session, plugin: str, references: Sequence[str]) -> None:
    """Have a rail asked about these legs soon."""
    told = sorted({each for each in references if each and len(each) <= LONGEST})
    if not told:
        return
    now = sa.func.clock_timestamp()
    statement = insert(RailNews).values([{"plugin": plugin, "reference": each} for each in told])
    session.execute(
        statement.on_conflict_do_update(
            index_elements=[RailNews.plugin, RailNews.reference], set_={"told_at": now}
        )
    )


async def untold(session: AsyncSession, *, most: int) -> list[News]:
    """The oldest news that nobody has acted on."""
    rows = await session.execute(
        sa.select(RailNews.plugin, RailNews.reference, RailNews.told_at)
        .order_by(RailNews.told_at, RailNews.plugin, RailNews.reference)
        .limit(most)
    )
    return [News(*row) for row in rows]


async def put_back(session: AsyncSession, unanswered: Sequence[News]) -> None:
    """Nobody could say yet: it comes after all others that wait, so that it holds up none."""
    keys = [(each.plugin, each.reference) for each in unanswered]
    await session.execute(
        sa.update(RailNews)
        .where(sa.tuple_(RailNews.plugin, RailNews.reference).in_(keys))
        .values(told_at=sa.func.clock_timestamp())
    )


async def forget(session: AsyncSession, acted_on: Sequence[News]) -> None:
    """It was acted on; what was told again meanwhile stays."""
    for each in acted_on:
        await session.execute(
            sa.delete(RailNews).where(
                RailNews.plugin == each.plugin,
                RailNews.reference == each.reference,
                RailNews.told_at == each.told_at,
            )
        )
