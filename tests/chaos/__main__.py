"""`python -m tests.chaos` (`make chaos`): breaks a running marketplace in every way it knows.

Prints a line for each fault on stdout, progress on stderr. Exits 1 where anything was lost, doubled
or wrong, or where a fault could not be injected.
"""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import click

from bench.server import environment, program
from tests.chaos import leaving, outages, refusals, shortages, storms  # noqa: F401 - add faults
from tests.chaos.arena import Ground, open_arena, prepare
from tests.chaos.faults import FAULTS
from tests.chaos.running import NOT_RUN, Line, Plan, run_all, table

BROKERS = ("auto", "rabbitmq", "redis", "none")


UNPLAYED = 3
"""Exit status where nothing was lost, but faults were left out for want of time."""


@click.command()
@click.option(
    "--fault",
    "names",
    multiple=True,
    type=click.Choice(list(FAULTS)),
    help="Only this one; may be repeated.",
)
@click.option("--list", "listed", is_flag=True, help="Say which faults there are.")
@click.option(
    "--rounds", default=1, show_default=True, type=click.IntRange(1), help="Injections of each."
)
@click.option(
    "--seconds", default=1.0, show_default=True, help="Load before and after each injection."
)
@click.option(
    "--minutes", default=0.0, show_default=True, help="Begin no fault after so many; 0: no limit."
)
@click.option("--seed", default=1, show_default=True, help="Of what clients and faults choose.")
@click.option(
    "--broker", default="auto", show_default=True, type=click.Choice(BROKERS), help="Of its own."
)
@click.option(
    "--dir",
    "folder",
    default="var/chaos",
    show_default=True,
    type=click.Path(path_type=Path),
    help="For the database, the broker and the logs of all processes.",
)
def main(names: tuple[str, ...], listed: bool, broker: str, folder: Path, **given: Any) -> None:
    """Break a running marketplace in every way known, and count what is lost or doubled."""
    if listed:
        for name, each in FAULTS.items():
            click.echo(f"{name:<24}{each.words}")
        return
    random.seed(given["seed"])
    _say("starting PostgreSQL, a broker and the marketplace (half a minute)")
    with prepare(folder, broker) as ground:
        used = ground.broker.name if ground.broker else "none, in memory of two processes"
        _say(f"broker: {used}; logs: {folder / 'logs'}")
        wanted = [n for n in names or FAULTS if ground.broker or not FAULTS[n].needs_broker]
        lines = asyncio.run(_run(ground, Plan(names=wanted, **given)))
        click.echo(table(lines))
        proved = _prove(ground)
    left = [line.fault for line in lines if line.verdict == NOT_RUN]
    if left:
        _say(f"{len(left)} faults were not run for want of time: --minutes 0 runs them all")
    bad = [line.fault for line in lines if line.verdict not in ("good", NOT_RUN)]
    if bad or not proved:
        _say(f"not good: {', '.join(bad) or 'the ledger'}")
        sys.exit(1)
    if left:
        sys.exit(UNPLAYED)


async def _run(ground: Ground, plan: Plan) -> list[Line]:
    async with open_arena(ground) as arena:
        return await run_all(arena, plan, _say)


def _prove(ground: Ground) -> bool:
    """`marketplace ledger verify`, as the operator calls it."""
    done = subprocess.run(
        program("ledger", "verify"),
        env=environment(ground.settings),
        capture_output=True,
        text=True,
        check=False,
    )
    click.echo((done.stdout or done.stderr).strip().splitlines()[-1])
    return done.returncode == 0


def _say(text: str) -> None:
    click.echo(text, err=True)


if __name__ == "__main__":
    main()
