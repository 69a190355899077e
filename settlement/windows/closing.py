"""Closing a window in short transactions, and what a crash between them leaves."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TypeAlias
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from settlement.errors import StatusChanged
from settlement.windows import service
from settlement.windows.domain import Every
from settlement.windows.service import Closed

Begin: TypeAlias = Callable[[], AbstractAsyncContextManager[AsyncSession]]
"""`Database.begin`."""
Tell: TypeAlias = Callable[[Closed], None]
"""Tells observers of a window that is closed."""


async def close_window(
    begin: Begin,
    tell: Tell,
    *,
    actor: str,
    note: str = "",
    window_id: UUID | None = None,
) -> Closed:
    """Close a window, the one that is open unless it is named; raises as `service.close` does.

    `tell` hears of every window that is closed by this, after commit: those that were left
    `closing` too.
    """
    await finish_left(begin, tell)
    async with begin() as session:
        switched = await service.switch(session, actor=actor, note=note, window_id=window_id)
    try:
        async with begin() as session:
            closed = await service.finish(session, switched.window_id, actor=actor)
    except StatusChanged:
        # Somebody who took us for stopped has finished it, and tells.
        async with begin() as session:
            return await service.read_closed(session, switched.window_id)
    tell(closed)
    return closed


async def finish_left(begin: Begin, tell: Tell) -> None:
    """Finish the windows that are `closing` because somebody was stopped half way."""
    async with begin() as session:
        left = await service.left_closing(session)
    for window_id in left:
        try:
            async with begin() as session:
                closed = await service.finish(session, window_id)
        except StatusChanged:
            continue  # whoever closed it had not been stopped
        tell(closed)


async def close_due(begin: Begin, tell: Tell, every: Every) -> Closed | None:
    """Close the open window if a new period has begun since it was opened."""
    if every is Every.NEVER:
        return None
    async with begin() as session:
        window_id = await service.opened_before(session, every)
    if window_id is None:
        return None
    try:
        return await close_window(
            begin, tell, actor=service.SYSTEM, note=f"Closed {every}.", window_id=window_id
        )
    except StatusChanged:
        return None  # another worker, or a person, was faster
