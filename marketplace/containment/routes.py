"""A plugin's routes and pages in an API process, kept from stopping it.

Synchronous handlers run on threads of the plugin's own, few of them; asynchronous ones run on the
loop that serves everybody, so each of their steps is timed and one that blocks is interrupted. Who
comes while a plugin has its hands full waits a moment for its turn: a crowd costs the house little
while it waits. A plugin that stays busy, or blocked just now, answers 503, and nobody else does.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections.abc import Callable, Coroutine, Generator
from functools import partial
from typing import Any, Final

from litestar import Litestar
from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Receive, Scope, Send
from litestar.utils.sync import AsyncCallable

from marketplace import interrupt
from marketplace.db import took_too_long
from marketplace.errors import Busy

THREADS: Final = 4
"""Synchronous handlers of one plugin that run at once in one API process."""
MOST_REQUESTS: Final = 32
"""Requests of one plugin in hand at once."""
MOST_WAITING: Final = 4_096
"""Requests that may wait until one of those is done."""
WAIT_S: Final = 10.0
"""Longest that a request waits to be taken in hand, and then for a thread: whoever was told in one
second that they have seats opens the next page in the same second, too."""
ANSWER_S: Final = 120.0
"""Longest until a plugin's handler has answered."""
STEP_S: Final = 1.0
"""Longest that a handler may keep the loop between two awaits."""
REST_S: Final = 10.0

NoteTrouble = Callable[[str, str, str], None]


class PluginRoutes(ASGIMiddleware):
    """What one plugin's requests may take of this process."""

    scopes = (ScopeType.HTTP, ScopeType.ASGI)

    def __init__(self, slug: str, note: NoteTrouble) -> None:
        self.slug = slug
        self._note = note
        self._hands = asyncio.Semaphore(MOST_REQUESTS)
        self._waiting = 0
        self._threads = asyncio.Semaphore(THREADS)
        self._rests_until = 0.0

    def __deepcopy__(self, _: dict[int, Any]) -> PluginRoutes:
        """Itself: routers copy their handlers, and the limits are those of all of them."""
        return self

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Pass the request on, within the plugin's limits."""
        self.refuse_while_it_rests()
        if self._waiting >= MOST_WAITING:
            raise Busy(f"{self._waiting} requests wait for the plugin {self.slug} already.")
        await self._turn(self._hands)
        task = asyncio.ensure_future(self._stepped(next_app(scope, receive, send)))
        task.add_done_callback(self._let_go)
        try:
            done, _ = await asyncio.wait({task}, timeout=ANSWER_S)
        except asyncio.CancelledError:
            task.cancel()
            raise
        if not done:
            self._note(self.slug, "route", f"a handler did not answer within {ANSWER_S:g} s")
            task.cancel()
            raise Busy(f"The plugin {self.slug} did not answer in time.")
        task.result()

    def refuse_while_it_rests(self) -> None:
        """Raise Busy for a moment after something went badly."""
        if time.monotonic() < self._rests_until:
            raise Busy(f"The plugin {self.slug} is left alone for a moment.")

    def let_rest(self, why: str) -> None:
        """Call nothing of this plugin for a moment, and have the operator know why."""
        self._rests_until = time.monotonic() + REST_S
        self._note(self.slug, "route", why)

    async def _turn(self, of: asyncio.Semaphore) -> None:
        """Wait for one of the hands or threads, in the order of coming; Busy after a while."""
        self._waiting += 1
        try:
            async with asyncio.timeout(WAIT_S):
                await of.acquire()
        except TimeoutError:
            raise Busy(f"The plugin {self.slug} has its hands full.") from None
        finally:
            self._waiting -= 1

    def _let_go(self, task: asyncio.Future[None]) -> None:
        self._hands.release()
        if not task.cancelled():
            task.exception()  # seen, also where nobody waits any more

    async def _stepped(self, work: Any) -> None:
        try:
            await _Stepped(work)
        except interrupt.Interrupted:
            interrupt.stop_timer()
            self.let_rest(f"a handler kept the process for {STEP_S:g} s")
            raise Busy(f"The plugin {self.slug} did not answer in time.") from None

    async def on_thread(self, work: Callable[..., Any], /, *given: Any, **named: Any) -> Any:
        """What synchronous work returns, run on a thread of this plugin's."""
        await self._turn(self._threads)
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Any] = loop.create_future()
        call = partial(contextvars.copy_context().run, partial(work, *given, **named))
        # A daemon: a handler that never returns must not keep the process from ending.
        threading.Thread(
            target=self._run, args=(loop, answer, call), name=f"routes-{self.slug}", daemon=True
        ).start()
        return await answer

    def _in_words(self, raised: Exception) -> Exception:
        """Busy in place of a statement that the database ended for the time it took."""
        if not took_too_long(raised):
            return raised
        self._note(self.slug, "route", "a statement took longer than the database lets it")
        busy = Busy(f"The database was too slow for the plugin {self.slug}.")
        busy.__cause__ = raised
        return busy

    def _run(
        self,
        loop: asyncio.AbstractEventLoop,
        answer: asyncio.Future[Any],
        call: Callable[[], Any],
    ) -> None:
        value: Any = None
        error: Exception | None = None
        try:
            value = call()
        except Exception as raised:
            error = self._in_words(raised)
        except BaseException as raised:  # a plugin may even raise SystemExit
            error = RuntimeError(repr(raised))

        def tell() -> None:
            self._threads.release()
            if answer.done():
                return
            if error is None:
                answer.set_result(value)
            else:
                answer.set_exception(error)

        if not loop.is_closed():
            loop.call_soon_threadsafe(tell)


class _Stepped:
    """Awaits a coroutine, each of its steps under the timer."""

    def __init__(self, work: Coroutine[Any, Any, None]) -> None:
        self._work = work

    def __await__(self) -> Generator[Any, Any, None]:
        steps = self._work.__await__()
        watched = interrupt.can_interrupt()
        thrown: BaseException | None = None
        while True:
            try:
                if watched:
                    interrupt.start_timer(STEP_S)
                step = steps.send(None) if thrown is None else steps.throw(thrown)
            except StopIteration:
                return
            finally:
                if watched:
                    interrupt.stop_timer()
            thrown = None
            try:
                yield step
            except BaseException as error:
                thrown = error


def contain(app: Litestar, routes: PluginRoutes, paths: tuple[str, ...]) -> None:
    """Have the synchronous handlers below `paths` run on the plugin's own threads."""
    for route in app.routes:
        if not f"{route.path}/".startswith(paths):
            continue
        for handler in getattr(route, "route_handlers", ()):
            work = handler.fn
            if isinstance(work, AsyncCallable):
                work = work.func
            elif not handler.has_sync_callable:
                continue
            handler._fn = _on_thread(routes, work)
            handler.has_sync_callable = False


def _on_thread(routes: PluginRoutes, work: Callable[..., Any]) -> Callable[..., Any]:
    """The handler as it runs on a thread; by its own name, which descriptions of the API hold."""

    async def run(**arguments: Any) -> Any:
        return await routes.on_thread(work, **arguments)

    run.__name__ = getattr(work, "__name__", run.__name__)
    run.__qualname__ = getattr(work, "__qualname__", run.__qualname__)
    return run
