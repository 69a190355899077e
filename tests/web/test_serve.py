"""`marketplace serve`: starts, survives the death of a child, stops cleanly, refuses bad ground."""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from marketplace import clock, embedded, serve
from marketplace.demo.processes import free_port
from marketplace.errors import UsageError
from marketplace.runtime import open_runtime
from marketplace.serve import bind, check, child_environment
from marketplace.settings import Settings
from tests.chaos.broker import listens
from tests.conftest import SECRET_KEY, execute, with_database

START_S = 600
STOP_S = 300


@contextmanager
def serving(settings: Settings, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The running command and its address."""
    environ = {
        **os.environ,
        "MARKETPLACE_DATABASE_URL": str(settings.database_url),
        "MARKETPLACE_SECRET_KEYS": SECRET_KEY,
        "MARKETPLACE_LOG_LEVEL": "ERROR",
    }
    command = [sys.executable, "-m", "marketplace", "serve", "--port", "0", *options]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("Serving on http://"), line
            yield process, line.split()[2]
        finally:
            process.terminate()
            process.wait(STOP_S)


def wait_until_ready(address: str) -> None:
    # The parent listens before its children live: the first request waits for them.
    assert httpx.get(f"{address}/health/ready", timeout=START_S).status_code == 200


def test_a_killed_child_is_replaced_and_sigterm_stops_all(settings: Settings) -> None:
    with serving(settings, "--processes", "2", "--no-background") as (process, address):
        wait_until_ready(address)
        parent = psutil.Process(process.pid)
        first, second = parent.children()
        first.kill()
        deadline = time.monotonic() + START_S
        while len([each for each in parent.children() if each.is_running()]) < 2 or (
            first in parent.children()
        ):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        # With a connection each: whichever process takes one, it answers.
        for _ in range(8):
            wait_until_ready(address)
        replacement = next(each for each in parent.children() if each != second)
        process.send_signal(signal.SIGTERM)
        assert process.wait(STOP_S) == 0
        assert not psutil.pid_exists(second.pid)
        assert not psutil.pid_exists(replacement.pid)


def test_children_do_not_outlive_a_killed_parent(settings: Settings) -> None:
    with serving(settings, "--no-background") as (process, address):
        wait_until_ready(address)
        (child,) = psutil.Process(process.pid).children()
        process.kill()
        psutil.wait_procs([child], timeout=START_S)
        assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def test_a_disk_that_is_full_of_its_log_stops_nothing(settings: Settings) -> None:
    port = free_port("127.0.0.1")
    environ = os.environ | {
        "MARKETPLACE_DATABASE_URL": str(settings.database_url),
        "MARKETPLACE_SECRET_KEYS": SECRET_KEY,
    }
    command = [sys.executable, "-m", "marketplace", "serve", "--port", str(port), "--no-background"]
    with (
        open("/dev/full", "wb") as full,
        subprocess.Popen(command, env=environ, stdout=full, stderr=full) as process,
    ):
        try:
            deadline = time.monotonic() + START_S
            while process.poll() is None and not listens(port):
                assert time.monotonic() < deadline
                time.sleep(0.05)
            assert process.poll() is None
            wait_until_ready(f"http://127.0.0.1:{port}")
            psutil.Process(process.pid).children()[0].kill()  # which is worth a line
            wait_until_ready(f"http://127.0.0.1:{port}")
        finally:
            process.terminate()
            process.wait(STOP_S)


async def test_an_embedded_database_that_is_gone_is_started_again_however_often_it_fails(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    program = subprocess.CalledProcessError(1, "pg_ctl")
    looks: list[bool | Exception] = [True, program, UsageError("no room"), False]
    over = asyncio.Event()
    loop = asyncio.get_running_loop()

    def revive(var_dir: Path) -> bool:
        assert var_dir == settings.var_dir
        if not looks:
            loop.call_soon_threadsafe(over.set)
            return False
        found = looks.pop()
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(embedded, "revive", revive)
    monkeypatch.setattr(serve, "LOOK_AT_DATABASE_S", 0.0)
    keeping = asyncio.create_task(serve.keep_database(settings))
    await asyncio.wait_for(over.wait(), START_S)
    keeping.cancel()
    assert [each.message for each in caplog.records] == [
        "the embedded PostgreSQL is gone and does not start: no room",
        f"the embedded PostgreSQL is gone and does not start: {program}",
        "the embedded PostgreSQL was gone and was started again",
    ]


def test_without_a_broker_the_background_process_runs_too(settings: Settings) -> None:
    with serving(settings) as (process, address):
        wait_until_ready(address)
        commands = [each.cmdline()[-1] for each in psutil.Process(process.pid).children()]
        assert "background" in commands


def test_processes_may_have_as_many_connections_as_the_system_lets_them(
    settings: Settings,
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 256), hard))
    try:
        with serving(settings) as (process, address):
            wait_until_ready(address)
            children = psutil.Process(process.pid).children()
            assert len(children) == 2
            deadline = time.monotonic() + START_S
            while min(each.rlimit(psutil.RLIMIT_NOFILE)[0] for each in children) <= 256:
                assert time.monotonic() < deadline
                time.sleep(0.05)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_a_child_that_never_lives_ends_it_all(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve, "AGAIN_AFTER_S", 0.001)
    monkeypatch.setattr(serve, "SHORT_LIVES", 2)
    monkeypatch.setattr(serve, "SHORT_LIFE_S", 600.0)  # a busy machine takes long to fail
    environ = {**os.environ, "MARKETPLACE_DATABASE_URL": str(settings.database_url)}
    supervisor = serve.Supervisor({**environ, "MARKETPLACE_SECRET_KEYS": SECRET_KEY})
    healthy = serve.Child("healthy", ["background"])
    await supervisor.run([serve.Child("broken", ["no-such-command"]), healthy])
    assert supervisor.failed
    assert healthy.process is not None
    assert healthy.process.returncode is not None


@asynccontextmanager
async def one_api_process(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[serve.Supervisor, serve.Child, dict[str, str], str]]:
    """A supervisor that keeps one, with what it starts it with and its address; fails as it does.

    However long a start takes on a busy machine, to die soon after it is to live shortly.
    """
    monkeypatch.setattr(serve, "AGAIN_AFTER_S", 0.001)
    monkeypatch.setattr(serve, "SHORT_LIVES", 2)
    monkeypatch.setattr(serve, "SHORT_LIFE_S", 600.0)
    environ = {
        **os.environ,
        "MARKETPLACE_DATABASE_URL": str(settings.database_url),
        "MARKETPLACE_SECRET_KEYS": SECRET_KEY,
    }
    (listening,) = bind("127.0.0.1", 0, 1)
    supervisor, fd = serve.Supervisor(environ), listening.fileno()
    child = serve.Child("API process 1", ["api-process", str(fd)], (fd,))
    running = asyncio.create_task(supervisor.run([child]))
    with listening:
        try:
            yield supervisor, child, environ, f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            supervisor.stop()
            await running


async def next_start(
    supervisor: serve.Supervisor, child: serve.Child, former: asyncio.subprocess.Process | None
) -> asyncio.subprocess.Process:
    """The process that came after `former`."""
    async with asyncio.timeout(START_S):
        while child.process is None or child.process is former:
            assert not supervisor.failed
            await asyncio.sleep(0.01)
    return child.process


async def test_a_child_killed_again_and_again_is_replaced_each_time(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with one_api_process(settings, monkeypatch) as (supervisor, child, _, address):
        killed = None
        for _ in range(10):
            killed = await next_start(supervisor, child, killed)
            killed.kill()
        await next_start(supervisor, child, killed)
        async with httpx.AsyncClient(timeout=START_S) as client:
            assert (await client.get(f"{address}/health/ready")).status_code == 200
        assert not supervisor.failed


async def test_children_that_die_while_the_database_is_away_are_back_with_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with (
        one_api_process(settings, monkeypatch) as (supervisor, child, environ, address),
        httpx.AsyncClient(timeout=START_S) as client,
    ):
        assert (await client.get(f"{address}/health/ready")).status_code == 200
        there = environ["MARKETPLACE_DATABASE_URL"]
        environ["MARKETPLACE_DATABASE_URL"] = "postgresql://nobody@127.0.0.1:1/nowhere"
        assert child.process is not None
        died = child.process
        died.kill()
        for _ in range(serve.SHORT_LIVES + 1):
            died = await next_start(supervisor, child, died)
            assert await died.wait() > 0  # by itself
        environ["MARKETPLACE_DATABASE_URL"] = there
        await next_start(supervisor, child, died)
        async with httpx.AsyncClient(timeout=START_S) as again:  # with a connection of its own
            assert (await again.get(f"{address}/health/ready")).status_code == 200
        assert not supervisor.failed
    assert "started again in" in caplog.text


async def test_an_api_process_that_stands_still_is_killed_and_replaced(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(serve, "LISTEN_S", 1.0)
    async with (
        one_api_process(settings, monkeypatch) as (supervisor, child, _, address),
        httpx.AsyncClient(timeout=START_S) as client,
    ):
        assert (await client.get(f"{address}/health/ready")).status_code == 200
        stopped = child.process
        assert stopped is not None
        stopped.send_signal(signal.SIGSTOP)
        await next_start(supervisor, child, stopped)
        async with httpx.AsyncClient(timeout=START_S) as again:  # with a connection of its own
            assert (await again.get(f"{address}/health/ready")).status_code == 200
        assert stopped.returncode == -signal.SIGKILL
    assert "API process 1 stands still and is killed" in caplog.text


async def test_a_child_is_listened_to_only_once_it_has_started(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sleepers = Sleepers(monkeypatch)
    sleepers.text = "import time; time.sleep(600)"
    monkeypatch.setattr(serve, "LISTEN_S", 0.01)
    supervisor = serve.Supervisor(dict(os.environ))
    slow = serve.Child("API process 1", ["api-process"])
    running = asyncio.create_task(supervisor.run([slow]))
    process = await next_start(supervisor, slow, None)
    await asyncio.sleep(10 * serve.LISTEN_S * serve.MOST_SILENT)
    assert slow.process is process
    assert "stands still" not in caplog.text
    supervisor.stop()
    await running


class Sleepers:
    """Starts children that say that they have started, then sleep; some starts fail."""

    text = "import os, sys; os.write(0, b'+'); os.read(0, 1)"

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.failures: list[Exception] = []
        self._start = asyncio.create_subprocess_exec
        monkeypatch.setattr(asyncio, "create_subprocess_exec", self)
        monkeypatch.setattr(serve, "AGAIN_AFTER_S", 0.001)
        monkeypatch.setattr(serve, "SHORT_LIVES", 2)
        monkeypatch.setattr(serve, "SHORT_LIFE_S", 600.0)

    async def __call__(self, program: str, *_: str, **options: Any) -> asyncio.subprocess.Process:
        if self.failures:
            raise self.failures.pop()
        return await self._start(program, "-c", self.text, **options)


async def test_a_child_that_cannot_be_started_for_a_while_comes_back_and_takes_nobody_along(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sleepers = Sleepers(monkeypatch)
    supervisor = serve.Supervisor(dict(os.environ))
    first, second = (serve.Child(f"API process {each}", ["api-process"]) for each in (1, 2))
    running = asyncio.create_task(supervisor.run([first, second]))
    killed, other = [await next_start(supervisor, each, None) for each in (first, second)]
    while "api-process" not in supervisor._started:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    sleepers.failures = [
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        OSError(errno.EMFILE, "Too many open files"),
        BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable"),
        FileNotFoundError(errno.ENOENT, "No such file or directory"),
        RuntimeError("can't start new thread"),
    ]
    killed.kill()
    again = await next_start(supervisor, first, killed)
    assert not sleepers.failures
    assert not running.done()
    assert (again.returncode, other.returncode) == (None, None)
    assert "API process 1 could not be started ([Errno 12] Cannot allocate memory)" in caplog.text
    supervisor.stop()
    await running
    assert not supervisor.failed


async def test_children_that_cannot_be_started_at_all_end_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sleepers = Sleepers(monkeypatch)
    sleepers.failures = [OSError(errno.ENOMEM, "Cannot allocate memory") for _ in range(100)]
    supervisor = serve.Supervisor(dict(os.environ))
    await supervisor.run([serve.Child("API process 1", ["api-process"])])
    assert supervisor.failed
    assert "could not be started ([Errno 12] Cannot allocate memory)" in caplog.text
    assert "and never started" in caplog.text


def test_pauses_between_starts_grow_to_some_seconds() -> None:
    pauses = [serve.pause_s(short_lives) for short_lives in range(1_000)]
    assert pauses == sorted(pauses)
    assert pauses[0] < 1 < max(pauses) < 10


def test_a_taken_port_is_named() -> None:
    (taken,) = bind("127.0.0.1", 0, 1)
    with taken, pytest.raises(UsageError, match="Cannot listen"):
        bind("127.0.0.1", taken.getsockname()[1], 1)


async def test_it_refuses_a_database_without_the_schema(
    postgres_url: str, settings: Settings
) -> None:
    name = "test_not_migrated"
    drop = f"drop database if exists {name} with (force)"
    await execute(postgres_url, drop, f"create database {name}")
    try:
        bare = Settings(database_url=with_database(postgres_url, name), secret_keys=SECRET_KEY)
        with pytest.raises(UsageError, match="marketplace db upgrade"):
            await check(bare)
    finally:
        await execute(postgres_url, drop)


async def test_it_refuses_a_shifted_clock(settings: Settings) -> None:
    async with open_runtime(settings) as runtime, runtime.database.begin() as session:
        await clock.travel_to(session, datetime(2030, 1, 1, tzinfo=UTC), allowed=True)
    await check(settings)
    strict = Settings(database_url=settings.database_url, secret_keys=SECRET_KEY)
    with pytest.raises(UsageError, match="shifted"):
        await check(strict)


def test_the_embedded_database_is_the_parents_and_its_keys_are_shared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("marketplace.embedded.embedded_url", lambda var_dir: f"url of {var_dir}")
    monkeypatch.delenv("MARKETPLACE_DATABASE_URL", raising=False)
    environ = child_environment(Settings(var_dir=tmp_path))
    assert environ["MARKETPLACE_DATABASE_URL"] == f"url of {tmp_path}"
    assert environ["MARKETPLACE_SECRET_KEYS"] == (tmp_path / "secret_keys").read_text()
