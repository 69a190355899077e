"""Paging through a list: whole, stable, and only with cursors that we gave."""

from __future__ import annotations

from contextlib import suppress
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.ids import uuid7
from marketplace.web.paging import BadCursor, cut_page, decode_cursor, encode_cursor


@given(st.integers(0, 30), st.integers(1, 10))
def test_pages_hold_every_row_once_and_end(rows: int, limit: int) -> None:
    seen: list[int] = []
    cursor: str | None = None
    while True:
        after = decode_cursor(cursor, int)
        start = 0 if after is None else after + 1
        page, cursor = cut_page(range(start, rows)[: limit + 1], limit, lambda row: row)
        seen += page
        if cursor is None:
            break
        assert len(page) == limit
    assert seen == list(range(rows))


def test_a_cursor_gives_back_the_position_of_its_kind() -> None:
    key = uuid7()
    assert decode_cursor(encode_cursor(key), UUID) == key
    assert decode_cursor(encode_cursor(("name", 7)), tuple[str, int]) == ("name", 7)


@given(st.text(max_size=40))
def test_a_made_up_cursor_is_refused_or_harmless(text: str) -> None:
    with suppress(BadCursor):
        assert isinstance(decode_cursor(text, UUID), UUID)


def test_a_cursor_of_another_list_is_refused() -> None:
    with pytest.raises(BadCursor):
        decode_cursor(encode_cursor("name"), int)
