"""Facts about the machine and the server that figures are taken on."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from bench.server import BenchError, query

SETTINGS = (
    "server_version",
    "fsync",
    "synchronous_commit",
    "full_page_writes",
    "shared_buffers",
    "max_wal_size",
    "wal_sync_method",
)


def facts(url: str) -> dict[str, str]:
    """Processor, cores, Python and the settings of the server that change what is measured."""
    found = {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }
    names = ", ".join(f"current_setting('{name}') as {name}" for name in SETTINGS)
    return found | dict(query(url, f"select {names}")[0])


def refuse_unless_durable(found: dict[str, str]) -> None:
    """Raise BenchError where the server may forget what it has confirmed."""
    for name in ("fsync", "synchronous_commit", "full_page_writes"):
        if found[name] != "on":
            raise BenchError(f"{name} is {found[name]}: figures count on a durable server only.")


def _processor() -> str:
    file = Path("/proc/cpuinfo")
    lines = file.read_text().splitlines() if file.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or "unknown")
