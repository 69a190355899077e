"""`python -m tests.chaos`: breaks a running marketplace in every way it knows, and counts.

Prints one line per fault; exits 1 where anything was lost, doubled, wrong, or not injected.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from pathlib import Path

import click
import msgspec

from tests.chaos import failpoints
from tests.chaos.arena import Arena, open_arena, prepare
from tests.chaos.clients import Crowd
from tests.chaos.faults import FAULTS, pass_time
from tests.chaos.judging import POINTS, Findings, judge

VAR = Path("var/chaos")
DRAIN_S = 120.0
PASS_TIME_EVERY_S = 1.5
STUCK = """
select count(*) from burn
where status = 'held' and (due_at is null or due_at > clock_timestamp() + $1 * interval '1 second')
"""
LONGEST_WAIT_S = 100.0
"""No order may wait longer than this for its next look: `stale_s` or a retry, with its spread."""


class Line(msgspec.Struct, frozen=True):
    """What one fault came to."""

    fault: str
    injected: int
    accepted: int
    lost: int
    doubled: int
    verdict: str
    seconds: float


async def run_fault(arena: Arena, name: str, rounds: int, seconds: float, seed: int) -> Line:
    """Let clients burn, inject, wait until everything is delivered, judge."""
    from tests.chaos.arena import OFFERS, WALLETS

    began = time.monotonic()
    run = f"{name}-{seed}"
    connection = await arena.connect()
    before = await connection.fetchval(POINTS)
    await connection.close()
    crowd = Crowd(arena.house.port, arena.ground.token, run, wallets=WALLETS, offers=OFFERS)
    crowd.start()
    injected = 0
    for _ in range(rounds):
        await asyncio.sleep(seconds)
        injected += await FAULTS[name].act(arena)
    await asyncio.sleep(seconds)
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
    _explain(name, crowd, found)
    return Line(
        name,
        injected,
        len(crowd.accepted),
        len(found.lost),
        len(found.doubled),
        _verdict(found, injected, rounds),
        time.monotonic() - began,
    )


def _verdict(found: Findings, injected: int, rounds: int) -> str:
    if not found.clean:
        return "FAILED"
    return "good" if injected == rounds else "NOT INJECTED"


def _explain(name: str, crowd: Crowd, found: Findings) -> None:
    answers = ", ".join(f"{kind} {n}" for kind, n in sorted(crowd.answers.items()))
    click.echo(f"   {name}: answers: {answers}", err=True)
    for line in found.words():
        click.echo(f"   {name}: {line}", err=True)


async def drain(arena: Arena) -> list[str]:
    """Wait until no burn is held, letting waiting times pass; says which waited too long."""
    await arena.house.until_ready()
    connection = await arena.connect()
    stuck: list[str] = []
    deadline = time.monotonic() + DRAIN_S
    try:
        while await connection.fetchval("select count(*) from burn where status = 'held'"):
            beyond = await connection.fetchval(STUCK, LONGEST_WAIT_S)
            if beyond:
                stuck = [f"{beyond} burns are held beyond the sweep"]
            if time.monotonic() > deadline:
                break
            await asyncio.sleep(PASS_TIME_EVERY_S)
            await pass_time(arena)
    finally:
        await connection.close()
    return stuck


def table(lines: list[Line]) -> str:
    """The lines with aligned columns."""
    head = ("fault", "injected", "accepted", "lost", "doubled", "verdict")
    rows = [head] + [
        (x.fault, str(x.injected), str(x.accepted), str(x.lost), str(x.doubled), x.verdict)
        for x in lines
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if 0 < column < 5 else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


async def run_all(arena: Arena, names: list[str], rounds: int, seconds: float, seed: int):
    lines = []
    for number, name in enumerate(names, start=1):
        click.echo(f"{number}/{len(names)} {name}: {FAULTS[name].words}", err=True)
        lines.append(await run_fault(arena, name, rounds, seconds, seed))
        last = lines[-1]
        click.echo(
            f"   {name}: {last.verdict}, {last.accepted} accepted, {last.seconds:.0f} s", err=True
        )
    return lines


@click.command()
@click.option("--fault", "names", multiple=True, type=click.Choice(list(FAULTS)))
@click.option("--rounds", default=1, show_default=True)
@click.option("--seconds", default=2.0, show_default=True)
@click.option("--seed", default=1, show_default=True)
@click.option("--broker", default="auto", type=click.Choice(["auto", "rabbitmq", "redis", "none"]))
def main(names: tuple[str, ...], rounds: int, seconds: float, seed: int, broker: str) -> None:
    with prepare(VAR, broker) as ground:
        wanted = [n for n in names or FAULTS if ground.broker or not FAULTS[n].needs_broker]

        async def work():
            async with open_arena(ground) as arena:
                return await run_all(arena, wanted, rounds, seconds, seed)

        lines = asyncio.run(work())
    click.echo(table(lines))
    if Counter(line.verdict for line in lines)["good"] < len(lines):
        sys.exit(1)


if __name__ == "__main__":
    main()
