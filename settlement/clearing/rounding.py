"""From micros to the smallest unit of a currency that a bank can move. Pure."""

from __future__ import annotations

import msgspec

from marketplace.money import DECIMALS, minor_digits


class Rounded(msgspec.Struct, frozen=True):
    """An amount as it is paid, and what rounding left over."""

    amount_minor: int
    """Without its sign, in the smallest unit: cents."""
    remainder_micros: int
    """What was asked less what is paid, both signed."""


def unit_micros(currency: str) -> int:
    """Micros in the smallest unit of a currency: 10,000 in a cent, a million in a yen."""
    return int(10 ** (DECIMALS - minor_digits(currency)))


def rounded(net_micros: int, currency: str) -> Rounded:
    """A signed amount to the nearest smallest unit, a half to the even one."""
    unit = unit_micros(currency)
    minor, rest = divmod(abs(net_micros), unit)
    if 2 * rest > unit or (2 * rest == unit and minor % 2):
        minor += 1
    remainder = abs(net_micros) - minor * unit
    return Rounded(minor, remainder if net_micros >= 0 else -remainder)
