"""Interrupts Python code of a plugin that keeps the main thread: by a timer signal, a few times.

An API process serves everybody from its main thread. Code of plugins that must run there gets a
limit; what is over it is interrupted by an exception where it stands. Code in C is not interrupted
before it returns. On other threads, and without interval timers (Windows), nothing is limited.

Python drops what is raised in a destructor or in a callback of the garbage collector or of a weak
reference, and leaves their work half done: a connection would not go back to its pool. What is
collected is mostly not the plugin's, so the collector waits until the limited code has ended, and
a destructor gets a moment more before it is interrupted too.
"""

from __future__ import annotations

import _weakrefset
import gc
import signal
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

AGAIN_S = 0.02
"""One that catches the interruption is interrupted again, and again."""
MOST_SPARED: Final = 50
"""Interruptions, AGAIN_S apart, that wait for a destructor to end: one that hangs is no excuse."""
_OF_WEAK_REFERENCES: Final = {weakref.__file__, _weakrefset.__file__}


class Interrupted(BaseException):
    """The code took too long. No Exception, so that a careless `except` lets it through."""


class _State:
    armed = False
    collects = False
    """Whether the garbage collector is to be let loose again."""
    spared = 0


def _raise(_: int, frame: FrameType | None) -> None:
    if not _State.armed:  # it came too late, and must hit nobody else
        return
    if _State.spared < MOST_SPARED and _cleans_up(frame):
        _State.spared += 1
        return
    raise Interrupted


def _cleans_up(frame: FrameType | None) -> bool:
    """Whether a frame or one that it was called from belongs to code whose exceptions are lost."""
    of_collector = [getattr(each, "__code__", None) for each in gc.callbacks]
    while frame is not None:
        code = frame.f_code
        if code.co_name == "__del__" or code.co_filename in _OF_WEAK_REFERENCES:
            return True
        if code in of_collector:
            return True
        frame = frame.f_back
    return False


def can_interrupt() -> bool:
    """Whether code of this thread can be interrupted."""
    return hasattr(signal, "setitimer") and (threading.current_thread() is threading.main_thread())


def start_timer(limit_s: float) -> None:
    """Raise Interrupted in the main thread after `limit_s`, unless `stop_timer` comes first."""
    if signal.getsignal(signal.SIGALRM) is not _raise:
        signal.signal(signal.SIGALRM, _raise)
    if not _State.armed:
        _State.collects = gc.isenabled()
        gc.disable()
    _State.spared = 0
    _State.armed = True
    signal.setitimer(signal.ITIMER_REAL, limit_s, AGAIN_S)


def stop_timer() -> None:
    """Raise nothing any more. Safe to repeat: whoever catches Interrupted does."""
    _State.armed = False
    signal.setitimer(signal.ITIMER_REAL, 0)
    if _State.collects:
        _State.collects = False
        gc.enable()


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
