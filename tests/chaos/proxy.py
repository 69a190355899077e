"""A proxy between the product and a server, that can cut, forget and slow down connections."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

Opener = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER that closes with a reset."""


def to_socket(path: Path) -> Opener:
    """Opens connections to a Unix socket."""
    return lambda: asyncio.open_unix_connection(str(path))


def to_port(port: int) -> Opener:
    """Opens connections to a port of this machine."""
    return lambda: asyncio.open_connection("127.0.0.1", port)


class Proxy:
    """Listens on `port`; what comes goes to the server that `open_server` opens."""

    def __init__(self, open_server: Opener) -> None:
        self._open_server = open_server
        self._pairs: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._forgotten: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self.delay_s = 0.0
        self.piece_bytes = 0
        """What comes is passed on in pieces of so many bytes, each a packet; 0: as it comes."""
        self.port = 0

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Cut everything and listen no more."""
        self.cut()
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self, *, only_forgotten: bool = False) -> int:
        """Reset every connection, whatever it is in the middle of; returns how many."""
        pairs = [p for p in self._pairs if not only_forgotten or p[0] in self._forgotten]
        for client, server in pairs:
            for writer in (client, server):
                sock: socket.socket = writer.get_extra_info("socket")
                if sock.family != socket.AF_UNIX:
                    with suppress(OSError):
                        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                writer.transport.abort()
        return len(pairs)

    def forget(self) -> int:
        """Half open: those that are open stay so, and nothing comes through them ever again."""
        self._forgotten |= {writer for pair in self._pairs for writer in pair}
        return len(self._pairs)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._join(reader, writer)
        except asyncio.CancelledError:
            pass
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            from_server, to_server = await self._open_server()
        except OSError:
            return
        pair = (writer, to_server)
        self._pairs.add(pair)
        try:
            done, pending = await asyncio.wait(
                [
                    asyncio.create_task(self._pump(reader, to_server)),
                    asyncio.create_task(self._pump(from_server, writer)),
                ],
                return_when=asyncio.FIRST_COMPLETED,
            )
            for each in pending:
                each.cancel()
            await asyncio.gather(*done, *pending, return_exceptions=True)
        finally:
            self._pairs.discard(pair)
            self._forgotten -= {*pair}
            to_server.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                if self.delay_s:
                    await asyncio.sleep(self.delay_s)
                if writer in self._forgotten:
                    continue
                for piece in self._pieces(data):
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0)

    def _pieces(self, data: bytes) -> list[bytes]:
        size = self.piece_bytes or len(data)
        return [data[start : start + size] for start in range(0, len(data), size)]
