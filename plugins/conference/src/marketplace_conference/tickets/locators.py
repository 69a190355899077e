"""Locators: the short name of a ticket, printed beside its QR code, for where a camera fails.

`7QK-M2X9`: six random characters of an alphabet of 31 without look-alikes, and a checksum. It
proves nothing: whoever types one at a door is asked for the name that the door then reads.
"""

from __future__ import annotations

import secrets
from typing import Final

ALPHABET: Final = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
RANDOM: Final = 6
LENGTH: Final = RANDOM + 1
_VALUES: Final = {character: value for value, character in enumerate(ALPHABET)}
_PRIME: Final = len(ALPHABET)
_BETWEEN: Final = str.maketrans("", "", " -\u2010\u2011\u2013\u2014.\t\r\n\u00a0")


def new_locator() -> str:
    """A new locator, as people read it."""
    drawn = [secrets.choice(ALPHABET) for _ in range(RANDOM)]
    return spaced("".join([*drawn, _check(drawn)]))


def spaced(locator: str) -> str:
    """In two groups."""
    return f"{locator[:3]}-{locator[3:]}"


def read_locator(text: str) -> str | None:
    """What was typed as a locator; None where it can be none, or a character is wrong."""
    if len(text) > 4 * LENGTH:
        return None
    plain = text.translate(_BETWEEN).upper()
    if len(plain) != LENGTH or any(each not in _VALUES for each in plain):
        return None
    return spaced(plain) if _sum(plain) == 0 else None


def _sum(characters: str) -> int:
    weighted = (weight * _VALUES[each] for weight, each in enumerate(characters, start=1))
    return sum(weighted) % _PRIME


def _check(drawn: list[str]) -> str:
    inverse = pow(LENGTH, -1, _PRIME)
    return ALPHABET[-_sum("".join(drawn)) * inverse % _PRIME]
