"""The load client where wrk is missing: asyncio on raw sockets, one process.

Slower than wrk and on the same cores as what it measures: figures taken with it are too low.
Arguments: URL, clients, seconds; environment as for burns.lua. Prints the same last line.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
import time
from urllib.parse import urlsplit

import msgspec

from bench.load import OFFER_ID, WALLET_ID, Load


class _Client(asyncio.Protocol):
    """One connection: sends the next burn as soon as the last one is answered."""

    def __init__(self, number: int, run: _Run) -> None:
        self._number = number
        self._run = run
        self._sent = 0
        self._began = 0.0
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._send()

    def _send(self) -> None:
        assert self._transport
        self._sent += 1
        self._began = time.perf_counter()
        self._transport.write(self._run.request(f"{self._number}-{self._sent}"))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        if len(body) < int(length or b"0"):
            return
        self._buffer = b""
        self._run.answered(int(head[9:12]), time.perf_counter() - self._began)
        if not self._run.over:
            self._send()

    def connection_lost(self, error: Exception | None) -> None:
        self._run.broken += not self._run.over


class _Run:
    """What all connections share."""

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port
        self.over = False
        self.broken = 0
        self.refused = 0
        self.taken: list[float] = []
        self._random = random.Random(os.environ["BENCH_SEED"])  # noqa: S311 (a load, no secret)
        first, step = (int(os.environ[f"BENCH_{x}"]) for x in ("FIRST_WALLET", "WALLET_STEP"))
        self._wallets = range(first, int(os.environ["BENCH_WALLETS"]) + 1, step)
        first_offer = int(os.environ["BENCH_FIRST_OFFER"])
        self._offers = range(first_offer, int(os.environ["BENCH_OFFERS"]) + 1)
        self._name = os.environ["BENCH_RUN"]
        self._head = (
            f"POST /v1/burns HTTP/1.1\r\nHost: {host}:{port}\r\n"
            f"Authorization: Bearer {os.environ['BENCH_TOKEN']}\r\n"
            "Content-Type: application/json\r\n"
        )

    def request(self, number: str) -> bytes:
        """The bytes of one burn."""
        wallet = WALLET_ID.format(self._random.choice(self._wallets))
        offer = OFFER_ID.format(self._random.choice(self._offers))
        body = f'{{"wallet_id":"{wallet}","offer_id":"{offer}","quantity":1}}'
        key = f"Idempotency-Key: {self._name}-{number}\r\nContent-Length: {len(body)}\r\n\r\n"
        return (self._head + key + body).encode()

    def answered(self, status: int, taken_s: float) -> None:
        """Count one answer."""
        self.refused += status >= 400
        self.taken.append(taken_s)


async def measure(url: str, clients: int, seconds: float) -> Load:
    """Keep `clients` connections busy for `seconds`."""
    parts = urlsplit(url)
    assert parts.hostname
    assert parts.port
    run = _Run(parts.hostname, parts.port)
    loop = asyncio.get_running_loop()
    began = time.perf_counter()
    for number in range(clients):

        def make(number: int = number) -> _Client:
            return _Client(number, run)

        await loop.create_connection(make, run.host, run.port)
    await asyncio.sleep(seconds)
    run.over = True
    duration = time.perf_counter() - began
    taken = sorted(run.taken) or [0.0]
    return Load(
        requests=len(run.taken),
        duration_us=int(duration * 1_000_000),
        refused=run.refused,
        broken=run.broken,
        mean_us=int(sum(taken) / len(taken) * 1_000_000),
        p50_us=int(taken[len(taken) // 2] * 1_000_000),
        p99_us=int(taken[len(taken) * 99 // 100] * 1_000_000),
        max_us=int(taken[-1] * 1_000_000),
    )


if __name__ == "__main__":
    measured = asyncio.run(measure(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
    sys.stdout.write(msgspec.json.encode(measured).decode() + "\n")
