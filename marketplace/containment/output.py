"""What plugins print: read by one thread of the worker, logged under their name, limited in rate.

Nobody waits for it. Above LINES_A_SECOND lines are counted and dropped; above BYTES_A_SECOND the
pipe is left full, so a plugin that floods waits for itself.
"""

from __future__ import annotations

import logging
import os
import selectors
import threading
import time
from contextlib import suppress

log = logging.getLogger("marketplace.plugin")

LINES_A_SECOND = 20
LONGEST_LINE = 500
BYTES_A_SECOND = 1_048_576
PIECE = 65_536


class _Stream:
    """The output of one process."""

    def __init__(self, slug: str, fd: int) -> None:
        self.slug = slug
        self.fd = fd
        self._rest = b""
        self.read_bytes = 0
        self._lines = 0
        self._dropped = 0

    def take(self, piece: bytes) -> None:
        """Log the whole lines of a piece."""
        self.read_bytes += len(piece)
        *lines, rest = (self._rest + piece).split(b"\n")
        self._rest = rest[:LONGEST_LINE]
        for line in lines:
            self._say(line)

    def _say(self, line: bytes) -> None:
        if self._lines >= LINES_A_SECOND:
            self._dropped += 1
            return
        self._lines += 1
        text = line[:LONGEST_LINE].decode(errors="replace")
        # Control characters could move the cursor of whoever reads the log.
        shown = "".join(each if each.isprintable() or each == "\t" else "?" for each in text)
        if shown.strip():
            log.info("%s: %s", self.slug, shown)

    def next_second(self) -> None:
        """A second is over: what was too much may be read again."""
        if self._dropped:
            log.warning("%s: %d lines more were dropped", self.slug, self._dropped)
        self._lines = self._dropped = self.read_bytes = 0


class Listener:
    """Reads the output of every plugin process of this worker."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._streams: dict[int, _Stream] = {}
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="plugin-output", daemon=True)
        self._ending = threading.Event()
        self._thread.start()

    def add(self, slug: str, fd: int) -> None:
        """Listen to the reading end `fd` until its writers are gone; it is closed then."""
        os.set_blocking(fd, False)
        with self._lock:
            self._streams[fd] = _Stream(slug, fd)
            self._selector.register(fd, selectors.EVENT_READ)

    def close(self) -> None:
        """Stop listening."""
        self._ending.set()
        self._thread.join(2)

    def _run(self) -> None:
        second_ends = time.monotonic() + 1
        while not self._ending.is_set():
            # Plugins print in bursts: looking some times a second costs less than each line.
            self._ending.wait(0.1)
            if time.monotonic() >= second_ends:
                second_ends = time.monotonic() + 1
                for stream in list(self._streams.values()):
                    stream.next_second()
            with self._lock:
                ready = [key.fd for key, _ in self._selector.select(0)] if self._streams else []
            for fd in ready:
                self._read(self._streams[fd])

    def _read(self, stream: _Stream) -> None:
        while stream.read_bytes < BYTES_A_SECOND:
            try:
                piece = os.read(stream.fd, PIECE)
            except BlockingIOError:
                return
            except OSError:
                piece = b""
            if not piece:
                with self._lock, suppress(KeyError, ValueError):
                    self._selector.unregister(stream.fd)
                    del self._streams[stream.fd]
                    os.close(stream.fd)
                return
            stream.take(piece)
