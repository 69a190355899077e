"""Connections to the application as it is served, driven byte by byte."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import uvicorn
from litestar import Litestar

from marketplace.web.direct import Answer, DirectProtocol, DirectRequest

Reply = tuple[int, dict[str, str], bytes]


class Wire:
    """One connection, driven byte by byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    async def reply(self) -> Reply:
        """The next answer."""
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode()
        status = int(head.split(" ", 2)[1])
        headers = {
            name.lower(): value for name, value in re.findall(r"^([\w-]+): (.*)\r$", head, re.M)
        }
        return status, headers, await self._reader.readexactly(int(headers["content-length"]))

    async def ask(self, request: bytes) -> Reply:
        self.writer.write(request)
        return await self.reply()

    async def ended(self) -> bool:
        return await self.rest() == b""

    async def rest(self) -> bytes:
        """All that comes until the connection is closed."""
        return await self._reader.read()


class Recorder:
    """A transport that remembers what was sent in one go."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        if self.closed:
            raise RuntimeError("the handler is closed")
        self.sent.append(data)

    def close(self) -> None:
        self.closed = True

    def write_eof(self) -> None:
        """Nothing more is sent."""

    def pause_reading(self) -> None:
        """What comes stays where it is."""

    def resume_reading(self) -> None:
        """It is read again."""

    def is_closing(self) -> bool:
        return self.closed

    def get_extra_info(self, name: str) -> None:
        """Nothing is known about the peer."""


class Clock:
    """The running event loop, but for its time and what is to be done later."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.later: list[tuple[float, Callable[[], None]]] = []

    def time(self) -> float:
        return self.now_s

    def call_later(self, after_s: float, call: Callable[[], None]) -> asyncio.TimerHandle:
        self.later.append((self.now_s + after_s, call))
        return asyncio.TimerHandle(self.now_s, call, (), asyncio.get_running_loop())

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio.get_running_loop(), name)

    def pass_by(self, seconds: float) -> None:
        """Let time pass and do what is due by then."""
        self.now_s += seconds
        due = [call for moment, call in self.later if moment <= self.now_s]
        self.later = [each for each in self.later if each[0] > self.now_s]
        for call in due:
            call()


Connect = Callable[[], Awaitable[Wire]]


@pytest.fixture
async def connect(app: Litestar) -> AsyncIterator[Connect]:
    """Opens connections to the application behind the protocol it is served with."""
    config = uvicorn.Config(
        app,
        http=DirectProtocol,
        port=0,
        lifespan="off",
        ws="none",
        proxy_headers=False,
        log_config=None,
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - it has no event
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    wires: list[Wire] = []

    async def connect() -> Wire:
        wires.append(Wire(*await asyncio.open_connection("127.0.0.1", port)))
        return wires[-1]

    yield connect
    for wire in wires:
        wire.writer.close()
    server.should_exit = True
    await serving


def answer_later(app: Litestar) -> list[Answer]:
    """Have `GET /health/live` wait; whoever asked can be answered by what is collected here."""
    answers: list[Answer] = []

    def wait(request: DirectRequest, answer: Answer) -> bool:
        answers.append(answer)
        return True

    app.state.direct[b"GET", b"/health/live"] = wait
    return answers
