"""A PostgreSQL of the harness's own, which can be killed, stopped and started again."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import asyncpg
from sqlalchemy.engine import make_url

from bench.server import execute, query
from marketplace.db import parse_url, raw_arguments
from marketplace.embedded import embedded_url, postgres_program

START_S = 300.0
PROGRAM = "application_name = 'marketplace'"
"""Connections of the product, for `pg_stat_activity`."""


class Postgres:
    """A server in `var_dir/postgres`, reached over a Unix socket."""

    def __init__(self, var_dir: Path) -> None:
        self.url = embedded_url(var_dir)
        self._data = var_dir.resolve() / "postgres"
        socket = make_url(self.url).query["host"]
        assert isinstance(socket, str)
        self.socket = Path(socket) / ".s.PGSQL.5432"
        execute(self.url, "alter system set max_connections = 200")
        self.stop("fast")
        self.start()

    @property
    def pid(self) -> int:
        """Of the postmaster."""
        return int((self._data / "postmaster.pid").read_text().split()[0])

    def start(self) -> None:
        """Start it again, after whatever happened to it."""
        deadline = time.monotonic() + START_S
        options = f'-h "" -k {self.socket.parent}'
        while self._pg_ctl("start", "-o", options, "-l", str(self._data / "log")):
            # Those whom a killed postmaster left behind hold its memory for a moment.
            assert time.monotonic() < deadline, (self._data / "log").read_text()[-2_000:]
            time.sleep(0.3)

    def stop(self, mode: str) -> None:
        """Stop it: `fast` ends sessions, `immediate` leaves recovery to the next start."""
        self._pg_ctl("stop", "-m", mode)

    def kill(self) -> None:
        """Kill -9 of the postmaster; the others end as they see it gone."""
        os.kill(self.pid, signal.SIGKILL)

    def kill_backend(self) -> None:
        """Kill -9 of one session of the product: the server drops all and recovers."""
        for row in self._sessions():
            with suppress(ProcessLookupError):  # it has just ended
                os.kill(row["pid"], signal.SIGKILL)
                return

    def pause_backends(self) -> list[int]:
        """Stop every session of the product where it stands; those that come later are well."""
        return self._signal([row["pid"] for row in self._sessions()], signal.SIGSTOP)

    def resume_backends(self, pids: list[int]) -> None:
        """Let them go on."""
        self._signal(pids, signal.SIGCONT)

    def _signal(self, pids: list[int], number: signal.Signals) -> list[int]:
        reached = []
        for pid in pids:
            with suppress(ProcessLookupError):  # it has just ended
                os.kill(pid, number)
                reached.append(pid)
        return reached

    def _sessions(self) -> list[asyncpg.Record]:
        """Those of the product, busy ones first; waits for a server that still recovers."""
        deadline = time.monotonic() + START_S
        while True:
            try:
                return query(
                    self.url,
                    f"select pid from pg_stat_activity where {PROGRAM} "
                    "order by state = 'active' desc",
                )
            except asyncpg.CannotConnectNowError:
                assert time.monotonic() < deadline, "the database does not recover"
                time.sleep(0.2)

    def _pg_ctl(self, *arguments: str) -> int:
        done = subprocess.run(
            [postgres_program("pg_ctl"), "-D", str(self._data), "-w", *arguments],
            # PostgreSQL refuses to run as root.
            user="embedded_postgres" if os.geteuid() == 0 else None,
            cwd="/",
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
        return done.returncode

    async def connect(self, database: str) -> asyncpg.Connection:
        """A connection as the owner that no proxy is in the way of; waits until there is one."""
        url = make_url(self.url).set(database=database).render_as_string(hide_password=False)
        deadline = time.monotonic() + START_S
        while True:
            with suppress(OSError, asyncpg.PostgresError):
                return await asyncpg.connect(**raw_arguments(parse_url(url), None))
            assert time.monotonic() < deadline, "the database does not answer"
            await asyncio.sleep(0.2)
