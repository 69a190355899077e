"""Searches of the catalog against a Litestar route returning tiny JSON, in the same run.

    python -m bench.catalog [--json] [--seconds N] [--clients 32]

10,000 listings in four languages, 100,000 participants, one API process. What is measured:
bench/README.md. Exit status: 0 when every figure could be taken, whether goals are
met or not; 1 otherwise.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import msgspec

from bench import machine
from bench.catalog_seed import seed_catalog, seed_people, vocabulary
from bench.rows import Row, ratio_row, tell
from bench.seed import seed
from bench.server import BenchError, _answers, free_port, fresh_database, server_url, serving, stop

HERE = Path(__file__).parent
LISTINGS = 10_000
PARTICIPANTS = 100_000
SIGNED_IN = 500
WARM_UP_S = 4
WORDS = 150
"""Words of each language that searches use, common and rare."""
MOST_MS = 50.0
CALM = 4
"""Clients while the time of one search is measured."""


class Load(msgspec.Struct, frozen=True):
    """What wrk saw."""

    requests: int
    duration_us: int
    refused: int
    broken: int
    bytes: int
    p50_us: int
    p95_us: int
    p99_us: int

    @property
    def per_second(self) -> float:
        return (self.requests - self.refused) / (self.duration_us / 1_000_000)


def say(text: str) -> None:
    """Progress, on stderr."""
    click.echo(text, err=True)


def load(port: int, mode: str, clients: int, seconds: int, files: Path) -> Load:
    """Keep `clients` busy with searches of one kind."""
    wrk = shutil.which("wrk")
    if wrk is None:
        raise BenchError("bench.catalog needs wrk (apt-get install wrk).")
    given = os.environ | {
        "BENCH_MODE": mode,
        "BENCH_SEED": str(time.time_ns() % 1_000_000),
        "BENCH_WORDS": str(files / "words"),
        "BENCH_TOKENS": str(files / "tokens"),
    }
    command = [
        wrk,
        *("-t", str(min(clients, 2)), "-c", str(clients), "-d", f"{seconds}s", "--timeout", "30s"),
        *("-s", str(HERE / "load" / "catalog.lua"), f"http://127.0.0.1:{port}"),
    ]
    done = subprocess.run(command, env=given, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(f"wrk failed: {done.stderr.strip()[:1_000]}")
    one = msgspec.json.decode(done.stdout.splitlines()[-1], type=Load)
    if one.refused or one.broken:
        raise BenchError(f"{mode}: {one.refused} refused, {one.broken} broken of {one.requests}")
    say(
        f"  {mode}, {clients} clients: {one.per_second:,.0f}/s, p50 {one.p50_us / 1000:.2f} ms, "
        f"p95 {one.p95_us / 1000:.2f} ms, {one.bytes // max(one.requests, 1):,} bytes each"
    )
    return one


@contextmanager
def tiny() -> Iterator[int]:
    """The reference for the length of the block; yields its port."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.reference.tiny", str(port)], start_new_session=True
    )
    try:
        deadline = time.monotonic() + 30
        while not _listens(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise BenchError("the reference did not start")
            time.sleep(0.1)
        yield port
    finally:
        stop(process)


def _listens(port: int) -> bool:
    try:
        _answers(port)
    except OSError:
        return False
    import socket

    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def run(seconds: int, clients: int) -> list[Row]:
    """The whole measurement: the reference before and after the searches."""
    url = server_url(Path("var"))
    say("\n".join(f"{name}: {value}" for name, value in machine.facts(url).items()))
    with (
        fresh_database(url, "bench_catalog") as settings,
        tempfile.TemporaryDirectory() as folder,
    ):
        files, database = Path(folder), settings.database_url or ""
        say(f"seeding {PARTICIPANTS:,} participants and {LISTINGS:,} listings")
        seed(database, wallets=PARTICIPANTS, offers=LISTINGS)
        seed_catalog(database, listings=LISTINGS)
        seed_people(database, files / "tokens", people=SIGNED_IN)
        words = [
            word for each in vocabulary().values() for word in each[:: max(len(each) // WORDS, 1)]
        ]
        (files / "words").write_text("\n".join(words) + "\n")
        with tiny() as port:
            load(port, "tiny", clients, WARM_UP_S, files)
            before = load(port, "tiny", clients, seconds, files)
        found = measure(settings, files, clients, seconds)
        with tiny() as port:
            load(port, "tiny", clients, WARM_UP_S, files)
            after = load(port, "tiny", clients, seconds, files)
    return judge(found, (before.per_second + after.per_second) / 2, clients)


def measure(settings: object, files: Path, clients: int, seconds: int) -> dict[str, Load]:
    """Hits, misses and personal searches on one API process."""
    log = Path(tempfile.gettempdir()) / "bench-catalog-serve.log"
    found = {}
    with serving(settings, log, "--processes", "1", "--no-background") as port:  # type: ignore[arg-type]
        # The shelf is read by the first search of a process; `first` is about words.
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/catalog") as answer:
            answer.read()
        found["first"] = load(port, "miss", CALM, WARM_UP_S, files)
        for mode in ("hit", "miss", "personal"):
            load(port, mode, clients, WARM_UP_S, files)
            found[mode] = load(port, mode, clients, seconds, files)
            found[f"{mode} calm"] = load(port, mode, CALM, seconds, files)
    return found


def judge(found: dict[str, Load], reference: float, clients: int) -> list[Row]:
    """Every figure as a row, the goals of DESIGN section 11 first."""
    against = f"litestar tiny JSON@{clients}"
    rows = [
        ratio_row(
            f"catalog_{mode}",
            found[mode].per_second,
            "searches/s",
            against=against,
            reference=reference,
            at_least=goal,
        )
        for mode, goal in (("hit", 1.5), ("miss", 0.5), ("personal", None))
    ]
    for name in ("first", "miss calm", "personal calm"):
        rows.append(
            ratio_row(
                f"catalog_p95_{name.removesuffix(' calm')}",
                found[name].p95_us / 1_000,
                "ms",
                against="limit in ms",
                reference=MOST_MS,
                at_most=1.0,
            )
        )
    return rows


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object per row.")
@click.option("--seconds", default=10, show_default=True, help="Length of each measurement.")
@click.option("--clients", default=32, show_default=True)
def main(as_json: bool, seconds: int, clients: int) -> None:
    """Measure searches of the catalog against a Litestar route returning tiny JSON."""
    try:
        rows = run(seconds, clients)
    except BenchError as error:
        say(f"error: {error}")
        sys.exit(1)
    say("The reference is the mean of two runs, one before and one after the searches.")
    tell(rows, as_json=as_json)


if __name__ == "__main__":
    main()
