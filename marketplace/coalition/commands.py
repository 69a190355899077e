"""`marketplace import <kind> FILE.csv`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from marketplace.coalition.imports import ROWS, ImportReport, import_file
from marketplace.commands import Group, actor, run
from marketplace.errors import UsageError
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
