"""Load on `POST /v1/burns`: wrk where it is installed, else the slower client of this package."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec

from bench.server import BenchError

HERE = Path(__file__).parent
WALLET_ID = "00000000-0000-7000-8000-{:012x}"
"""Ids of the seeded wallets, numbered from 1; burns.lua makes the same."""
OFFER_ID = "00000000-0000-7000-9000-{:012x}"


class Load(msgspec.Struct, frozen=True):
    """What a load client saw. Latencies in microseconds, of every request."""

    requests: int
    duration_us: int
    refused: int
    """Answers with a status of 400 or more."""
    broken: int
    """Requests without an answer."""
    mean_us: int
    p50_us: int
    p99_us: int
    max_us: int = 0

    @property
    def per_second(self) -> float:
        return (self.requests - self.refused) / (self.duration_us / 1_000_000)

    @property
    def failed_share(self) -> float:
        return (self.refused + self.broken) / max(self.requests + self.broken, 1)


class Target(msgspec.Struct, frozen=True):
    """Where the load goes and what it may choose from."""

    port: int
    token: str
    wallets: int
    offers: int
    first_wallet: int = 1
    """Wallets are `first_wallet`, and every so many after it:"""
    wallet_step: int = 1
    first_offer: int = 1
    """Offers are chosen from this one up to number `offers`."""


def client_name() -> str:
    """Which client `run` uses."""
    return "wrk" if shutil.which("wrk") else "bench/load/client.py (slow; install wrk)"


def run(
    target: Target, *, clients: int, seconds: int, name: str, pause_ms: float | None = None
) -> Load:
    """Burn on `clients` keep-alive connections for `seconds`; keys begin with `name`.

    With `pause_ms` each waits so long on average before each request, which only wrk can.
    """
    given = os.environ | {
        "BENCH_TOKEN": target.token,
        "BENCH_WALLETS": str(target.wallets),
        "BENCH_OFFERS": str(target.offers),
        "BENCH_FIRST_WALLET": str(target.first_wallet),
        "BENCH_WALLET_STEP": str(target.wallet_step),
        "BENCH_FIRST_OFFER": str(target.first_offer),
        "BENCH_RUN": name,
        "BENCH_SEED": str(sum(name.encode())),
    }
    url = f"http://127.0.0.1:{target.port}"
    if wrk := shutil.which("wrk"):
        threads = ["-t", str(min(clients, 2)), "-c", str(clients), "-d", f"{seconds}s"]
        script = HERE / "burns.lua"
        if pause_ms is not None:
            given |= {"BENCH_SCRIPT": str(script), "BENCH_PAUSE_MS": str(pause_ms)}
            script = HERE / "paced.lua"
        command = [wrk, *threads, "--timeout", "30s", "-s", str(script), url]
    elif pause_ms is not None:
        raise BenchError("a load at a pace needs wrk (apt-get install wrk)")
    else:
        command = [sys.executable, "-m", "bench.load.client", url, str(clients), str(seconds)]
    done = subprocess.run(command, env=given, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(f"{command[0]} failed: {done.stderr.strip()[:1_000]}")
    return msgspec.json.decode(done.stdout.splitlines()[-1], type=Load)
