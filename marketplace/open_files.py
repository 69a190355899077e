"""How many files and connections a process that serves for long may have open."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Final

MOST: Final = 524_288
"""What service managers allow at most by default; some libraries count up to the limit."""


def allow_many() -> None:
    """Raise the limit of this process to what it may raise it to: each client is an open file."""
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST if hard == resource.RLIM_INFINITY else min(hard, MOST)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    with suppress(ValueError, OSError):  # some systems allow less than they say
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
