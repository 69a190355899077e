"""Voucher codes: `K7QX-2M9F-TR4W-HJ6B`. Pure, but for the randomness.

Fifteen random characters of an alphabet of 31, without those that look alike (0 O, 1 I L): 74 bits.
With ten million vouchers in force, a guess hits one with a probability of 2^-51. The sixteenth is a
checksum: the weighted sum of all characters is zero modulo 31. As 31 is prime and no two weights
are equal, any one wrong character and any two exchanged ones, adjacent or not, are noticed.
"""

from __future__ import annotations

import secrets

ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
RANDOM_CHARACTERS = 15
LENGTH = RANDOM_CHARACTERS + 1
GROUP = 4
LONGEST_INPUT = 64
"""Characters read of what somebody typed; a code with separators has 19."""

_PRIME = len(ALPHABET)
_VALUES = {character: value for value, character in enumerate(ALPHABET)}
_LAST_INVERSE = pow(LENGTH, -1, _PRIME)
_BETWEEN = str.maketrans("", "", " -\u2010\u2011\u2013\u2014.\t\r\n\u00a0")


def new_code() -> str:
    """A new code, written as people read it."""
    characters = [secrets.choice(ALPHABET) for _ in range(RANDOM_CHARACTERS)]
    return spaced("".join([*characters, _check_character(characters)]))


def spaced(code: str) -> str:
    """A code in groups of four."""
    return "-".join(code[start : start + GROUP] for start in range(0, LENGTH, GROUP))


def read_code(text: str) -> str | None:
    """What was typed or scanned as a code in groups; None where it can be no code of ours."""
    if len(text) > LONGEST_INPUT:
        return None
    characters = text.translate(_BETWEEN).upper()
    if len(characters) != LENGTH or any(each not in _VALUES for each in characters):
        return None
    return spaced(characters) if _sum(characters) == 0 else None


def _sum(characters: str) -> int:
    weighted = (weight * _VALUES[each] for weight, each in enumerate(characters, start=1))
    return sum(weighted) % _PRIME


def _check_character(characters: list[str]) -> str:
    return ALPHABET[-_sum("".join(characters)) * _LAST_INVERSE % _PRIME]
