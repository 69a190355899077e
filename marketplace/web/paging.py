"""Paging by opaque cursors: stable while rows are added, no offsets.

A route takes `limit: Limit = DEFAULT_LIMIT` and `cursor: Cursor = None`, reads `limit + 1` rows
after the position in the cursor, and answers `{"items": [...], "next": cursor or null}`.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar

import msgspec
from litestar.params import QueryParameter

from marketplace.errors import InvalidRequest

DEFAULT_LIMIT = 50
MOST = 200
LONGEST_CURSOR = 500

Limit = Annotated[int, QueryParameter(ge=1, le=MOST, description="Rows in one page.")]
Cursor = Annotated[
    str | None,
    QueryParameter(
        max_length=LONGEST_CURSOR, description="`next` of the page before; absent: the first page."
    ),
]

Row = TypeVar("Row")
Position = TypeVar("Position")


class BadCursor(InvalidRequest):
    code = "bad_cursor"
    title = "The cursor is none that we gave"


def encode_cursor(position: object) -> str:
    """A cursor that holds `position` (anything msgspec encodes: an id, a tuple of sort keys)."""
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(position)).rstrip(b"=").decode()


def decode_cursor(cursor: str | None, kind: type[Position]) -> Position | None:
    """The position in a cursor, None for the first page; BadCursor where it does not decode."""
    if cursor is None:
        return None
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        return msgspec.msgpack.decode(raw, type=kind)
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        raise BadCursor("Use `next` of the page before, unchanged.") from None


def cut_page(
    rows: Sequence[Row], limit: int, position: Callable[[Row], object]
) -> tuple[list[Row], str | None]:
    """Of `limit + 1` rows read: the page, and the cursor of the next one if there is one.

    `position(row)` gives what the next page continues after.
    """
    page = list(rows[:limit])
    more = len(rows) > limit
    return page, encode_cursor(position(page[-1])) if more else None
