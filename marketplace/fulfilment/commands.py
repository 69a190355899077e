"""Command line: the processes that deliver rewards, and what to do about orders."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import click

from marketplace.commands import Group, actor, run
from marketplace.errors import UsageError
from marketplace.fulfilment import health
from marketplace.fulfilment.dead_letters import dead_letters, replay
from marketplace.fulfilment.schemas import DeadLetter, SupplierState
from marketplace.runtime import Runtime
from marketplace.settings import load

MOST_LISTED = 1_000
"""Dead orders that one call lists."""


@click.command("worker")
@click.option("--queues", default="", help="Queues to work on, comma separated; all by default.")
@click.option("--concurrency", type=click.IntRange(1, 256), help="Messages of one queue at once.")
def worker_command(queues: str, concurrency: int | None) -> None:
    """Deliver rewards: work on the orders and tasks that beat and relay send."""
    from marketplace.worker import run_worker

    names = [name.strip() for name in queues.split(",") if name.strip()]
    run_worker(load(), queues=names, concurrency=concurrency)


@click.command("beat")
def beat_command() -> None:
    """Send due orders and periodic work to the workers. Several may run at once."""
    from marketplace.worker import run_beat

    run_beat(load())


@click.command("background")
def background_command() -> None:
    """Worker and beat in one process that needs no broker (`serve` starts it in embedded mode)."""
    from marketplace.worker import run_background

    run_background(load())


@click.group("fulfilment", cls=Group)
def fulfilment_group() -> None:
    """Orders at suppliers: what waits, what is dead, and trying again."""


@fulfilment_group.command("status")
def status() -> None:
    """Show each supplier's state and how many orders wait for it."""

    async def work(runtime: Runtime) -> list[SupplierState]:
        async with runtime.database.begin() as session:
            return await health.suppliers(session, runtime)

    states = run(work)
    if not states:
        click.echo("No supplier is installed and no order waits.")
        return
    click.echo(f"{'plugin':<16}{'state':<10}{'breaker':<11}{'waiting':>8}{'unknown':>8}{'dead':>6}")
    for each in states:
        click.echo(
            f"{each.plugin:<16}{each.state:<10}{each.breaker:<11}"
            f"{each.waiting:>8}{each.unknown:>8}{each.dead:>6}"
        )
        for words in each.wrong:
            click.echo(f"    {words}")


@fulfilment_group.command("dead")
@click.option("--plugin", help="Only this plugin's.")
def dead(plugin: str | None) -> None:
    """List orders that were given up; their points stay held until somebody decides."""

    async def work(runtime: Runtime) -> list[DeadLetter]:
        async with runtime.database.begin() as session:
            return await dead_letters(session, plugin=plugin, limit=MOST_LISTED)

    found = run(work)
    for each in found:
        click.echo(
            f"{each.burn_id}  {each.plugin:<14}{each.offer:<24}{each.points:>10} points  "
            f"{each.attempts} attempts since {each.held_at:%Y-%m-%d %H:%M}"
        )
        for answer in each.answers:
            click.echo(
                f"    {answer.at:%Y-%m-%d %H:%M} attempt {answer.attempt}: {answer.outcome} "
                f"{answer.words}".rstrip()
            )
    if not found:
        click.echo("No order is dead.")
    elif len(found) == MOST_LISTED:
        click.echo(f"These are the {MOST_LISTED} oldest; there may be more.")


@fulfilment_group.command("replay")
@click.argument("burns", nargs=-1, type=click.UUID)
@click.option("--plugin", help="All dead orders of this plugin.")
@click.option("--all", "everything", is_flag=True, help="All dead orders.")
def replay_command(burns: Sequence[UUID], plugin: str | None, everything: bool) -> None:
    """Ask the supplier again what became of dead orders BURNS. Never orders twice."""
    if [bool(burns), plugin is not None, everything].count(True) != 1:
        raise UsageError("Name burns, or --plugin, or --all.")

    async def work(runtime: Runtime) -> int:
        async with runtime.database.begin() as session:
            named = burns or None
            return len(await replay(session, actor(), burn_ids=named, plugin=plugin))

    click.echo(f"{run(work)} orders are due again.")
