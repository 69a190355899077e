"""Many refunds and many expiries: in batches, whatever happens in between, and each once."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from marketplace.cli import main
from marketplace.clock import now
from marketplace.exchange import bulk_refunds
from marketplace.exchange.bulk_refunds import Chosen
from marketplace.exchange.models import Burn, Refund
from marketplace.identity.models import AuditEntry
from marketplace.ledger.expiry import due, expire_all
from marketplace.ledger.verify import verify
from tests.conftest import SECRET_KEY
from tests.factories import Coalition, days
from tests.ledger.driver import Driver

STOP_S = 60

# Runs batches of two and says so after each.
REFUND = """
import asyncio, sys
from uuid import UUID
from marketplace.exchange.bulk_refunds import Chosen, refund_all
from marketplace.runtime import open_runtime
from marketplace.settings import load

def told(count):
    print(count, flush=True)

async def work():
    async with open_runtime(load()) as runtime:
        chosen = Chosen(offer_id=UUID(sys.argv[1]))
        await refund_all(runtime, chosen, caller_id=UUID(sys.argv[2]), actor="cli:test",
                         reason="recalled", told=told, limit=2)

asyncio.run(work())
"""
EXPIRE = """
import asyncio
from marketplace.ledger.expiry import expire_all
from marketplace.runtime import open_runtime
from marketplace.settings import load

def told(count):
    print(count, flush=True)

async def work():
    async with open_runtime(load()) as runtime:
        await expire_all(runtime.database, told, limit=2)

asyncio.run(work())
"""


def environment(database_url: str) -> dict[str, str]:
    return {
        "MARKETPLACE_DATABASE_URL": database_url,
        "MARKETPLACE_SECRET_KEYS": SECRET_KEY,
        "MARKETPLACE_CLOCK_TRAVEL": "1",
    }


@contextmanager
def running(script: str, database_url: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A script in a process of its own, killed at the end of the block."""
    process = subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        env={**os.environ, **environment(database_url)},
        stdout=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=STOP_S)


async def command(database_url: str, *arguments: str) -> Result:
    """`marketplace ...` in a thread of its own, because it runs its own loop."""
    runner = CliRunner(env=environment(database_url))
    return await asyncio.to_thread(runner.invoke, main, list(arguments))


async def burnt(drive: Driver, count: int) -> list[UUID]:
    """So many captured burns of Ann's and Bob's on the card, by id."""
    for name in ("ann", "bob"):
        await drive.coalition.issue(name, 100_000)
    made = []
    for number in range(count):
        name = ("ann", "bob")[number % 2]
        burn_id = await drive.burn(name, "card")
        await drive.capture(name, burn_id)
        made.append(burn_id)
    return sorted(made)


async def refunded(coalition: Coalition) -> dict[UUID, int]:
    """How many refunds each burn has."""
    query = sa.select(Refund.burn_id, sa.func.count()).group_by(Refund.burn_id)
    async with coalition.runtime.database.begin() as session:
        return dict(iter(await session.execute(query)))


async def assert_right(drive: Driver) -> None:
    async with drive.runtime.database.begin() as session:
        assert await verify(session) == []


async def test_every_burn_of_an_offer_is_refunded_once(drive: Driver, database_url: str) -> None:
    burns = await burnt(drive, 5)
    await drive.refund("ann", await half(drive), 400)
    await drive.burn("ann", "card")  # held: it has nothing to refund yet
    asked = ("burns", "refund", "--offer", "card", "--reason", "recalled")
    dry = await command(database_url, *asked, "--dry-run")
    left = await points_left(drive.coalition)
    said = f"{left:,} points; 1 others have nothing to refund.\n"
    assert (dry.exit_code, dry.stdout) == (0, f"6 burns would be refunded, {said}")
    assert len(await refunded(drive.coalition)) == 1
    first, again = await command(database_url, *asked), await command(database_url, *asked)
    assert (first.exit_code, first.stdout) == (0, f"6 burns refunded, {said}")
    assert again.stdout.startswith("0 burns refunded, 0 points; 7 others")
    counts = await refunded(drive.coalition)
    assert sorted(counts.values()) == [1] * 5 + [2]
    assert set(burns) < set(counts)
    assert await points_left(drive.coalition) == 0
    async with drive.runtime.database.begin() as session:
        entry = await session.scalar(
            sa.select(AuditEntry).where(AuditEntry.action == "burns.refunded")
        )
    assert entry is not None
    assert (entry.details["burns"], entry.details["reason"]) == (6, "recalled")
    await assert_right(drive)


async def half(drive: Driver) -> UUID:
    """One more burn of Ann's, of which a part will be refunded."""
    burn_id = await drive.burn("ann", "card")
    await drive.capture("ann", burn_id)
    return burn_id


async def points_left(coalition: Coalition) -> int:
    """Of all captured burns."""
    query = sa.select(sa.func.sum(Burn.points - Burn.refunded_points)).where(
        Burn.status == "captured"
    )
    async with coalition.runtime.database.begin() as session:
        return int(await session.scalar(query) or 0)


async def test_only_what_was_burnt_within_the_time(drive: Driver, database_url: str) -> None:
    early = await burnt(drive, 2)
    moment = await drive.later(days(1))
    await drive.later(timedelta(hours=1))
    late = await burnt(drive, 1)
    offer = ("burns", "refund", "--offer", "card", "--reason", "recalled")
    stamp = moment.strftime("%Y-%m-%dT%H:%M:%S")
    assert (await command(database_url, *offer, "--since", stamp)).exit_code == 0
    assert set(await refunded(drive.coalition)) == set(late)
    assert (await command(database_url, *offer, "--until", stamp)).exit_code == 0
    assert set(await refunded(drive.coalition)) == {*early, *late}
    await assert_right(drive)


async def test_burns_of_a_file(drive: Driver, database_url: str, tmp_path: Path) -> None:
    burns = await burnt(drive, 3)
    file = tmp_path / "burns.csv"
    asked = ("burns", "refund", "--reason", "recalled", "--file", str(file))
    stranger = uuid4()
    file.write_text(f"burn\n{burns[0]}\nnonsense\n")
    bad = await command(database_url, *asked)
    assert bad.exit_code == 2
    assert "line 3: 'nonsense' is no id" in bad.output
    file.write_text(f"burn\n{burns[0]}\n{stranger}\n")
    unknown = await command(database_url, *asked)
    assert unknown.exit_code == 2
    assert f"line 3: there is no burn {stranger}" in unknown.output
    assert await refunded(drive.coalition) == {}
    file.write_text(f"burn\n{burns[0]}\n{burns[1]}\n{burns[0]}\n")
    good = await command(database_url, *asked)
    assert good.stdout.startswith("2 burns refunded, ")
    assert await refunded(drive.coalition) == {burns[0]: 1, burns[1]: 1}
    await assert_right(drive)


@pytest.mark.parametrize(
    "wrong",
    [
        (),
        ("--offer", "card", "--file", __file__),
        ("--file", __file__, "--since", "2026-01-01"),
        ("--file", __file__),
        ("--offer", "no-such"),
        ("--offer", "card", "--reason", " "),
    ],
)
async def test_what_cannot_be_asked(
    wrong: tuple[str, ...], coalition: Coalition, database_url: str
) -> None:
    told = await command(database_url, "burns", "refund", "--reason", "recalled", *wrong)
    assert told.exit_code == 2
    assert "Traceback" not in told.output


async def test_two_runs_share_the_work(drive: Driver) -> None:
    burns = await burnt(drive, 8)
    chosen = Chosen(burn_ids=burns)
    caller_id = drive.coalition.members["operator"]

    async def run() -> tuple[int, int]:
        return await bulk_refunds.refund_all(
            drive.runtime,
            chosen,
            caller_id=caller_id,
            actor="cli:test",
            reason="recalled",
            told=lambda _: None,
            limit=2,
        )

    both = await asyncio.gather(run(), run())
    assert sum(made for made, _ in both) == 8
    assert await refunded(drive.coalition) == dict.fromkeys(burns, 1)
    await assert_right(drive)


async def test_refunds_killed_in_a_batch_are_finished_by_the_next_run(
    drive: Driver, database_url: str
) -> None:
    burns = await burnt(drive, 6)
    coalition = drive.coalition
    names = str(coalition.offers["card"]), str(coalition.members["operator"])
    held = await drive.runtime.database.connect_raw()
    transaction = held.transaction()
    await transaction.start()
    await held.execute("select from burn where id = $1 for update", burns[3])
    with running(REFUND, database_url, *names) as process:
        assert process.stdout is not None
        assert await asyncio.to_thread(process.stdout.readline) == b"2\n"
        await waits_for_a_lock(held)  # the second batch has begun
        process.kill()
        process.wait(STOP_S)
    await transaction.rollback()
    await held.close()
    assert await refunded(coalition) == dict.fromkeys(burns[:2], 1)
    with running(REFUND, database_url, *names) as process:
        said, _ = await asyncio.to_thread(process.communicate)
    assert said == b"2\n2\n"
    assert await refunded(coalition) == dict.fromkeys(burns, 1)
    await assert_right(drive)


async def waits_for_a_lock(connection: object) -> None:
    """Wait until somebody waits for what this connection has locked."""
    fetch = connection.fetchval  # type: ignore[attr-defined]
    # Not pg_stat_activity, of which a transaction sees the same all the time.
    blocked = """
    select count(*) from pg_locks
    where not granted and pg_backend_pid() = any(pg_blocking_pids(pid))
    """
    while not await fetch(blocked):  # noqa: ASYNC110 - the server's own table
        await asyncio.sleep(0.02)


async def test_an_expiry_killed_in_a_batch_is_finished_by_the_next(
    drive: Driver, database_url: str
) -> None:
    coalition = drive.coalition
    async with drive.runtime.database.begin() as session:
        start = await now(session)
    for number in range(3):
        for name in ("ann", "bob"):
            ends = start + days(1) + timedelta(minutes=number)
            await coalition.issue(name, 100, issuer="alpha", expires_at=ends)
    await drive.later(days(2))
    held = await drive.runtime.database.connect_raw()
    transaction = held.transaction()
    await transaction.start()
    # What a sweep needs before anything else: as if a window were being closed.
    await held.execute("select pg_advisory_xact_lock(7219004513)")
    with running(EXPIRE, database_url) as process:
        await waits_for_a_lock(held)
        process.kill()
        process.wait(STOP_S)
    await transaction.rollback()
    await held.close()
    with running(EXPIRE, database_url) as process:
        assert process.stdout is not None
        assert await asyncio.to_thread(process.stdout.readline) == b"2\n"
    async with drive.runtime.database.begin() as session:
        assert await due(session) < 6
    assert await expire_all(drive.runtime.database, lambda _: None, limit=2) >= 0
    async with drive.runtime.database.begin() as session:
        assert await due(session) == 0
    await assert_right(drive)
