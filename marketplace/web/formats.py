"""Numbers, money and dates as a reader of the spoken language writes them.

Amounts stay integers up to here; what is shown is rounded half to even to the currency's
own decimals.
Days and hours are UTC, as everywhere in the marketplace.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from babel import dates, numbers

from marketplace.money import DECIMALS
from marketplace.web.i18n import present, spoken


def number(value: int | Decimal) -> str:
    """A plain number with its thousands kept apart."""
    return str(numbers.format_decimal(value, locale=spoken().locale))


points = number
"""Points without their unit; templates name it with `ngettext`."""


def percent(share: Decimal | float) -> str:
    """A share of one, as whole per cent."""
    return str(numbers.format_percent(share, locale=spoken().locale))


def money(micros: int, currency: str) -> str:
    """An amount with its currency, e.g. "€12.50"."""
    amount = Decimal(micros).scaleb(-DECIMALS)
    return str(numbers.format_currency(amount, currency, locale=spoken().locale))


def unit_price(micros: int, currency: str) -> str:
    """A price of one point, with three or four decimals: "€0.0085"."""
    language = spoken()
    amount = Decimal(micros).scaleb(-DECIMALS)
    pattern = language.locale.currency_formats["standard"].pattern
    exact = pattern.split(";")[0].replace("0.00", "0.000#")
    return str(
        numbers.format_currency(
            amount, currency, format=exact, locale=language.locale, currency_digits=False
        )
    )


def day(moment: datetime | date, style: str = "medium") -> str:
    """A day: "3 Mar 2026"; styles are `short`, `medium`, `long`, `full`."""
    return str(dates.format_date(moment, format=style, locale=spoken().locale))


def month(moment: datetime | date) -> str:
    """A month: "Mar 2026"."""
    return str(dates.format_skeleton("yMMM", moment, locale=spoken().locale))


def day_and_hour(moment: datetime) -> str:
    """A day with hours and minutes, UTC."""
    locale = spoken().locale
    joined = str(dates.get_datetime_format("medium", locale=locale))
    hour = dates.format_time(moment, "short", locale=locale)
    return joined.replace("{0}", hour).replace("{1}", day(moment))


def relative(moment: datetime) -> str:
    """How far from now a moment is: "in 3 days", "2 hours ago"."""
    delta: timedelta = moment - present()
    return str(
        dates.format_timedelta(delta, add_direction=True, threshold=1, locale=spoken().locale)
    )


def initials(name: str) -> str:
    """Two letters that stand for a person or firm: "Anna Kowalska" becomes "AK"."""
    words = [word for word in name.split() if word[0].isalnum()]
    ends = [words[0], words[-1]] if len(words) > 1 else words
    return "".join(word[0] for word in ends).upper() or "·"


FILTERS: dict[str, Callable[..., Any]] = {
    "number": number,
    "points": points,
    "percent": percent,
    "money": money,
    "unit_price": unit_price,
    "date": day,
    "month": month,
    "datetime": day_and_hour,
    "relative": relative,
    "initials": initials,
}
"""By the names templates use."""
