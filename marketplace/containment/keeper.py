"""Keeps the plugin processes of one worker: few for each plugin, warm between calls, replaced.

A plugin has `plugin_calls` processes at most, so whatever hangs holds up its own calls only.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress

import msgspec

from marketplace.containment.messages import Request, Tell, Terms, Told
from marketplace.containment.output import Listener
from marketplace.containment.process import (
    NotStarted,
    PluginProcess,
    PluginRaised,
    ProcessEnded,
    Why,
)
from marketplace.containment.starting import template
from marketplace.settings import Settings

log = logging.getLogger(__name__)

FREE_S = 15.0
"""Longest that a call waits for a free process, besides the time that one takes to start."""
LOOK_S = 0.2
IDLE_S = 300.0
"""A second process that was not needed for so long is ended."""
START_AGAIN_S = 5.0
"""After a start that failed nothing is started for so long."""
FACTS_WAITING = 1_000
"""Batches of facts that may wait for one plugin's observers; above that they are dropped."""
OBSERVERS_S = 10.0
"""Longest that a plugin's observers may take for the facts of one batch."""

Note = Callable[[str, str, str], None]
"""Called with (plugin, what, words): `started`, or why a process ended."""


class Pool:
    """The processes of one plugin."""

    def __init__(
        self, slug: str, settings: Settings, terms: Terms, listener: Listener, note: Note
    ) -> None:
        self.slug = slug
        self._settings = settings
        self._terms = terms
        self._listener = listener
        self._note = note
        self._changed = threading.Condition()
        self._idle: list[tuple[PluginProcess, float]] = []
        self._busy: set[PluginProcess] = set()
        self._starting = 0
        self._rests_until = 0.0
        self._refusal = ""
        self._closed = False

    def call(
        self, request: Request, timeout_s: float, stopping: threading.Event | None = None
    ) -> msgspec.Raw:
        """What the plugin says; raises NotStarted, PluginRaised or ProcessEnded.

        Waits `timeout_s` at most for the answer; before that for a free process, for observers and
        describers may have it for some seconds.
        """
        process = self._take(max(timeout_s, FREE_S))
        try:
            return process.call(request, timeout_s, stopping)
        except ProcessEnded as error:
            if error.why is not Why.STOPPED:
                self._note(self.slug, error.why.value, str(error))
            raise
        finally:
            self._give_back(process)

    def warm(self) -> None:
        """Start one process, so that the first call finds it; its failure shows at that call."""
        with self._changed:
            if self._idle or self._busy or self._starting:
                return
        with suppress(NotStarted):
            self._give_back(self._take(self._settings.plugin_start_s))

    def close(self) -> None:
        """End every process; nothing is started any more."""
        with self._changed:
            self._closed = True
            processes = [each for each, _ in self._idle] + list(self._busy)
            self._idle.clear()
            self._changed.notify_all()
        for each in processes:
            each.kill()

    def _take(self, timeout_s: float) -> PluginProcess:
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while True:
                if self._closed:
                    raise NotStarted("the worker is stopping")
                found = self._pop_idle()
                if found is not None:
                    self._busy.add(found)
                    return found
                if len(self._busy) + self._starting < self._settings.plugin_calls:
                    break
                # One that is starting is waited for: that is the machine's time.
                self._changed.wait(LOOK_S)
                if time.monotonic() > deadline and not self._starting:
                    raise NotStarted("all its processes are busy")
            if time.monotonic() < self._rests_until:
                raise NotStarted(self._refusal)
            self._starting += 1
        return self._start()

    def _pop_idle(self) -> PluginProcess | None:
        while self._idle:
            process, _ = self._idle.pop()
            if process.is_alive:
                return process
            process.kill()  # reaps it, and what it left behind
            self._note(self.slug, Why.EXIT.value, "its process ended between two calls")
        return None

    def _start(self) -> PluginProcess:
        process = None
        try:
            process = PluginProcess(self._terms, self._listener, self._settings.plugin_start_s)
        except NotStarted as error:
            with self._changed:
                self._rests_until = time.monotonic() + START_AGAIN_S
                self._refusal = str(error)
            self._note(self.slug, "not_started", str(error))
            raise
        finally:
            with self._changed:
                self._starting -= 1
                if process is not None:
                    self._busy.add(process)
                self._changed.notify()
        self._note(self.slug, "started", "")
        return process

    def _give_back(self, process: PluginProcess) -> None:
        now = time.monotonic()
        old: list[PluginProcess] = []
        with self._changed:
            self._busy.discard(process)
            if self._closed:
                old.append(process)
            elif process.is_alive:
                self._idle.append((process, now))
            while len(self._idle) > 1 and now - self._idle[0][1] > IDLE_S:
                old.append(self._idle.pop(0)[0])
            self._changed.notify()
        for each in old:
            each.kill()


class Teller:
    """Tells one plugin's observers, after commit, on a thread of its own."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._facts: queue.Queue[list[Told]] = queue.Queue(FACTS_WAITING)
        self._thread = threading.Thread(target=self._run, name=f"tell-{pool.slug}", daemon=True)
        self._thread.start()

    def tell(self, facts: Sequence[Told]) -> None:
        """Have these facts told; never waits, drops them where too many wait."""
        try:
            self._facts.put_nowait(list(facts))
        except queue.Full:
            log.error("plugin %s: its observers lag; %d facts dropped", self._pool.slug, len(facts))

    def _run(self) -> None:
        while True:
            facts = self._facts.get()
            try:
                self._pool.call(Tell(facts), OBSERVERS_S)
            except (NotStarted, PluginRaised, ProcessEnded) as error:
                log.error(
                    "plugin %s: observers of %d facts: %s", self._pool.slug, len(facts), error
                )
            except Exception:
                # Nobody starts this thread again: whatever it is, the next facts are told.
                log.exception("plugin %s: observers of %d facts", self._pool.slug, len(facts))


class Keeper:
    """The processes of every plugin in this worker."""

    def __init__(self, settings: Settings, terms: Callable[[str], Terms], note: Note) -> None:
        self._settings = settings
        self._terms = terms
        self._note = note
        self._open = ExitStack()
        self._listener: Listener | None = None
        self._pools: dict[str, Pool] = {}
        self._tellers: dict[str, Teller] = {}
        self._lock = threading.Lock()

    def pool(self, slug: str) -> Pool:
        """The processes of a plugin; none is started before the first call."""
        with self._lock:
            if self._listener is None:
                self._open.enter_context(template.kept())
                self._listener = Listener()
            if slug not in self._pools:
                self._pools[slug] = Pool(
                    slug, self._settings, self._terms(slug), self._listener, self._note
                )
            return self._pools[slug]

    def tell(self, slug: str, facts: Sequence[Told]) -> None:
        """Have a plugin's observers told these facts."""
        pool = self.pool(slug)
        with self._lock:
            teller = self._tellers.get(slug) or self._tellers.setdefault(slug, Teller(pool))
        teller.tell(facts)

    def close(self) -> None:
        """End every process."""
        with self._lock:
            pools = list(self._pools.values())
        for each in pools:
            with suppress(OSError):
                each.close()
        if self._listener is not None:
            self._listener.close()
        self._open.close()
