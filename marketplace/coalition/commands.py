"""`marketplace import <kind> FILE.csv` and `marketplace coalition contracts`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import msgspec

from marketplace import heap
from marketplace.coalition.contracts import ContractView, contract_views
from marketplace.coalition.imports import ROWS, ImportReport, import_file
from marketplace.commands import Group, actor, run
from marketplace.errors import UsageError
from marketplace.money import decimal_from_micros
from marketplace.runtime import Runtime

REPORT_EVERY_BYTES = 10_000_000
"""Without a terminal, progress is a line every so often."""


@click.group("import", cls=Group)
def import_group() -> None:
    """Import a CSV file: all of it, or nothing. Exit status 1 where a line is bad."""


def _command(kind: str) -> click.Command:
    @click.command(kind, help=f"Import {kind} from a CSV file (docs/concepts/imports.md).")
    @click.argument("file", type=click.Path(path_type=Path))
    @click.option("--dry-run", is_flag=True, help="Check everything and write nothing.")
    def command(file: Path, dry_run: bool) -> None:
        report = _run(kind, file, dry_run)
        for line in report.lines():
            click.echo(line, err=not report.ok)
        sys.exit(0 if report.ok else 1)

    return command


def _run(kind: str, file: Path, dry_run: bool) -> ImportReport:
    try:
        size = os.stat(file).st_size
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}.") from None

    async def work(runtime: Runtime) -> ImportReport:
        heap.freeze()
        with _progress(kind, size) as progress:
            return await import_file(
                runtime, kind, file, dry_run=dry_run, progress=progress, actor=actor()
            )

    return run(work)


@contextmanager
def _progress(kind: str, size: int) -> Iterator[Callable[[int], None]]:
    """Show on standard error how much of the file was read."""
    if sys.stderr.isatty():
        with click.progressbar(length=size, label=f"Importing {kind}", file=sys.stderr) as bar:
            yield bar.update
        return
    done = 0

    def tell(count: int) -> None:
        nonlocal done
        before, done = done, done + count
        if before // REPORT_EVERY_BYTES < done // REPORT_EVERY_BYTES:
            click.echo(f"{kind}: {done:,} of {size:,} bytes read", err=True)

    yield tell


for _kind in ROWS:
    import_group.add_command(_command(_kind))


@click.group("coalition", cls=Group)
def coalition_group() -> None:
    """Look at the coalition."""


@coalition_group.command("contracts")
@click.option("--member", help="Only the contracts of this member (slug).")
@click.option("--json", "as_json", is_flag=True, help="One JSON array instead of text.")
def contracts_command(member: str | None, as_json: bool) -> None:
    """Print every version of the contracts, with the days it is in force."""

    async def work(runtime: Runtime) -> list[ContractView]:
        async with runtime.database.begin() as session:
            return await contract_views(session, member)

    found = run(work)
    if as_json:
        click.echo(msgspec.json.encode(found).decode())
        return
    for each in found:
        until = "open" if each.valid_to is None else f"{each.valid_to:%Y-%m-%d}"
        funding = each.funding + (f" {each.pooled_bps} bps" if each.pooled_bps else "")
        price = decimal_from_micros(each.price_micros)
        click.echo(
            f"{'*' if each.in_force else ' '} {each.member:<20} {each.reference} "
            f"v{each.version}  {each.valid_from:%Y-%m-%d} to {until}  {each.role}, {funding}, "
            f"{each.currency} {price} a point, fee {each.fee_bps} bps, breakage {each.breakage}"
        )
