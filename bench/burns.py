"""Burns per second over HTTP, against pgbench on the same server in the same run.

    python -m bench.burns [--json] [--seconds N] [--rounds N] [--processes 1,2]
        [--clients 1,8,32,64]

References and burns take turns. What is measured, and how fair it is:
docs/operations/performance.md. Exit status: 0 when every figure could be taken and the ledger is
clean, whether goals are met or not; 1 otherwise.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click

from bench import load, machine, reference
from bench.load import Load, Target
from bench.reference import OFFERS, WALLETS, Reference
from bench.rows import Row, tell, turns_row
from bench.seed import seed
from bench.server import (
    BenchError,
    execute,
    fresh_database,
    grow_log,
    prove_ledger,
    query,
    server_url,
    serving,
    with_database,
)
from marketplace.settings import Settings

REFERENCES = (("a1", 8), ("a2", 8), ("a1", 32))
MOST_FAILED = 0.005
AT_LEAST_ONE = click.IntRange(min=1)
WARM_UP_S = 10
"""On freshly seeded tables: their first touch (hint bits, whole pages into the WAL) is paid before
the first round, for the references as for the product."""
MOST_DRIFT = 1.15
"""A reference that differs by more between two rounds was not alone on the machine."""

Key = tuple[int, int]
"""processes, clients"""
References = dict[tuple[str, int], list[Reference]]
"""By script and clients, one of each round."""
Loads = dict[Key, list[Load]]
"""The burns of each round."""


def say(text: str) -> None:
    """Progress, on stderr."""
    click.echo(text, err=True)


def prepare_log(url: str) -> None:
    """Measure a server that has run for a while, or say that it is a new one."""
    if not grow_log(url):
        say("warning: this user may not let the log grow; a new server makes its files meanwhile")


def measure_references(url: str, seconds: int, found: References) -> None:
    """Every reference once more."""
    for name, clients in REFERENCES:
        one = reference.measure(url, name, clients=clients, seconds=seconds)
        found.setdefault((name, clients), []).append(one)
        say(f"  {one.name} at {clients}: {one.per_second:,.0f}/s, mean {one.mean_ms:.2f} ms")


def drift(references: References) -> str:
    """What to know where the references moved between the rounds; empty where they did not."""
    worst = max(
        max(one.per_second for one in rounds) / min(one.per_second for one in rounds)
        for rounds in references.values()
    )
    if worst <= MOST_DRIFT:
        return ""
    return (
        f"warning: a reference moved by a factor of {worst:.2f} between rounds; something else "
        "uses this machine: only the ratios, and only of many rounds, mean something"
    )


@contextmanager
def stages(settings: Settings, token: str, processes: Sequence[int]) -> Iterator[dict[int, Target]]:
    """A server of so many processes each, side by side and warm, for the length of the block."""
    with ExitStack() as stack:
        found: dict[int, Target] = {}
        for count in processes:
            log = Path(tempfile.gettempdir()) / f"bench-serve-{count}.log"
            command = ("--processes", str(count), "--no-background")
            port = stack.enter_context(serving(settings, log, *command))
            found[count] = Target(port, token, WALLETS, OFFERS)
            load.run(found[count], clients=64, seconds=WARM_UP_S, name=f"warm-{count}")
        yield found


def measure_burns(
    targets: dict[int, Target], clients: Sequence[int], seconds: int, found: Loads
) -> None:
    """Every load on every server once more."""
    for processes, target in targets.items():
        for count in clients:
            rounds = found.setdefault((processes, count), [])
            name = f"run-{processes}-{count}-{len(rounds)}"
            one = load.run(target, clients=count, seconds=seconds, name=name)
            rounds.append(one)
            say(
                f"  {processes} process(es), {count} clients: {one.per_second:,.0f}/s, "
                f"p50 {one.p50_us / 1000:.2f} ms, p99 {one.p99_us / 1000:.2f} ms, "
                f"{one.refused} refused, {one.broken} broken"
            )


def check(settings: Settings, measured: Loads) -> None:
    """Raise BenchError unless every accepted answer is a held burn and the ledger is clean."""
    for (processes, clients), rounds in measured.items():
        for number, one in enumerate(rounds):
            name = f"run-{processes}-{clients}-{number}"
            if one.failed_share > MOST_FAILED:
                raise BenchError(
                    f"{name}: {one.refused} refused and {one.broken} broken "
                    f"of {one.requests} requests"
                )
            held = query(
                settings.database_url or "",
                "select count(*) from idempotency_key k join burn b on b.id = k.subject_id"
                " where k.key like $1 and b.status = 'held'",
                f"{name}-%",
            )[0][0]
            accepted = one.requests - one.refused
            # What was in flight when the client stopped is held too.
            if not accepted <= held <= accepted + one.broken + clients:
                raise BenchError(f"{name}: {accepted} burns were accepted and {held} are held")
    say("checking the ledger")
    say(prove_ledger(settings))


def judge(measured: Loads, references: References) -> list[Row]:
    """Every figure as a row, the goals of DESIGN section 11 first."""
    a1, a2, a1_at_32 = (references[key] for key in REFERENCES)
    rows: list[Row] = []

    def rate(row: str, key: Key, against: list[Reference], at_least: float | None = None) -> None:
        rows.append(
            turns_row(
                row,
                [one.per_second for one in measured[key]],
                "burns/s",
                against=f"{against[0].name}@{against[0].clients}",
                references=[one.per_second for one in against],
                at_least=at_least,
            )
        )

    def p99(row: str, key: Key, at_most: float | None = None) -> None:
        rows.append(
            turns_row(
                row,
                [one.p99_us / 1_000 for one in measured[key]],
                "ms",
                against="mean of A1@32",
                references=[one.mean_ms for one in a1_at_32],
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


def run(seconds: int, rounds: int, processes: Sequence[int], clients: Sequence[int]) -> list[Row]:
    """The whole measurement."""
    url = server_url(Path("var"))
    found = machine.facts(url)
    machine.refuse_unless_durable(found)
    say("\n".join(f"{name}: {value}" for name, value in found.items()))
    say(f"load client: {load.client_name()}; {rounds} rounds of {seconds} s a row")
    with fresh_database(url, "bench_burns") as settings:
        say(f"seeding {WALLETS:,} wallets twice: for the references and for the product")
        execute(url, "drop database if exists bench_reference", "create database bench_reference")
        bare = with_database(url, "bench_reference")
        reference.prepare(bare)
        token = seed(settings.database_url or "", wallets=WALLETS, offers=OFFERS)
        prepare_log(url)
        references: References = {}
        measured: Loads = {}
        reference.measure(bare, "a1", clients=8, seconds=WARM_UP_S)
        with stages(settings, token, processes) as targets:
            for number in range(1, rounds + 1):
                say(f"round {number} of {rounds}")
                measure_references(bare, seconds, references)
                measure_burns(targets, clients, seconds, measured)
        execute(url, "drop database bench_reference")
        check(settings, measured)
    if warning := drift(references):
        say(warning)
    return judge(measured, references)


def _numbers(_: click.Context, __: click.Parameter, text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise click.BadParameter("numbers with commas between them, like 1,8") from None


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object per row.")
@click.option("--seconds", type=AT_LEAST_ONE, default=4, show_default=True, help="Of each round.")
@click.option("--rounds", type=AT_LEAST_ONE, default=5, show_default=True, help="Of every load.")
@click.option("--processes", default="1,2", show_default=True, callback=_numbers)
@click.option("--clients", default="1,8,32,64", show_default=True, callback=_numbers)
def main(
    as_json: bool,
    seconds: int,
    rounds: int,
    processes: tuple[int, ...],
    clients: tuple[int, ...],
) -> None:
    """Measure burns over HTTP against pgbench on the same server."""
    try:
        rows = run(seconds, rounds, processes, clients)
    except BenchError as error:
        say(f"error: {error}")
        sys.exit(1)
    say("A ratio is the median of the rounds' ratios.")
    tell(rows, as_json=as_json)


if __name__ == "__main__":
    main()
