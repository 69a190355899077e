"""Closing and netting a window of millions of obligations, and burns while windows are closed.

    python -m bench.settlement [--json] [--obligations N] [--seconds N] [--runs N]

First row: the time to close a window and net it, with running totals that lag by LAG obligations,
against one parallel GROUP BY over the same rows. Second: p99 of burns over HTTP while windows are
closed without a pause, against the same load without; burns are delivered meanwhile in both, so
that money moves. Exit status: 0 when every figure could be taken and totals are right, whether
goals are met or not; 1 otherwise.
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import sqlalchemy as sa

from bench import load, machine
from bench.load import Target
from bench.rows import Row, ratio_row, tell
from bench.seed import seed
from bench.server import BenchError, execute, fresh_database, query, server_url, serving
from marketplace.exchange.resolution import Delivery, capture
from marketplace.ids import uuid7
from marketplace.ledger.checks.windows import CHECKS
from marketplace.ledger.totals import roll
from marketplace.ledger.verify import verify
from marketplace.runtime import Runtime, open_runtime
from marketplace.settings import Settings
from settlement.clearing import drafting
from settlement.errors import StatusChanged
from settlement.history import Subject, history
from settlement.windows import service
from settlement.windows.closing import close_window
from settlement.windows.errors import WindowBusy

MEMBERS = 50
WALLETS = 2_000
OFFERS = 20
LAG = 10_000
"""Obligations that no total counts yet when the window is closed: two seconds of a busy day."""
CHUNK = 100_000
CLIENTS = 8
AT_ONCE = 100
"""Burns delivered in one transaction."""
GOAL_CLOSE = 0.1
GOAL_P99 = 2.0

ADD_MEMBERS = f"""
insert into member (id, slug, name, country)
select gen_random_uuid(), 'm-' || n, 'M ' || n, 'DE' from generate_series(1, {MEMBERS}) n
"""
ADD = """
with m as (select array_agg(id) as ids from member)
insert into obligation (wallet_id, id, window_id, kind, funding, issuer_id, acceptor_id,
    contract_id, acceptor_contract_id, burn_id, lot_id, points, currency, funded_micros,
    cost_micros, effective_at)
select ('00000000-0000-7000-8000-' || lpad(to_hex(n % 2000), 12, '0'))::uuid, {base} + n, w.id,
       'capture', 'redemption',
       m.ids[1 + n % {members}], m.ids[1 + (n / {members}) % {members}],
       m.ids[1 + n % {members}], m.ids[1 + (n / {members}) % {members}],
       gen_random_uuid(), n, 100, 'EUR', 800000 + n % 1000, 700000 + n % 777, now()
from generate_series(1, {count}) n, m, settlement_window w where w.status = 'open'
"""
REFERENCE = """
select window_id, currency, kind, funding, issuer_id, acceptor_id, sum(funded_micros),
       sum(cost_micros)
from obligation group by 1, 2, 3, 4, 5, 6
"""
HELD = "select id, wallet_id, plugin from burn where status = 'held' order by due_at limit :most"


def say(text: str) -> None:
    """Progress, on stderr."""
    click.echo(text, err=True)


def fill(url: str, base: int, count: int) -> None:
    """So many obligations into the open window, in transactions of CHUNK."""
    for start in range(0, count, CHUNK):
        some = min(CHUNK, count - start)
        execute(url, ADD.format(base=base + start, count=some, members=MEMBERS))


async def roll_up(settings: Settings) -> None:
    """What the periodic task does."""
    async with open_runtime(settings) as runtime, runtime.database.begin() as session:
        await roll(session)


async def warm_up(runtime: Runtime) -> None:
    """As an API process is when finance closes a window: code loaded, heap frozen, and the page
    of the window, from which the button leads on, was shown on the connection."""
    async with runtime.database.begin() as session:
        await service.left_closing(session)
        await drafting.netted(session, [])
        await history(session, Subject.WINDOW, uuid7())
    gc.collect()
    gc.freeze()


async def close_and_net(runtime: Runtime) -> float:
    """Seconds to close the open window and net it, as a settlement of it would."""
    began = time.monotonic()
    closed = await close_window(runtime.database.begin, lambda _: None, actor="bench")
    async with runtime.database.begin() as session:
        found = await drafting.netted(session, [closed.window_id])
    took = time.monotonic() - began
    if sum(each.net_micros for each in found.positions) or not found.flows:
        raise BenchError("the positions do not sum to zero")
    return took


async def prove(settings: Settings) -> None:
    """Totals are the sums of the rows."""
    async with open_runtime(settings) as runtime, runtime.database.begin() as session:
        findings = await verify(session, checks=[CHECKS[-1]])
    if findings:
        raise BenchError(f"totals are wrong: {findings[0].examples[:1]}")


def measure_closing(url: str, obligations: int, runs: int) -> Row:
    """One window of so many obligations. The GROUP BY is the median of so many runs."""
    with fresh_database(url, "bench_settlement") as settings:
        own = settings.database_url or ""
        seed(own, wallets=10, offers=1)
        execute(own, ADD_MEMBERS)
        fill(own, 0, max(obligations - LAG, 0))
        execute(own, "vacuum analyze", "checkpoint")
        asyncio.run(roll_up(settings))
        fill(own, obligations, min(LAG, obligations))
        say(f"  {obligations:,} obligations are there")
        summed = []
        for _ in range(runs + 1):
            began = time.monotonic()
            query(own, REFERENCE)
            summed.append(time.monotonic() - began)

        async def close() -> float:
            async with open_runtime(settings) as runtime:
                await warm_up(runtime)
                return await close_and_net(runtime)

        took = asyncio.run(close())
        asyncio.run(prove(settings))
        # The first reads the rows from disk.
        reference = statistics.median(summed[1:])
        say(f"  close and net {took:.3f} s, GROUP BY {reference:.3f} s")
    return ratio_row(
        "window_close_and_net",
        took * 1_000,
        "ms",
        against=f"GROUP BY over {obligations:,} rows, ms",
        reference=reference * 1_000,
        at_most=GOAL_CLOSE,
    )


class Beside:
    """Work beside the load, on a loop of its own: deliveries, and closes without a pause."""

    def __init__(self, settings: Settings, *, closing: bool) -> None:
        self.settings = settings
        self.closing = closing
        self.stopping = threading.Event()
        self.closed = 0
        self.delivered = 0
        self.failed: Exception | None = None

    def __call__(self) -> None:
        """Run until it is told to stop."""
        try:
            asyncio.run(self._run())
        except Exception as error:
            self.failed = error

    async def _run(self) -> None:
        async with open_runtime(self.settings) as runtime:
            work = [self._deliver(runtime), self._roll(runtime)]
            if self.closing:
                work.append(self._close(runtime))
            await asyncio.gather(*work)

    async def _deliver(self, runtime: Runtime) -> None:
        while not self.stopping.is_set():
            async with runtime.database.begin() as session:
                rows = (await session.execute(sa.text(HELD), {"most": AT_ONCE})).all()
            deliveries = [Delivery(row.id, row.wallet_id, row.plugin, str(row.id)) for row in rows]
            if deliveries:
                async with runtime.database.begin() as session:
                    done = await capture(session, deliveries, vault=runtime.vault)
                self.delivered += len(done)
            else:
                await asyncio.sleep(0.02)

    async def _roll(self, runtime: Runtime) -> None:
        while not self.stopping.is_set():
            async with runtime.database.begin() as session:
                await roll(session)
            await asyncio.sleep(1)

    async def _close(self, runtime: Runtime) -> None:
        while not self.stopping.is_set():
            try:
                await close_window(runtime.database.begin, lambda _: None, actor="bench")
                self.closed += 1
            except (StatusChanged, WindowBusy):
                continue


@contextmanager
def beside(settings: Settings, *, closing: bool) -> Iterator[Beside]:
    """Deliveries (and closes) for the length of the block."""
    work = Beside(settings, closing=closing)
    thread = threading.Thread(target=work, name="beside")
    thread.start()
    try:
        yield work
    finally:
        work.stopping.set()
        thread.join()
    if work.failed is not None:
        raise BenchError(f"the work beside the load failed: {work.failed!r}")
    say(f"  {work.delivered:,} delivered, {work.closed:,} windows closed")


def measure_burns(url: str, seconds: int, runs: int) -> Row:
    """p99 of burns with closes against without, in turn."""
    found: dict[bool, list[float]] = {False: [], True: []}
    with fresh_database(url, "bench_settlement") as settings:
        own = settings.database_url or ""
        target_token = seed(own, wallets=WALLETS, offers=OFFERS)
        log = Path(tempfile.gettempdir()) / "bench-settlement.log"
        with serving(settings, log, "--processes", "1", "--no-background") as port:
            target = Target(port, target_token, WALLETS, OFFERS)
            load.run(target, clients=CLIENTS, seconds=seconds, name="warm")
            for number in range(runs):
                for closing in (False, True):
                    with beside(settings, closing=closing):
                        name = f"run-{number}-{closing}"
                        one = load.run(target, clients=CLIENTS, seconds=seconds, name=name)
                    found[closing].append(one.p99_us / 1_000)
                    say(f"  closing {closing}: {one.per_second:,.0f}/s, p99 {found[closing][-1]}")
        asyncio.run(prove(settings))
    return ratio_row(
        "burn_p99_while_windows_close",
        statistics.median(found[True]),
        "ms",
        against="without closes, ms",
        reference=statistics.median(found[False]),
        at_most=GOAL_P99,
    )


def run(obligations: int, seconds: int, runs: int) -> list[Row]:
    """The whole measurement."""
    url = server_url(Path("var"))
    found = machine.facts(url)
    machine.refuse_unless_durable(found)
    say("\n".join(f"{name}: {value}" for name, value in found.items()))
    return [measure_closing(url, obligations, runs), measure_burns(url, seconds, runs)]


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object per row.")
@click.option("--obligations", default=5_000_000, show_default=True, help="In the window.")
@click.option("--seconds", default=10, show_default=True, help="Of each load.")
@click.option("--runs", default=3, show_default=True, help="Of each kind.")
def main(as_json: bool, obligations: int, seconds: int, runs: int) -> None:
    """Measure closing and netting, and burns while windows are closed."""
    try:
        rows = run(obligations, seconds, runs)
    except BenchError as error:
        say(f"error: {error}")
        sys.exit(1)
    tell(rows, as_json=as_json)


if __name__ == "__main__":
    main()
