"""Ids are in order of time, and no two are the same."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from marketplace.ids import KeyMaker, uuid7

HOUR_OF_KEYS = 3_600_000 << 22


def test_uuids_ascend_and_say_when_they_were_made() -> None:
    before = time.time_ns() // 1_000_000
    made = [uuid7() for _ in range(5_000)]
    assert made == sorted(set(made))
    assert {each.version for each in made} == {7}
    assert {each.int >> 62 & 0b11 for each in made} == {0b10}  # the variant of RFC 9562
    assert all(before <= each.int >> 80 <= time.time_ns() // 1_000_000 + 2 for each in made)


def test_threads_never_make_the_same_uuid() -> None:
    with ThreadPoolExecutor(4) as pool:
        parts = pool.map(lambda _: [uuid7() for _ in range(5_000)], range(4))
        made = [each for part in parts for each in part]
    assert len(set(made)) == 20_000


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_process_has_random_bits_of_its_own() -> None:
    uuid7()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, uuid7().bytes[8:])
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reading, 8) != uuid7().bytes[8:]


def test_keys_are_above_those_of_a_clock_that_is_ahead() -> None:
    maker = KeyMaker()
    ahead = KeyMaker().next() + HOUR_OF_KEYS
    keys = maker.take(3, after=ahead)
    assert keys == sorted(set(keys))
    assert keys[0] > ahead
    assert maker.next() > keys[-1]
