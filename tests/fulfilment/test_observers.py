"""What a worker tells a plugin's observers: all of a chunk, in order, and nobody is held up."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from marketplace import observers
from marketplace.observers import MOST_WAITING, Observer

CHUNK = 200


def facts(heard: list[int], first: int = 0) -> list[Callable[[], None]]:
    """A chunk of burns to be told, numbered."""
    return [partial(heard.append, number) for number in range(first, first + CHUNK)]


def test_a_chunk_is_heard_in_its_order_by_the_time_it_is_told() -> None:
    heard: list[int] = []
    Observer("acme").tell(facts(heard))
    assert heard == list(range(CHUNK))


def test_a_fact_that_an_observer_cannot_bear_takes_no_other_of_its_chunk_with_it() -> None:
    def leave() -> None:
        raise SystemExit(1)

    heard: list[int] = []
    Observer("acme").tell([partial(heard.append, 1), leave, partial(heard.append, 2)])
    assert heard == [1, 2]


def test_many_workers_that_tell_at_once_are_all_heard_while_the_plugin_gets_on() -> None:
    heard: list[int] = []
    observer, threads = Observer("acme"), 2 * MOST_WAITING // CHUNK
    together = threading.Barrier(threads)

    def work(number: int) -> None:
        together.wait(30)
        observer.tell(facts(heard, number * CHUNK))

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, range(threads)))
    assert sorted(heard) == list(range(threads * CHUNK))


def test_of_what_a_plugin_that_hangs_is_told_only_so_much_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(observers, "WAIT_S", 0.05)
    heard: list[int] = []
    end, through = threading.Event(), threading.Event()
    observer = Observer("acme")
    observer.tell([partial(end.wait, 30)])
    for number in range(MOST_WAITING // CHUNK + 3):  # nobody waits for it any more
        observer.tell(facts(heard, number * CHUNK))
    end.set()
    monkeypatch.setattr(observers, "WAIT_S", 30)
    while not through.is_set():  # as soon as there is room again it hears all
        observer.tell([through.set])
    assert heard == list(range(MOST_WAITING - CHUNK))
