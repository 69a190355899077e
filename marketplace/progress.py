"""Progress of long work on standard error: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import click

EVERY_S: Final = 5.0


@contextmanager
def shown(label: str, whole: int) -> Iterator[Callable[[int], None]]:
    """Yields what is to be called with how many more are done, of `whole`."""
    if sys.stderr.isatty():
        with click.progressbar(length=whole, label=label, file=sys.stderr) as bar:
            yield bar.update
        return
    done, due_at = 0, time.monotonic() + EVERY_S

    def tell(count: int) -> None:
        nonlocal done, due_at
        done += count
        if time.monotonic() >= due_at:
            due_at = time.monotonic() + EVERY_S
            click.echo(f"{label}: {done:,} of {whole:,}", err=True)

    yield tell
