"""Beats keep one schedule between them, whatever becomes of one."""

from __future__ import annotations

import asyncio
import threading

import pytest

from marketplace.fulfilment import schedule
from marketplace.fulfilment.schedule import Entry, run_schedule
from marketplace.runtime import Runtime

WORK = (Entry(task="marketplace.void_timed_out", queue="core", every_s=1),)


async def test_a_beat_that_stands_still_is_replaced(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, "SILENT_S", 1)
    monkeypatch.setattr(schedule, "STANDBY_S", 0.1)
    stopping, wakes = threading.Event(), threading.Event()
    stuck, replaced = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def stand_still(_: Entry) -> None:
        loop.call_soon_threadsafe(stuck.set)
        wakes.wait(60)

    def go_on(_: Entry) -> None:
        loop.call_soon_threadsafe(replaced.set)

    first = asyncio.create_task(run_schedule(runtime.database, WORK, stand_still, stopping))
    await asyncio.wait_for(stuck.wait(), 60)
    second = asyncio.create_task(run_schedule(runtime.database, WORK, go_on, stopping))
    await asyncio.wait_for(replaced.wait(), 60)
    # When it wakes up it finds that it has lost the lock, and stands by.
    stopping.set()
    wakes.set()
    await asyncio.gather(first, second)
