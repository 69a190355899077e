"""`marketplace serve`: API processes on one address, watched by one parent.

The parent binds the sockets and keeps them, so a child that dies is replaced without one refused
connection. It also keeps the embedded database running for its children, and without a broker it
runs the background process beside them.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Sequence
from contextlib import suppress

import click
import msgspec

from marketplace import clock
from marketplace.api_process import BACKLOG, run_api
from marketplace.errors import UsageError
from marketplace.notices.compose import Composer
from marketplace.notices.transport import transport_of
from marketplace.runtime import open_runtime
from marketplace.secrets import secret_keys
from marketplace.settings import Settings, load
from marketplace.web.health import NotReady, check_schema

log = logging.getLogger(__name__)

NICE = 5
"""Of the background process: people wait for their answers, and deliveries may wait."""
STOP_WITHIN_S = 10.0
SHORT_LIFE_S = 20.0
"""A busy machine needs some seconds to start a child that fails."""
SHORT_LIVES = 5
"""A child that ends young so often in a row, where none of its kind has ever started, ends
everything: something is wrong with all of it."""
AGAIN_AFTER_S = 0.2
AGAIN_AT_MOST_S = 5.0
"""The longest pause before a child is started again."""
LISTEN_S = 5.0
MOST_SILENT = 6
"""A child that says nothing for so many times LISTEN_S stands still: it is ended and started anew.
Counted by our own looks, so that one who was paused with us has the time to say something."""
MOST_HEARD = 1_024
LOOK_AT_DATABASE_S = 1.0
"""How often it is looked whether the embedded database runs."""
NO_START = (OSError, RuntimeError)
"""What a start raises where the system has no memory, process, file or thread to give for it. A
child that was begun all the same ends by itself: we have let go of its input."""


def pause_s(short_lives: int) -> float:
    """Seconds to wait after so many short lives in a row."""
    return float(min(AGAIN_AFTER_S * 2 ** min(short_lives, 16), AGAIN_AT_MOST_S))


class Child(msgspec.Struct):
    """A process to keep running."""

    name: str
    command: list[str]
    fds: tuple[int, ...] = ()
    nice: int = 0
    """How much it gives way to others on a busy machine; what it starts does, too."""
    process: asyncio.subprocess.Process | None = None

    @property
    def kind(self) -> str:
        """Children that run the same command start, or do not, for the same reasons."""
        return self.command[0]


class Supervisor:
    """Keeps children running until it is told to stop."""

    def __init__(self, environ: dict[str, str]) -> None:
        self._environ = environ
        self._stopping = asyncio.Event()
        self._started: set[str] = set()
        self.failed = False

    def stop(self) -> None:
        """Stop every child, then return from `run`."""
        self._stopping.set()

    async def run(self, children: Sequence[Child]) -> None:
        """Keep `children` running until `stop`, or until one cannot be kept alive (`failed`): it
        ends by itself again and again, and nothing of its kind has ever said that it started.
        """
        await asyncio.gather(*(self._keep(child) for child in children))

    async def _keep(self, child: Child) -> None:
        short_lives = failures = 0
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                code = await self._run_once(child)
            except NO_START as error:
                code, how = 1, f"could not be started ({error})"
            else:
                how = f"ended with exit code {code}" if code >= 0 else f"ended by signal {-code}"
            if self._stopping.is_set():
                return
            lived_s = time.monotonic() - began
            if lived_s >= SHORT_LIFE_S:
                short_lives = failures = 0
            else:
                short_lives += 1
                failures += code >= 0  # who is killed might have lived
            if failures >= SHORT_LIVES and child.kind not in self._started:
                log.error("%s %s after %.1f s and never started", child.name, how, lived_s)
                self.failed = True
                self.stop()
                return
            pause = pause_s(short_lives)
            again = "%s %s after %.1f s, started again in %.1f s"
            log.error(again, child.name, how, lived_s, pause)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)

    async def _run_once(self, child: Child) -> int:
        """Start the child and wait until it has ended, by itself or because we stop.

        The exit code, or less than zero: the signal that ended it.
        """
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with ours:
            with theirs:
                process = child.process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    *("-m", "marketplace.tied", *child.command),
                    env=self._environ,
                    stdin=theirs.fileno(),
                    pass_fds=child.fds,
                    # Ctrl-C reaches us alone; we stop the children.
                    start_new_session=True,
                )
            if child.nice and hasattr(os, "setpriority"):
                with suppress(OSError):  # it has ended, or there are no such priorities here
                    os.setpriority(os.PRIO_PROCESS, process.pid, child.nice)
            listening = asyncio.create_task(self._listen(child, ours))
            ended = asyncio.create_task(process.wait())
            stopping = asyncio.create_task(self._stopping.wait())
            await asyncio.wait({ended, stopping, listening}, return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            if not ended.done():
                await self._end(child, process, ended, stands_still=listening.done())
            code = await ended
            listening.cancel()
            await asyncio.wait({listening})
            # What it said at last. What it started may hold its end open: nobody waits for more.
            with suppress(BlockingIOError, ConnectionError):
                self._hear(child, ours.recv(MOST_HEARD))
            return code

    async def _end(
        self,
        child: Child,
        process: asyncio.subprocess.Process,
        ended: asyncio.Task[int],
        *,
        stands_still: bool,
    ) -> None:
        """End a child: politely, unless it hears nothing any more."""
        if stands_still:
            log.error("%s stands still and is killed", child.name)
        else:
            with suppress(ProcessLookupError):
                process.terminate()
            await asyncio.wait({ended}, timeout=STOP_WITHIN_S)
        if not ended.done():
            with suppress(ProcessLookupError):
                process.kill()

    def _hear(self, child: Child, said: bytes) -> None:
        if said:
            self._started.add(child.kind)

    async def _listen(self, child: Child, ours: socket.socket) -> None:
        """Hear that the child has started, then that it goes on; returns once it does not."""
        loop = asyncio.get_running_loop()
        has_started, silent = False, 0
        while silent < MOST_SILENT:
            try:
                said = await asyncio.wait_for(loop.sock_recv(ours, MOST_HEARD), LISTEN_S)
            except TimeoutError:
                silent += has_started  # to start may take as long as it takes
                continue
            except ConnectionError:
                said = b""
            if not said:  # it ends, which somebody else waits for
                await asyncio.Event().wait()
            self._hear(child, said)
            has_started, silent = True, 0


def bind(host: str, port: int, processes: int) -> list[socket.socket]:
    """The listening socket of each process, all on one address.

    On Linux each process has its own (SO_REUSEPORT) and the kernel spreads connections evenly;
    elsewhere they share one. Raises UsageError where the address is taken.
    """
    spread = sys.platform == "linux" and processes > 1
    first = _listen(host, port, spread)
    if not spread:
        return [first] * processes
    bound_port = first.getsockname()[1]
    return [first, *(_listen(host, bound_port, spread) for _ in range(processes - 1))]


def _listen(host: str, port: int, spread: bool) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if spread:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise UsageError(f"Cannot listen on {host}:{port}: {error.strerror}.") from None
    listening.listen(BACKLOG)
    listening.setblocking(False)
    return listening


async def check(settings: Settings) -> None:
    """Raise UsageError where the database is away, not migrated, or its clock is shifted; and
    where settings of mails make no sense.
    """
    async with open_runtime(settings) as runtime:
        Composer(settings, runtime.vault)
        transport_of(settings)
        try:
            await check_schema(runtime)
        except NotReady as error:
            raise UsageError(error.detail) from None
        async with runtime.database.begin() as session:
            shifted = await clock.shift(session)
    if shifted and not settings.clock_travel:
        raise UsageError(
            f"Business time is shifted by {shifted}, which is for tests and replays. "
            "Use another database, or set MARKETPLACE_CLOCK_TRAVEL=1."
        )


def child_environment(settings: Settings) -> dict[str, str]:
    """Our environment, with the place of our files, whatever becomes of the folder we work in; with
    the embedded database, its address and the keys made for it.
    """
    environ = os.environ | {"MARKETPLACE_VAR_DIR": str(settings.var_dir)}
    if not settings.database_url:
        from marketplace.embedded import embedded_url

        environ["MARKETPLACE_DATABASE_URL"] = embedded_url(settings.var_dir)
        environ["MARKETPLACE_SECRET_KEYS"] = ",".join(secret_keys(settings))
    return environ


async def keep_database(settings: Settings) -> None:
    """Start the embedded database again whenever it is gone, as after `kill -9`: nobody else does.

    Runs until it is cancelled.
    """
    from marketplace import embedded

    while True:
        await asyncio.sleep(LOOK_AT_DATABASE_S)
        try:
            if await asyncio.to_thread(embedded.revive, settings.var_dir):
                log.error("the embedded PostgreSQL was gone and was started again")
        except Exception as error:
            # Whatever it was, it is looked again: nobody else would start the server.
            log.error("the embedded PostgreSQL is gone and does not start: %s", error)


async def _serve(
    sockets: list[socket.socket], environ: dict[str, str], background: bool, settings: Settings
) -> bool:
    """Run until SIGTERM or Ctrl-C; False where a child could not be kept alive."""
    supervisor = Supervisor(environ)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, supervisor.stop)
    children = [
        Child(f"API process {number}", ["api-process", str(each.fileno())], (each.fileno(),))
        for number, each in enumerate(sockets, start=1)
    ]
    if background:
        children.append(Child("background process", ["background"], nice=NICE))
    keeping = None if settings.database_url else asyncio.create_task(keep_database(settings))
    await supervisor.run(children)
    if keeping is not None:
        keeping.cancel()
    return not supervisor.failed


@click.command("serve")
@click.option("--host", help="Address to listen on.  [MARKETPLACE_HOST, 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="Port.  [MARKETPLACE_PORT, 8000]")
@click.option(
    "--processes",
    type=click.IntRange(1, 64),
    help="API processes.  [MARKETPLACE_API_PROCESSES, 1]",
)
@click.option("--no-background", is_flag=True, help="Run no relay, worker and schedule here.")
def serve_command(
    host: str | None, port: int | None, processes: int | None, no_background: bool
) -> None:
    """Serve the API; without a broker, relay, worker and schedule too. Ctrl-C stops it."""
    settings = load()
    asyncio.run(check(settings))
    count = processes or settings.api_processes
    address = host or settings.host
    sockets = bind(address, settings.port if port is None else port, count)
    background = settings.broker_url is None and not no_background
    environ = child_environment(settings) | {"MARKETPLACE_API_PROCESSES": str(count)}
    shown = f"[{address}]" if ":" in address else address
    with suppress(OSError):  # a log that cannot be written keeps nobody from being served
        click.echo(f"Serving on http://{shown}:{sockets[0].getsockname()[1]} (processes: {count})")
    if not asyncio.run(_serve(sockets, environ, background, settings)):
        raise UsageError("A process could not be kept running; the log above says why.")


@click.command("api-process", hidden=True)
@click.argument("fd", type=int)
def api_process_command(fd: int) -> None:
    """One API process on a socket that `serve` bound."""
    run_api(fd)
