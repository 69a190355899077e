"""Ids are made by the application: UUIDv7 where the outside sees them, 64-bit keys inside."""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import Iterable
from struct import Struct
from uuid import UUID

# The database driver's own UUID, written in C: hashes and compares several times faster, and is
# equal to a uuid.UUID of the same value.
from asyncpg.pgproto.pgproto import UUID as FastUUID  # noqa: N811

__all__ = ["FastUUID", "KeyMaker", "UUID7Maker", "ids_as_text", "next_key", "take_keys", "uuid7"]

_NODE_BITS = 10
_SEQUENCE_BITS = 12
_EPOCH_MS = 1_700_000_000_000
_LOW_62_BITS = (1 << 62) - 1
_VARIANT = 1 << 63
_CHANCES = Struct("!512Q")
_HALVES = Struct("!QQ")


class UUID7Maker:
    """Makes UUIDv7s (RFC 9562, method 3): 60 bits of time, then 62 random ones.

    Those of one process ascend, so that rows go to the end of their index. Random bits are taken
    from the system many at once.
    """

    def __init__(self) -> None:
        self._last = 0
        self._chances: list[int] = []
        self._lock = threading.Lock()

    def next(self) -> UUID:
        """A new one."""
        with self._lock:
            moment = self._last = max((time.time_ns() << 12) // 1_000_000, self._last + 1)
            if not self._chances:
                drawn = _CHANCES.unpack(os.urandom(_CHANCES.size))
                self._chances = [each & _LOW_62_BITS | _VARIANT for each in drawn]
            low = self._chances.pop()
        high = (moment >> 12 << 16) | 0x7000 | moment & 0xFFF
        made: UUID = FastUUID(_HALVES.pack(high, low))
        return made


class KeyMaker:
    """Makes time-ordered 63-bit keys: milliseconds, a random node per process, a sequence.

    Keys of one maker strictly increase, also when the system clock steps back. Keys of two
    processes may collide with probability 2^-22 in the same millisecond; the primary keys they
    go into also hold the wallet, and a unique violation is retried with new keys.
    """

    def __init__(self, node: int | None = None) -> None:
        self._node = secrets.randbits(_NODE_BITS) if node is None else node
        self._last = 0
        self._lock = threading.Lock()

    def next(self) -> int:
        """One new key."""
        return self.take(1)[0]

    def take(self, count: int, *, after: int = 0) -> list[int]:
        """`count` new keys in ascending order, above `after`, which another clock may have made."""
        step = 1 << _NODE_BITS
        with self._lock:
            millis = time.time_ns() // 1_000_000 - _EPOCH_MS
            floor = millis << (_NODE_BITS + _SEQUENCE_BITS) | self._node
            first = max(floor, self._last + step)
            if first <= after:
                first = (after // step + 1) * step | self._node
            self._last = first + (count - 1) * step
        return list(range(first, first + count * step, step))


_uuids = UUID7Maker()
uuid7 = _uuids.next
_maker = KeyMaker()
next_key = _maker.next
take_keys = _maker.take


def ids_as_text(ids: Iterable[UUID | int]) -> str:
    """An array of ids as PostgreSQL reads it, for `$1::text::uuid[]`.

    Of each element of an array the driver asks whether it is an array itself, in Python: that takes
    longer than writing and reading the whole id as text.
    """
    return f"{{{','.join(map(str, ids))}}}"


def _new_node_after_fork() -> None:
    """A forked worker must not share its parent's node and sequence, or random bits."""
    _maker.__init__()  # type: ignore[misc]
    _uuids.__init__()  # type: ignore[misc]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_new_node_after_fork)
