"""What the values of facets are called, in the reader's language."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from babel import Locale, UnknownLocaleError

from catalog.domain import FALLBACK


def label_of(partners: Mapping[str, str], name: str, value: str, locale: str) -> str:
    """The name of a facet's value; the value itself where it has none."""
    match name:
        case "partner":
            return partners.get(value, value)
        case "country":
            return country_name(value, locale)
        case "language":
            return language_name(value, locale)
    return value


@lru_cache(maxsize=64)
def _locale(locale: str) -> Locale:
    try:
        return Locale.parse(locale, sep="-")
    except (UnknownLocaleError, ValueError):
        return Locale.parse(FALLBACK)


def country_name(code: str, locale: str) -> str:
    """The name of a country (`PL` is Poland, Polska, Польша, Polonia)."""
    return str(_locale(locale).territories.get(code, code))


def language_name(code: str, locale: str) -> str:
    """The name of a language."""
    return str(_locale(locale).languages.get(code.split("-")[0], code))
