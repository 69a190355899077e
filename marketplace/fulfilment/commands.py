"""Command line: the processes that deliver rewards, and what to do about orders."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import click

from marketplace.commands import Group, actor, run
from marketplace.db import raw_connection
from marketplace.errors import NotFound
from marketplace.fulfilment import health, repository, service
from marketplace.fulfilment.schemas import SupplierState
from marketplace.identity.models import AuditEntry
from marketplace.ids import next_key
from marketplace.runtime import Runtime
from marketplace.settings import load


@click.command("worker")
@click.option("--queues", default="", help="Queues to work on, comma separated; all by default.")
@click.option("--concurrency", type=click.IntRange(1, 256), help="Threads of this process.")
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
        if each.reason:
            click.echo(f"    {each.reason}")


@fulfilment_group.command("dead")
@click.option("--plugin", help="Only this plugin's.")
def dead(plugin: str | None) -> None:
    """List orders that were given up; their points stay held until somebody decides."""

    async def work(runtime: Runtime) -> list[str]:
        async with runtime.database.begin() as session:
            rows = await repository.dead(await raw_connection(session), plugin)
        return [
            f"{row['id']}  {row['plugin']:<14}{row['offer']:<24}{row['points']:>10} points  "
            f"{row['attempts']} attempts since {row['posted_at']:%Y-%m-%d %H:%M}"
            for row in rows
        ]

    for line in run(work) or ["No order is dead."]:
        click.echo(line)


@fulfilment_group.command("replay")
@click.argument("burns", nargs=-1, required=True, type=click.UUID)
def replay(burns: Sequence[UUID]) -> None:
    """Ask the supplier again what became of dead orders BURNS. Never orders twice."""

    async def work(runtime: Runtime) -> None:
        async with runtime.database.begin() as session:
            done = await service.replay(session, burns)
            missing = [str(burn) for burn in burns if burn not in done]
            if missing:
                raise NotFound(f"Not dead, so nothing was replayed: {', '.join(missing)}")
            for burn in done:
                session.add(
                    AuditEntry(
                        id=next_key(),
                        actor=actor(),
                        action="fulfilment.replayed",
                        subject_kind="burn",
                        subject_id=str(burn),
                    )
                )

    run(work)
    click.echo(f"{len(burns)} orders are due again.")
