"""Interrupts Python code of a plugin that keeps the main thread: by a timer signal, a few times.

An API process serves everybody from its main thread. Code of plugins that must run there gets a
limit; what is over it is interrupted by an exception where it stands. Code in C is not interrupted
before it returns. On other threads, and without interval timers (Windows), nothing is limited.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

AGAIN_S = 0.02
"""One that catches the interruption is interrupted again, and again."""


class Interrupted(BaseException):
    """The code took too long. No Exception, so that a careless `except` lets it through."""


class _State:
    armed = False


def _raise(_: int, __: FrameType | None) -> None:
    if _State.armed:  # else it came too late, and must hit nobody else
        raise Interrupted


def can_interrupt() -> bool:
    """Whether code of this thread can be interrupted."""
    return hasattr(signal, "setitimer") and (threading.current_thread() is threading.main_thread())


def start_timer(limit_s: float) -> None:
    """Raise Interrupted in the main thread after `limit_s`, unless `stop_timer` comes first."""
    if signal.getsignal(signal.SIGALRM) is not _raise:
        signal.signal(signal.SIGALRM, _raise)
    _State.armed = True
    signal.setitimer(signal.ITIMER_REAL, limit_s, AGAIN_S)


def stop_timer() -> None:
    """Raise nothing any more. Safe to repeat: whoever catches Interrupted does."""
    _State.armed = False
    signal.setitimer(signal.ITIMER_REAL, 0)


@contextmanager
def interrupting(limit_s: float) -> Iterator[None]:
    """Raise TimeoutError where the block takes longer than `limit_s`."""
    if not can_interrupt():
        yield
        return
    try:
        try:
            start_timer(limit_s)
            yield
        finally:
            stop_timer()
    except Interrupted:
        stop_timer()
        raise TimeoutError(f"it took longer than {limit_s:g} s") from None
