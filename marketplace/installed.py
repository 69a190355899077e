"""Which plugins are installed: the entry points of group `marketplace`.

To list them Python opens a file of every distribution, which takes some ten milliseconds. So it is
asked once, and again where a folder that modules come from has changed.
"""

from __future__ import annotations

import os
import sys
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points

ENTRY_POINT_GROUP = "marketplace"
"""An entry point's name is the plugin's slug; it names a module."""

Place = tuple[str, int, int]


def entries(slug: str | None = None) -> tuple[EntryPoint, ...]:
    """The entry points of all plugins, or of those named `slug`; by now, whatever was installed."""
    found = _read(tuple(_place(path) for path in sys.path))
    return found if slug is None else tuple(each for each in found if each.name == slug)


def slugs_installed() -> set[str]:
    """Slugs of every plugin that is installed."""
    return {each.name for each in entries()}


def _place(path: str) -> Place:
    """What changes where a distribution is added to a folder, or taken out of it."""
    try:
        found = os.stat(path or ".")
    except OSError:
        return path, 0, 0
    return path, found.st_ino, found.st_mtime_ns


@lru_cache(maxsize=8)
def _read(_: tuple[Place, ...]) -> tuple[EntryPoint, ...]:
    return tuple(entry_points(group=ENTRY_POINT_GROUP))
