"""A house that has hostile plugins installed, in processes of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from marketplace.containment.probe import FOUND
from marketplace.settings import Settings
from tests.conftest import SECRET_KEY
from tests.fulfilment.conftest import counter  # noqa: F401 - a fixture

STOP_S = 60.0
LIMITS = {
    "MARKETPLACE_SUPPLIER_TIMEOUT_S": "3",
    "MARKETPLACE_PLUGIN_START_S": "15",
    "MARKETPLACE_PLUGIN_MEMORY_MB": "200",
    "MARKETPLACE_PLUGIN_CPU_S": "1",
    "MARKETPLACE_PLUGIN_PROCESSES": "8",
    "MARKETPLACE_PLUGIN_CALLS": "1",
    "MARKETPLACE_DATABASE_POOL": "4",
    "MARKETPLACE_LOG_LEVEL": "INFO",
}

Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """The folder that plugins are installed in."""
    folder = tmp_path / "site"
    folder.mkdir()
    return folder


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """What the processes say."""
    return tmp_path / "house.log"


@pytest.fixture
def environ(settings: Settings, site: Path) -> dict[str, str]:
    """The environment of a house with short limits and the site's plugins."""
    own = {name: value for name, value in os.environ.items() if name != FOUND}
    return own | {
        "MARKETPLACE_DATABASE_URL": settings.database_url or "",
        "MARKETPLACE_SECRET_KEYS": SECRET_KEY,
        "MARKETPLACE_CLOCK_TRAVEL": "1",
        "PYTHONPATH": str(site),
        **LIMITS,
    }


@pytest.fixture
def start(environ: dict[str, str], log: Path) -> Iterator[Start]:
    """`start("background")` runs a command of the house until the test ends."""
    running: list[subprocess.Popen[bytes]] = []

    def run(*command: str, **more: str) -> subprocess.Popen[bytes]:
        with log.open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "marketplace", *command],
                env=environ | {f"MARKETPLACE_{k.upper()}": v for k, v in more.items()},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        running.append(process)
        return process

    yield run
    for process in running:
        if process.poll() is None:
            process.kill()
        process.wait(STOP_S)
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    print("\n".join(line[:200] for line in lines if "shouts" not in line)[-10_000:])


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ask a process to stop; it ends with status 0."""
    process.send_signal(signal.SIGTERM)
    assert process.wait(STOP_S) == 0


def until(happened: Callable[[], bool], patience_s: float = 120.0) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + patience_s
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.1)
