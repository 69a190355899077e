"""The asyncio side of a worker or beat process: one loop in its own thread owns the Runtime.

Celery's threads are synchronous; they hand their transactions over with `Home.run`.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.metrics.tally import keep_flushing
from marketplace.runtime import Runtime, open_runtime
from marketplace.settings import Settings

T = TypeVar("T")
log = logging.getLogger(__name__)

STOP_S = 5.0
"""How long the loop's own work may take to end."""


class Home:
    """Runs coroutines of other threads; `stopping` is set once the process is to end."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.stopping = threading.Event()
        self.runtime: Runtime
        self._loop = _new_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="home", daemon=True)
        self._stack = AsyncExitStack()
        self._services: list[asyncio.Task[None]] = []

    def open(self) -> None:
        """Start the loop and open the runtime in it.

        No plugin is loaded into this process: each gets its own when it is first called.
        """
        self._thread.start()
        opening = open_runtime(self.settings, contained=True)
        self.runtime = self.run(self._stack.enter_async_context(opening))
        # Plugins are found here, once, before several threads ask for them.
        _ = self.runtime.keeper, self.runtime.eligibility_rules
        _ = self.runtime.suppliers, self.runtime.periodic_tasks, self.runtime.faces
        _ = self.runtime.carriers

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` on the loop and wait for it; not from the loop itself."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def transact(self, work: Callable[[AsyncSession], Coroutine[Any, Any, T]]) -> T:
        """Run `work` in a transaction of its own."""

        async def inside() -> T:
            async with self.runtime.database.begin() as session:
                return await work(session)

        return self.run(inside())

    def serve(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Keep `work` running on the loop until the process stops."""

        async def start() -> None:
            self._services.append(asyncio.create_task(work, name=name))

        self.run(start())

    def serve_tally(self) -> None:
        """Write down now and then what this process counted."""
        work = keep_flushing(self.runtime.tally, self.runtime.database, self.stopping.is_set)
        self.serve(work, "tally")

    def stop_on_signal(self) -> None:
        """Let SIGTERM and SIGINT end the process (from its main thread)."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.stopping.set())

    def close(self) -> None:
        """Stop services, close the runtime, end the loop."""
        self.stopping.set()
        self.run(self._end_services())
        self.run(self._stack.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(STOP_S)
        if not self._thread.is_alive():
            self._loop.close()

    async def _end_services(self) -> None:
        if not self._services:
            return
        _, late = await asyncio.wait(self._services, timeout=STOP_S)
        for task in late:
            task.cancel()
        for task in self._services:
            with suppress(asyncio.CancelledError):
                await task


def _new_loop() -> asyncio.AbstractEventLoop:
    """The quicker loop where there is one, as in API processes."""
    if sys.platform == "win32":
        return asyncio.new_event_loop()
    import uvloop

    return uvloop.new_event_loop()


@contextmanager
def open_home(settings: Settings) -> Iterator[Home]:
    """A home for the length of the block."""
    home = Home(settings)
    home.open()
    try:
        yield home
    finally:
        home.close()


async def pause(stopping: threading.Event, seconds: float) -> None:
    """Sleep, but wake early where the process is to end."""
    end = asyncio.get_running_loop().time() + seconds
    while not stopping.is_set():
        left = end - asyncio.get_running_loop().time()
        if left <= 0:
            return
        await asyncio.sleep(min(left, 0.2))
