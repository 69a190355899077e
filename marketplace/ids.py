"""Ids are made by the application: UUIDv7 where the outside sees them, 64-bit keys inside."""

from __future__ import annotations

import os
import secrets
import threading
import time
from uuid import UUID

# The database driver's own UUID, written in C: hashes and compares several times faster, and is
# equal to a uuid.UUID of the same value.
from asyncpg.pgproto.pgproto import UUID as FastUUID  # noqa: N811

__all__ = ["FastUUID", "KeyMaker", "next_key", "take_keys", "uuid7"]

_NODE_BITS = 10
_SEQUENCE_BITS = 12
_EPOCH_MS = 1_700_000_000_000


def uuid7() -> UUID:
    """A new UUIDv7 (RFC 9562): 48 bits of Unix milliseconds, then 74 random bits."""
    value = bytearray((time.time_ns() // 1_000_000).to_bytes(6, "big") + os.urandom(10))
    value[6] = value[6] & 0x0F | 0x70
    value[8] = value[8] & 0x3F | 0x80
    made: UUID = FastUUID(bytes(value))
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

    def take(self, count: int) -> list[int]:
        """`count` new keys in ascending order."""
        step = 1 << _NODE_BITS
        with self._lock:
            millis = time.time_ns() // 1_000_000 - _EPOCH_MS
            floor = millis << (_NODE_BITS + _SEQUENCE_BITS) | self._node
            first = max(floor, self._last + step)
            self._last = first + (count - 1) * step
        return list(range(first, first + count * step, step))


_maker = KeyMaker()
next_key = _maker.next
take_keys = _maker.take


def _new_node_after_fork() -> None:
    """A forked worker must not share its parent's node and sequence."""
    _maker.__init__()  # type: ignore[misc]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_new_node_after_fork)
