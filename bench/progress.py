"""Progress on stderr, and how long each phase of a long run took."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click


class Phases:
    """Adds up the time spent in each named phase; a phase may be entered many times."""

    def __init__(self) -> None:
        self._spent_s: dict[str, float] = {}
        self._began = time.perf_counter()

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Count the time of the block to phase `name`."""
        began = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - began
            self._spent_s[name] = self._spent_s.get(name, 0.0) + spent

    def lines(self) -> list[str]:
        """Each phase in the order of its first block, then the whole."""
        whole = time.perf_counter() - self._began
        named = [*self._spent_s.items(), ("everything", whole)]
        return [f"{name:<32}{spent:>8.1f} s" for name, spent in named]


class Progress:
    """One line that is overwritten on a terminal, a line now and then elsewhere."""

    EVERY_S = 10.0

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._next = 0.0

    def show(self, text: str) -> None:
        """Show where things stand, if it is time to."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + (0.1 if self._terminal else self.EVERY_S)
        if self._terminal:
            click.echo(f"\r{text:<78}", err=True, nl=False)
        else:
            click.echo(text, err=True)

    def done(self, text: str) -> None:
        """Show the last line, and leave it."""
        self._next = 0.0
        self.show(text)
        if self._terminal:
            click.echo(err=True)
