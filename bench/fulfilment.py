"""From burn to fulfilled: how fast the real worker delivers what is burnt over HTTP.

    python -m bench.fulfilment [--json] [--seconds N] [--rounds N]

Two API processes, `marketplace beat` (the relay), `marketplace worker` and the gift fund in its
own processes, on a real broker: that of MARKETPLACE_BROKER_URL, else a Redis started for this.
How each row is taken: bench/README.md. Exit status: 0 when every figure could be taken and the
ledger is clean, whether goals are met or not; 1 otherwise.
"""

from __future__ import annotations

import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import click
import msgspec

from bench import load, machine, processor
from bench.load import Load, Target
from bench.rows import Row, ratio_row, tell
from bench.seed import seed
from bench.server import (
    BenchError,
    execute,
    free_port,
    fresh_database,
    prove_ledger,
    query,
    server_url,
    serving,
    started,
    stop,
)
from marketplace.secrets import open_vault
from marketplace.settings import Settings

WALLETS = 50_000
OFFERS = 50
CLIENTS = 64
"""Of the burns alone, as in bench.burns."""
PACED_CLIENTS = 128
"""With a pause between two burns of each: many, so that the pause is long beside the answer."""
WARM_UP_S = 3
PATIENCE_S = 600
GOAL = 0.5
MOST_GROWTH = 0.05
"""A pace is sustained where no more than this share of its second half's burns is left over."""
FASTER, SLOWEST = 1.2, 0.5
"""What the next pace is of this one: at most, and at least."""
FINE = 1.05
"""Paces are tried until the slowest that was too fast is so much the fastest that was kept."""
MORE_CODES = 500
"""Of each pool, for chance does not draw offers evenly, and a pool that is empty ends its sale."""
MOST_FAILED = 0.005

POOLS = "insert into giftfund_pool (sku) select sku from offer on conflict do nothing"
CODES = """
insert into giftfund_code (sku, fingerprint, secret, label, expires_on)
select o.sku, uuid_send(gen_random_uuid()), $1, 'Card', '2040-01-01'
from offer o, generate_series(1, $2) n
"""
STOCKS = "update offer_stock set remaining = remaining + $1"
"""The gift fund would say so itself within a minute; until then offers would seem sold out."""
HELD = "select count(*) from burn where due_at is not null"
"""What is asked for again and again, so it counts an index."""
COUNTS = """
select (select count(*) from burn where due_at is not null and status = 'held'),
       (select count(*) from burn_resolution where outcome = 'captured')
"""


def say(text: str) -> None:
    """Progress, on stderr."""
    click.echo(text, err=True)


class Waiting(msgspec.Struct, frozen=True):
    """How things stand at a moment."""

    held: int
    captured: int
    at: float


class Round(msgspec.Struct, frozen=True):
    """Burns at a pace while they are delivered, in the second half of the load."""

    burnt_per_second: float
    fulfilled_per_second: float
    waiting: int
    """Burns not yet delivered when the load ended."""
    more_waiting: int
    """How many more these are than at half time."""
    half_s: float

    @property
    def sustained(self) -> bool:
        return self.more_waiting <= self.burnt_per_second * self.half_s * MOST_GROWTH


@contextmanager
def broker(folder: Path) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The broker's URL and, where it was started for this, its process."""
    given = os.environ.get("MARKETPLACE_BROKER_URL")
    if given:
        yield given, ()
        return
    redis = shutil.which("redis-server") or shutil.which("valkey-server")
    if redis is None:
        raise BenchError("bench.fulfilment needs redis-server, or MARKETPLACE_BROKER_URL.")
    port = free_port()
    process = subprocess.Popen(
        [redis, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)],
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield f"redis://127.0.0.1:{port}/0", (process.pid,)
    finally:
        stop(process)


@contextmanager
def delivering(settings: Settings, url: str) -> Iterator[tuple[int, ...]]:
    """`marketplace worker` and `marketplace beat` for the length of the block; their ids."""
    running: list[subprocess.Popen[bytes]] = []
    try:
        for name in ("worker", "beat"):
            log = Path(tempfile.gettempdir()) / f"bench-fulfilment-{name}.log"
            running.append(started(settings, log, name, MARKETPLACE_BROKER_URL=url))
        yield tuple(each.pid for each in running)
    finally:
        for each in running:
            stop(each)


def stand(url: str) -> Waiting:
    """How many burns wait and how many are delivered, now."""
    held, captured = query(url, COUNTS)[0]
    return Waiting(held, captured, time.monotonic())


def fill_pools(settings: Settings, codes: int) -> None:
    """So many more codes, spread over the pools."""
    own = settings.database_url or ""
    secret = open_vault(settings).encrypt("ABCD-EFGH-IJKL-MNOP")
    execute(own, POOLS)
    each = codes // OFFERS + MORE_CODES
    query(own, CODES, secret, each)
    query(own, STOCKS, each)
    execute(own, "vacuum analyze giftfund_code")


def delivered_alone(url: str, pids: Sequence[int]) -> tuple[float, float]:
    """Deliveries per second and processor seconds of each while nothing is burnt.

    From a quarter of what waits, when every process has started, until a twentieth is left.
    """
    first = stand(url)
    began, end = _until(url, first.held * 0.75), first.held * 0.05
    spent = processor.of_trees(pids)
    ended = _until(url, end)
    count = ended.captured - began.captured
    return count / (ended.at - began.at), (processor.of_trees(pids) - spent) / count


def _until(url: str, held: float) -> Waiting:
    """Wait until no more burns than that are held."""
    deadline = time.monotonic() + PATIENCE_S
    while (waiting := query(url, HELD)[0][0]) > held:
        if time.monotonic() > deadline:
            raise BenchError(f"{waiting} burns were not delivered in {PATIENCE_S} s")
        time.sleep(0.5)
    return stand(url)


def paced(url: str, target: Target, pace: float, seconds: int, name: str) -> Round:
    """Burn at about `pace` per second while deliveries go on."""
    pause_ms = PACED_CLIENTS / pace * 1_000
    with ThreadPoolExecutor(1) as beside:
        burning = beside.submit(
            load.run, target, clients=PACED_CLIENTS, seconds=seconds, name=name, pause_ms=pause_ms
        )
        time.sleep(seconds / 2)
        half = stand(url)
        one = burning.result()
    after = stand(url)
    _refuse_failed(one)
    half_s = after.at - half.at
    found = Round(
        one.per_second,
        (after.captured - half.captured) / half_s,
        after.held,
        after.held - half.held,
        half_s,
    )
    say(
        f"  {found.burnt_per_second:,.0f} burns/s, {found.fulfilled_per_second:,.0f} fulfilled/s, "
        f"{found.waiting:,} wait at the end: {'sustained' if found.sustained else 'not sustained'}"
    )
    return found


def _refuse_failed(one: Load) -> None:
    if one.failed_share > MOST_FAILED:
        raise BenchError(f"{one.refused} refused, {one.broken} broken of {one.requests} requests")


class Search(msgspec.Struct):
    """For the fastest pace that deliveries keep up with."""

    pace: float
    """The next to try, in burns per second."""
    kept: float = 0.0
    """The fastest that was kept; 0 where none was."""
    failed: float = math.inf
    """The slowest that was not."""

    def note(self, one: Round) -> None:
        """Choose the next pace by how this one went."""
        if one.sustained:
            self.kept = max(self.kept, self.pace)
        else:
            self.failed = min(self.failed, self.pace)
        if not self.kept:
            self.pace = max(one.fulfilled_per_second, self.pace * SLOWEST)
        elif self.failed == math.inf:
            # Clients wait for answers besides their pause, so they are slower than the pace.
            self.pace = self.kept * FASTER
        else:
            self.pace = (self.kept + self.failed) / 2

    @property
    def is_over(self) -> bool:
        """Whether another pace would hardly be another."""
        return bool(self.kept) and self.failed <= self.kept * FINE


def most_sustained(
    settings: Settings, target: Target, first: float, seconds: int, rounds: int
) -> float:
    """The most fulfilled per second at a pace that deliveries keep up with; 0 where none was."""
    own, search, best = settings.database_url or "", Search(first), 0.0
    for number in range(rounds):
        fill_pools(settings, int(search.pace * seconds * 1.3))
        one = paced(own, target, search.pace, seconds, f"paced-{number}")
        if one.sustained:
            best = max(best, one.fulfilled_per_second)
        _until(own, 0)
        search.note(one)
        if search.is_over:
            break
    if not best:
        say("  deliveries kept up with no pace that was tried: the row is 0")
    return best


def check(settings: Settings) -> None:
    """Raise BenchError unless the ledger is clean and every delivery gave codes."""
    own = settings.database_url or ""
    empty = query(own, "select count(*) from burn where status not in ('captured', 'rejected')")
    if empty[0][0]:
        raise BenchError(f"{empty[0][0]} burns were not captured")
    prove_ledger(settings)


def judge(
    burns: float, sustained: float, alone: float, burn_s: float | None, delivery_s: float | None
) -> list[Row]:
    """Every figure against the burns alone of the same run."""
    against = f"burns/s alone@{CLIENTS}"
    rows = [
        ratio_row(
            "fulfilled", sustained, "burns/s", against=against, reference=burns, at_least=GOAL
        ),
        ratio_row("fulfilled_backlog", alone, "burns/s", against=against, reference=burns),
    ]
    if burn_s and delivery_s:
        rows.append(
            ratio_row(
                "fulfilled_processor",
                delivery_s * 1e6,
                "us a delivery",
                against="us a burn",
                reference=burn_s * 1e6,
            )
        )
    return rows


def run(seconds: int, rounds: int) -> list[Row]:
    """The whole measurement."""
    url = server_url(Path("var"))
    found = machine.facts(url)
    machine.refuse_unless_durable(found)
    say("\n".join(f"{name}: {value}" for name, value in found.items()))
    server = processor.server(url)
    log = Path(tempfile.gettempdir()) / "bench-fulfilment-serve.log"
    with (
        tempfile.TemporaryDirectory() as folder,
        broker(Path(folder)) as (broker_url, broker_pids),
        fresh_database(url, "bench_fulfilment") as settings,
    ):
        own = settings.database_url or ""
        say(f"seeding {WALLETS:,} wallets")
        token = seed(own, wallets=WALLETS, offers=OFFERS)
        with serving(settings, log, "--processes", "2", "--no-background") as port:
            target = Target(port, token, WALLETS, OFFERS)
            load.run(target, clients=CLIENTS, seconds=WARM_UP_S, name="warm")
            spent = _burning(server)
            one = burnt_alone(target, seconds, "before")
            burn_s = (_burning(server) - spent) / one.requests if server else None
            fill_pools(settings, int(stand(own).held * 1.3) + 5_000)
            with delivering(settings, broker_url) as pids:
                all_pids = (*pids, *broker_pids, *((server,) if server else ()))
                alone, delivery_s = delivered_alone(own, all_pids)
                say(f"  deliveries alone: {alone:,.0f}/s")
                _until(own, 0)
                first = one.per_second * alone / (one.per_second + alone)
                best = most_sustained(settings, target, first, seconds, rounds)
            after = burnt_alone(target, seconds, "after")
            with delivering(settings, broker_url):
                fill_pools(settings, int(after.requests * 1.1))
                _until(own, 0)
        check(settings)
    # What a shared machine can do wanders while the paces are tried.
    burns = (one.per_second + after.per_second) / 2
    return judge(burns, best, alone, burn_s, delivery_s if server else None)


def burnt_alone(target: Target, seconds: int, when: str) -> Load:
    """Burns while nothing is delivered."""
    one = load.run(target, clients=CLIENTS, seconds=seconds, name=f"alone-{when}")
    _refuse_failed(one)
    say(f"  burns alone: {one.per_second:,.0f}/s")
    return one


def _burning(server: int | None) -> float:
    """Processor seconds of the server and of everything this process has started, but wrk."""
    own = [each for each in processor.children() if each != server]
    return processor.of_trees([*own, *((server,) if server else ())])


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object per row.")
@click.option("--seconds", default=10, show_default=True, help="Length of each load.")
@click.option("--rounds", default=8, show_default=True, help="Paces tried at most.")
def main(as_json: bool, seconds: int, rounds: int) -> None:
    """Measure how fast burns are fulfilled while more of them come."""
    try:
        rows = run(seconds, rounds)
    except BenchError as error:
        say(f"error: {error}")
        sys.exit(1)
    tell(rows, as_json=as_json)


if __name__ == "__main__":
    main()
