"""Sets of listings as the bits of one integer: intersections and counts of thousands in a moment.

Listing number `i` of a shelf is bit `i`. Python's integers do the rest: `&`, `|`, `bit_count()`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence

BLOCK = 64
REMEMBERED = 256
"""Answers a ladder remembers."""
FEW = 200
"""Members up to which a set is taken apart from its top."""


def from_numbers(numbers: Iterable[int]) -> int:
    """The set of these numbers."""
    found = list(numbers)
    if not found:
        return 0
    field = bytearray((max(found) >> 3) + 1)
    for number in found:
        field[number >> 3] |= 1 << (number & 7)
    return int.from_bytes(field, "little")


def to_numbers(bits: int) -> list[int]:
    """The numbers in a set, ascending."""
    return to_few(bits) if bits.bit_count() <= FEW else _to_many(bits)


def to_few(bits: int) -> list[int]:
    """The same, quicker for a few: what is left gets shorter with each that is taken off."""
    numbers = []
    while bits:
        number = bits.bit_length() - 1
        numbers.append(number)
        bits ^= 1 << number
    numbers.reverse()
    return numbers


def _to_many(bits: int) -> list[int]:
    text = bin(bits)[:1:-1]
    numbers = []
    at = text.find("1")
    while at >= 0:
        numbers.append(at)
        at = text.find("1", at + 1)
    return numbers


class Ladder:
    """Numbers by a value of each: which have at most so much, answered without a walk."""

    def __init__(self, values: Sequence[int]) -> None:
        """`values[i]` is that of number `i`."""
        self._order = sorted(range(len(values)), key=values.__getitem__)
        self._sorted = [values[number] for number in self._order]
        self._steps = [0]
        for start in range(0, len(self._order), BLOCK):
            self._steps.append(self._steps[-1] | from_numbers(self._order[start : start + BLOCK]))
        self._told: dict[int, int] = {}

    def at_most(self, value: int) -> int:
        """The set of numbers whose value is `value` or less."""
        count = bisect_right(self._sorted, value)
        told = self._told.get(count)
        if told is None:
            whole = count // BLOCK
            told = self._steps[whole]
            if count > whole * BLOCK:
                told |= from_numbers(self._order[whole * BLOCK : count])
            # People ask for round prices: the same few again and again.
            if len(self._told) >= REMEMBERED:
                self._told.clear()
            self._told[count] = told
        return told
