"""Runs one `marketplace` command that ends when its parent does, however the parent ends.

The parent holds the other end of this process's standard input. When that closes, by a clean stop
or by `kill -9`, the process tells itself to stop, and insists a little later. Where that input is a
socket, the process can say through it that it has started, and from then on that it goes on.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress

INSIST_AFTER_S = 15.0
SAID_EVERY_S = 1.0

is_tied = False
"""Whether this process was started by `main` below."""


def say_started() -> None:
    """Tell the parent that this process does its work now; nothing where none listens."""
    if is_tied:
        with suppress(OSError):
            os.write(0, b"+")


async def say_on(is_over: Callable[[], bool]) -> None:
    """Tell the parent every second that the loop of this process goes on, until it is over: one
    that stands still is ended and started anew.
    """
    while is_tied and not is_over():
        say_started()
        await asyncio.sleep(SAID_EVERY_S)


def _follow_parent() -> None:
    # os.read, for a buffered read would still hold its lock when the interpreter ends.
    with suppress(ConnectionError):  # how a socket may end where the parent was killed
        while os.read(0, 1024):
            pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(INSIST_AFTER_S)
    os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Tie this process to its parent, then run the command line."""
    from marketplace import tied  # this module runs as __main__; others import it by its name
    from marketplace.cli import main as command_line

    tied.is_tied = True
    threading.Thread(target=_follow_parent, name="follow-parent", daemon=True).start()
    command_line(args=sys.argv[1:], prog_name="marketplace")


if __name__ == "__main__":
    main()
