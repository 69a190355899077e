"""A statement of any length is read in the memory of a short one."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Iterator

from marketplace_sepa.reading import records
from sepa_samples import balance, entry, statement, transaction

from marketplace.api import BankEntry, StatementEnd

ENTRY = entry(
    "1.00",
    more=transaction(
        "<Refs><EndToEndId>L-1</EndToEndId></Refs><RmtInf><Ustrd>Settlement</Ustrd></RmtInf>"
    ),
).encode()


class Endless(io.RawIOBase):
    """A statement of so many entries that is nowhere whole."""

    def __init__(self, count: int) -> None:
        whole = statement(balance("OPBD", "0") + balance("CLBD", f"{count}") + "|")
        head, tail = whole.encode().split(b"|")
        self._pieces = self._parts(head, count, tail)

    @staticmethod
    def _parts(head: bytes, count: int, tail: bytes) -> Iterator[bytes]:
        yield head
        for _ in range(count):
            yield ENTRY
        yield tail

    def seekable(self) -> bool:
        return False

    def read(self, size: int = -1) -> bytes:
        found = bytearray()
        for each in self._pieces:
            found += each
            if len(found) >= size:
                break
        return bytes(found)


def peak_bytes(count: int) -> int:
    """The most memory that reading so many entries takes."""
    tracemalloc.start()
    try:
        total = entries = 0
        for each in records(Endless(count)):  # type: ignore[arg-type]
            if isinstance(each, BankEntry):
                total += each.amount_micros
            elif isinstance(each, StatementEnd):
                entries = each.entries
                assert each.closing_micros == total
        assert entries == count
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_statement() -> None:
    peak_bytes(100)  # what is made once
    short, long = peak_bytes(1_000), peak_bytes(10_000)
    assert long < 1.5 * short + 100_000, (short, long)
