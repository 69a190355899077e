"""`marketplace settlement bank ...` and `marketplace settlement daily`."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import click
import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.commands import Group, run
from marketplace.money import decimal_from_micros
from marketplace.runtime import Runtime
from settlement.bank import (
    accounts,
    breaking,
    daily,
    deciding,
    fetching,
    importing,
    matching,
    reading,
    resolving,
    suggesting,
    transit,
)
from settlement.bank.daily import FiveWay
from settlement.bank.domain import Action, BreakKind
from settlement.bank.importing import ImportReport
from settlement.bank.matching import Matched
from settlement.bank.resolving import Resolution
from settlement.bank.schemas import account_view, break_view, statement_view, suggestion_view
from settlement.clearing import acting, legs
from settlement.clearing.acting import AS_PERSON

JSON = click.option("--json", "as_json", is_flag=True, help="JSON instead of text.")
NOTE = click.option("--note", required=True, help="Why; it stays on record.")
MOST = 1_000
"""Rows of a list."""


@click.group("bank", cls=Group)
def bank() -> None:
    """Bank statements: import them, match them with legs, resolve what does not match."""


def _ask(work: Callable[[AsyncSession], Awaitable[Any]]) -> Any:
    """Read or write in one transaction."""

    async def inside(runtime: Runtime) -> Any:
        async with runtime.database.begin() as session:
            return await work(session)

    return run(inside)


def _act(who: acting.Asked, work: Callable[[AsyncSession, str], Awaitable[Any]]) -> Any:
    """The same, by whoever is at the command line."""

    async def inside(runtime: Runtime) -> Any:
        actor = await acting.actor_of(runtime.database, who)
        async with runtime.database.begin() as session:
            return await work(session, actor)

    return run(inside)


def _print(found: Any, as_json: bool, words: Callable[[Any], str]) -> None:
    """A list, a line each."""
    if as_json:
        click.echo(msgspec.json.encode(found).decode())
    else:
        click.echo("\n".join(words(each) for each in found) or "Nothing.")


@bank.command("accounts")
@JSON
def accounts_command(as_json: bool) -> None:
    """List the clearing house's own accounts."""

    async def work(session: AsyncSession) -> Any:
        return [account_view(row) for row in await accounts.accounts(session)]

    _print(
        _ask(work),
        as_json,
        lambda row: f"{row.identifier}  {row.currency}  {row.rail}  {row.name}",
    )


@bank.command("add-account")
@click.argument("identifier")
@click.option("--currency", default="EUR", show_default=True)
@click.option("--rail", default="sepa", show_default=True, help="Plugin that reads its files.")
@click.option("--name", required=True)
@click.option("--as-written", is_flag=True, help="Take an IBAN whose check digits are wrong.")
@AS_PERSON
def add_account(
    identifier: str, currency: str, rail: str, name: str, as_written: bool, who: acting.Asked
) -> None:
    """Make an account of the clearing house known by its IBAN or other IDENTIFIER."""

    async def work(session: AsyncSession, actor: str) -> Any:
        return await accounts.add(
            session,
            identifier=identifier,
            currency=currency,
            rail=rail,
            name=name,
            actor=actor,
            as_written=as_written,
        )

    click.echo(_act(who, work).identifier)


@bank.command("fetch")
@JSON
def fetch_command(as_json: bool) -> None:
    """Import what rails have of our accounts, as is done by itself every quarter of an hour."""

    async def work(runtime: Runtime) -> tuple[int, list[Any]]:
        found = await fetching.fetch(runtime)
        async with runtime.database.begin() as session:
            rows = [account_view(row) for row in await accounts.accounts(session)]
        return found, [row for row in rows if row.trouble]

    found, bad = run(work)
    if as_json:
        click.echo(msgspec.json.encode({"statements": found, "accounts": bad}).decode())
    else:
        click.echo(f"{found} statements")
    for each in bad:
        click.echo(f"{each.identifier} {each.currency}: {each.trouble}", err=True)
    if bad:
        raise click.exceptions.Exit(1)


@bank.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--rail", help="Plugin that reads the files, where several can.")
@AS_PERSON
@JSON
def import_command(
    files: tuple[Path, ...], rail: str | None, who: acting.Asked, as_json: bool
) -> None:
    """Import FILES of a bank: each whole, or not at all; the same again changes nothing."""

    async def work(runtime: Runtime) -> list[ImportReport]:
        actor = await acting.actor_of(runtime.database, who)
        return [
            await importing.import_file(runtime, path, actor=actor, rail=rail, progress=_progress)
            for path in files
        ]

    reports = run(work)
    if as_json:
        click.echo(msgspec.json.encode(reports).decode())
        return
    for report in reports:
        click.echo("\n".join(_told(report)))


def _progress(entries: int) -> None:
    """Where somebody watches."""
    if sys.stderr.isatty():
        click.echo(f"\r{entries:,} entries", nl=False, err=True)


def _told(report: ImportReport) -> list[str]:
    said = [f"{report.file}, read by {report.rail}"]
    for each in report.statements:
        said.append(
            f"  {each.kind} {each.reference} of {each.account}, {each.from_on} to {each.to_on}: "
            f"{each.entries} entries, {each.outcome}"
        )
    answers = report.answers
    for name in ("accepted", "rejected", "unknown", "strange"):
        if found := getattr(answers, name):
            said.append(f"  {name}: {', '.join(found)}")
    if report.gaps:
        said.append(f"  statements are missing before it: {report.gaps}")
    if report.matched is not None:
        said.append(f"  {_matched(report.matched)}")
    return said


def _matched(done: Matched) -> str:
    return ", ".join(f"{count} {name}" for name, count in msgspec.structs.asdict(done).items())


@bank.command("statements")
@JSON
def statements_command(as_json: bool) -> None:
    """List statements, those imported last first."""

    async def work(session: AsyncSession) -> Any:
        rows = await reading.statements(session, before=None, most=MOST)
        return [statement_view(row) for row, _ in rows]

    _print(
        _ask(work), as_json, lambda row: f"{row.kind}  {row.reference}  {row.from_on} {row.to_on}"
    )


@bank.command("match")
def match_command() -> None:
    """Match every line that waits with legs. Safe to run at any time."""

    async def work(runtime: Runtime) -> Matched:
        async with runtime.database.begin() as session:
            return await matching.match(session, late_days=runtime.settings.bank_late_days)

    click.echo(_matched(run(work)))


@bank.command("suggestions")
@JSON
def suggestions_command(as_json: bool) -> None:
    """List matches that are not certain."""

    async def work(session: AsyncSession) -> Any:
        return [suggestion_view(row) for row in await suggesting.suggestions(session, limit=MOST)]

    _print(_ask(work), as_json, lambda row: f"{row.id}  {row.confidence} %  {row.reason}")


@bank.command("accept")
@click.argument("suggestion", type=click.UUID)
@AS_PERSON
def accept_command(suggestion: UUID, who: acting.Asked) -> None:
    """Take SUGGESTION: the leg is paid by that line."""
    _act(who, lambda session, actor: deciding.accept(session, suggestion, actor=actor))


@bank.command("refuse")
@click.argument("suggestion", type=click.UUID)
@AS_PERSON
def refuse_command(suggestion: UUID, who: acting.Asked) -> None:
    """Leave SUGGESTION: it is not made again."""
    _act(who, lambda session, actor: deciding.refuse(session, suggestion, actor=actor))


@bank.command("undo")
@click.argument("match", type=click.UUID)
@NOTE
@AS_PERSON
def undo_command(match: UUID, note: str, who: acting.Asked) -> None:
    """Take MATCH back: contra postings, and the line is open again."""
    _act(who, lambda session, actor: deciding.undo(session, match, actor=actor, note=note))


@bank.command("breaks")
@click.option("--kind", type=click.Choice([each.value for each in BreakKind]))
@click.option("--all", "everything", is_flag=True, help="Resolved ones too.")
@JSON
def breaks_command(kind: str | None, everything: bool, as_json: bool) -> None:
    """List what does not match, newest first."""

    async def work(session: AsyncSession) -> Any:
        wanted = None if kind is None else BreakKind(kind)
        rows = await breaking.breaks(session, kind=wanted, unresolved=not everything, limit=MOST)
        return [break_view(row) for row in rows]

    _print(
        _ask(work),
        as_json,
        lambda row: (
            f"{row.id}  {row.kind:<15}{row.status:<10}"
            f"{decimal_from_micros(row.amount_micros)} {row.currency}  {row.reason}"
        ),
    )


@bank.command("resolve")
@click.argument("which", metavar="BREAK", type=click.UUID)
@click.argument("action", type=click.Choice([each.value for each in Action]))
@NOTE
@click.option("--member", help="Slug, of `prefund`.")
@click.option("--leg", "references", multiple=True, help="Reference of a leg, of `match`.")
@click.option("--line", "entry", type=click.UUID, help="The other line, of `contra`.")
@AS_PERSON
def resolve_command(
    which: UUID,
    action: str,
    note: str,
    member: str | None,
    references: tuple[str, ...],
    entry: UUID | None,
    who: acting.Asked,
) -> None:
    """Resolve BREAK by ACTION. A write-off waits for a second person (`confirm`)."""

    async def work(session: AsyncSession, actor: str) -> Any:
        found = await legs.by_reference(session, references)
        if unknown := [each for each in references if each not in found]:
            raise click.UsageError(f"There is no leg {unknown[0]}.")
        how = Resolution(
            action=Action(action),
            note=note,
            member=member,
            leg_ids=[found[each].id for each in references],
            entry_id=entry,
        )
        return await resolving.resolve(session, which, how, actor=actor)

    click.echo(_act(who, work))


@bank.command("confirm")
@click.argument("which", metavar="BREAK", type=click.UUID)
@click.option("--note", default="", help="For the record.")
@AS_PERSON
def confirm_command(which: UUID, note: str, who: acting.Asked) -> None:
    """Confirm as a second person that BREAK is written off."""
    _act(who, lambda session, actor: resolving.confirm(session, which, actor=actor, note=note))


@bank.command("in-transit")
@JSON
def transit_command(as_json: bool) -> None:
    """List legs whose money no statement has shown, the oldest first."""
    _print(
        _ask(transit.in_transit),
        as_json,
        lambda leg: (
            f"{leg.reference}  {decimal_from_micros(leg.amount_micros)} {leg.currency}  "
            f"{leg.status}  {leg.days} days"
        ),
    )


@bank.command("moves")
@JSON
def moves_command(as_json: bool) -> None:
    """List money between own accounts, or kept back, that no statement shows arriving."""
    _print(
        _ask(transit.own_in_transit),
        as_json,
        lambda move: (
            f"{move.name}  {decimal_from_micros(move.amount_micros)} {move.currency}  "
            f"{'on its way' if move.elsewhere else 'kept back'} since {move.booked_on}  "
            f"{move.days} days"
        ),
    )


@click.command("daily")
@click.option("--date", "day", type=click.DateTime(["%Y-%m-%d"]), help="Yesterday without.")
@JSON
def daily_command(day: datetime | None, as_json: bool) -> None:
    """Close a day five ways: ledger, burns, suppliers, settlement, bank. Exits 1 unless green."""
    found = _ask(lambda session: daily.close_of_day(session, None if day is None else day.date()))
    click.echo(msgspec.json.encode(found).decode() if as_json else "\n".join(_board(found)))
    sys.exit(0 if found.green else 1)


def _board(found: FiveWay) -> list[str]:
    said = [f"{found.day}  {'green' if found.green else 'NOT GREEN'}"]
    for row in found.rows:
        figures = "  ".join(f"{side} {figure}" for side, figure in row.figures.items())
        verdict = "ok   " if row.agrees else "WRONG"
        said.append(f"{verdict} {row.measure:<8}{row.currency:<7}{row.settlement}  {figures}")
    for each in found.breaks:
        said.append(f"break {each.kind}  {each.reason}")
    if found.break_count > len(found.breaks):
        said.append(f"and {found.break_count - len(found.breaks)} more breaks")
    return said
