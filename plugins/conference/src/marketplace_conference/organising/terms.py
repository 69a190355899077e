"""What a form or a command says of giving tickets back and changing them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from marketplace.api import Lazy, lazy

MOST_TERMS: Final = 20
MOST_DAYS: Final = 3650
Problems = dict[str, Lazy]
NO_MINUTES: Final = lazy("A whole number of minutes, 10,080 at most, which are seven days.")
NO_DAYS: Final = lazy("A whole number of days, 3650 at most.")


def whole(words: str, most: int) -> int | None:
    """A whole number, 0 or more; None where it is none, or too large."""
    digits = words.strip()
    if not (digits.isascii() and digits.isdigit() and len(digits) <= len(str(most))):
        return None
    return int(digits) if int(digits) <= most else None


def read(rows: Sequence[tuple[str, str]]) -> tuple[Mapping[int, int], Problems]:
    """Percent by days, from (days, percent) as typed, and what is wrong by field (`days-1`, ...).

    Empty rows are none.
    """
    terms: dict[int, int] = {}
    problems = Problems()
    for number, (days_typed, percent_typed) in enumerate(rows, start=1):
        if not days_typed.strip() and not percent_typed.strip():
            continue
        days, percent = whole(days_typed, MOST_DAYS), whole(percent_typed, 100)
        if days is None:
            problems[f"days-{number}"] = NO_DAYS
        elif days in terms:
            problems[f"days-{number}"] = lazy("This many days are there already.")
        if percent is None:
            problems[f"percent-{number}"] = lazy("A whole number from 0 to 100.")
        if days is not None and percent is not None:
            terms.setdefault(days, percent)
    if not terms and not problems:
        problems["days-1"] = lazy("Say it for one day at least; 0 percent gives nothing back.")
    return terms, problems
