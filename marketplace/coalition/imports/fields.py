"""What a cell of an imported file may hold. Pure: text in, value out, WrongCell where it fails.

Each type says in `words` what it takes ("12x" is not <words>).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, ClassVar, TypeVar

from marketplace.coalition.codes import COUNTRIES, CURRENCIES
from marketplace.letters import hidden_in
from marketplace.money import MAX_MICROS, MAX_POINTS, micros_from_decimal

AMOUNT = re.compile(r"(0|[1-9][0-9]{0,11})(\.[0-9]{1,6})?")
WHOLE = re.compile(r"0|[1-9][0-9]{0,18}")
MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?"
    r"(Z|[+-][0-9]{2}:[0-9]{2})?)?"
)
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(9000, 1, 1, tzinfo=UTC)

Self = TypeVar("Self", bound="Cell")


class WrongCell(ValueError):
    """The text of a cell that is none of its type."""


class Cell:
    """Base of the types below."""

    words: ClassVar[str]

    @classmethod
    def parse(cls: type[Self], text: str) -> Self:
        """The value of a cell that is not empty; WrongCell where it is none of this type."""
        raise NotImplementedError


class Whole(Cell, int):
    """A whole number between bounds."""

    smallest: ClassVar[int] = 0
    largest: ClassVar[int] = 1_000_000_000

    @classmethod
    def parse(cls: type[Whole], text: str) -> Any:
        if not WHOLE.fullmatch(text) or not cls.smallest <= int(text) <= cls.largest:
            raise WrongCell(text)
        return cls(text)


class Count(Whole):
    words = "a whole number from 0 to 1,000,000,000"


class Positive(Whole):
    words = "a whole number from 1 to 1,000,000,000"
    smallest = 1


class Points(Whole):
    words = f"a whole number from 1 to {MAX_POINTS:,}"
    smallest = 1
    largest = MAX_POINTS


class Days(Whole):
    words = "a whole number of days from 1 to 36,500"
    smallest = 1
    largest = 36_500


class BasisPoints(Whole):
    words = "basis points, a whole number from 0 to 10,000"
    largest = 10_000


class Share(Whole):
    words = "basis points, a whole number from 1 to 9,999"
    smallest = 1
    largest = 9_999


class AlertShare(Whole):
    words = "basis points, a whole number from 1 to 10,000"
    smallest = 1
    largest = 10_000


class DisputeDays(Whole):
    words = "a whole number of days from 0 to 3,650"
    largest = 3_650


class Micros(Cell, int):
    """An exact amount of currency units, kept as micros."""

    words = "an amount in currency units such as 17.50, with at most six decimals"
    smallest: ClassVar[int] = 0
    largest: ClassVar[int] = MAX_MICROS

    @classmethod
    def parse(cls: type[Micros], text: str) -> Any:
        if not AMOUNT.fullmatch(text):
            raise WrongCell(text)
        micros = micros_from_decimal(text)
        if not cls.smallest <= micros <= cls.largest:
            raise WrongCell(text)
        return cls(micros)


class Price(Micros):
    """What one point costs."""

    words = "a price in currency units from 0.000001 to 1000000, with at most six decimals"
    smallest = 1
    largest = 1_000_000_000_000


class Moment(Cell, datetime):
    """A date, or a date and time; without an offset it is UTC, without a time it is midnight."""

    words = "a date or time such as 2026-01-31 or 2026-01-31T12:00:00Z, from 1970 to 9000"

    @classmethod
    def parse(cls: type[Moment], text: str) -> Any:
        if not MOMENT.fullmatch(text):
            raise WrongCell(text)
        try:
            moment = cls.fromisoformat(text)
        except ValueError:
            raise WrongCell(text) from None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        if not EARLIEST <= moment <= LATEST:
            raise WrongCell(text)
        return moment


class Text(Cell, str):
    """One line of text, without blanks around it and without what is not seen."""

    words = "one line of at most 200 visible characters without blanks around it"
    pattern: ClassVar[re.Pattern[str]] = re.compile(r"(?!\s)[^\x00-\x1f\x7f]{1,200}(?<!\s)")
    lines: ClassVar[bool] = False
    """Whether it may have several."""

    @classmethod
    def parse(cls: type[Text], text: str) -> Any:
        if not cls.pattern.fullmatch(text) or hidden_in(text, lines=cls.lines):
            raise WrongCell(text)
        return cls(text)


class Reference(Text):
    words = "a reference of at most 200 characters without blanks around it"


class Slug(Text):
    words = "a name of lower case letters, digits and dashes"
    pattern = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


class PluginSlug(Text):
    words = "a plugin's slug, 2 to 31 lower case letters and digits"
    pattern = re.compile(r"[a-z][a-z0-9]{1,30}")


class Label(Text):
    """A name that people of a firm or kinds of reward go by."""

    words = "a word of lower case letters, digits, dashes and underscores"
    pattern = re.compile(r"[a-z0-9][a-z0-9_-]{0,49}")


class Code(Text):
    """A code that people read, with what it is."""

    words = "role: or tag: and a word, such as role:technician"
    pattern = re.compile(r"(role|tag):[a-z0-9][a-z0-9_-]{0,49}")


class Email(Text):
    words = "an e-mail address"
    pattern = re.compile(r"[^\s@\x00-\x1f\x7f]{1,64}@[^\s@\x00-\x1f\x7f]{1,190}")


class Locale(Text):
    words = "a language tag such as en or pt-BR"
    pattern = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")


class Country(Cell, str):
    words = "an ISO 3166 country code such as DE"

    @classmethod
    def parse(cls: type[Country], text: str) -> Any:
        if text not in COUNTRIES:
            raise WrongCell(text)
        return cls(text)


class Currency(Cell, str):
    words = "an ISO 4217 currency code such as EUR"

    @classmethod
    def parse(cls: type[Currency], text: str) -> Any:
        if text not in CURRENCIES:
            raise WrongCell(text)
        return cls(text)


class YesNo(StrEnum):
    """A column that is on or off."""

    YES = "yes"
    NO = "no"


class TextList(Cell, tuple[str, ...]):
    """Values separated by semicolons."""

    words = "a list separated by semicolons"
    item: ClassVar[type[Cell]] = Reference

    @classmethod
    def parse(cls: type[TextList], text: str) -> Any:
        items = [str(cls.item.parse(part.strip())) for part in text.split(";") if part.strip()]
        if not items or len(set(items)) < len(items):
            raise WrongCell(text)
        return cls(items)


class Labels(TextList):
    words = "different words separated by semicolons"
    item = Label


class Countries(TextList):
    words = "different ISO 3166 country codes separated by semicolons"
    item = Country


class References(TextList):
    words = "different references separated by semicolons"


def decode_cell(kind: Any, value: Any) -> Any:
    """The `dec_hook` of msgspec for the types above."""
    return kind.parse(value)
