"""Connections to the application as it is served, driven byte by byte."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import uvicorn
from litestar import Litestar

from marketplace.web.direct import DirectProtocol

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
        return await self._reader.read() == b""


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
