"""The settlement window that is open: how money gets into it while windows are closed.

Whoever posts money reads the open window FOR SHARE and keeps it so until its transaction ends;
whoever closes it reads it FOR UPDATE. So once a window is closed, all it holds is committed.
Share locks are given past a closer that waits, so nobody who holds other locks ever waits for one
who waits himself; lest the closer starve, work that comes in batches first passes a gate, with
nothing in its hands, that the closer may shut for a moment.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Final, TypeVar
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from marketplace.clock import NOW
from marketplace.errors import UsageError
from marketplace.ledger.domain import WindowStatus
from marketplace.ledger.models import SettlementWindow

Row = TypeVar("Row")

GATE: Final = 7_219_004_513
"""Advisory lock that batches share and a closer shuts."""
PASS_GATE: Final = f"select pg_advisory_xact_lock_shared({GATE})"
TRIES: Final = 100
"""Windows that may be closed one after the other under somebody who waits for the open one."""
NO_WINDOW: Final = "There is no open settlement window."

_OPEN: Final = (
    sa.select(SettlementWindow.id, NOW)
    .where(SettlementWindow.status == WindowStatus.OPEN)
    .with_for_update(read=True)
)


class OpenWindow(msgspec.Struct, frozen=True):
    """The open window, which cannot be closed before the transaction ends."""

    id: UUID
    now: datetime
    """Business time, not before the window was opened."""


async def insist(read: Callable[[], Awaitable[Row | None]]) -> Row:
    """What `read`, a statement that selects the open window FOR SHARE, finds.

    A window that was closed while the statement waited for it is no longer open, and the statement
    did not see the next one yet: another try does.
    """
    for _ in range(TRIES):
        row = await read()
        if row is not None:
            return row
    raise UsageError(NO_WINDOW)


async def share_open(session: AsyncSession) -> OpenWindow:
    """The open window, in a session."""

    async def read() -> sa.Row[UUID, datetime] | None:
        return (await session.execute(_OPEN)).one_or_none()

    row = await insist(read)
    return OpenWindow(row[0], row[1])


def share_open_sync(session: Session) -> OpenWindow:
    """The open window, in a plugin's session."""
    for _ in range(TRIES):
        row = session.execute(_OPEN).one_or_none()
        if row is not None:
            return OpenWindow(row[0], row[1])
    raise UsageError(NO_WINDOW)


async def pass_gate(connection: Any) -> None:
    """Wait, at the beginning of a transaction and holding no lock, while a closer has its turn.

    `connection` is the asyncpg connection of the transaction.
    """
    await connection.execute(PASS_GATE)
