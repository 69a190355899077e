"""Tells the observers of plugins what happened, after commit, so that none can delay anybody.

Each plugin hears on a daemon thread of its own. Who tells waits a moment for those that are quick;
a plugin that is behind is not waited for, and what it cannot keep up with is dropped.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable

log = logging.getLogger(__name__)

WAIT_S = 1.0
"""Longest that telling one fact waits for a plugin that is not behind."""
MOST_WAITING = 1_000


class Observer:
    """The thread on which one plugin hears."""

    def __init__(self, slug: str) -> None:
        self._slug = slug
        self._facts: queue.Queue[tuple[Callable[[], None], threading.Event]] = queue.Queue(
            MOST_WAITING
        )
        self._behind = threading.Event()
        threading.Thread(target=self._run, name=f"tell-{slug}", daemon=True).start()

    def tell(self, hook: str, work: Callable[[], None]) -> None:
        """Have `work` done on the plugin's thread; never raises, never waits long."""
        done = threading.Event()
        try:
            self._facts.put_nowait((work, done))
        except queue.Full:
            log.error("plugin %s: %s lags; a fact is dropped", self._slug, hook)
            return
        if not self._behind.is_set() and not done.wait(WAIT_S):
            self._behind.set()
            log.error("plugin %s: %s takes long; nobody waits for it", self._slug, hook)

    def _run(self) -> None:
        while True:
            work, done = self._facts.get()
            try:
                work()
            except BaseException:  # a plugin may even raise SystemExit
                log.exception("plugin %s: an observing hook raised", self._slug)
            done.set()
            if self._facts.empty():
                self._behind.clear()
