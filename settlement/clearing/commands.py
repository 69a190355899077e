"""`marketplace settlement net | record | approve | abort | submit | show | matrix | legs | ...`."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import click
import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.commands import run
from marketplace.errors import UsageError
from marketplace.runtime import Runtime
from settlement.clearing import acting, files, printing, repository, service, views
from settlement.clearing.acting import AS_PERSON
from settlement.clearing.domain import Mode
from settlement.clearing.driving import Driven, drive
from settlement.clearing.leg_commands import LEG_COMMANDS
from settlement.clearing.schemas import SettlementDetail, Settlements

JSON = click.option("--json", "as_json", is_flag=True, help="JSON instead of text.")
NOTE = click.option("--note", default="", help="For the history.")
WHICH = click.argument("settlement", metavar="REFERENCE")

Step = Callable[[AsyncSession, UUID, str], Awaitable[Any]]


def _say(found: Any, as_json: bool, words: Callable[[Any], list[str]]) -> None:
    """Print what was found."""
    click.echo(msgspec.json.encode(found).decode() if as_json else "\n".join(words(found)))


def _step(reference: str, who: acting.Asked, step: Step) -> SettlementDetail:
    """One step of a settlement, by whoever is at the command line."""

    async def work(runtime: Runtime) -> SettlementDetail:
        actor = await acting.actor_of(runtime.database, who)
        async with runtime.database.begin() as session:
            row = await repository.find(session, reference)
            await step(session, row.id, actor)
            return await views.detail(session, await repository.find(session, reference))

    return run(work)


@click.command("net")
@click.option(
    "--window",
    "windows",
    multiple=True,
    type=click.UUID,
    help="A closed window; repeat for more. All closed ones without.",
)
@click.option(
    "--mode",
    type=click.Choice([each.value for each in Mode]),
    default=Mode.MULTILATERAL.value,
    show_default=True,
)
@click.option("--due", type=click.DateTime(["%Y-%m-%d"]), help="When legs are executed.")
@NOTE
@AS_PERSON
@JSON
def net(
    windows: Sequence[UUID],
    mode: str,
    due: datetime | None,
    note: str,
    who: acting.Asked,
    as_json: bool,
) -> None:
    """Net closed windows into a pending settlement: positions and legs."""

    async def work(runtime: Runtime) -> SettlementDetail:
        actor = await acting.actor_of(runtime.database, who)
        async with runtime.database.begin() as session:
            made = await service.draft(
                session,
                list(windows) or None,
                mode=Mode(mode),
                due_on=None if due is None else due.date(),
                actor=actor,
                note=note,
            )
            return await views.detail(session, made)

    _say(run(work), as_json, printing.detail)


@click.command("record")
@WHICH
@NOTE
@AS_PERSON
@JSON
def record(settlement: str, note: str, who: acting.Asked, as_json: bool) -> None:
    """Vouch for a pending settlement: positions become dues."""

    async def step(session: AsyncSession, settlement_id: UUID, actor: str) -> None:
        await service.record(session, settlement_id, actor=actor, note=note)

    _say(_step(settlement, who, step), as_json, printing.summary)


@click.command("approve")
@WHICH
@NOTE
@AS_PERSON
@JSON
def approve(settlement: str, note: str, who: acting.Asked, as_json: bool) -> None:
    """Vouch for a recorded settlement as a second person."""

    async def step(session: AsyncSession, settlement_id: UUID, actor: str) -> None:
        await service.approve(session, settlement_id, actor=actor, note=note)

    _say(_step(settlement, who, step), as_json, printing.summary)


@click.command("abort")
@WHICH
@click.option("--note", required=True, help="Why, for the history.")
@AS_PERSON
@JSON
def abort(settlement: str, note: str, who: acting.Asked, as_json: bool) -> None:
    """Undo a settlement of which no leg has gone: its windows are closed again."""

    async def step(session: AsyncSession, settlement_id: UUID, actor: str) -> None:
        await service.abort(session, settlement_id, actor=actor, note=note)

    _say(_step(settlement, who, step), as_json, printing.summary)


@click.command("submit")
@WHICH
@click.option(
    "--pay-before-collected", is_flag=True, help="Pay creditors before debtors have paid."
)
@click.option("--keep-prefund", is_flag=True, help="Do not use what members have paid ahead.")
@click.option(
    "--without-account", is_flag=True, help="Members without an account pay and are paid by hand."
)
@NOTE
@AS_PERSON
@JSON
def submit(
    settlement: str,
    pay_before_collected: bool,
    keep_prefund: bool,
    without_account: bool,
    note: str,
    who: acting.Asked,
    as_json: bool,
) -> None:
    """Send an approved settlement off; of one that is under way, send what can go now.

    Debits go first. Creditors are paid once what they get is there.
    """

    async def work(runtime: Runtime) -> tuple[Driven, SettlementDetail]:
        actor = await acting.actor_of(runtime.database, who)
        async with runtime.database.begin() as session:
            row = await repository.find(session, settlement)
            asked = pay_before_collected or keep_prefund or without_account
            if asked or row.status not in (*repository.MOVING, repository.SETTLED):
                await service.submit(
                    session,
                    row.id,
                    actor=actor,
                    note=note,
                    pay_before_collected=pay_before_collected,
                    keep_prefund=keep_prefund,
                    without_account=without_account,
                )
        done = await drive(runtime.database, runtime.rails, settlement_id=row.id)
        async with runtime.database.begin() as session:
            return done, await views.detail(session, await repository.find(session, settlement))

    done, found = run(work)
    _say(found, as_json, printing.summary)
    if not as_json:
        click.echo(f"{done.submitted} legs submitted, {done.files} files made.")
    for words in done.waiting:
        click.echo(f"waiting: {words}", err=True)


@click.command("show")
@click.argument("settlement", metavar="[REFERENCE]", required=False)
@JSON
def show(settlement: str | None, as_json: bool) -> None:
    """Show a settlement with positions and legs; all of them without REFERENCE."""

    async def one(runtime: Runtime) -> SettlementDetail:
        async with runtime.database.begin() as session:
            return await views.detail(session, await repository.find(session, settlement or ""))

    async def every(runtime: Runtime) -> Settlements:
        async with runtime.database.begin() as session:
            rows = await repository.settlements(session)
            return Settlements([await views.settlement_view(session, row) for row in rows])

    if settlement is None:
        _say(run(every), as_json, printing.listed)
    else:
        _say(run(one), as_json, printing.detail)


@click.command("matrix")
@WHICH
@JSON
def matrix(settlement: str, as_json: bool) -> None:
    """Show who owes whom, gross, by reason."""

    async def work(runtime: Runtime) -> Any:
        async with runtime.database.begin() as session:
            return await views.matrix(session, await repository.find(session, settlement))

    _say(run(work), as_json, printing.matrix)


@click.command("files")
@WHICH
@click.option("--check", is_flag=True, help="Make them again and compare; exit 1 on a difference.")
@click.option(
    "--output", type=click.Path(path_type=Path, file_okay=False), help="Folder to write them to."
)
@JSON
def files_command(settlement: str, check: bool, output: Path | None, as_json: bool) -> None:
    """List the files for banks of a settlement."""

    async def work(runtime: Runtime) -> tuple[list[Any], list[files.Remade]]:
        async with runtime.database.begin() as session:
            row = await repository.find(session, settlement)
            sent = await repository.files(session, row.id)
        again = await files.make_again(runtime.database, runtime.rails, row.id) if check else []
        return sent, again

    sent, again = run(work)
    if output is not None:
        _write(output, sent)
    shown = [views.file_view(each) for each in sent]
    _say({"files": shown, "again": again}, as_json, lambda _: printing.files(shown, again))
    if not all(each.same for each in again):
        sys.exit(1)


def _write(folder: Path, sent: Sequence[Any]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for each in sent:
            (folder / each.name).write_bytes(each.content)
    except OSError as error:
        raise UsageError(f"{folder} cannot be written: {error.strerror}.") from None


COMMANDS = [
    net,
    record,
    approve,
    abort,
    submit,
    show,
    matrix,
    files_command,
    *LEG_COMMANDS,
]
