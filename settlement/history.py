"""Every change of a status: compare-and-set, with who made it and why, kept for ever."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.clock import NOW
from marketplace.ids import take_keys
from marketplace.models import INSERT_ONLY, text_enum, utc_timestamp
from settlement.base import SettlementBase
from settlement.errors import StatusChanged

ROWS: Final = 1_000
"""Rows sent to the database at once."""


class Subject(StrEnum):
    """What has a history."""

    WINDOW = "window"
    SETTLEMENT = "settlement"
    LEG = "leg"
    ACCOUNT = "account"
    STATEMENT = "statement"
    BREAK = "break"
    DISPUTE = "dispute"
    PERIOD = "period"


class SettlementEvent(SettlementBase):
    """One change of a status."""

    __tablename__ = "settlement_event"
    __table_args__ = (
        sa.Index("ix_settlement_event_subject", "subject", "subject_id", "id"),
        {"info": INSERT_ONLY},
    )

    id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    subject: Mapped[Subject] = mapped_column(text_enum(Subject, "settlement_subject"))
    subject_id: Mapped[UUID]
    before: Mapped[str | None]
    """The status it had; null where it was made."""
    after: Mapped[str]
    actor: Mapped[str]
    """As in `Principal.actor`, or `system` for what happens by itself."""
    note: Mapped[str]
    at: Mapped[datetime] = mapped_column(utc_timestamp())


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A change of a status to be made; `before` is where it must start from."""

    subject: Subject
    id: UUID
    before: StrEnum | None
    after: StrEnum
    actor: str
    note: str = ""


async def record(session: AsyncSession, change: Change) -> None:
    """Write a change down, in the transaction that makes it."""
    await record_many(session, [change])


async def record_many(session: AsyncSession, changes: Sequence[Change]) -> None:
    """Write changes down, in the transaction that makes them."""
    keys = take_keys(len(changes)) if changes else ()
    rows = [
        {
            "id": key,
            "subject": change.subject,
            "subject_id": change.id,
            "before": change.before,
            "after": change.after,
            "actor": change.actor,
            "note": change.note,
            "at": NOW,
        }
        for key, change in zip(keys, changes, strict=True)
    ]
    for start in range(0, len(rows), ROWS):
        await session.execute(sa.insert(SettlementEvent).values(rows[start : start + ROWS]))


async def move(session: AsyncSession, table: Any, change: Change, **values: Any) -> None:
    """Change the status of the row of `table`, and the other `values`, and write it down.

    StatusChanged where the row is not in the status `change.before`: somebody was faster.
    """
    await compare_and_set(session, table, change, **values)
    await record(session, change)


async def compare_and_set(session: AsyncSession, table: Any, change: Change, **values: Any) -> None:
    """`move`, to be written down by the caller with other changes."""
    done = await session.execute(
        sa.update(table)
        .where(table.id == change.id, table.status == change.before)
        .values(status=change.after, **values)
        .returning(table.id)
    )
    if done.first() is None:
        found = await session.scalar(sa.select(table.status).where(table.id == change.id))
        raise StatusChanged(
            f"The {change.subject} is {found or 'not there'}, not {change.before}: "
            f"it cannot become {change.after}. Look again."
        )


async def history(
    session: AsyncSession, subject: Subject, subject_id: UUID
) -> list[SettlementEvent]:
    """All changes of one subject, oldest first."""
    return list(
        await session.scalars(
            sa.select(SettlementEvent)
            .where(SettlementEvent.subject == subject, SettlementEvent.subject_id == subject_id)
            .order_by(SettlementEvent.id)
        )
    )
