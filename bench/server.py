"""What every bench needs: a durable server, a fresh database on it, and the product running."""

from __future__ import annotations

import asyncio
import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
from cryptography.fernet import Fernet
from sqlalchemy.engine import make_url

from marketplace.db import parse_url, raw_arguments
from marketplace.demo import processes
from marketplace.embedded import embedded_url
from marketplace.registry.activation import activate
from marketplace.runtime import open_runtime
from marketplace.schema import upgrade_all
from marketplace.settings import Settings

START_S = 180
STOP_S = 30


class BenchError(Exception):
    """A measurement cannot be taken; the text says what to do about it."""


def server_url(var_dir: Path) -> str:
    """The server of MARKETPLACE_DATABASE_URL, else an embedded one of the bench's own."""
    return os.environ.get("MARKETPLACE_DATABASE_URL") or embedded_url(var_dir / "bench")


def with_database(url: str, name: str) -> str:
    """The same server, another database."""
    return make_url(url).set(database=name).render_as_string(hide_password=False)


async def _execute(url: str, statements: tuple[str, ...]) -> None:
    connection = await asyncpg.connect(**raw_arguments(parse_url(url), None))
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


def execute(url: str, *statements: str) -> None:
    """Run statements as the owner, each in its own transaction."""
    asyncio.run(_execute(url, statements))


GROW_LOG = """
do $$
declare
    file_bytes bigint := pg_size_bytes(current_setting('wal_segment_size'));
    missing_bytes bigint := pg_size_bytes(current_setting('max_wal_size'))
        - (select sum(size) from pg_ls_waldir());
begin
    for file in 1 .. missing_bytes / file_bytes loop
        perform pg_logical_emit_message(false, 'bench', 'x');
        perform pg_switch_wal();
    end loop;
end $$
"""


def grow_log(url: str) -> bool:
    """Let the server have the write-ahead log of one that has run for a while: its `max_wal_size`.

    A new server makes a file of it every second of burns, and everybody waits for that: what it
    does in its first minutes only. False where the user may not; figures are of a new server then.
    """
    try:
        execute(url, GROW_LOG, "checkpoint")
    except asyncpg.InsufficientPrivilegeError:
        return False
    return True


def query(url: str, statement: str, *arguments: Any) -> list[asyncpg.Record]:
    """Rows of one statement, read as the owner."""

    async def fetch() -> list[asyncpg.Record]:
        connection = await asyncpg.connect(**raw_arguments(parse_url(url), None))
        try:
            rows: list[asyncpg.Record] = await connection.fetch(statement, *arguments)
            return rows
        finally:
            await connection.close()

    return asyncio.run(fetch())


@contextmanager
def fresh_database(url: str, name: str, *, keep: bool = False) -> Iterator[Settings]:
    """An empty, migrated database `name` for the length of the block, and settings that use it."""
    execute(url, f"drop database if exists {name} with (force)", f"create database {name}")
    settings = Settings(
        database_url=with_database(url, name),
        secret_keys=Fernet.generate_key().decode(),
        clock_travel=True,
        log_level="WARNING",
    )
    try:
        asyncio.run(_prepare(settings))
        yield settings
    finally:
        if not keep:
            execute(url, f"drop database if exists {name} with (force)")


async def _prepare(settings: Settings) -> None:
    """The schema, and the gift fund active: what is measured is its offers."""
    await upgrade_all(settings)
    async with open_runtime(settings) as runtime, runtime.database.begin() as session:
        await activate(session, settings, "giftfund", actor="bench", reason="A measurement.")


def environment(settings: Settings, **more: str) -> dict[str, str]:
    """The environment of a `marketplace` process on these settings."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("MARKETPLACE_")}
    return own | {
        "MARKETPLACE_DATABASE_URL": settings.database_url or "",
        "MARKETPLACE_SECRET_KEYS": settings.secret_keys or "",
        "MARKETPLACE_CLOCK_TRAVEL": "1",
        "MARKETPLACE_LOG_LEVEL": settings.log_level,
        **more,
    }


def program(*arguments: str) -> list[str]:
    """The command line of `marketplace ...` in this environment."""
    return [str(Path(sys.executable).with_name("marketplace")), *arguments]


def prove_ledger(settings: Settings) -> str:
    """What `marketplace ledger verify` says; raises BenchError where the ledger is wrong."""
    done = subprocess.run(
        program("ledger", "verify"),
        env=environment(settings),
        capture_output=True,
        text=True,
        check=False,
    )
    said = f"{done.stdout}{done.stderr}".strip()
    if done.returncode:
        raise BenchError(f"`marketplace ledger verify` failed:\n{said[-2_000:]}")
    return said


def free_port() -> int:
    """A TCP port nobody listens on just now."""
    return processes.free_port("127.0.0.1")


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def started(
    settings: Settings, log: Path, *arguments: str, **environ: str
) -> subprocess.Popen[bytes]:
    """`marketplace ...`, which ends when this process does, however it ends; prints to `log`."""
    with log.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "marketplace.tied", *arguments],
            env=environment(settings, **environ),
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


@contextmanager
def serving(settings: Settings, log: Path, *arguments: str) -> Iterator[int]:
    """`marketplace serve` for the length of the block; yields its port. Its output goes to `log`.

    Raises BenchError, with the end of the log, where it does not answer within a minute.
    """
    port = free_port()
    command = ("serve", "--port", str(port), *arguments)
    process = started(settings, log, *command, MARKETPLACE_PORT=str(port))
    try:
        deadline = time.monotonic() + START_S
        while not _answers(port):
            if process.poll() is not None or time.monotonic() > deadline:
                tail = log.read_text(errors="replace")[-2_000:]
                raise BenchError(f"`marketplace serve` did not start:\n{tail}")
            time.sleep(0.1)
        yield port
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process and what it started: politely, then not."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if process.stdin is not None:
        process.stdin.close()
