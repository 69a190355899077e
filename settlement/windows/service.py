"""Closing windows: the next one opens at the same moment, and totals become final.

Two steps, each a transaction of its own where speed matters (`closing.py`): `switch` holds the lock
that money waits for, and does next to nothing; `finish` counts what the running totals lack, which
nothing waits for. Between the two a window is `closing`: whoever comes by later finishes it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace import api
from marketplace.clock import NOW
from marketplace.db import wait_for_locks
from marketplace.errors import NotFound, UsageError
from marketplace.ids import uuid7
from marketplace.ledger.domain import WindowStatus
from marketplace.ledger.models import SettlementWindow
from marketplace.ledger.totals import Total, complete, counted, totals
from marketplace.ledger.windows import GATE
from settlement import telling
from settlement.disputes import freezing
from settlement.disputes.repository import dispute_days
from settlement.errors import StatusChanged
from settlement.history import Change, Subject, compare_and_set, move, record_many
from settlement.windows.domain import Every
from settlement.windows.errors import WindowBusy

__all__ = ["Closed", "Total", "WindowRow", "close", "finish", "switch", "totals", "windows"]

SYSTEM: Final = "system"
NOTHING_IN_IT: Final = "Nothing was posted into it."
TURN_MS: Final = 200
"""How long money waits for a closer that waits itself, before the closer steps back."""
BETWEEN_S: Final = 0.1
PATIENCE_S: Final = 20.0
"""How long a closer tries."""
LOCK_NOT_AVAILABLE: Final = "55P03"
# What is selected is computed from left to right: it waits for the lock no longer than it set.
_TAKE_GATE: Final = sa.text(f"""
select current_setting('lock_timeout'), set_config('lock_timeout', '{TURN_MS}', true),
       pg_advisory_xact_lock({GATE})
""")


class WindowRow(msgspec.Struct, frozen=True, kw_only=True):
    """A window."""

    id: UUID
    status: WindowStatus
    opened_at: datetime
    closed_at: datetime | None


class Switched(msgspec.Struct, frozen=True, kw_only=True):
    """A window that takes no more money, and the one that does."""

    window_id: UUID
    opened_id: UUID
    closed_at: datetime


class Closed(msgspec.Struct, frozen=True, kw_only=True):
    """A window that is closed; its totals are final."""

    window_id: UUID
    opened_id: UUID
    """The window that is open instead."""
    opened_at: datetime
    closed_at: datetime
    settled: bool
    """Nothing was in it, so it is settled."""
    obligations: int
    """Obligations and debts in it."""

    @property
    def fact(self) -> api.WindowFact:
        """What observers are told."""
        return api.WindowFact(
            window_id=self.window_id,
            opened_at=self.opened_at,
            closed_at=self.closed_at,
            obligations=self.obligations,
        )


async def close(
    session: AsyncSession, *, actor: str, note: str = "", window_id: UUID | None = None
) -> Closed:
    """Close a window, the one that is open unless it is named, in one transaction.

    Money waits for the whole of it; `closing.close_window` does the same in short transactions.
    Raises NotFound, StatusChanged (somebody else was faster), WindowBusy.
    """
    switched = await switch(session, actor=actor, note=note, window_id=window_id)
    return await finish(session, switched.window_id, actor=actor)


async def switch(
    session: AsyncSession,
    *,
    actor: str,
    note: str = "",
    window_id: UUID | None = None,
    patience_s: float = PATIENCE_S,
) -> Switched:
    """Open the next window in place of the open one, which is `closing` from now on.

    Waits for every transaction that posts into the window. Raises as `close` does.
    """
    wanted = window_id or await _open_id(session)
    now = await _lock(session, wanted, patience_s)
    closing = Change(
        subject=Subject.WINDOW,
        id=wanted,
        before=WindowStatus.OPEN,
        after=WindowStatus.CLOSING,
        actor=actor,
        note=note,
    )
    await compare_and_set(session, SettlementWindow, closing, closed_at=now)
    opened = await _open(session, now, actor, after=[closing])
    return Switched(window_id=wanted, opened_id=opened, closed_at=now)


async def finish(session: AsyncSession, window_id: UUID, *, actor: str = SYSTEM) -> Closed:
    """Make the totals of a window that is `closing` final; an empty one is settled at once, unless
    lines wait that disputes kept out of settlements: it stays closed, so that one takes them in.

    Raises StatusChanged where somebody has finished it.
    """
    await wait_for_locks(session)  # whoever counts has the totals, longer than a request may wait
    await complete(session, window_id)
    await _move(session, window_id, WindowStatus.CLOSING, WindowStatus.CLOSED, actor)
    found = await counted(session, window_id)
    if not found.lines and not await freezing.lines_wait(session):
        await _move(
            session, window_id, WindowStatus.CLOSED, WindowStatus.SETTLED, SYSTEM, NOTHING_IN_IT
        )
    closed = await _closed(session, window_id, found.lines)
    if found.lines:
        await _tell_ready(session, closed, found.member_ids)
    return closed


async def _tell_ready(session: AsyncSession, closed: Closed, member_ids: Collection[UUID]) -> None:
    """People of each member with a line hear that there is a statement, and how long to look."""
    days = await dispute_days(session, member_ids, closed.closed_at)
    contexts = {
        member_id: {
            "closed": closed.closed_at.isoformat(),
            "until": (closed.closed_at + timedelta(days=many)).isoformat(),
            "window": str(closed.window_id),
        }
        for member_id, many in days.items()
    }
    await telling.members(session, "statement_ready", f"window:{closed.window_id}", contexts)


async def read_closed(session: AsyncSession, window_id: UUID) -> Closed:
    """A window that is closed."""
    return await _closed(session, window_id, (await counted(session, window_id)).lines)


async def _closed(session: AsyncSession, window_id: UUID, count: int) -> Closed:
    row = await session.get_one(SettlementWindow, window_id, populate_existing=True)
    if row.closed_at is None:
        raise StatusChanged(f"The window is {row.status}.")
    return Closed(
        window_id=window_id,
        opened_id=await _open_id(session),
        opened_at=row.opened_at,
        closed_at=row.closed_at,
        settled=row.status is WindowStatus.SETTLED and not count,
        obligations=count,
    )


async def windows(session: AsyncSession) -> list[WindowRow]:
    """Every window, newest first."""
    rows = await session.execute(
        sa.select(
            SettlementWindow.id,
            SettlementWindow.status,
            SettlementWindow.opened_at,
            SettlementWindow.closed_at,
        ).order_by(SettlementWindow.opened_at.desc(), SettlementWindow.id.desc())
    )
    return [
        WindowRow(id=each[0], status=each[1], opened_at=each[2], closed_at=each[3]) for each in rows
    ]


async def left_closing(session: AsyncSession) -> list[UUID]:
    """Windows that somebody began to close and has not finished, oldest first."""
    found = await session.scalars(
        sa.select(SettlementWindow.id)
        .where(SettlementWindow.status == WindowStatus.CLOSING)
        .order_by(SettlementWindow.closed_at, SettlementWindow.id)
    )
    return list(found)


async def opened_before(session: AsyncSession, every: Every) -> UUID | None:
    """The open window if it was opened before the present period began."""
    now: datetime = (await session.execute(sa.select(NOW))).scalar_one()
    return await session.scalar(_open_window().where(SettlementWindow.opened_at < every.began(now)))


async def ensure_open(session: AsyncSession, *, actor: str) -> tuple[UUID, bool]:
    """The open window, and whether it was opened now because none was.

    None is open only where somebody has meddled with the tables.
    """
    # One at a time; and no closer, which opens the next window itself.
    await wait_for_locks(session)
    await session.execute(sa.select(sa.func.pg_advisory_xact_lock(GATE)))
    found = await session.scalar(_open_window())
    if found is not None:
        return found, False
    now: datetime = (await session.execute(sa.select(NOW))).scalar_one()
    return await _open(session, now, actor), True


def _open_window() -> sa.Select[UUID]:
    return sa.select(SettlementWindow.id).where(SettlementWindow.status == WindowStatus.OPEN)


async def _open_id(session: AsyncSession) -> UUID:
    found = await session.scalar(_open_window())
    if found is None:
        raise UsageError("There is no open settlement window: run marketplace settlement open.")
    return found


async def _open(
    session: AsyncSession, now: datetime, actor: str, *, after: Sequence[Change] = ()
) -> UUID:
    """A window that is open from now on. Written down with the changes that came before: money
    waits for each statement of a closer."""
    window_id = uuid7()
    await session.execute(
        sa.insert(SettlementWindow).values(id=window_id, status=WindowStatus.OPEN, opened_at=now)
    )
    opened = Change(
        subject=Subject.WINDOW, id=window_id, before=None, after=WindowStatus.OPEN, actor=actor
    )
    await record_many(session, [*after, opened])
    return window_id


async def _move(
    session: AsyncSession,
    window_id: UUID,
    before: WindowStatus,
    after: WindowStatus,
    actor: str,
    note: str = "",
) -> None:
    change = Change(
        subject=Subject.WINDOW, id=window_id, before=before, after=after, actor=actor, note=note
    )
    await move(session, SettlementWindow, change)


async def _lock(session: AsyncSession, window_id: UUID, patience_s: float) -> datetime:
    """Lock the window against everybody who posts into it; returns business time from then.

    New batches are kept out for TURN_MS at a time, so that those under way come to an end. Where
    something long does not, the closer steps back, lets the others work, and tries again.
    """
    until = time.monotonic() + patience_s
    while True:
        try:
            async with session.begin_nested():
                before = await session.scalar(_TAKE_GATE)
                found = await session.scalar(
                    sa.select(SettlementWindow.status)
                    .where(SettlementWindow.id == window_id)
                    .with_for_update()
                )
            break
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) != LOCK_NOT_AVAILABLE:
                raise
        if time.monotonic() > until:
            raise WindowBusy(
                "A transaction that began long ago still writes into the window (a large import?). "
                "Nothing was changed; try again when it is done."
            )
        await asyncio.sleep(BETWEEN_S)
    restored = sa.func.set_config("lock_timeout", before, True)
    now: datetime = (await session.execute(sa.select(NOW, restored))).one()[0]
    if found is None:
        raise NotFound(f"There is no window {window_id}.")
    if found is not WindowStatus.OPEN:
        raise StatusChanged(f"The window is {found} already: somebody else closed it.")
    return now
