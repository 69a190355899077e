"""The real processes of a marketplace, kept running as a service manager would."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import repeat
from pathlib import Path
from typing import IO

import httpx
import psutil

from bench.server import program

AGAIN_AFTER_S = 0.3
READY_S = 90.0
STOP_S = 120.0


class Kept:
    """One command that is started again when it ends."""

    def __init__(self, name: str, command: list[str], log: IO[bytes]) -> None:
        self.name, self.command, self.log = name, command, log
        self.process: subprocess.Popen[bytes] | None = None
        self.starts = 0

    def start(self, environ: Mapping[str, str], folder: Path, log: IO[bytes] | None) -> None:
        """Start it in a session of its own, in this folder; `log` instead of its own."""
        self.starts += 1
        folder.mkdir(parents=True, exist_ok=True)
        self.process = subprocess.Popen(
            self.command,
            env=environ,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log or self.log,
            stderr=log or self.log,
            start_new_session=True,
        )


class House:
    """Two API processes, two beats and two workers; without a broker two background processes."""

    def __init__(
        self, folder: Path, environ: Mapping[str, str], port: int, *, broker: bool
    ) -> None:
        self.port = port
        self.folder = folder.with_name("home").resolve()
        """What they work in."""
        self.logs: Iterator[IO[bytes] | None] = repeat(None)
        """What those that start from now on write to, one after the other; None: logs of theirs."""
        self._environ = environ
        names = {"serve": ["serve", "--processes", "2", "--no-background", "--port", str(port)]}
        both = ("beat", "worker") if broker else ("background",)
        names |= {f"{each}-{number}": [each] for each in both for number in (1, 2)}
        folder.mkdir(parents=True, exist_ok=True)
        self.kept = {
            name: Kept(name, program(*command), (folder / f"{name}.log").open("ab"))
            for name, command in names.items()
        }
        self._watching: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start everything; returns when the API answers."""
        for each in self.kept.values():
            self._start(each)
        self._watching = asyncio.create_task(self._watch())
        async with asyncio.timeout(READY_S):
            await self.until_ready()

    async def until_ready(self) -> None:
        """Wait until an API process says that it is ready."""
        async with httpx.AsyncClient(timeout=2) as client:
            while True:
                with suppress(httpx.HTTPError):
                    answer = await client.get(f"http://127.0.0.1:{self.port}/health/ready")
                    if answer.status_code == 200:
                        return
                await asyncio.sleep(0.2)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(AGAIN_AFTER_S)
            for each in self.kept.values():
                if each.process is not None and each.process.poll() is not None:
                    self._start(each)

    def _start(self, kept: Kept) -> None:
        kept.start(self._environ, self.folder, next(self.logs))

    def pids(self, role: str) -> list[int]:
        """Process ids of a role: `serve`, `api`, `beat`, `worker`, `plugin` (which are those of
        plugins and the template that they are forked from).
        """
        if role == "api":
            return self._below("serve", "api-process")
        if role == "plugin":
            return [
                pid
                for above in ("worker", "background")
                for module in ("template", "child")
                for pid in self._below(above, f"marketplace.containment.{module}")
            ]
        found = [each for name, each in self.kept.items() if name.split("-")[0] == role]
        if not found and role in ("beat", "worker"):
            return self.pids("background")
        return [each.process.pid for each in found if each.process is not None]

    def _below(self, role: str, word: str) -> list[int]:
        found = []
        for name, each in self.kept.items():
            if name.split("-")[0] == role and each.process is not None:
                with suppress(psutil.NoSuchProcess):
                    for child in psutil.Process(each.process.pid).children(recursive=True):
                        with suppress(psutil.NoSuchProcess):
                            if word in child.cmdline():
                                found.append(child.pid)
        return found

    def send(self, number: signal.Signals, *pids: int) -> int:
        """Send a signal to processes of ours; how many there were."""
        sent = 0
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
                sent += 1
        return sent

    async def stop(self) -> None:
        """End everything: politely, then not."""
        if self._watching is not None:
            self._watching.cancel()
        running = [each.process for each in self.kept.values() if each.process is not None]
        below = [
            child
            for each in running
            if each.poll() is None
            for child in psutil.Process(each.pid).children(recursive=True)
        ]
        for each in running:
            self.send(signal.SIGCONT, each.pid)
            self.send(signal.SIGTERM, each.pid)
        for each in running:
            try:
                await asyncio.to_thread(each.wait, STOP_S)
            except subprocess.TimeoutExpired:
                each.kill()
                each.wait()
        for child in below:
            with suppress(psutil.NoSuchProcess):
                child.kill()
        for kept in self.kept.values():
            kept.log.close()
