"""Which payments of a file a block stands for, by its name."""

from __future__ import annotations

import pytest

from settlement.bank.files import _part

LEGS = ("L-1", "L-2")


def file_of(first: str, second: str) -> bytes:
    return f"<B>{first}</B><E>L-1</E><B>{second}</B><E>L-2</E>".encode()


def test_a_block_ends_where_the_next_number_stands() -> None:
    part = _part(file_of("S-1-T-1", "S-1-T-2"), "S-1-T-1", LEGS)
    assert b"L-1" in part
    assert b"L-2" not in part
    assert b"L-1" not in _part(file_of("S-1-T-1", "S-1-T-2"), "S-1-T-2", LEGS)


@pytest.mark.parametrize("name", ["BLOCK-A", "MISSING-1"])
def test_a_block_whose_end_is_unknown_stands_for_nothing(name: str) -> None:
    assert _part(file_of("BLOCK-A", "BLOCK-B"), name, LEGS) == b""
