"""`marketplace settlement statement | trace`, `marketplace statement verify | key`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Final
from uuid import UUID

import click
import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.commands import actor, run
from marketplace.errors import UsageError
from marketplace.house_key import house_keys
from marketplace.runtime import Runtime
from marketplace.settings import load
from marketplace.web.i18n import NAMES, SOURCE
from settlement.statements import records, repository, service, tracing
from settlement.statements.delivery import Form, write
from settlement.statements.domain import Reader
from settlement.statements.service import Subject
from settlement.statements.tracing import LineTraced
from settlement.statements.verify.report import check_files

ENDING: Final = ".part"
"""Of a file that is not whole yet."""


@click.command("statement")
@click.argument("member", required=False)
@click.option("--window", type=click.UUID, help="A window that is closed.")
@click.option("--settlement", help="Reference of a settlement that is recorded.")
@click.option(
    "--format",
    "forms",
    type=click.Choice([each.value for each in Form]),
    multiple=True,
    help="Once or more; all three where none is named.",
)
@click.option("--to", "file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--all", "everybody", is_flag=True, help="Of every member that has a line.")
@click.option("--to-folder", "folder", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--language",
    type=click.Choice(list(NAMES)),
    default=SOURCE,
    show_default=True,
    help="Of the PDF.",
)
def statement(
    member: str | None,
    window: UUID | None,
    settlement: str | None,
    forms: Sequence[str],
    file: Path | None,
    everybody: bool,
    folder: Path | None,
    language: str,
) -> None:
    """Write statements of MEMBER, or --all, for a window or settlement as PDF, CSV, signed JSON.

    The same again is the same to the byte.
    """
    wanted = [Form(each) for each in forms] or list(Form)
    if (member is None) != everybody:
        raise UsageError("Name a member, or say --all.")
    if (window is None) == (settlement is None):
        raise UsageError("Name a window by --window, or a settlement by --settlement.")
    if (file is None) == (folder is None):
        raise UsageError("Say where to: --to FILE, or --to-folder FOLDER.")
    if file is not None and (everybody or len(wanted) != 1):
        raise UsageError("One file holds one --format of one member; use --to-folder.")

    async def work(runtime: Runtime) -> None:
        for slug in await _members(runtime, member, window, settlement):
            async with runtime.database.begin() as session:
                subject = await _subject(session, window, settlement)
                reader = await service.reader_of(session, slug)
                stem = f"statement-{slug}-{subject.reference}"
                paths = {
                    form: file if file is not None else Path(folder or ".") / f"{stem}.{form}"
                    for form in wanted
                }
                await _write(runtime, session, subject, reader, paths, language)
            click.echo(f"{slug}: {', '.join(str(path) for path in paths.values())}")

    run(work)


async def _subject(session: AsyncSession, window: UUID | None, settlement: str | None) -> Subject:
    if window is not None:
        return await service.of_window(session, window)
    return await service.of_settlement(session, str(settlement))


async def _members(
    runtime: Runtime, member: str | None, window: UUID | None, settlement: str | None
) -> Iterable[str]:
    if member is not None:
        return [member]
    async with runtime.database.begin() as session:
        subject = await _subject(session, window, settlement)
        return await repository.members_with_lines(session, subject.window_ids)


async def _write(
    runtime: Runtime,
    session: AsyncSession,
    subject: Subject,
    reader: Reader,
    paths: dict[Form, Path],
    language: str,
) -> None:
    """Files appear under their names when they are whole."""
    drafts = {form: path.with_name(f"{path.name}{ENDING}") for form, path in paths.items()}
    try:
        with ExitStack() as stack:
            files: dict[Form, IO[bytes]] = {}
            for form, draft in drafts.items():
                draft.parent.mkdir(parents=True, exist_ok=True)
                files[form] = stack.enter_context(draft.open("wb"))
            await write(
                session,
                runtime.settings,
                subject,
                reader,
                files,
                language=language,
                actor=actor(),
            )
        for form, draft in drafts.items():
            draft.replace(paths[form])
    finally:
        for draft in drafts.values():
            draft.unlink(missing_ok=True)


@click.command("trace")
@click.argument("line", metavar="LINE|BURN")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of text.")
def trace(line: str, as_json: bool) -> None:
    """Show what LINE (or every line of BURN) comes from, and how far its money has come."""

    async def work(runtime: Runtime) -> tracing.Trace:
        async with runtime.database.begin() as session:
            return await tracing.trace(session, line)

    found = run(work)
    if as_json:
        click.echo(msgspec.json.encode(found).decode())
        return
    for each in found.lines:
        click.echo("\n".join(_told(each)))


def _told(line: LineTraced) -> list[str]:
    """One line as text."""
    amounts = f"funded {line.funded_micros}, cost {line.cost_micros} micros"
    if line.amount_micros is not None:
        amounts = f"{line.amount_micros} micros, {line.reference}: {line.reason}"
    told = [
        f"{line.kind} {line.line}",
        f"  {line.payer} -> {line.payee or '-'}  {line.points} points  {line.currency} {amounts}",
    ]
    if line.burn is not None:
        told.append(
            f"  burn {line.burn.id} ({line.burn.status}) of {line.burn.offer}, supplier's "
            f"reference {line.burn.supplier_reference or '-'}"
        )
    if line.lot is not None:
        told.append(f"  lot {line.lot.id} of issuance {line.lot.issuance}")
    if line.contract is not None:
        told.append(f"  contracts {line.contract}, {line.acceptor_contract or '-'}")
    told.append(f"  window {line.window} ({line.window_status})")
    if line.disputed:
        told.append("  under dispute now: settlements leave it out")
    if line.left_out_of is not None:
        told.append(f"  left out of settlement {line.left_out_of} because of a dispute")
    if line.settlement is None:
        return [*told, "  in no settlement yet"]
    told.append(f"  settlement {line.settlement.reference} ({line.settlement.status})")
    for leg in line.settlement.legs:
        entries = ", ".join(map(str, leg.bank_entries)) or "none yet"
        told.append(
            f"  leg {leg.reference} {leg.member} {leg.direction} {leg.amount_minor} minor units "
            f"({leg.status}), bank entries: {entries}"
        )
    return told


@click.command("verify")
@click.argument(
    "files",
    metavar="FILE...",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@click.option(
    "--key",
    "key_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with public keys that may have signed, one a line, as `statement key` prints.",
)
def verify(files: Sequence[Path], key_file: Path | None) -> None:
    """Check signed statements FILE offline; several together are checked as a chain too.

    Reckons everything again from the lines. Exits 1 and says what is wrong where something is.
    """
    right, told = check_files(files, _keys(key_file) if key_file else [])
    click.echo("\n".join(told))
    if key_file is None:
        click.echo("Whose key it is was not checked: name it by --key.")
    sys.exit(0 if right else 1)


def _keys(path: Path) -> list[str]:
    lines = (line.partition("#")[0].strip() for line in path.read_text().splitlines())
    keys = [line for line in lines if line]
    if not keys:
        raise UsageError(f"{path} holds no key.")
    return keys


@click.command("key")
def key() -> None:
    """Print the public keys that statements of this house are signed with, for --key."""
    for each in house_keys(load(), records.PURPOSE):
        click.echo(each.public_text)
