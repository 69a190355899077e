"""Faults of clients: they leave before they are answered, and do not wait for their turn."""

from __future__ import annotations

import asyncio
import random
import socket
from contextlib import suppress

import httpx

from tests.chaos.arena import Arena
from tests.chaos.clients import RETRIED, Crowd, Record
from tests.chaos.faults import fault
from tests.chaos.proxy import RESET

LEAVERS, BURNS_OF_EACH, LEAVES = 20, 20, 5
LONGEST_STAY_S = 0.01
"""About as long as an answer takes, so that some leave just before it."""
SHORT = 0.1
"""Share of requests that are cut off themselves."""
QUEUERS, ROUNDS, AT_ONCE = 5, 10, 10
ANSWER_S = 30.0


@fault("clients cut 2,000 connections between a burn and its answer, then ask on new ones")
async def clients_gone(arena: Arena) -> int:
    left = await asyncio.gather(*(_leave(arena, number) for number in range(LEAVERS)))
    return int(sum(left) > 0)


async def _leave(arena: Arena, number: int) -> int:
    """Burn, cut off each time, and in the end on a connection that stays; how often it left."""
    crowd, left = arena.crowd, 0
    for count in range(BURNS_OF_EACH):
        record = crowd.draw(f"gone-{number}-{count}")
        request = crowd.request_of(record)
        for _ in range(LEAVES):
            with suppress(OSError):
                _, writer = await _connect(arena)
                sent = len(request) if random.random() > SHORT else random.randrange(len(request))
                writer.write(request[:sent])
                await asyncio.sleep(random.random() * LONGEST_STAY_S)
                _cut(writer)
                left += 1
        await crowd.insist(record)
    return left


@fault("clients send ten burns at once on one connection, read some answers and cut it")
async def clients_in_haste(arena: Arena) -> int:
    read = await asyncio.gather(*(_hurry(arena, number) for number in range(QUEUERS)))
    return int(sum(read) > 0)


async def _hurry(arena: Arena, number: int) -> int:
    """Burns in a pipeline; of those whose answer was not read it asks again. How many were read."""
    crowd, read = arena.crowd, 0
    for count in range(ROUNDS):
        records = [crowd.draw(f"haste-{number}-{count}-{each}") for each in range(AT_ONCE)]
        stays_for = random.randrange(AT_ONCE + 1)
        heard = 0
        with suppress(OSError, EOFError, TimeoutError):
            reader, writer = await _connect(arena)
            try:
                writer.write(b"".join(map(crowd.request_of, records)))
                for record in records[:stays_for]:
                    await asyncio.wait_for(_read(reader, crowd, record), ANSWER_S)
                    heard += 1
            finally:
                _cut(writer)
        read += heard
        await crowd.insist(*records)
    return read


async def _connect(arena: Arena) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", arena.house.port)


def _cut(writer: asyncio.StreamWriter) -> None:
    """End the connection: with a reset, or as one who closes without having read."""
    if random.random() < 0.5:
        sock: socket.socket = writer.get_extra_info("socket")
        with suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    writer.transport.abort()


async def _read(reader: asyncio.StreamReader, crowd: Crowd, record: Record) -> None:
    """Read one answer, which must be to this burn."""
    status = int((await reader.readuntil(b"\r\n")).split()[1])
    length = 0
    while (line := await reader.readuntil(b"\r\n")) != b"\r\n":
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    body = await reader.readexactly(length)
    crowd.answers[str(status)] += 1
    if status not in RETRIED:
        crowd.hear(record, httpx.Response(status, content=body))
