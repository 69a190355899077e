"""Reads a supplier's CSV of codes: columns `code`, and optionally `expires_on` and `label`."""

from __future__ import annotations

import csv
import io
from datetime import date

import msgspec

from marketplace_giftfund.errors import BadUpload

MOST_LINES = 100_000
LONGEST_CODE = 500
LONGEST_LABEL = 200
COLUMNS = {"code", "expires_on", "label"}


class NewCode(msgspec.Struct, frozen=True):
    """One line of the file."""

    line: int
    """In the file; the header is line 1."""
    code: str
    expires_on: date | None
    """Last day it can be used."""
    label: str | None


def parse(text: str, today: date) -> list[NewCode]:
    """The codes of a file; BadUpload names every line that cannot be taken."""
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")), strict=True)
    errors: list[tuple[int, str]] = []
    codes: list[NewCode] = []
    first_seen: dict[str, int] = {}
    try:
        _check_header(reader.fieldnames)
        for row in reader:
            line = reader.line_num
            if len(codes) + len(errors) >= MOST_LINES:
                raise BadUpload([(line, f"a file may hold {MOST_LINES} codes at most")])
            try:
                code = _read(row, line, today)
                if code.code in first_seen:
                    raise ValueError(f"the same code as line {first_seen[code.code]}")
            except ValueError as error:
                errors.append((line, str(error)))
                continue
            first_seen[code.code] = line
            codes.append(code)
    except csv.Error as error:
        raise BadUpload([(reader.line_num, str(error))]) from None
    if errors:
        raise BadUpload(errors)
    if not codes:
        raise BadUpload([(1, "the file holds no codes")])
    return codes


def _check_header(names: object) -> None:
    given = [str(name) for name in names] if isinstance(names, list) else []
    strange = set(given) - COLUMNS
    if "code" not in given or strange or len(set(given)) != len(given):
        raise BadUpload([(1, "the header must be code, with expires_on and label if you like")])


def _read(row: dict[str | None, str | None], line: int, today: date) -> NewCode:
    if None in row:
        raise ValueError("more fields than the header has")
    if any(value is None for value in row.values()):
        raise ValueError("fewer fields than the header has")
    fields = {name: (value or "").strip() for name, value in row.items()}
    code, label = fields["code"], fields.get("label", "")
    if not code:
        raise ValueError("no code")
    if len(code) > LONGEST_CODE or not code.isprintable():
        raise ValueError(f"a code is up to {LONGEST_CODE} printable characters")
    if len(label) > LONGEST_LABEL or not label.isprintable():
        raise ValueError(f"a label is up to {LONGEST_LABEL} printable characters")
    return NewCode(line, code, _day(fields.get("expires_on", ""), today), label or None)


def _day(text: str, today: date) -> date | None:
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no date like 2026-12-31") from None
    if day < today:
        raise ValueError(f"expired on {day}")
    return day
