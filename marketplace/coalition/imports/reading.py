"""Reads a CSV file as a stream: header checked, each row decoded to its Struct, faults collected.

UTF-8 with or without byte order mark, commas, double quotes. Memory holds one chunk of rows.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import Enum
from itertools import accumulate, chain, islice
from types import NoneType
from typing import Any, BinaryIO, Generic, TypeVar, get_args, get_type_hints

import msgspec

from marketplace.coalition.imports.fields import Cell, decode_cell
from marketplace.coalition.imports.report import Faults

Row = TypeVar("Row", bound=msgspec.Struct)
Line = tuple[int, Row]
"""A line number, counted from 1 for the header, and the row that ends on it."""

CHUNK = 5_000
"""Most rows handed on at a time."""
BLOCK_BYTES = 262_144
LINE_BREAK = re.compile(r"\r\n|\r|\n")


class Reader(Generic[Row]):
    """One file of rows of `row_type`."""

    def __init__(
        self,
        file: BinaryIO,
        row_type: type[Row],
        faults: Faults,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        """`progress` is told how many bytes were read since it was last told."""
        self._file = file
        self._row_type = row_type
        self._faults = faults
        self._progress = progress
        self._bytes = 0
        self.header: list[str] = []
        hints = get_type_hints(row_type)
        self._types = {field.name: hints[field.name] for field in msgspec.structs.fields(row_type)}
        self._required = {
            field.name for field in msgspec.structs.fields(row_type) if field.required
        }

    def chunks(self) -> Iterator[list[Line[Row]]]:
        """The good rows, about CHUNK at a time; what is bad goes to the faults."""
        for lines, records in self.records():
            yield self.decode(lines, records)

    def records(self) -> Iterator[tuple[Sequence[int], list[list[str]]]]:
        """Records as text in the order of `header`, at most CHUNK at a time, with their lines."""
        reader = csv.reader(chain.from_iterable(self._blocks()), strict=True)
        if not self._read_header(reader):
            return
        finished = False
        while not finished:
            start = reader.line_num
            records: list[list[str]] = []
            try:
                records.extend(islice(reader, CHUNK))  # keeps what came before an error
                finished = len(records) < CHUNK
            except csv.Error as error:
                self._faults.add(reader.line_num, f"the line is not CSV: {error}")
            self._tell()
            yield self._even(start, reader.line_num, records)

    def _even(
        self, start: int, stop: int, records: list[list[str]]
    ) -> tuple[Sequence[int], list[list[str]]]:
        """The records that have a value for each column, and the line each ends on."""
        lines: Sequence[int] = range(start + 1, start + 1 + len(records))
        if stop - start > len(records):
            lines = list(accumulate(map(_lines_of, records), initial=start))[1:]
        width = len(self.header)
        if all(len(record) == width for record in records):
            return lines, records
        even = []
        for line, record in zip(lines, records, strict=True):
            if len(record) == width:
                even.append((line, record))
            elif record:
                self._faults.add(line, f"{len(record)} values for {width} columns")
        return [line for line, _ in even], [record for _, record in even]

    def decode(self, lines: Sequence[int], records: Sequence[Sequence[str]]) -> list[Line[Row]]:
        """Rows of records; those that cannot be decoded go to the faults."""
        rows = []
        for line, record in zip(lines, records, strict=True):
            given = {name: cell for name, cell in zip(self.header, record, strict=True) if cell}
            try:
                row = msgspec.convert(given, self._row_type, dec_hook=decode_cell)
            except msgspec.ValidationError:
                for reason in self._reasons(given):
                    self._faults.add(line, reason)
            else:
                rows.append((line, row))
        return rows

    def _blocks(self) -> Iterator[Iterable[str]]:
        """Lines of the file, a block at a time."""
        number = 0
        while lines := self._file.readlines(BLOCK_BYTES):
            self._bytes += sum(map(len, lines))
            if number == 0:
                lines[0] = lines[0].removeprefix(codecs.BOM_UTF8)
            try:
                text = b"".join(lines).decode()
            except UnicodeDecodeError:
                text = "".join(self._decode_lines(number, lines))
            number += len(lines)
            yield io.StringIO(text, newline="")

    def _decode_lines(self, before: int, lines: Sequence[bytes]) -> Iterator[str]:
        for number, line in enumerate(lines, start=before + 1):
            try:
                yield line.decode()
            except UnicodeDecodeError:
                self._faults.add(number, "the line is not UTF-8")
                yield line.decode(errors="replace")

    def _tell(self) -> None:
        if self._progress is not None:
            self._progress(self._bytes)
            self._bytes = 0

    def _read_header(self, reader: Any) -> bool:
        try:
            self.header = next(reader, [])
        except csv.Error as error:
            self._faults.add(1, f"the header is not CSV: {error}")
            return False
        reasons = list(self._header_reasons())
        for reason in reasons:
            self._faults.add(1, reason)
        return not reasons

    def _header_reasons(self) -> Iterator[str]:
        header = self.header
        known = ", ".join(self._types)
        if not header:
            yield f"there is no header; the columns are {known}"
            return
        if len(header) == 1 and ";" in header[0]:
            yield "the columns must be separated by commas, not semicolons"
            return
        for name in dict.fromkeys(header):
            if name not in self._types:
                yield f"unknown column {name!r}; the columns are {known}"
            elif header.count(name) > 1:
                yield f"column {name!r} is there twice"
        for name in self._types:
            if name in self._required and name not in header:
                yield f"column {name!r} is missing"

    def _reasons(self, given: dict[str, str]) -> Iterator[str]:
        """What is wrong with each cell of a row that cannot be decoded."""
        for name, kind in self._types.items():
            if name not in given:
                if name in self._required:
                    yield f"{name} is empty"
                continue
            try:
                msgspec.convert(given[name], kind, dec_hook=decode_cell)
            except msgspec.ValidationError:
                yield f"{name} {given[name][:80]!r} is not {words_of(kind)}"


def _lines_of(record: Sequence[str]) -> int:
    return 1 + sum(len(LINE_BREAK.findall(cell)) for cell in record)


def words_of(kind: Any) -> str:
    """What a column of this type takes."""
    for part in get_args(kind) or (kind,):
        if part is NoneType:
            continue
        if issubclass(part, Cell):
            return str(part.words)
        if issubclass(part, Enum):
            return "one of " + ", ".join(str(member.value) for member in part)
    return "a text"
