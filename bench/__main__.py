"""Every measurement, one after the other, and one table of all rows.

    python -m bench [GROUP]... [--json] [--quick] [--strict] [--list]

Each group is a process of its own (`python -m bench.burns`), so one that fails harms no other.
Progress goes to standard error, the table (or one JSON object a row) to standard output. Exit
status: 0 when every row could be taken; 1 where one could not, or, with --strict, misses its goal.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

import click
import msgspec

from bench.groups import GROUPS, Group
from bench.rows import Row, json_lines, table


def say(text: str) -> None:
    """Progress, on stderr."""
    click.echo(text, err=True)


def chosen(names: Sequence[str]) -> list[Group]:
    """The groups of these names, all where there is none; in the order of the registry."""
    known = {each.name for each in GROUPS}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise click.BadParameter(
            f"no group {', '.join(unknown)}; there are {', '.join(each.name for each in GROUPS)}"
        )
    return [each for each in GROUPS if not names or each.name in names]


def rows_of(output: str) -> list[Row]:
    """The rows that a group printed; MsgspecError where a line is none."""
    lines = (line for line in output.splitlines() if line.strip())
    return [msgspec.json.decode(line, type=Row) for line in lines]


def measure(group: Group, *, quick: bool) -> list[Row] | None:
    """Run a group; None where it could not take its rows, which it has said by itself."""
    arguments = group.quick if quick else group.arguments
    command = [sys.executable, "-m", group.module, "--json", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        return None
    try:
        return rows_of(done.stdout)
    except msgspec.MsgspecError as error:
        say(f"error: {group.name} printed what is no row: {error}")
        return None


def run(
    groups: Sequence[Group], *, take: Callable[[Group], list[Row] | None]
) -> tuple[list[Row], list[str]]:
    """All rows, and the names of the groups that could not be taken."""
    rows: list[Row] = []
    failed: list[str] = []
    for number, group in enumerate(groups, start=1):
        say(f"\n[{number}/{len(groups)}] {group.name}: {group.about}")
        began = time.monotonic()
        found = take(group)
        if found is None:
            failed.append(group.name)
        else:
            rows += found
        say(f"[{number}/{len(groups)}] {group.name}: {time.monotonic() - began:.0f} s")
    return rows, failed


def status(rows: Sequence[Row], failed: Sequence[str], *, strict: bool) -> int:
    """The exit status."""
    missed = any(row.verdict == "missed" for row in rows)
    return 1 if failed or (strict and missed) else 0


def warn_of_wrk(groups: Sequence[Group]) -> None:
    """Say what cannot be measured, or only badly, where wrk is missing."""
    if shutil.which("wrk") is not None:
        return
    cannot = ", ".join(each.name for each in groups if each.wrk)
    say("warning: wrk is not installed (apt-get install wrk).")
    say("Loads come from a slower client in Python: their figures are too low.")
    if cannot:
        say(f"These cannot be measured at all: {cannot}.")


@click.command()
@click.argument("names", metavar="[GROUP]...", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="One JSON object per row.")
@click.option("--quick", is_flag=True, help="A smoke run: does it work? Figures mean nothing.")
@click.option("--strict", is_flag=True, help="Exit 1 where a goal is missed, too.")
@click.option("--list", "listed", is_flag=True, help="List the groups.")
def main(names: tuple[str, ...], as_json: bool, quick: bool, strict: bool, listed: bool) -> None:
    """Measure everything, or the groups named, and print one table."""
    groups = chosen(names)
    if listed:
        for each in groups:
            click.echo(f"{each.name:12}{each.minutes:>3} min  {each.about}")
        return
    warn_of_wrk(groups)
    if not quick:
        minutes = sum(each.minutes for each in groups)
        say(f"About {minutes} minutes on two cores; let nothing else run meanwhile.")
    rows, failed = run(groups, take=lambda group: measure(group, quick=quick))
    click.echo(json_lines(rows) if as_json else table(rows))
    if quick:
        say("A smoke run: the figures and verdicts above mean nothing.")
    if failed:
        say(f"error: could not be measured: {', '.join(failed)}")
    sys.exit(status(rows, failed, strict=strict))


if __name__ == "__main__":
    main()
