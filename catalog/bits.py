"""Sets of listings as the bits of one integer: intersections and counts of thousands in a moment.

Listing number `i` of a shelf is bit `i`. Python's integers do the rest: `&`, `|`, `bit_count()`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence

BLOCK = 64


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

    def at_most(self, value: int) -> int:
        """The set of numbers whose value is `value` or less."""
        count = bisect_right(self._sorted, value)
        whole = count // BLOCK
        return self._steps[whole] | from_numbers(self._order[whole * BLOCK : count])
