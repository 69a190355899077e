"""The acceptance replay: The Complete Journey through the exchange, reported to the micro.

    python -m bench.journey --report FILE [--workdir DIR] [--limit-days N] [--check] [--keep]

Rules and report: bench/README.md. Exit status: 0 done (and, with --check, equal to the oracle);
1 something went wrong or differs; 2 the data is not installed.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import click

from bench import journey_data, oracle
from bench.journey_client import Api
from bench.journey_data import Journey
from bench.journey_replay import OPERATOR, Replay
from bench.journey_report import make_report
from bench.progress import Phases
from bench.server import (
    BenchError,
    environment,
    fresh_database,
    program,
    server_url,
    serving,
)
from marketplace.runtime import open_runtime
from marketplace.settings import Settings

DATABASE = "bench_journey"
MOST_SHOWN = 20


def say(text: str) -> None:
    """Progress, on stderr."""
    click.echo(text, err=True)


def marketplace(settings: Settings, *arguments: str) -> str:
    """Run a command of the product; returns what it prints. BenchError where it fails."""
    done = subprocess.run(
        program(*arguments),
        env=environment(settings),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BenchError(f"`marketplace {' '.join(arguments)}`: {done.stdout}{done.stderr}")
    return done.stdout


def operator_key(settings: Settings) -> str:
    """A new API key of the operator, for burns and for codes."""
    scopes = ("--scope", "burns:write", "--scope", "stock:write")
    made = marketplace(
        settings, "keys", "create", "--member", OPERATOR, "--label", "replay", *scopes
    )
    return made.strip()


async def _set_up(settings: Settings, journey: Journey, folder: Path, phases: Phases) -> None:
    async with open_runtime(settings) as runtime:
        await Replay(runtime, journey, folder, phases).set_up()


async def _replay(
    settings: Settings, journey: Journey, folder: Path, phases: Phases, port: int, token: str
) -> dict[str, Any]:
    async with open_runtime(settings) as runtime:
        replay = Replay(runtime, journey, folder, phases)
        with Api(port, token) as api:
            replay.upload_codes(api)
            await replay.run(api)
        with phases.timed("report"):
            async with runtime.database.begin() as session:
                return await make_report(session, replay.months)


def run(journey: Journey, folder: Path, phases: Phases, *, keep: bool) -> dict[str, Any]:
    """The whole replay, in a database of its own; returns the report."""
    url = server_url(Path("var"))
    with fresh_database(url, DATABASE, keep=keep) as settings:
        asyncio.run(_set_up(settings, journey, folder, phases))
        token = operator_key(settings)
        with serving(settings, folder / "serve.log") as port:
            say(f"the marketplace listens on port {port}; its log is {folder / 'serve.log'}")
            report = asyncio.run(_replay(settings, journey, folder, phases, port, token))
        with phases.timed("ledger verify"):
            say(marketplace(settings, "ledger", "verify").strip().splitlines()[-1])
    return report


def check(report: dict[str, Any], journey: Journey, phases: Phases) -> bool:
    """Whether the oracle agrees; prints the first differences."""
    with phases.timed("oracle"):
        differences = oracle.differences(report, journey.answer())
    for line in differences[:MOST_SHOWN]:
        say(f"differs: {line}")
    say(f"{len(differences)} differences" if differences else "the oracle agrees, to the micro")
    return not differences


@click.command()
@click.option("--report", "report_path", type=click.Path(path_type=Path), required=True)
@click.option(
    "--workdir",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("var/journey"),
    show_default=True,
    help="Where the files for the importer and the server's log go.",
)
@click.option("--limit-days", type=click.IntRange(min=1), help="The first days only.")
@click.option("--check", "checked", is_flag=True, help="Compare the report with the oracle.")
@click.option("--keep", is_flag=True, help=f"Leave the database {DATABASE} for a look at it.")
def main(
    report_path: Path, workdir: Path, limit_days: int | None, checked: bool, keep: bool
) -> None:
    """Replay The Complete Journey and write the report."""
    phases = Phases()
    try:
        with phases.timed("reading the data"):
            journey = journey_data.load(limit_days)
        workdir.mkdir(parents=True, exist_ok=True)
        report = run(journey, workdir, phases, keep=keep)
    except journey_data.NotInstalled as error:
        say(f"error: {error}")
        sys.exit(2)
    except BenchError as error:
        say(f"error: {error}")
        sys.exit(1)
    report_path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    agrees = not checked or check(report, journey, phases)
    say("\n".join(phases.lines()))
    click.echo(str(report_path))
    sys.exit(0 if agrees else 1)


if __name__ == "__main__":
    main()
