"""A bank's file, read once outside any transaction: statements judged, entries kept on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from marketplace.contract.bank_records import (
    BankEntry,
    BankReader,
    BankRecord,
    BatchStatus,
    LegStatus,
    StatementEnd,
    StatementStart,
)
from marketplace.errors import InvalidRequest
from settlement.bank import gathering
from settlement.bank.gathering import Gathered

PIECE: Final = 1_048_576
MOST_MICROS: Final = 2**63 - 1
MOST_STATEMENTS: Final = 10_000
TELL_EVERY: Final = 10_000


class Spooled(msgspec.Struct):
    """What a file says. Entries of statement `n` are lines of `path` from `starts[n]` on."""

    path: Path
    sha256: str
    statements: list[Gathered]
    starts: list[int]
    answers: list[LegStatus | BatchStatus]

    def entries(self, number: int) -> Iterator[BankEntry]:
        """The entries of a statement."""
        decoder = msgspec.json.Decoder(BankEntry)
        with self.path.open("rb") as lines:
            lines.seek(self.starts[number])
            for _ in range(self.statements[number].entries):
                yield decoder.decode(lines.readline())


def spool(reader: BankReader, source: Path, keep: Path, progress: Callable[[int], None]) -> Spooled:
    """Read `source`, judge every statement, and keep its entries at `keep`.

    `progress` hears how many entries were read. Raises what the reader raises, InvalidRequest where
    its records make no sense, StatementDoesNotFoot where a statement does not add up.
    """
    found = Spooled(keep, digest_of(source), [], [], [])
    with source.open("rb") as file, keep.open("wb") as lines, _closing(reader.read(file)) as read:
        _Spooling(found, lines, progress).take_all(read)
    return found


@contextmanager
def _closing(records: Iterator[BankRecord]) -> Iterator[Iterator[BankRecord]]:
    """What a reader holds open, a folder of its own or more, is let go when no more is read."""
    try:
        yield records
    finally:
        if isinstance(records, Generator):
            records.close()


class _Spooling:
    def __init__(self, into: Spooled, lines: BinaryIO, progress: Callable[[int], None]) -> None:
        self._into, self._lines, self._progress = into, lines, progress
        self._current: Gathered | None = None
        self._count = 0

    def take_all(self, records: Iterator[BankRecord]) -> None:
        """Every record, in its order."""
        for record in records:
            if isinstance(record, LegStatus | BatchStatus):
                self._into.answers.append(record)
            elif isinstance(record, StatementStart):
                self._begin(record)
            elif isinstance(record, BankEntry):
                self._entry(record)
            else:
                self._end(record)
        if self._current is not None:
            raise InvalidRequest(f"{self._current.name} is cut off: its end is missing.")
        self._progress(self._count)

    def _begin(self, record: StatementStart) -> None:
        if self._current is not None:
            raise InvalidRequest(f"{self._current.name} is not ended before the next one begins.")
        if len(self._into.statements) >= MOST_STATEMENTS:
            raise InvalidRequest(f"The file has more than {MOST_STATEMENTS} statements.")
        self._current = gathering.begin(record)
        self._into.statements.append(self._current)
        self._into.starts.append(self._lines.tell())

    def _entry(self, record: BankEntry) -> None:
        if self._current is None:
            raise InvalidRequest("The file has an entry outside a statement.")
        if abs(record.amount_micros) > MOST_MICROS:
            raise InvalidRequest(
                f"{self._current.name}: the amount of entry {record.position} is "
                "larger than any account holds."
            )
        gathering.take(self._current, record)
        self._lines.write(msgspec.json.encode(record) + b"\n")
        self._count += 1
        if self._count % TELL_EVERY == 0:
            self._progress(self._count)

    def _end(self, record: StatementEnd) -> None:
        if self._current is None:
            raise InvalidRequest("The file ends a statement that it did not begin.")
        gathering.finish(self._current, record)
        self._current = None


def digest_of(path: Path) -> str:
    """SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            digest.update(piece)
    return digest.hexdigest()


def first_that_reads(
    readers: Sequence[BankReader], source: Path, keep: Path, progress: Callable[[int], None]
) -> tuple[int, Spooled]:
    """What the first of `readers` that can read the file says, and which it was.

    Where none can, what the first one said.
    """
    refusal: InvalidRequest | None = None
    for number, reader in enumerate(readers):
        try:
            return number, spool(reader, source, keep, progress)
        except InvalidRequest as error:
            refusal = refusal or error
    if refusal is None:
        raise InvalidRequest("No plugin can read files of a bank.")
    raise refusal
