"""A clock that a signal puts ahead, and back, in one process of the product."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

from tests.chaos.failpoints import FOLDER

AHEAD_S = 3 * 3600


def let_be_moved() -> None:
    """Have SIGUSR2 move the clock of this process, where it was told a folder of failpoints."""
    if not os.environ.get(FOLDER):
        return
    seconds, nanoseconds, ahead_s = time.time, time.time_ns, [0]

    def move(*_: Any) -> None:
        ahead_s[0] = AHEAD_S - ahead_s[0]

    time.time = lambda: seconds() + ahead_s[0]
    time.time_ns = lambda: nanoseconds() + ahead_s[0] * 1_000_000_000
    signal.signal(signal.SIGUSR2, move)
