"""How long burns wait while a million lots expire, and while 10,000 burns are refunded.

    python -m bench.pauses [--json] [--lots N] [--refunds N] [--seconds N]

Burns come over HTTP from a few clients all the time; `marketplace ledger expire` and
`marketplace burns refund` run beside them. What counts is the longest that any burn took from
request to answer, a burn of a wallet that is being swept included. Exit status: 0 when every
figure could be taken and the ledger is clean, whether goals are met or not; 1 otherwise.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import msgspec

from bench import load, machine
from bench.load import Target
from bench.rows import Row, ratio_row, tell
from bench.seed import OFFER_POINTS, seed
from bench.server import (
    BenchError,
    environment,
    execute,
    fresh_database,
    program,
    prove_ledger,
    query,
    server_url,
    serving,
)
from bench.trust import hold, requests_of
from marketplace.exchange.resolution import Delivery, capture
from marketplace.runtime import open_runtime
from marketplace.settings import Settings

WALLETS = 20_000
OFFERS = 50
CLIENTS = 8
MOST_MS = 1_000.0
AT_ONCE = 500
REFUNDED = "offer-1"
"""Its burns are refunded; more of them come in meanwhile."""
MOST_FAILED = 0.005

# Each expired an hour ago, beside the points the wallets burn.
LOTS = """
insert into lot (wallet_id, id, issuer_id, contract_id, reference, points, remaining, open,
                 currency, price_micros, funding, effective_at, expires_at)
select w.id, 10000000 + n, c.member_id, c.id, 'old-' || n, 10, 10, true, 'EUR', c.price_micros,
       'redemption', statement_timestamp() - interval '20 days',
       statement_timestamp() - interval '1 hour'
from generate_series(1, {lots}) n
join (select id, row_number() over (order by id) - 1 as at from wallet) w on w.at = n % {wallets}
join contract c on c.reference = 'contract-1'
"""
TRANSFERS = """
insert into transfer (wallet_id, id, code, debit_account, debit_owner, credit_account,
                      credit_owner, unit, amount, lot_id, effective_at)
select wallet_id, id, 'issue', 'issuer_issued', issuer_id, 'wallet_available', wallet_id,
       'POINTS', points, id, effective_at
from lot where reference like 'old-%'
"""
BALANCES = """
update wallet set available = available + old.points
from (select wallet_id, sum(points)::bigint as points from lot where reference like 'old-%'
      group by 1) old
where wallet.id = old.wallet_id
"""


def say(text: str) -> None:
    """Progress, on stderr."""
    click.echo(text, err=True)


class Beside(msgspec.Struct, frozen=True):
    """What burns saw while a command ran."""

    longest_ms: float
    burns_per_second: float
    took_s: float


def add_lots(url: str, lots: int) -> None:
    """So many lots that are due to expire."""
    execute(url, LOTS.format(lots=lots, wallets=WALLETS), TRANSFERS, BALANCES)
    execute(url, "vacuum analyze", "checkpoint")


async def add_captured(settings: Settings, burns: int) -> None:
    """So many captured burns of the offer that will be refunded."""
    own = settings.database_url or ""
    offer = await asyncio.to_thread(
        query, own, "select id from offer where reference = $1", REFUNDED
    )
    requests = await asyncio.to_thread(lambda: list(requests_of(own, {"giftfund": burns})))
    await hold(settings, [msgspec.structs.replace(each, offer_id=offer[0][0]) for each in requests])
    held = await asyncio.to_thread(
        query, own, "select id, wallet_id, plugin from burn where status = 'held'"
    )
    deliveries = [Delivery(row[0], row[1], row[2], str(row[0])) for row in held]
    async with open_runtime(settings) as runtime:
        for start in range(0, burns, AT_ONCE):
            async with runtime.database.begin() as session:
                some = deliveries[start : start + AT_ONCE]
                await capture(session, some, vault=runtime.vault)


def burns_beside(
    settings: Settings, target: Target, seconds: int, name: str, *arguments: str
) -> Beside:
    """Burn until the command is through, at least once for `seconds`."""
    began, ended = time.monotonic(), 0.0
    command = subprocess.Popen(
        program(*arguments),
        env=environment(settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    longest, burnt, spent_s, number = 0.0, 0, 0.0, 0
    while True:
        one = load.run(target, clients=CLIENTS, seconds=seconds, name=f"{name}-{number}")
        if one.failed_share > MOST_FAILED:
            command.kill()
            raise BenchError(f"{one.refused} refused, {one.broken} broken of {one.requests}")
        longest = max(longest, one.max_us / 1_000)
        burnt, spent_s = burnt + one.requests, spent_s + one.duration_us / 1e6
        number += 1
        if command.poll() is not None:
            break
    ended = time.monotonic()
    said, _ = command.communicate()
    if command.returncode:
        raise BenchError(f"`marketplace {' '.join(arguments)}` failed: {said}")
    found = Beside(longest, burnt / spent_s, ended - began)
    say(
        f"  {' '.join(arguments[:2])}: {said.strip().splitlines()[-1]} About {found.took_s:.0f} s; "
        f"{found.burns_per_second:,.0f} burns/s beside it, the longest {longest:,.0f} ms"
    )
    return found


def judge(quiet_ms: float, expiry: Beside, refunds: Beside) -> list[Row]:
    """The longest pauses against the second that is allowed."""
    rows = [
        ratio_row(
            name, found.longest_ms, "ms", against="limit in ms", reference=MOST_MS, at_most=1.0
        )
        for name, found in (("pause_by_expiry", expiry), ("pause_by_refunds", refunds))
    ]
    return [
        *rows,
        ratio_row("pause_by_nothing", quiet_ms, "ms", against="limit in ms", reference=MOST_MS),
    ]


def run(lots: int, refunds: int, seconds: int) -> list[Row]:
    """The whole measurement."""
    url = server_url(Path("var"))
    found = machine.facts(url)
    machine.refuse_unless_durable(found)
    say("\n".join(f"{name}: {value}" for name, value in found.items()))
    log = Path(tempfile.gettempdir()) / "bench-pauses-serve.log"
    with fresh_database(url, "bench_pauses") as settings:
        own = settings.database_url or ""
        say(f"seeding {lots:,} lots that are due, and {refunds:,} burns of {OFFER_POINTS} points")
        token = seed(own, wallets=WALLETS, offers=OFFERS)
        asyncio.run(add_captured(settings, refunds))
        add_lots(own, lots)
        with serving(settings, log, "--processes", "1", "--no-background") as port:
            target = Target(port, token, WALLETS, OFFERS)
            load.run(target, clients=CLIENTS, seconds=seconds, name="warm")
            quiet = load.run(target, clients=CLIENTS, seconds=seconds, name="quiet")
            expiry = burns_beside(settings, target, seconds, "expiry", "ledger", "expire")
            storm = burns_beside(
                settings,
                target,
                seconds,
                "storm",
                *("burns", "refund", "--offer", REFUNDED, "--reason", "A measurement."),
            )
        _check(settings, refunds)
    return judge(quiet.max_us / 1_000, expiry, storm)


def _check(settings: Settings, refunds: int) -> None:
    own = settings.database_url or ""
    left = query(own, "select count(*) from lot where open and expires_at < now()")[0][0]
    made = query(own, "select count(*), count(distinct burn_id) from refund")[0]
    if left or tuple(made) != (refunds, refunds):
        raise BenchError(f"{left} lots did not expire; {made[0]} refunds of {made[1]} burns")
    prove_ledger(settings)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object per row.")
@click.option("--lots", default=1_000_000, show_default=True, help="That expire.")
@click.option("--refunds", default=10_000, show_default=True, help="Burns that are refunded.")
@click.option("--seconds", default=10, show_default=True, help="Length of each load.")
def main(as_json: bool, lots: int, refunds: int, seconds: int) -> None:
    """Measure how long burns wait while points expire and burns are refunded."""
    try:
        rows = run(lots, refunds, seconds)
    except BenchError as error:
        say(f"error: {error}")
        sys.exit(1)
    tell(rows, as_json=as_json)


if __name__ == "__main__":
    main()
