"""Burns per second over HTTP, against pgbench on the same server in the same run.

    python -m bench.burns [--json] [--seconds N] [--processes 1,2] [--clients 1,8,32,64]

What is measured, and how fair it is: docs/operations/performance.md. Exit status: 0 when every
figure could be taken and the ledger is clean, whether goals are met or not; 1 otherwise.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import click

from bench import load, machine, reference
from bench.load import Load, Target
from bench.reference import OFFERS, WALLETS, Reference
from bench.rows import Row, ratio_row, tell
from bench.seed import seed
from bench.server import (
    BenchError,
    environment,
    execute,
    fresh_database,
    grow_log,
    program,
    query,
    server_url,
    serving,
    with_database,
)
from marketplace.settings import Settings

REFERENCES = (("a1", 8), ("a2", 8), ("a1", 32))
MOST_FAILED = 0.005
WARM_UP_S = 2
FIRST_WARM_UP_S = 10
"""Before the first row on freshly seeded tables: their first touch (hint bits, whole pages into the
WAL) is paid here, for the references as for the product."""
MOST_DRIFT = 1.15
"""References taken before and after the burns that differ by more were not alone on the machine."""

Key = tuple[int, int]
"""processes, clients"""
References = dict[tuple[str, int], Reference]


def say(text: str) -> None:
    """Progress, on stderr."""
    click.echo(text, err=True)


def prepare_log(url: str) -> None:
    """Measure a server that has run for a while, or say that it is a new one."""
    if not grow_log(url):
        say("warning: this user may not let the log grow; a new server makes its files meanwhile")


def measure_references(url: str, seconds: int, warm_up_s: int) -> References:
    """Every reference once, each after a short warm-up and all after a longer one."""
    found: References = {}
    reference.measure(url, "a1", clients=8, seconds=warm_up_s)
    for name, clients in REFERENCES:
        reference.measure(url, name, clients=clients, seconds=WARM_UP_S)
        one = found[name, clients] = reference.measure(url, name, clients=clients, seconds=seconds)
        say(f"  {one.name} at {clients}: {one.per_second:,.0f}/s, mean {one.mean_ms:.2f} ms")
    return found


def mean(before: References, after: References) -> References:
    """References taken before and after the burns, averaged."""
    return {
        key: Reference(
            one.name,
            one.clients,
            (one.per_second + after[key].per_second) / 2,
            (one.mean_ms + after[key].mean_ms) / 2,
        )
        for key, one in before.items()
    }


def drift(before: References, after: References) -> str:
    """A warning where the references moved between the two runs; empty where they did not."""
    rates = [(one.per_second, after[key].per_second) for key, one in before.items()]
    worst = max(max(pair) / min(pair) for pair in rates)
    if worst <= MOST_DRIFT:
        return ""
    return (
        f"warning: a reference moved by a factor of {worst:.2f} during the run; something else "
        "uses this machine, and the figures mean little"
    )


def measure_burns(
    settings: Settings,
    token: str,
    processes: int,
    clients: Sequence[int],
    seconds: int,
    warm_up_s: int,
) -> dict[Key, Load]:
    """One server of so many processes, loaded by so many clients one after the other."""
    found: dict[Key, Load] = {}
    log = Path(tempfile.gettempdir()) / f"bench-serve-{processes}.log"
    with serving(settings, log, "--processes", str(processes), "--no-background") as port:
        target = Target(port, token, WALLETS, OFFERS)
        most = max(clients)
        load.run(target, clients=most, seconds=warm_up_s, name=f"warm-{processes}")
        for count in clients:
            name = f"run-{processes}-{count}"
            one = found[processes, count] = load.run(
                target, clients=count, seconds=seconds, name=name
            )
            say(
                f"  {processes} process(es), {count} clients: {one.per_second:,.0f}/s, "
                f"p50 {one.p50_us / 1000:.2f} ms, p99 {one.p99_us / 1000:.2f} ms, "
                f"{one.refused} refused, {one.broken} broken"
            )
    return found


def check(settings: Settings, measured: dict[Key, Load]) -> None:
    """Raise BenchError unless every accepted answer is a held burn and the ledger is clean."""
    for (processes, clients), one in measured.items():
        if one.failed_share > MOST_FAILED:
            raise BenchError(
                f"{processes}p {clients}c: {one.refused} refused and {one.broken} broken "
                f"of {one.requests} requests"
            )
        held = query(
            settings.database_url or "",
            "select count(*) from idempotency_key k join burn b on b.id = k.subject_id"
            " where k.key like $1 and b.status = 'held'",
            f"run-{processes}-{clients}-%",
        )[0][0]
        accepted = one.requests - one.refused
        # What was in flight when the client stopped is held too.
        if not accepted <= held <= accepted + one.broken + clients:
            raise BenchError(f"{accepted} burns were accepted and {held} are held")
    say("checking the ledger")
    done = subprocess.run(
        program("ledger", "verify"),
        env=environment(settings),
        capture_output=True,
        text=True,
        check=False,
    )
    say(done.stdout.strip() + done.stderr.strip())
    if done.returncode:
        raise BenchError("`marketplace ledger verify` failed")


def judge(measured: dict[Key, Load], references: References) -> list[Row]:
    """Every figure as a row, the goals of DESIGN section 11 first."""
    a1, a2, a1_at_32 = (references[key] for key in REFERENCES)
    rows: list[Row] = []

    def rate(row: str, key: Key, against: Reference, at_least: float | None = None) -> None:
        rows.append(
            ratio_row(
                row,
                measured[key].per_second,
                "burns/s",
                against=f"{against.name}@{against.clients}",
                reference=against.per_second,
                at_least=at_least,
            )
        )

    def p99(row: str, key: Key, at_most: float | None = None) -> None:
        rows.append(
            ratio_row(
                row,
                measured[key].p99_us / 1_000,
                "ms",
                against="mean of A1@32",
                reference=a1_at_32.mean_ms,
                at_most=at_most,
            )
        )

    if (2, 64) in measured:
        rate("burns_2p_64c", (2, 64), a2, 1.3)
        rate("burns_2p_64c_a1", (2, 64), a1, 1.5)
    if (1, 32) in measured:
        rate("burns_1p_32c", (1, 32), a1, 2.0)
        p99("p99_32c", (1, 32), 0.8)
    for processes, clients in sorted(measured):
        rate(f"rate_{processes}p_{clients}c", (processes, clients), a1)
        p99(f"p99_{processes}p_{clients}c", (processes, clients))
    return rows


def run(seconds: int, processes: Sequence[int], clients: Sequence[int]) -> list[Row]:
    """The whole measurement."""
    url = server_url(Path("var"))
    found = machine.facts(url)
    machine.refuse_unless_durable(found)
    say("\n".join(f"{name}: {value}" for name, value in found.items()))
    say(f"load client: {load.client_name()}; {seconds} s a row")
    with fresh_database(url, "bench_burns") as settings:
        say(f"seeding {WALLETS:,} wallets twice: for the references and for the product")
        execute(url, "drop database if exists bench_reference", "create database bench_reference")
        bare = with_database(url, "bench_reference")
        reference.prepare(bare)
        token = seed(settings.database_url or "", wallets=WALLETS, offers=OFFERS)
        prepare_log(url)
        say("references, before")
        before = measure_references(bare, seconds, FIRST_WARM_UP_S)
        measured: dict[Key, Load] = {}
        for count in processes:
            say("burns over HTTP")
            warm_up_s = WARM_UP_S if measured else FIRST_WARM_UP_S
            measured |= measure_burns(settings, token, count, clients, seconds, warm_up_s)
        say("references, after")
        after = measure_references(bare, seconds, WARM_UP_S)
        execute(url, "drop database bench_reference")
        check(settings, measured)
    if warning := drift(before, after):
        say(warning)
    return judge(measured, mean(before, after))


def _numbers(_: click.Context, __: click.Parameter, text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise click.BadParameter("numbers with commas between them, like 1,8") from None


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object per row.")
@click.option("--seconds", default=10, show_default=True, help="Length of each measurement.")
@click.option("--processes", default="1,2", show_default=True, callback=_numbers)
@click.option("--clients", default="1,8,32,64", show_default=True, callback=_numbers)
def main(as_json: bool, seconds: int, processes: tuple[int, ...], clients: tuple[int, ...]) -> None:
    """Measure burns over HTTP against pgbench on the same server."""
    try:
        rows = run(seconds, processes, clients)
    except BenchError as error:
        say(f"error: {error}")
        sys.exit(1)
    say("A reference is the mean of two runs, one before and one after the burns.")
    tell(rows, as_json=as_json)


if __name__ == "__main__":
    main()
