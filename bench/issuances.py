"""Import of issuances from a CSV file against a COPY of the same rows into a bare table.

    python -m bench.issuances [--json] [--rows N] [--rounds N]

First row: `import_file`, with everything it checks and writes, against PostgreSQL's own COPY of the
same file into a table without index or constraint. Second: the same against what no import can
avoid, one statement each that puts rows made ready beforehand into lots, transfers and wallets
with their indexes, nothing read and nothing checked. Rounds take turns, the medians count. Exit
status: 0 when every figure could be taken and the ledger is clean; 1 otherwise.
"""

from __future__ import annotations

import asyncio
import io
import random
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import click

from bench import machine
from bench.rows import Row, ratio_row, tell
from bench.seed import ISSUERS, seed
from bench.server import BenchError, execute, fresh_database, prove_ledger, server_url
from marketplace import heap
from marketplace.coalition.imports import import_file
from marketplace.db import parse_url, raw_arguments
from marketplace.runtime import Runtime, open_runtime
from marketplace.settings import Settings

WALLETS = 100_000
GOAL = 0.2

BARE = """
drop table if exists bench_bare;
create table bench_bare (reference text, issuer text, participant text, points bigint,
                         effective_at timestamptz, expires_at timestamptz)
"""
READY = """
drop table if exists bench_ready;
create table bench_ready as
select w.id as wallet_id, 1000000000 + row_number() over () as key, c.member_id as issuer_id,
       c.id as contract_id, b.reference, b.points, b.effective_at
from bench_bare b join participant p on p.reference = b.participant
join wallet w on w.participant_id = p.id join member m on m.slug = b.issuer
join contract c on c.member_id = m.id
"""
FLOOR = (
    """
insert into lot (wallet_id, id, issuer_id, contract_id, reference, points, remaining, open,
                 currency, price_micros, funding, effective_at)
select wallet_id, key, issuer_id, contract_id, reference, points, points, true, 'EUR', 8000,
       'redemption', effective_at
from bench_ready order by wallet_id, key
""",
    """
insert into transfer (wallet_id, id, code, debit_account, debit_owner, credit_account,
                      credit_owner, unit, amount, lot_id, effective_at)
select wallet_id, key, 'issue', 'issuer_issued', issuer_id, 'wallet_available', wallet_id,
       'POINTS', points, key, effective_at
from bench_ready order by wallet_id, key
""",
    """
update wallet set available = available + given.points, version = version + 1
from (select wallet_id, sum(points)::bigint as points from bench_ready group by 1) as given
where wallet.id = given.wallet_id
""",
)


def say(text: str) -> None:
    """Progress, on stderr."""
    click.echo(text, err=True)


def file_of(rows: int, tag: str) -> bytes:
    """A CSV file of so many issuances to random participants."""
    pick = random.Random(tag)  # noqa: S311 - a measurement
    lines = ["reference,issuer,participant,points,effective_at,expires_at"]
    lines += [
        f"{tag}-{number},member-{number % ISSUERS + 1},participant-{pick.randint(1, WALLETS)},"
        f"{pick.randint(1, 5_000)},2025-11-{number % 28 + 1:02}T12:00:00Z,"
        for number in range(rows)
    ]
    return ("\n".join(lines) + "\n").encode()


async def _timed(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    await work()
    return time.perf_counter() - began


async def copied(connection: Any, data: bytes) -> float:
    """Seconds of the bare COPY."""
    await connection.execute(BARE)
    return await _timed(
        lambda: connection.copy_to_table(
            "bench_bare", source=io.BytesIO(data), format="csv", header=True
        )
    )


async def floor(connection: Any) -> float:
    """Seconds to put what `copied` left into lots, transfers and wallets; it is undone."""
    await connection.execute(READY)
    transaction = connection.transaction()
    await transaction.start()
    try:
        began = time.perf_counter()
        for statement in FLOOR:
            await connection.execute(statement)
        return time.perf_counter() - began
    finally:
        await transaction.rollback()


async def imported(runtime: Runtime, data: bytes, rows: int) -> float:
    """Seconds of the import."""
    began = time.perf_counter()
    report = await import_file(runtime, "issuances", io.BytesIO(data))
    took = time.perf_counter() - began
    if report.new != rows:
        raise BenchError(f"{report.new} of {rows} lines were imported: {report.lines()[:3]}")
    return took


async def measure(settings: Settings, rows: int, rounds: int) -> dict[str, list[float]]:
    """Seconds of each, a round after the other."""
    found: dict[str, list[float]] = {"copy": [], "floor": [], "import": []}
    arguments = raw_arguments(parse_url(settings.database_url or ""), None)
    connection = await asyncpg.connect(**arguments)
    try:
        async with open_runtime(settings) as runtime:
            heap.freeze()
            for number in range(rounds):
                data = file_of(rows, f"round-{number}")
                found["copy"].append(await copied(connection, data))
                found["import"].append(await imported(runtime, data, rows))
                again = file_of(rows, f"floor-{number}")
                found["copy"].append(await copied(connection, again))
                found["floor"].append(await floor(connection))
                say(
                    f"  round {number + 1}: COPY {found['copy'][-1]:.2f} s, "
                    f"import {found['import'][-1]:.2f} s, inserts {found['floor'][-1]:.2f} s"
                )
            await connection.execute("drop table bench_bare, bench_ready")
    finally:
        await connection.close()
    return found


def judge(found: dict[str, list[float]], rows: int) -> list[Row]:
    """The medians against each other, as rows per second."""
    rate = {name: rows / statistics.median(seconds) for name, seconds in found.items()}
    return [
        ratio_row(
            "import_issuances",
            rate["import"],
            "rows/s",
            against="COPY into a bare table",
            reference=rate["copy"],
            at_least=GOAL,
        ),
        ratio_row(
            "import_issuances_inserts",
            rate["import"],
            "rows/s",
            against="inserts alone, unchecked",
            reference=rate["floor"],
        ),
    ]


def run(rows: int, rounds: int) -> list[Row]:
    """The whole measurement."""
    url = server_url(Path("var"))
    found = machine.facts(url)
    machine.refuse_unless_durable(found)
    say("\n".join(f"{name}: {value}" for name, value in found.items()))
    with fresh_database(url, "bench_issuances") as settings:
        own = settings.database_url or ""
        say(f"seeding {WALLETS:,} wallets; files of {rows:,} rows")
        seed(own, wallets=WALLETS, offers=1)
        seconds = asyncio.run(measure(settings, rows, rounds))
        execute(own, "analyze")
        prove_ledger(settings)
    return judge(seconds, rows)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object per row.")
@click.option("--rows", default=200_000, show_default=True, help="Of each file.")
@click.option("--rounds", default=3, show_default=True)
def main(as_json: bool, rows: int, rounds: int) -> None:
    """Measure the import of issuances against a COPY of the same rows."""
    try:
        found = run(rows, rounds)
    except BenchError as error:
        say(f"error: {error}")
        sys.exit(1)
    tell(found, as_json=as_json)


if __name__ == "__main__":
    main()
