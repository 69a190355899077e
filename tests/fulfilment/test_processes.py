"""The real processes: worker and beat on a broker, and both in one without any."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from marketplace.settings import Settings
from tests.conftest import SECRET_KEY
from tests.fulfilment.conftest import Counter, Pairs

GIVEN_BROKER = os.environ.get("MARKETPLACE_TEST_BROKER_URL")
BROKERS = (
    [GIVEN_BROKER]
    if GIVEN_BROKER
    else ["amqp://guest:guest@127.0.0.1:5672//", "redis://127.0.0.1:6379/15"]
)
DONE = ("captured", "done")
PATIENCE_S = 120.0
STOP_S = 60.0

Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def start(settings: Settings, tmp_path: Path) -> Iterator[Start]:
    """`start("worker", broker_url=...)` runs a command of the marketplace until the test ends."""
    running: list[subprocess.Popen[bytes]] = []

    def run(*command: str, **more: str) -> subprocess.Popen[bytes]:
        environ = {
            **os.environ,
            "MARKETPLACE_DATABASE_URL": settings.database_url or "",
            "MARKETPLACE_SECRET_KEYS": SECRET_KEY,
            "MARKETPLACE_DATABASE_POOL": "4",
            **{f"MARKETPLACE_{name.upper()}": value for name, value in more.items()},
        }
        log = (tmp_path / f"{command[0]}-{len(running)}.log").open("wb")
        process = subprocess.Popen(
            [sys.executable, "-c", "from marketplace.cli import main; main()", *command],
            env=environ,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        log.close()
        running.append(process)
        return process

    yield run
    for process in running:
        if process.poll() is None:
            process.kill()
        process.wait(STOP_S)
    for file in sorted(tmp_path.glob("*.log")):
        print(f"-- {file.name}\n{file.read_text()}")


def stop(process: subprocess.Popen[bytes]) -> float:
    """Ask a process to stop; seconds until it had, with status 0."""
    started = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(STOP_S) == 0
    return time.monotonic() - started


async def stocked(counter: Counter, codes: int) -> None:
    """Fill the gift fund's pool of the offer "card" and give Ann enough points for it."""
    import marketplace_giftfund.service as giftfund

    from marketplace.host import PluginHost

    runtime = counter.coalition.runtime
    host = PluginHost("giftfund", lambda: runtime.database, lambda: runtime.vault)
    lines = ["code", *(secrets.token_hex(8) for _ in range(codes))]
    done = await asyncio.to_thread(
        giftfund.upload, host, "card", "\n".join(lines), actor="cli:test"
    )
    assert done.new == codes


async def until_done(counter: Counter, pairs: Pairs) -> None:
    """Wait until every burn is captured."""
    deadline = time.monotonic() + PATIENCE_S
    while set(states := await counter.states(pairs)) != {DONE}:
        assert time.monotonic() < deadline, states
        await asyncio.sleep(0.1)


async def test_one_process_without_a_broker_delivers(counter: Counter, start: Start) -> None:
    await stocked(counter, 60)
    process = start("background")
    pairs = await counter.burn(50, offer="card")
    await until_done(counter, pairs)
    assert await counter.balance() == (50_000, 0)
    late = await counter.burn(10, offer="card")
    await until_done(counter, late)
    assert stop(process) < STOP_S
    assert await counter.verified()


async def test_a_killed_process_loses_nothing(counter: Counter, start: Start) -> None:
    await stocked(counter, 90)
    first = start("background", supplier_timeout_s="1")
    pairs = await counter.burn(30, offer="card")
    await until_done(counter, pairs)
    more = await counter.burn(59, offer="card")
    while set(await counter.states(more)) == {("held", "queued")}:  # noqa: ASYNC110 - the table
        await asyncio.sleep(0.001)
    first.kill()  # while it claims, orders or resolves
    first.wait(STOP_S)
    # What it had claimed or published is due again when its lease is over; here it is over at once.
    connection = await counter.coalition.runtime.database.connect_raw()
    await connection.execute("update burn set due_at = clock_timestamp() where due_at is not null")
    await connection.close()
    second = start("background", supplier_timeout_s="1")
    await until_done(counter, more + await counter.burn(1, offer="card"))
    stop(second)
    assert await counter.verified()


def answers(url: str) -> bool:
    """Whether something listens where this broker should be."""
    target = urlsplit(url)
    try:
        socket.create_connection((target.hostname or "", target.port or 0), timeout=1).close()
    except OSError:
        return False
    return True


@pytest.fixture(params=BROKERS)
def own_broker(request: pytest.FixtureRequest) -> Iterator[str]:
    """A real broker with our queues emptied; skips where there is none on this machine."""
    url: str = request.param
    if not answers(url):
        pytest.skip(f"no broker at {url}: start one, or set MARKETPLACE_TEST_BROKER_URL")
    wipe(url)
    yield url
    wipe(url)


def wipe(url: str) -> None:
    """Delete our queues, as a broker that lost its disk would have."""
    from kombu import Connection

    with Connection(url) as connection:
        channel = connection.channel()
        for queue in ("core", "fulfil.giftfund"):
            channel.queue_delete(queue)


async def test_worker_and_beats_deliver_through_a_real_broker(
    counter: Counter, start: Start, own_broker: str
) -> None:
    await stocked(counter, 60)
    beats = [start("beat", broker_url=own_broker) for _ in range(2)]
    pairs = await counter.burn(20, offer="card")
    await asyncio.sleep(4.0)  # the beats publish before any worker is there
    worker = start("worker", "--concurrency", "2", broker_url=own_broker)
    await until_done(counter, pairs)

    wipe(own_broker)
    more = await counter.burn(20, offer="card")
    await asyncio.sleep(2.0)
    connection = await counter.coalition.runtime.database.connect_raw()
    await connection.execute("update burn set due_at = clock_timestamp() where due_at is not null")
    await connection.close()
    await until_done(counter, more)

    for process in (worker, *beats):
        assert stop(process) < STOP_S
    assert await counter.verified()


def test_worker_and_beat_say_that_they_need_a_broker(start: Start) -> None:
    for command in ("worker", "beat"):
        assert start(command).wait(PATIENCE_S) == 2
