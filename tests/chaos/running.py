"""One fault from its first client to its verdict, and the table of all."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

import msgspec

from tests.chaos import failpoints
from tests.chaos.arena import Arena, make_crowd
from tests.chaos.faults import FAULTS, pass_time
from tests.chaos.judging import POINTS, Findings, judge

DRAIN_S = 150.0
"""Longest until everything accepted is delivered or given back."""
PASS_TIME_EVERY_S = 1.5
LONGEST_WAIT_S = 100.0
"""No order waits longer for its next look: `stale_s` and a breaker's first pauses, spread."""
STUCK = """
select count(*) from burn where status = 'held'
   and (due_at is null or due_at > clock_timestamp() + $1 * interval '1 second')
"""
HEAD = ("fault", "injected", "accepted", "lost", "doubled", "verdict")

NOT_RUN = "not run"

Say = Callable[[str], None]


class Line(msgspec.Struct, frozen=True):
    """What one fault came to."""

    fault: str
    injected: int
    accepted: int
    """Burns that clients were told are held."""
    lost: int
    doubled: int
    verdict: str
    """`good`, `not run`, or what is wrong: FAILED, NOT INJECTED."""

    def cells(self) -> tuple[str, ...]:
        """As a row of the table."""
        counts = (self.injected, self.accepted, self.lost, self.doubled)
        return (self.fault, *map(str, counts), self.verdict)


class Plan(msgspec.Struct, frozen=True):
    """What is run, and how much of it."""

    names: list[str]
    rounds: int
    """Injections of each fault."""
    seconds: float
    """Load before and after each injection."""
    minutes: float
    """No fault is begun after so many; 0: no limit."""
    seed: int


async def run_all(arena: Arena, plan: Plan, say: Say) -> list[Line]:
    """Each fault in turn, announced."""
    lines = []
    began = time.monotonic()
    for number, name in enumerate(plan.names, start=1):
        spent_s = time.monotonic() - began
        if plan.minutes and spent_s > plan.minutes * 60:
            lines.append(Line(name, 0, 0, 0, 0, NOT_RUN))
            continue
        say(f"[{spent_s:4.0f} s] {number}/{len(plan.names)} {name}: {FAULTS[name].words}")
        lines.append(await run_fault(arena, name, plan, say))
        say("    " + ", ".join(map(" ".join, zip(HEAD[1:], lines[-1].cells()[1:], strict=True))))
    return lines


async def run_fault(arena: Arena, name: str, plan: Plan, say: Say) -> Line:
    """Let clients burn, inject, wait until everything is delivered, judge."""
    run = f"{name}-{plan.seed}"
    before = await _points(arena)
    crowd = arena.crowd = make_crowd(arena.house, arena.ground, run)
    crowd.start()
    injected = 0
    for _ in range(plan.rounds):
        await asyncio.sleep(plan.seconds)
        injected += await FAULTS[name].act(arena)
    await asyncio.sleep(plan.seconds)
    failpoints.disarm(arena.points)
    await crowd.stop()
    stuck = await drain(arena)
    connection = await arena.connect()
    try:
        found = await judge(connection, arena.runtime, crowd, run, before)
    finally:
        await connection.close()
    found.wrong += stuck
    if crowd.answers["500"]:
        found.wrong.append(f"{crowd.answers['500']} answers were 500")
    say("    answers: " + ", ".join(f"{what} {n}" for what, n in sorted(crowd.answers.items())))
    for words in found.words():
        say(f"    {words}")
    return Line(
        name,
        injected,
        len(crowd.accepted),
        len(found.lost),
        len(found.doubled),
        _verdict(found, injected, plan.rounds),
    )


async def _points(arena: Arena) -> int:
    connection = await arena.connect()
    try:
        points: int = await connection.fetchval(POINTS)
        return points
    finally:
        await connection.close()


def _verdict(found: Findings, injected: int, rounds: int) -> str:
    if not found.clean:
        return "FAILED"
    return "good" if injected == rounds else "NOT INJECTED"


async def drain(arena: Arena) -> list[str]:
    """Wait until no burn is held; says of those that would wait for longer than they may.

    The minute for which an order waits that a broker lost, or a killed worker leased, is made to
    pass, once it is certain that it waits for no longer.
    """
    await arena.house.until_ready()
    connection = await arena.connect()
    stuck: list[str] = []
    deadline = time.monotonic() + DRAIN_S
    try:
        while await connection.fetchval("select count(*) from burn where status = 'held'"):
            if beyond := await connection.fetchval(STUCK, LONGEST_WAIT_S):
                stuck = [f"{beyond} burns are held beyond the sweep"]
            if time.monotonic() > deadline:
                break
            await asyncio.sleep(PASS_TIME_EVERY_S)
            await pass_time(arena)
    finally:
        await connection.close()
    return stuck


def table(lines: Sequence[Line]) -> str:
    """The lines with aligned columns."""
    rows = [HEAD, *(line.cells() for line in lines)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if 0 < column < len(HEAD) - 1 else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
