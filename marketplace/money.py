"""Money is integer micros of a currency unit; points are integers. Never a float."""

from __future__ import annotations

import re

DECIMALS = 6
MICROS_PER_UNIT = 1_000_000
# Bounded, so that no text takes long to read.
PLAIN_DECIMAL = re.compile(r"(?P<sign>-?)(?P<units>[0-9]{1,18})(\.(?P<decimals>[0-9]{1,40}))?")
# ISO 4217, as of 2026: those that have not two.
_DIGITS = {0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"}
_DIGITS |= {3: "BHD IQD JOD KWD LYD OMR TND", 4: "CLF UYW"}
MINOR_DIGITS = {code: digits for digits, codes in _DIGITS.items() for code in codes.split()}
MAX_POINTS = 1_000_000_000_000
MAX_MICROS = 1_000_000_000_000_000  # a thousand million units: far above any reward, far below 2^63


def micros_from_decimal(text: str) -> int:
    """Parse an exact decimal amount of currency units ("17.50", "-3") into micros.

    Raises ValueError where the text is no plain decimal or has more than six decimals.
    """
    plain = PLAIN_DECIMAL.fullmatch(text)
    if plain is None:
        raise ValueError(f"{text!r} is not an amount")
    sign, units, decimals = plain["sign"], plain["units"], (plain["decimals"] or "").rstrip("0")
    if len(decimals) > DECIMALS:
        raise ValueError(f"{text!r} has more than six decimals")
    micros = int(units) * MICROS_PER_UNIT + int(decimals.ljust(DECIMALS, "0"))
    return -micros if sign else micros


def decimal_from_micros(micros: int) -> str:
    """The exact amount in currency units, without trailing zeros but with two decimals at least."""
    sign = "-" if micros < 0 else ""
    units, rest = divmod(abs(micros), MICROS_PER_UNIT)
    decimals = f"{rest:06d}".rstrip("0").ljust(2, "0")
    return f"{sign}{units}.{decimals}"


def minor_digits(currency: str) -> int:
    """Decimals of a currency's smallest unit: 2 for EUR, 0 for JPY, 3 for BHD."""
    return MINOR_DIGITS.get(currency, 2)


def decimal_from_minor(amount_minor: int, currency: str) -> str:
    """An amount in the smallest unit as currency units, with all its decimals: 1234 EUR is 12.34.

    What banks are sent: no sign but a minus, a dot, no grouping.
    """
    digits = minor_digits(currency)
    if not digits:
        return str(amount_minor)
    sign = "-" if amount_minor < 0 else ""
    units, rest = divmod(abs(amount_minor), 10**digits)
    return f"{sign}{units}.{rest:0{digits}d}"


def cost_of_interval(cost_micros: int, points: int, start: int, stop: int) -> int:
    """The part of a burn's cost that its points number `start` to `stop` (exclusive) carry.

    Cutting a burn of `points` points anywhere gives parts that sum to `cost_micros` exactly, so a
    capture by lot and any sequence of partial refunds agree to the last micro.
    """
    return cost_micros * stop // points - cost_micros * start // points
