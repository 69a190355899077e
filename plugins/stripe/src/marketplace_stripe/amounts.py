"""Amounts as Stripe counts them, in the currencies this rail moves."""

from __future__ import annotations

from typing import Final

from marketplace.api import minor_digits

CURRENCIES: Final = frozenset(
    [
        "AED",
        "AUD",
        "BGN",
        "BRL",
        "CAD",
        "CHF",
        "CZK",
        "DKK",
        "EUR",
        "GBP",
        "HKD",
        "ILS",
        "INR",
        "JPY",
        "KRW",
        "MXN",
        "MYR",
        "NOK",
        "NZD",
        "PHP",
        "PLN",
        "RON",
        "SAR",
        "SEK",
        "SGD",
        "THB",
        "TRY",
        "USD",
        "ZAR",
    ]
)
"""Those of which Stripe's smallest unit is that of ISO 4217. In others (ISK, UGX, three decimals)
it counts otherwise; they are left out rather than guessed."""
LARGEST: Final = 99_999_999
"""Of one payment, in smallest units: eight digits. In some currencies Stripe takes more; parts of
eight digits are taken in all."""
MOST_PARTS: Final = 100
"""Of one leg: as many requests one after the other as anybody wants to follow."""


def refusal(currency: str, amount_minor: int) -> str:
    """Why an amount cannot be moved; empty where it can."""
    if currency not in CURRENCIES:
        return f"Stripe does not move {currency} for this rail"
    if not 0 < amount_minor <= LARGEST * MOST_PARTS:
        most = LARGEST * MOST_PARTS // 10 ** minor_digits(currency)
        return f"this rail moves more than nothing and at most {most:,} {currency}"
    return ""
