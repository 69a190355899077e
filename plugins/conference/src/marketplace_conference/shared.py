"""What everybody asks in the same second is asked of the database once.

Only what is shown to the public, and only for a moment: the truth is found again where somebody
takes a place.
"""

from __future__ import annotations

import threading
import time
from asyncio import to_thread
from collections.abc import Callable, Hashable
from functools import partial
from typing import Generic, TypeVar

V = TypeVar("V")

MOST = 256
"""Answers that are kept."""


class Shared(Generic[V]):
    """Answers by key, each `keep_s` old at most and made by one caller at a time."""

    def __init__(self, make: Callable[..., V], keep_s: float) -> None:
        """`make` gets the parts of the key; what it raises is not kept."""
        self._make = make
        self._keep_s = keep_s
        self._known: dict[Hashable, tuple[float, V]] = {}
        self._making: dict[Hashable, threading.Lock] = {}
        self._guard = threading.Lock()

    def get(self, *key: Hashable) -> V:
        """The answer, perhaps from a moment ago; waits for whoever is making it."""
        known = self._fresh(key)
        if known is not None:
            return known[1]
        with self._guard:
            if len(self._making) > MOST:
                self._making.clear()
                self._known.clear()
            making = self._making.setdefault(key, threading.Lock())
        with making:
            known = self._fresh(key)
            if known is not None:
                return known[1]
            began = time.monotonic()
            made = self._make(*key)
            self._known[key] = (began + self._keep_s, made)
            return made

    async def ask(self, *key: Hashable) -> V:
        """The same from a loop, which is not kept waiting."""
        known = self._fresh(key)
        return await to_thread(partial(self.get, *key)) if known is None else known[1]

    def _fresh(self, key: Hashable) -> tuple[float, V] | None:
        known = self._known.get(key)
        return known if known is not None and time.monotonic() < known[0] else None
