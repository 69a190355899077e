"""Beat: starts periodic work by sending it to the workers.

Any number of beats may run: an advisory lock lets one of them keep the schedule, the others stand
by and take over when its connection goes.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import asyncpg
import msgspec

from marketplace.db import DRIVER_ERRORS, Database
from marketplace.fulfilment.home import pause
from marketplace.fulfilment.sending import GiveUp, in_time, keep_all
from marketplace.plugins import slug_of
from marketplace.runtime import Runtime

log = logging.getLogger(__name__)

BEAT_LOCK = 7_219_004_512
STANDBY_S = 5.0
SILENT_S = 30
"""A beat that stands still for so long loses its connection, and with it the lock, to another."""
SHORTEST_S = 1
CARRY_EVERY_S = 5


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """Work that is due every `every_s` seconds."""

    task: str
    """Name of the Celery task."""
    queue: str
    every_s: int
    args: tuple[str, ...] = ()


Send = Callable[[Entry], None]

CORE = (
    Entry(task="marketplace.void_timed_out", queue="core", every_s=15),
    Entry(task="marketplace.try_idle", queue="core", every_s=15),
    Entry(task="marketplace.expire_points", queue="core", every_s=300),
    Entry(task="marketplace.verify_ledger", queue="core", every_s=3600),
    Entry(task="marketplace.count_burns", queue="core", every_s=60),
    Entry(task="marketplace.roll_windows", queue="core", every_s=2),
    Entry(task="marketplace.send_mails", queue="core", every_s=5),
    Entry(task="marketplace.deliver_webhooks", queue="core", every_s=2),
    Entry(task="marketplace.forget_webhooks", queue="core", every_s=24 * 3600),
    Entry(task="marketplace.make_digests", queue="core", every_s=600),
    Entry(task="marketplace.warn_of_expiry", queue="core", every_s=6 * 3600),
    Entry(task="marketplace.forget_notices", queue="core", every_s=24 * 3600),
    Entry(task="marketplace.work_on_uploads", queue="core", every_s=1),
    Entry(task="marketplace.forget_uploads", queue="core", every_s=24 * 3600),
)


def entries(runtime: Runtime, queue_of: Callable[[str], str]) -> list[Entry]:
    """The core's periodic work, that of every plugin, and notices over their channels."""
    return [
        *CORE,
        *(
            Entry(
                task="marketplace.plugin_task",
                queue=queue_of(slug),
                every_s=max(int(task.every_s), SHORTEST_S),
                args=(slug, name),
            )
            for (slug, name), task in runtime.periodic_tasks.items()
        ),
        *(
            Entry(
                task="marketplace.send_notices",
                queue=queue_of(slug_of(channel)),
                every_s=CARRY_EVERY_S,
                args=(channel,),
            )
            for channel in runtime.carriers
        ),
    ]


async def run_schedule(
    database: Database,
    work: Sequence[Entry],
    send: Send,
    stopping: threading.Event,
    give_up: GiveUp = keep_all,
) -> None:
    """Keep the schedule while this process holds the lock; stand by otherwise.

    `give_up` is called where `send` takes too long.
    """
    while not stopping.is_set():
        try:
            connection = await database.connect_raw()
        except (OSError, *DRIVER_ERRORS) as error:
            log.warning("beat cannot reach the database (%s)", type(error).__name__)
            await pause(stopping, STANDBY_S)
            continue
        try:
            await connection.execute(f"set idle_session_timeout = '{SILENT_S}s'")
            if await connection.fetchval("select pg_try_advisory_lock($1)", BEAT_LOCK):
                await _keep(connection, work, partial(in_time, give_up, send), stopping)
            else:
                await pause(stopping, STANDBY_S)
        except (OSError, *DRIVER_ERRORS):
            log.warning("beat lost its connection; it stands by")
        finally:
            with suppress(OSError, *DRIVER_ERRORS, TimeoutError):
                await connection.close(timeout=2)


async def _keep(
    connection: asyncpg.Connection[Any],
    work: Sequence[Entry],
    send: Callable[[Entry], Coroutine[Any, Any, None]],
    stopping: threading.Event,
) -> None:
    clock = asyncio.get_running_loop().time
    due = [clock()] * len(work)
    while not stopping.is_set():
        await connection.execute("select 1")  # still the one with the lock?
        for index, entry in enumerate(work):
            if clock() < due[index]:
                continue
            due[index] = clock() + entry.every_s
            try:
                await send(entry)
            except Exception as error:
                log.warning("beat cannot send %s (%s)", entry.task, type(error).__name__)
        await pause(stopping, 1.0)
