"""What a plugin's process may use: set by itself before the plugin loads, watched by the worker."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress

import psutil

from marketplace.containment.messages import Terms

BYTES_IN_MB = 1_048_576
FILE_CPU_S = 300
"""Processor that making or reading files of a bank may take: they can be large."""


def limit_this_process(terms: Terms) -> None:
    """Limit memory, open files and processes of the calling process and all it starts.

    Raises nothing: a limit that the system does not know, or has lower already, is left alone.
    """
    import resource

    def limit(kind: int, most: int) -> None:
        with suppress(ValueError, OSError):
            _, hard = resource.getrlimit(kind)
            if hard == resource.RLIM_INFINITY or most <= hard:
                resource.setrlimit(kind, (most, most))

    # The worker looks at the memory in use some times a second; this stops what is faster. Linux
    # counts what is writable and private: no libraries, but the whole stack of each thread.
    kind = resource.RLIMIT_DATA if sys.platform == "linux" else resource.RLIMIT_AS
    limit(kind, 2 * terms.memory_mb * BYTES_IN_MB)
    limit(resource.RLIMIT_NOFILE, terms.open_files)
    limit(resource.RLIMIT_CORE, 0)
    # Counted with everything of the same user, threads included; root is not limited by it.
    if os.geteuid() != 0:
        limit(resource.RLIMIT_NPROC, _tasks_of_this_user() + terms.processes)


def limit_cpu_of_call(cpu_s: int) -> None:
    """Let the calling process use so many seconds of processor from now on."""
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF)
    most = int(used.ru_utime + used.ru_stime) + 1 + cpu_s
    with suppress(ValueError, OSError):
        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        resource.setrlimit(resource.RLIMIT_CPU, (most, hard))


def _tasks_of_this_user() -> int:
    user, count = os.getuid(), 0
    for each in psutil.process_iter():
        with suppress(psutil.Error):
            if each.uids().real == user:
                count += each.num_threads()
    return count


class Usage:
    """Looks at a running process and all that it started.

    What cannot be looked at, as where this process has no descriptor left, is taken for nothing.
    """

    def __init__(self, pid: int) -> None:
        """Raises OSError and psutil.Error."""
        self._process = psutil.Process(pid)

    def started(self) -> list[psutil.Process]:
        """Processes below it; none where it is gone."""
        try:
            found: list[psutil.Process] = self._process.children(recursive=True)
        except (OSError, psutil.Error):
            return []
        return found

    def memory_mb(self, started: list[psutil.Process]) -> int:
        """Resident memory of it and of `started`."""
        total = 0
        for each in (self._process, *started):
            with suppress(OSError, psutil.Error):
                total += each.memory_info().rss
        return total // BYTES_IN_MB


def tie_to_parent(fd: int) -> None:
    """Let the kernel end this process and its group once the other end of `fd` is closed.

    The signal's default action ends a process, so this works while a plugin spins in C as well.
    """
    import fcntl

    signal.signal(signal.SIGIO, signal.SIG_DFL)
    fcntl.fcntl(fd, fcntl.F_SETOWN, -os.getpgrp())
    fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) | os.O_ASYNC)
