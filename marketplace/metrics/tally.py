"""What one process counts: kept in memory, added to the database every FLUSH_S seconds."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Callable

import sqlalchemy as sa

from marketplace.db import DRIVER_ERRORS, Database, raw_connection
from marketplace.letters import shown
from marketplace.metrics import repository

log = logging.getLogger(__name__)

FLUSH_S = 5.0
LOOK_S = 0.2
"""How soon it is seen that the process is to end."""
LONGEST_WORDS = 500
LOG_AGAIN_S = 10.0
"""The same trouble of the same plugin is logged once in so long."""

Key = tuple[str, str, str]
"""name, plugin, label"""
Gauge = Callable[[], float]


class Tally:
    """The counts of one process. Safe on any thread; nothing here waits for the database."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sums: dict[Key, float] = defaultdict(float)
        self._troubles: dict[tuple[str, str], tuple[str, int]] = {}
        self._gauges: dict[str, Gauge] = {}
        self._logged_at: dict[tuple[str, str], float] = {}

    def add(self, name: str, value: float = 1, *, plugin: str = "", label: str = "") -> None:
        """Count `value` more."""
        with self._lock:
            self._sums[name, plugin, label] += value

    def gauge(self, name: str, read: Gauge) -> None:
        """Have the present value of something in this process read at every flush."""
        self._gauges[name] = read

    def note_trouble(self, plugin: str, kind: str, words: str) -> None:
        """Remember what a plugin did wrong; the health page names it."""
        told = shown(words, LONGEST_WORDS)
        key = (plugin, kind)
        with self._lock:
            self._troubles[key] = (told, self._troubles.get(key, ("", 0))[1] + 1)
            is_new = time.monotonic() - self._logged_at.get(key, -LOG_AGAIN_S) >= LOG_AGAIN_S
            if is_new:
                self._logged_at[key] = time.monotonic()
        if is_new:
            log.error("plugin %s: %s", plugin, told)

    def note_process(self, plugin: str, what: str, words: str) -> None:
        """Count that a plugin's process was `started`, or why it ended."""
        if what == "started":
            self.add("plugin_starts", plugin=plugin)
            return
        self.add("plugin_ends", plugin=plugin, label=what)
        self.note_trouble(plugin, what, words)

    async def flush(self, database: Database) -> None:
        """Add everything to the database; where that fails it is kept for the next time."""
        with self._lock:
            sums, self._sums = self._sums, defaultdict(float)
            troubles, self._troubles = self._troubles, {}
        process = f"{socket.gethostname()}:{os.getpid()}"
        gauges = {(name, "", process): read() for name, read in self._gauges.items()}
        if not sums and not troubles and not gauges:
            return
        try:
            async with database.begin() as session:
                connection = await raw_connection(session)
                await repository.add(connection, sums)
                await repository.put(connection, gauges)
                await repository.note(connection, troubles)
        except (OSError, sa.exc.SQLAlchemyError, *DRIVER_ERRORS):
            self._keep(sums, troubles)
            raise

    def _keep(
        self, sums: dict[Key, float], troubles: dict[tuple[str, str], tuple[str, int]]
    ) -> None:
        with self._lock:
            for key, value in sums.items():
                self._sums[key] += value
            for pair, (words, times) in troubles.items():
                later = self._troubles.get(pair, (words, 0))
                self._troubles[pair] = (later[0], later[1] + times)


async def keep_flushing(tally: Tally, database: Database, stopping: Callable[[], bool]) -> None:
    """Flush every FLUSH_S seconds, and once more at the end."""
    while True:
        for _ in range(int(FLUSH_S / LOOK_S)):
            if stopping():
                break
            await asyncio.sleep(LOOK_S)
        try:
            await tally.flush(database)
        except (OSError, sa.exc.SQLAlchemyError, *DRIVER_ERRORS):
            log.warning("what was counted cannot be written now; it is kept")
        if stopping():
            return
