"""Questions that pages have to plugins: a page never waits long for one, nor breaks with it.

Each is asked in a thread of its own. A plugin that raises, or is late several times in a row, is
asked nothing for a while; one that hangs keeps some threads, and none of another plugin's.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final, TypeVar

T = TypeVar("T")

log = logging.getLogger(__name__)

REST_S: Final = 60.0
LATE_TO_REST: Final = 2
"""Late answers in a row: a machine that is busy for a moment is no reason to stop asking."""
MOST_AT_ONCE: Final = 8
"""Threads that wait for one plugin; above that it is not asked."""


class Asides:
    """Questions of one kind, in one process; `what` names what is asked for in the log."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._rests_until: dict[str, float] = {}
        self._late: dict[str, int] = {}
        self._running: dict[str, threading.Semaphore] = defaultdict(
            lambda: threading.Semaphore(MOST_AT_ONCE)
        )

    async def ask(self, slug: str, work: Callable[[], T], answer_s: float) -> T | None:
        """What a plugin's `work` returns within so many seconds, else None. Never raises."""
        running = self._running[slug]
        if time.monotonic() < self._rests_until.get(slug, 0.0):
            return None
        if not running.acquire(blocking=False):
            return None
        answer: Future[T] = Future()
        # A daemon: work that never returns must not keep the process from ending.
        threading.Thread(
            target=_answer, args=(answer, work, running), name=f"aside-{slug}", daemon=True
        ).start()
        try:
            given = await asyncio.wait_for(asyncio.wrap_future(answer), answer_s)
        except Exception as error:
            self._note_trouble(slug, error)
            return None
        self._late.pop(slug, None)
        return given

    def _note_trouble(self, slug: str, error: Exception) -> None:
        is_late = isinstance(error, TimeoutError)
        self._late[slug] = self._late.get(slug, 0) + 1
        why = "is late" if is_late else f"raised {error!r}"
        log.error("plugin %s: %s: it %s", slug, self._what, why)
        if not is_late or self._late[slug] >= LATE_TO_REST:
            self._rests_until[slug] = time.monotonic() + REST_S


def _answer(answer: Future[T], work: Callable[[], T], running: threading.Semaphore) -> None:
    answer.set_running_or_notify_cancel()
    try:
        answer.set_result(work())
    except Exception as error:
        answer.set_exception(error)
    except BaseException as error:  # a plugin may even raise SystemExit
        answer.set_exception(RuntimeError(repr(error)))
    finally:
        running.release()
