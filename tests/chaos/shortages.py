"""Faults of the machine under a process: files, memory, its log, its folder, its clock, signals."""

from __future__ import annotations

import asyncio
import os
import random
import resource
import shutil
import signal
from collections.abc import Iterator
from contextlib import suppress
from itertools import cycle, repeat
from typing import IO

import psutil

from tests.chaos.arena import Arena
from tests.chaos.faults import fault

SHORT_S = 5.0
SOME_MORE_BYTES = 4_000_000
BETWEEN_S = 1.5
ROLES = ("api", "worker", "beat")
KEPT = ("worker", "beat", "serve")
"""Those that the service manager starts."""
STRANGE = (signal.SIGHUP, signal.SIGUSR1, signal.SIGINT, signal.SIGQUIT)


def _some(arena: Arena, *roles: str) -> list[int]:
    """One process of each role."""
    found = [arena.house.pids(role) for role in roles]
    return [random.choice(pids) for pids in found if pids]


async def _limited(arena: Arena, kind: int, most: dict[int, int]) -> int:
    """Processes may have no more than this of a kind for a while; how many were held to it."""
    before: dict[int, tuple[int, int]] = {}
    for pid, limit in most.items():
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            before[pid] = process.rlimit(kind)
            process.rlimit(kind, (limit, before[pid][1]))
    await asyncio.sleep(SHORT_S)
    for pid, limits in before.items():
        with suppress(psutil.NoSuchProcess):
            psutil.Process(pid).rlimit(kind, limits)
    return len(before)


@fault("an API process, a worker and a beat may open no file and no connection for 5 s")
async def files_exhausted(arena: Arena) -> int:
    pids = _some(arena, *ROLES)
    arena.database_proxy.cut()
    return int(await _limited(arena, resource.RLIMIT_NOFILE, dict.fromkeys(pids, 3)) > 0)


@fault("an API process, a worker, a beat and a plugin get no more memory for 5 s")
async def memory_short(arena: Arena) -> int:
    most = {}
    for pid in _some(arena, *ROLES, "plugin"):
        with suppress(psutil.NoSuchProcess):
            most[pid] = psutil.Process(pid).memory_info().vms + SOME_MORE_BYTES
    return int(await _limited(arena, resource.RLIMIT_AS, most) > 0)


@fault("processes write their logs to a disk that is full, or to a pipe that nobody reads")
async def log_gone(arena: Arena) -> int:
    with _full() as full, _unread() as unread:
        started = await _log_to(arena, cycle((full, unread)))
        arena.database_proxy.cut()  # which is worth a line
        await asyncio.sleep(SHORT_S)
        await _log_to(arena, repeat(None))
    return int(started > 0)


def _full() -> IO[bytes]:
    """A file on a disk that is full."""
    return open("/dev/full", "wb")


def _unread() -> IO[bytes]:
    """A pipe whose other end is closed."""
    reading, writing = os.pipe()
    os.close(reading)
    return open(writing, "wb", buffering=0)


async def _log_to(arena: Arena, logs: Iterator[IO[bytes] | None]) -> int:
    """Start every process anew with one of these. How many were told to end."""
    arena.house.logs = logs
    sent = arena.house.send(
        signal.SIGTERM, *(pid for role in KEPT for pid in arena.house.pids(role))
    )
    await asyncio.sleep(BETWEEN_S)
    await arena.house.until_ready()
    return sent


@fault("the folder that processes work in is removed; plugins and API processes start anew in it")
async def folder_removed(arena: Arena) -> int:
    shutil.rmtree(arena.house.folder)
    pids = arena.house.pids("plugin") + _some(arena, "api")
    killed = arena.house.send(signal.SIGKILL, *pids)
    await asyncio.sleep(SHORT_S)
    return int(killed > 0)


@fault("the clocks of an API process, a worker and a beat three hours ahead for 5 s")
async def clock_ahead(arena: Arena) -> int:
    pids = _some(arena, *ROLES)
    sent = arena.house.send(signal.SIGUSR2, *pids)
    await asyncio.sleep(SHORT_S)
    arena.house.send(signal.SIGUSR2, *pids)
    return int(sent > 0)


@fault("signals nobody sends: SIGHUP, SIGQUIT, SIGINT; SIGTERM twice; to one process after another")
async def signals_sent(arena: Arena) -> int:
    sent = 0
    for number in STRANGE:
        sent += arena.house.send(number, *_some(arena, "api", random.choice(KEPT)))
        await asyncio.sleep(BETWEEN_S)
    for pid in _some(arena, *KEPT):
        for _ in range(2):
            sent += arena.house.send(signal.SIGTERM, pid)
            await asyncio.sleep(0.1)
        await asyncio.sleep(BETWEEN_S)
    return int(sent > 0)
