"""How fast orders are fulfilled while one plugin of five hangs, against all five being well.

    python -m bench.trust [--json] [--burns N] [--runs N]

Held burns of five plugins wait, then one worker process starts, with its relay and a broker in its
memory. The rate is that of the four plugins that are well, from a quarter of their deliveries, when
every process has started, to the last.
In one run the fifth has nothing to do, in the next it has as many orders as the others and hangs at
the first of them; runs alternate, so a change of the machine's mood hits both. Exit status: 0 when
every figure could be taken and the ledger is clean, whether the goal is met or not; 1 otherwise.
"""

from __future__ import annotations

import asyncio
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import click

from bench import machine
from bench.rows import Row, ratio_row, tell
from bench.seed import seed
from bench.server import (
    BenchError,
    execute,
    fresh_database,
    prove_ledger,
    query,
    server_url,
    started,
    stop,
)
from marketplace.exchange.decide import BurnRequest
from marketplace.exchange.engine import BurnEngine
from marketplace.identity.domain import Principal, Scope
from marketplace.ids import uuid7
from marketplace.registry.activation import activate
from marketplace.runtime import open_runtime
from marketplace.settings import Settings

WALLETS = 500
PLUGINS = ("asteroid", "bolide", "comet", "dwarf", "eclipse")
HANGS = PLUGINS[-1]
PATIENCE_S = 300
GOAL = 0.9
MODULE = """
import time

from marketplace import api

api_version = "1.0"


class Supplier:
    slug = "{slug}"

    def fulfil(self, orders):
        if "{slug}" == "{hangs}":
            time.sleep(3600)
        return [self.done(each) for each in orders]

    def done(self, order):
        code = api.Artefact(kind="code", label=order.sku, secret="C-" + order.reference)
        return api.Fulfilled(
            reference=order.reference,
            supplier_reference="S-" + order.reference,
            artefacts=(code,) * order.quantity,
        )

    def lookup(self, orders):
        return [api.Unknown(reference=each.reference, reason="none") for each in orders]

    def health(self):
        return api.Health(ok=True)


@api.hookimpl
def marketplace_register_suppliers(host):
    return [Supplier()]
"""


def say(text: str) -> None:
    """Progress, on stderr."""
    click.echo(text, err=True)


def install(folder: Path) -> None:
    """Put the five plugins into a folder, as `pip install --target` would."""
    for slug in PLUGINS:
        (folder / f"bench_{slug}.py").write_text(MODULE.format(slug=slug, hangs=HANGS))
        info = folder / f"bench_{slug}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: bench_{slug}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[marketplace]\n{slug} = bench_{slug}\n")


async def activate_all(settings: Settings, site: Path) -> None:
    """Let the five deliver, on the operator's word."""
    if str(site) not in sys.path:
        sys.path.insert(0, str(site))
    async with open_runtime(settings) as runtime, runtime.database.begin() as session:
        for slug in PLUGINS:
            await activate(session, settings, slug, actor="bench", reason="to be measured")


async def hold(settings: Settings, requests: Sequence[BurnRequest]) -> None:
    """Have the burn engine hold these burns."""
    async with open_runtime(settings) as runtime:
        engine = BurnEngine(
            runtime.database.connect_raw,
            queue_limit=100_000,
            batch_limit=256,
            hold_for=timedelta(hours=1),
            rules={},
        )
        await engine.start()
        try:
            answers = await asyncio.gather(*(engine.submit(each) for each in requests))
        finally:
            await engine.stop()
    refused = [each.error for each in answers if each.error is not None]
    if refused:
        raise BenchError(f"{len(refused)} burns were refused, the first: {refused[0]}")


def requests_of(url: str, plugins: dict[str, int]) -> Iterator[BurnRequest]:
    """So many burns of each plugin, one of each after the other."""
    key_id, member_id = query(url, "select id, member_id from api_key")[0]
    principal = Principal(
        credential_id=key_id,
        caller_id=member_id,
        actor="bench",
        member_id=member_id,
        is_operator=True,
        scopes=frozenset({Scope.BURNS_WRITE}),
    )
    wallets: list[UUID] = [row[0] for row in query(url, "select id from wallet")]
    offers: dict[str, UUID] = dict(
        query(url, "select plugin, min(id::text)::uuid from offer group by 1")
    )
    for number in range(max(plugins.values())):
        for slug in (slug for slug, count in plugins.items() if number < count):
            yield BurnRequest(
                uuid7(),
                principal,
                secrets.token_hex(8),
                secrets.token_bytes(16),
                wallets[number % len(wallets)],
                offers[slug],
                1,
            )


@contextmanager
def working(settings: Settings, site: Path) -> Iterator[None]:
    """`marketplace background` for the length of the block."""
    log = Path(tempfile.gettempdir()) / "bench-trust.log"
    process = started(settings, log, "background", PYTHONPATH=str(site))
    try:
        yield
    finally:
        stop(process)


DONE = """
select count(*), extract(epoch from max(r.posted_at)
                                    - percentile_disc(0.25) within group (order by r.posted_at)
       )::float8
from burn b join burn_resolution r on r.burn_id = b.id and r.wallet_id = b.wallet_id
where b.plugin <> $1 and r.outcome = 'captured'
"""


def fulfilled_per_second(url: str, site: Path, burns: int, *, hanging: bool) -> float:
    """The rate of the four that are well, in a database of its own."""
    with fresh_database(url, "bench_trust") as settings:
        own = settings.database_url or ""
        seed(own, wallets=WALLETS, offers=len(PLUGINS))
        for number, slug in enumerate(PLUGINS, start=1):
            execute(own, f"update offer set plugin = '{slug}' where reference = 'offer-{number}'")
        well = dict.fromkeys(PLUGINS[:-1], burns)
        wanted = well | ({HANGS: burns} if hanging else {})
        asyncio.run(activate_all(settings, site))
        asyncio.run(hold(settings, list(requests_of(own, wanted))))
        with working(settings, site):
            rate = _rate(own, len(well) * burns)
        prove_ledger(settings)
    return rate


def _rate(url: str, burns: int) -> float:
    """Burns per second over the last three quarters, once all are captured."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        count, seconds = query(url, DONE, HANGS)[0]
        if count == burns:
            return float(count * 0.75 / seconds)
        if time.monotonic() > deadline:
            raise BenchError(f"only {count} of {burns} burns were fulfilled in {PATIENCE_S} s")
        time.sleep(0.5)


def judge(without: list[float], hanging: list[float]) -> list[Row]:
    """The medians against each other."""
    return [
        ratio_row(
            "fulfilled_one_of_five_hangs",
            statistics.median(hanging),
            "burns/s",
            against="all well",
            reference=statistics.median(without),
            at_least=GOAL,
        )
    ]


def run(burns: int, runs: int) -> list[Row]:
    """The whole measurement."""
    url = server_url(Path("var"))
    found = machine.facts(url)
    machine.refuse_unless_durable(found)
    say("\n".join(f"{name}: {value}" for name, value in found.items()))
    without: list[float] = []
    hanging: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        install(Path(folder))
        for number in range(runs):
            without.append(fulfilled_per_second(url, Path(folder), burns, hanging=False))
            hanging.append(fulfilled_per_second(url, Path(folder), burns, hanging=True))
            say(f"  run {number + 1}: {without[-1]:,.0f}/s well, {hanging[-1]:,.0f}/s one hangs")
    return judge(without, hanging)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object per row.")
@click.option("--burns", default=4_000, show_default=True, help="Burns of each plugin.")
@click.option("--runs", default=5, show_default=True, help="Runs of each kind.")
def main(as_json: bool, burns: int, runs: int) -> None:
    """Measure what one hanging plugin costs the other four."""
    try:
        rows = run(burns, runs)
    except BenchError as error:
        say(f"error: {error}")
        sys.exit(1)
    tell(rows, as_json=as_json)


if __name__ == "__main__":
    main()
