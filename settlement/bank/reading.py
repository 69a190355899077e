"""Statements as they were imported."""

from __future__ import annotations

from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from settlement.bank.models import BankAccount, BankStatement


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
