"""Statements as they were imported, matches as they were made."""

from __future__ import annotations

from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from settlement.bank.models import BankAccount, BankStatement, Match


class Place(msgspec.Struct, frozen=True):
    """Where a page of rows goes on: the id of the last one shown. Ids grow with time."""

    id: UUID


async def statements(
    session: AsyncSession, *, before: Place | None, most: int
) -> list[tuple[BankStatement, BankAccount]]:
    """Statements with their accounts, those imported last first."""
    query = (
        sa.select(BankStatement, BankAccount)
        .join(BankAccount, BankAccount.id == BankStatement.account_id)
        .order_by(BankStatement.id.desc())
        .limit(most)
    )
    if before is not None:
        query = query.where(BankStatement.id < before.id)
    return [(row[0], row[1]) for row in await session.execute(query)]


async def matches(
    session: AsyncSession,
    *,
    entry_id: UUID | None = None,
    leg_id: UUID | None = None,
    before: UUID | None,
    most: int,
) -> list[tuple[Match, UUID | None]]:
    """Matches, those made last first, each with the id of the contra that took it back; of one line
    or leg where that is given."""
    contra = sa.orm.aliased(Match)
    query = (
        sa.select(Match, contra.id)
        .outerjoin(contra, contra.undoes_id == Match.id)
        .order_by(Match.id.desc())
        .limit(most)
    )
    for column, wanted in ((Match.entry_id, entry_id), (Match.leg_id, leg_id)):
        if wanted is not None:
            query = query.where(column == wanted)
    if before is not None:
        query = query.where(Match.id < before)
    return [(row[0], row[1]) for row in await session.execute(query)]
