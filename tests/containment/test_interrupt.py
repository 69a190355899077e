"""An interruption ends the limited code, and nothing that Python cleans up meanwhile."""

from __future__ import annotations

import gc
import signal
import sys
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from marketplace import interrupt
from marketplace.interrupt import interrupting

LIMIT_S = 600.0
"""No machine is so busy that it ends by itself: a test says when it is over."""
LONG_S = 0.2
"""Longer than it takes to be interrupted again, shorter than destructors are spared."""


class Thing:
    """Something that does a thing when it goes."""

    def __init__(self, at_the_end: Callable[[], None]) -> None:
        self.at_the_end = at_the_end
        self.itself: Thing | None = None

    def __del__(self) -> None:
        self.at_the_end()


class Steps:
    """Writes down that a slow clean-up has begun, and that it came to its end."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def __call__(self, *_: object) -> None:
        self.seen.append("begun")
        be_over()
        ends = time.monotonic() + LONG_S
        while time.monotonic() < ends:  # in Python, where a signal is heard at once
            pass
        self.seen.append("ended")


@pytest.fixture
def steps() -> Steps:
    return Steps()


@pytest.fixture(autouse=True)
def lost(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """What was raised where Python ignores it."""
    seen: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", seen.append)
    assert gc.isenabled()
    yield seen
    assert gc.isenabled()


def spin() -> None:
    while True:
        pass


def be_over() -> None:
    """The limit that runs, if one does, is over now."""
    if interrupt._State.armed:
        signal.setitimer(signal.ITIMER_REAL, 1e-6, interrupt.AGAIN_S)


def hang() -> None:
    be_over()
    spin()


def do_for_ever(first: Callable[[], object]) -> None:
    """Do something, then go on without end, past the limit."""
    with interrupting(LIMIT_S):
        first()
        hang()


def drop(steps: Steps) -> None:
    Thing(steps)


def finalize(steps: Steps) -> None:
    weakref.finalize(Thing(lambda: None), steps)


@pytest.mark.parametrize("clean_up", [drop, finalize])
def test_a_destructor_comes_to_its_end_and_then_the_code_is_interrupted(
    clean_up: Callable[[Steps], None], steps: Steps, lost: list[Any]
) -> None:
    with pytest.raises(TimeoutError):
        do_for_ever(lambda: clean_up(steps))
    assert steps.seen == ["begun", "ended"]
    assert lost == []


def test_a_destructor_that_hangs_is_interrupted_as_well(
    monkeypatch: pytest.MonkeyPatch, lost: list[Any]
) -> None:
    monkeypatch.setattr(interrupt, "MOST_SPARED", 3)
    with pytest.raises(TimeoutError):
        do_for_ever(lambda: Thing(hang))
    assert {each.exc_type for each in lost} == {interrupt.Interrupted}


def test_nothing_is_collected_before_the_code_has_ended(steps: Steps, lost: list[Any]) -> None:
    def leave_garbage() -> None:
        thing = Thing(steps)
        thing.itself = thing
        del thing
        kept.extend([] for _ in range(10_000))
        assert steps.seen == []

    kept: list[list[object]] = []
    first, *others = gc.get_threshold()
    try:
        gc.set_threshold(1, *others)
        with pytest.raises(TimeoutError):
            do_for_ever(leave_garbage)
    finally:
        gc.set_threshold(first, *others)
    gc.collect()
    assert len(kept) == 10_000
    assert steps.seen == ["begun", "ended"]
    assert lost == []


def test_callbacks_of_a_collection_that_the_code_asks_for_come_to_their_end(
    steps: Steps, lost: list[Any]
) -> None:
    def tell(phase: str, _: dict[str, int]) -> None:
        steps()

    gc.callbacks.append(tell)
    try:
        with pytest.raises(TimeoutError):
            do_for_ever(gc.collect)
    finally:
        gc.callbacks.remove(tell)
    assert steps.seen[:4] == ["begun", "ended"] * 2
    assert lost == []


def test_a_collector_that_was_off_stays_off(lost: list[Any]) -> None:
    gc.disable()
    try:
        with interrupting(LIMIT_S):
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
