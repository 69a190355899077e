"""Reads the records of a statement, one at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import IO, Any

FORMAT = 1
LONGEST_RECORD = 1_000_000
"""Bytes; a record has a few hundred."""
ORDER = ("statement", "window", "contract", "line", "fee", "sum", "leg", "end", "signature")
"""Records in the order in which they stand."""

Record = dict[str, Any]


class Broken(Exception):
    """The file cannot be read on as a statement."""


def records(file: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """(line of the file, bytes) of every record; Broken where the array is not whole."""
    if file.readline(LONGEST_RECORD).rstrip(b"\r\n") != b"[":
        raise Broken("line 1: this is no statement: it does not begin with [")
    number, going_on = 1, True
    while True:
        number += 1
        text = file.readline(LONGEST_RECORD)
        if not text.endswith(b"\n"):
            raise Broken(f"line {number}: the file ends in the middle, or the line is too long")
        text = text[:-1].removesuffix(b"\r")
        if text == b"]":
            break
        if not going_on:
            raise Broken(f"line {number}: the comma before it is missing")
        going_on = text.endswith(b",")
        yield number, text[:-1] if going_on else text
    if going_on:
        raise Broken(f"line {number}: the array ends after a comma")
    if file.read(1):
        raise Broken(f"line {number}: there is more after the end")


def read(number: int, text: bytes) -> Record:
    """The record in these bytes; Broken where it is none."""

    def once(pairs: list[tuple[str, Any]]) -> Record:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise Broken(f"line {number}: a name is there twice")
        return found

    def no_fraction(given: str) -> int:
        raise Broken(f"line {number}: {given} is no whole number")

    try:
        found = json.loads(
            text, object_pairs_hook=once, parse_float=no_fraction, parse_constant=no_fraction
        )
    except ValueError as error:
        raise Broken(f"line {number}: this is no JSON: {error}") from None
    if not isinstance(found, dict) or found.get("record") not in ORDER:
        raise Broken(f"line {number}: this is no record that format {FORMAT} knows")
    return found
