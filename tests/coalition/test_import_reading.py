"""Files as they come: marks, quotes, line ends, strange bytes, wrong headers."""

from __future__ import annotations

import io

import msgspec
import pytest

from marketplace.coalition.imports.fields import Text
from marketplace.coalition.imports.reading import Reader
from marketplace.coalition.imports.report import Faults


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """A small row."""

    one: Text
    two: Text | None = None


def read(content: bytes) -> tuple[list[tuple[int, str, str | None]], list[tuple[int, str]]]:
    """(line, one, two) of the good rows, and (line, reason) of the bad ones."""
    faults = Faults()
    chunks = Reader(io.BytesIO(content), Pair, faults).chunks()
    good = [(line, row.one, row.two) for rows in chunks for line, row in rows]
    return good, [(bad.line, bad.reason) for bad in faults.kept]


@pytest.mark.parametrize(
    "content",
    [
        b"one,two\na,b\nc,\n",
        b"\xef\xbb\xbfone,two\na,b\nc,\n",
        b"two,one\r\nb,a\r\n,c\r\n",
        b'"one","two"\n"a","b"\n"c",""',
    ],
)
def test_the_ways_of_writing_one_file(content: bytes) -> None:
    assert read(content) == ([(2, "a", "b"), (3, "c", None)], [])


def test_a_column_with_a_default_may_be_left_out() -> None:
    assert read(b"one\na\n") == ([(2, "a", None)], [])


def test_lines_are_counted_through_blank_lines_and_quoted_line_breaks() -> None:
    good, bad = read(b'one,two\n\na,b\n"x\r\ny",b\n\nc,d\n')
    assert [line for line, *_ in good] == [3, 7]
    assert [line for line, _ in bad] == [5]


def test_no_rows() -> None:
    assert read(b"one,two\n") == ([], [])


@pytest.mark.parametrize(
    ("content", "reasons"),
    [
        (b"", ["there is no header; the columns are one, two"]),
        (b"two\nx\n", ["column 'one' is missing"]),
        (
            b"one,tow\na,b\n",
            ["unknown column 'tow'; the columns are one, two"],
        ),
        (b"one,one\na,b\n", ["column 'one' is there twice"]),
        (b"one;two\na;b\n", ["the columns must be separated by commas, not semicolons"]),
    ],
)
def test_a_wrong_header_is_explained(content: bytes, reasons: list[str]) -> None:
    assert read(content) == ([], [(1, reason) for reason in reasons])


def test_bytes_that_are_no_text_are_named_by_line() -> None:
    good, bad = read(b"one\na\n\xff\xfe\nc\n")
    assert bad == [(3, "the line is not UTF-8")]
    assert (2, "a", None) in good


def test_reading_goes_on_after_a_broken_line() -> None:
    good, bad = read(b'one,two\na,b\n"x"y,b\nc,d\n')
    assert good == [(2, "a", "b"), (4, "c", "d")]
    assert [line for line, _ in bad] == [3]


def test_a_quote_that_is_never_closed() -> None:
    _, bad = read(b'one\na\n"b\nc\n')
    assert len(bad) == 1


def test_a_control_character_is_refused() -> None:
    _, bad = read(b"one\na\0b\n")
    assert [line for line, _ in bad] == [2]


def test_progress_tells_every_byte() -> None:
    told: list[int] = []
    content = b"one,two\n" + b"a,b\n" * 20_000
    chunks = Reader(io.BytesIO(content), Pair, Faults(), told.append).chunks()
    assert sum(len(rows) for rows in chunks) == 20_000
    assert sum(told) == len(content)
    assert len(told) > 3
