"""What code does to the world while it runs: files, programs, the network."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC
EFFECTS = {
    "socket.connect": "connects to a server",
    "socket.bind": "opens a port",
    "socket.getaddrinfo": "looks up a host",
    "subprocess.Popen": "starts a program",
    "os.system": "starts a program",
    "os.exec": "starts a program",
    "os.posix_spawn": "starts a program",
    "os.fork": "starts a process",
    "os.remove": "deletes a file",
    "os.rename": "renames a file",
    "os.rmdir": "deletes a folder",
    "os.mkdir": "makes a folder",
    "os.kill": "sends a signal",
    "shutil.rmtree": "deletes a folder",
}


@contextmanager
def watched(*, reads: bool = False) -> Iterator[list[str]]:
    """What is done to the world while the block runs; with `reads`, files that are read too."""
    seen: list[str] = []
    watching = True

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if not watching:
            return
        if event == "open" and len(arguments) == 3 and _writes(arguments[2]):
            seen.append(f"writes {Path(str(arguments[0])).name}")
        elif event == "open" and reads:
            seen.append(f"reads {Path(str(arguments[0])).name}")
        elif event in EFFECTS:
            seen.append(EFFECTS[event])

    sys.addaudithook(hook)  # cannot be taken away again, only silenced
    try:
        yield seen
    finally:
        watching = False


def _writes(flags: object) -> bool:
    return isinstance(flags, int) and bool(flags & WRITES)
