"""Codes resist guessing and typing errors."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marketplace_vouchers.codes import ALPHABET, LENGTH, RANDOM_CHARACTERS, new_code, read_code

CODES = st.builds(new_code)
PLACES = st.integers(0, LENGTH - 1)


def test_a_code_holds_seventy_four_bits() -> None:
    assert math.log2(len(ALPHABET)) * RANDOM_CHARACTERS > 74
    assert not set(ALPHABET) & set("01OIL")
    codes = {new_code() for _ in range(5_000)}
    assert len(codes) == 5_000
    assert all(read_code(code) == code for code in codes)


@given(CODES, PLACES, st.sampled_from(ALPHABET))
def test_any_one_wrong_character_is_noticed(code: str, place: int, other: str) -> None:
    plain = list(code.replace("-", ""))
    before, plain[place] = plain[place], other
    assert (read_code("".join(plain)) is not None) == (before == other)


@given(CODES, PLACES, PLACES)
def test_any_two_exchanged_characters_are_noticed(code: str, one: int, two: int) -> None:
    plain = list(code.replace("-", ""))
    same = plain[one] == plain[two]
    plain[one], plain[two] = plain[two], plain[one]
    assert (read_code("".join(plain)) is not None) == same


@given(CODES)
def test_people_type_codes_as_they_like(code: str) -> None:
    plain = code.replace("-", "")
    assert read_code(plain.lower()) == code
    assert read_code(f"  {plain[:3]} {plain[3:9]}.{plain[9:]}\n") == code


@given(st.text(max_size=80))
def test_whatever_is_typed_is_a_code_or_none(text: str) -> None:
    found = read_code(text)
    assert found is None or read_code(found) == found


@pytest.mark.parametrize("text", ["", "K7QX", "2" * 64, "2" * 65, "\N{FULLWIDTH DIGIT TWO}" * 16])
def test_what_is_no_code(text: str) -> None:
    assert read_code(text) is None
