"""Periodic work of windows: closing them by the calendar, finishing what was left half way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from marketplace.api import PeriodicTask
from marketplace.db import Database
from marketplace.host import PluginHost
from marketplace.settings import load
from settlement.windows.closing import Tell, close_due, finish_left
from settlement.windows.domain import Every
from settlement.windows.service import Closed

HOOK = "marketplace_after_window_closed"
FINISH_EVERY_S = 10
CLOSE_EVERY_S = 60


def teller(tell: Callable[[Sequence[tuple[str, Any]]], None]) -> Tell:
    """Tells the observers of windows."""

    def told(closed: Closed) -> None:
        tell([(HOOK, closed.fact)])

    return told


def make_tasks(host: PluginHost) -> Sequence[PeriodicTask]:
    """The tasks over a host; each may run twice at once."""
    tell = teller(host.tell)

    async def finish(database: Database) -> None:
        await finish_left(database.begin, tell)

    async def close(database: Database) -> None:
        await close_due(database.begin, tell, Every(load().settlement_close))

    return [
        PeriodicTask(name="finish-windows", every_s=FINISH_EVERY_S, run=lambda: host.run(finish)),
        PeriodicTask(name="close-windows", every_s=CLOSE_EVERY_S, run=lambda: host.run(close)),
    ]
