"""Tells the observers of plugins what happened, after commit, so that none can delay anybody.

Each plugin hears on a daemon thread of its own, what was told together one after the other. Who
tells waits for those that get on; a plugin that is behind is not waited for, and what it cannot
keep up with is dropped. Two threads take turns once for each telling, not for each fact: a worker
tells of hundreds of burns at once, and turns cost it more than the facts.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Sequence

log = logging.getLogger(__name__)

WAIT_S = 1.0
"""Longest that who tells waits for a plugin that is not behind, for each fact that it hears."""
MOST_WAITING = 1_000
"""Facts that wait for a plugin which is behind."""

Work = Callable[[], None]


class Observer:
    """The thread on which one plugin hears."""

    def __init__(self, slug: str) -> None:
        self._slug = slug
        self._told: queue.SimpleQueue[tuple[Sequence[Work], threading.Event]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._waiting = 0
        self._heard = 0
        self._behind = threading.Event()
        threading.Thread(target=self._run, name=f"tell-{slug}", daemon=True).start()

    def tell(self, facts: Sequence[Work]) -> None:
        """Have these done on the plugin's thread; never raises, waits while the plugin gets on."""
        done = threading.Event()
        with self._lock:
            # Where it keeps up, those that tell wait for it, so that little can lie here.
            if self._behind.is_set() and self._waiting + len(facts) > MOST_WAITING:
                log.error("plugin %s: its observers lag; %d facts dropped", self._slug, len(facts))
                return
            self._waiting += len(facts)
            self._told.put((facts, done))
        heard = self._heard
        while not self._behind.is_set() and not done.wait(WAIT_S):
            if self._heard == heard:
                self._behind.set()
                log.error("plugin %s: an observer takes long; nobody waits for it", self._slug)
            heard = self._heard

    def _run(self) -> None:
        while True:
            facts, done = self._told.get()
            for work in facts:
                try:
                    work()
                except BaseException:  # a plugin may even raise SystemExit
                    log.exception("plugin %s: an observing hook raised", self._slug)
                self._heard += 1
            with self._lock:
                self._waiting -= len(facts)
                if not self._waiting:
                    self._behind.clear()
            done.set()
