"""The period lock: nothing may be dated before a moment, once what came before it was closed.

A lock or unlock is a row with who and why; the latest counts. Who dates something asks here:
issuances and refunds, while a trigger stands behind debts and behind the clock, which dates all
else. The path of burns asks nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.errors import InvalidRequest
from marketplace.identity.audit import audit
from marketplace.ids import next_key
from marketplace.ledger.domain import WindowStatus
from marketplace.ledger.errors import PeriodLocked
from marketplace.ledger.models import PeriodLock, SettlementWindow

LONGEST_REASON = 500
"""Most characters of a reason."""
ONE_AT_A_TIME = sa.text("select pg_advisory_xact_lock(hashtextextended('period lock', 0))")


async def locked_until(session: AsyncSession) -> datetime | None:
    """The moment before which nothing may be dated; None: nothing is locked."""
    return await session.scalar(
        sa.select(PeriodLock.locked_until).order_by(PeriodLock.id.desc()).limit(1)
    )


async def require_open(session: AsyncSession, effective_at: datetime) -> None:
    """PeriodLocked where nothing may be dated at this moment any more."""
    locked = await locked_until(session)
    if locked is not None and effective_at < locked:
        raise PeriodLocked(locked)


async def lock(session: AsyncSession, until: datetime, actor: str, reason: str = "") -> None:
    """Lock everything before `until`, which only closed windows may hold.

    InvalidRequest where that is not later than what is locked already, or where the open window
    began before: what is posted into it now may be dated there.
    """
    await session.execute(ONE_AT_A_TIME)
    present = await locked_until(session)
    if until.tzinfo is None:
        raise InvalidRequest("The moment must have an offset from UTC.")
    if present is not None and until <= present:
        raise InvalidRequest(f"Everything before {present.isoformat()} is locked already.")
    open_since = await session.scalar(
        sa.select(SettlementWindow.opened_at).where(SettlementWindow.status == WindowStatus.OPEN)
    )
    if open_since is None or until > open_since:
        raise InvalidRequest(
            f"Only what closed windows hold is locked: until {open_since} at most. "
            "Close the open window first."
        )
    await _write(session, until, actor, reason, "ledger.period_locked")


async def unlock(
    session: AsyncSession, reason: str, actor: str, until: datetime | None = None
) -> None:
    """Let periods be dated into again: all, or what is not before `until`. Needs a reason.

    InvalidRequest where nothing that late is locked, or without a reason.
    """
    await session.execute(ONE_AT_A_TIME)
    present = await locked_until(session)
    if not reason.strip():
        raise InvalidRequest("Say why a locked period is opened again.")
    if present is None or (until is not None and until >= present):
        raise InvalidRequest("No period is locked that this would unlock.")
    await _write(session, until, actor, reason.strip(), "ledger.period_unlocked")


async def periods(session: AsyncSession) -> Sequence[PeriodLock]:
    """Every lock and unlock, newest first."""
    return (await session.scalars(sa.select(PeriodLock).order_by(PeriodLock.id.desc()))).all()


async def _write(
    session: AsyncSession, until: datetime | None, actor: str, reason: str, action: str
) -> None:
    if len(reason) > LONGEST_REASON:
        raise InvalidRequest(f"A reason has up to {LONGEST_REASON} characters.")
    row = PeriodLock(id=next_key(), locked_until=until, actor=actor, reason=reason)
    session.add(row)
    await session.flush()
    told = None if until is None else until.isoformat()
    await audit(session, actor, action, "period", row.id, locked_until=told, reason=reason)
