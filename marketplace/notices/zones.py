"""Time zones: which one a country keeps, what they are called. PostgreSQL does the reckoning."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from babel import Locale
from babel.core import get_global

UTC_ZONE: Final = "UTC"
NOWHERE: Final = "Etc/Unknown"
MOST_PEOPLE_KEEP: Final = {
    "AR": "America/Argentina/Buenos_Aires",
    "AU": "Australia/Sydney",
    "BR": "America/Sao_Paulo",
    "CA": "America/Toronto",
    "CD": "Africa/Kinshasa",
    "CL": "America/Santiago",
    "CN": "Asia/Shanghai",
    "CY": "Asia/Nicosia",
    "EC": "America/Guayaquil",
    "ES": "Europe/Madrid",
    "ID": "Asia/Jakarta",
    "KZ": "Asia/Almaty",
    "MN": "Asia/Ulaanbaatar",
    "MX": "America/Mexico_City",
    "MY": "Asia/Kuala_Lumpur",
    "NZ": "Pacific/Auckland",
    "PT": "Europe/Lisbon",
    "RU": "Europe/Moscow",
    "US": "America/New_York",
    "UZ": "Asia/Tashkent",
}
"""Countries with several zones, whose first one in Babel's list few people live by."""


@lru_cache(maxsize=1)
def zones_by_country() -> dict[str, str]:
    """The zone that most people of each country keep, by ISO 3166 code."""
    known = get_global("territory_zones")
    found = {code: zones[0] for code, zones in known.items() if len(code) == 2 and code != "ZZ"}
    return {**found, **MOST_PEOPLE_KEEP}


@lru_cache(maxsize=1)
def all_zones() -> frozenset[str]:
    """Every zone there is to choose."""
    known = get_global("territory_zones")
    return frozenset(zone for zones in known.values() for zone in zones) - {NOWHERE}


@lru_cache(maxsize=8)
def zone_choices(language: str) -> tuple[tuple[str, str], ...]:
    """(zone, "Berlin, Germany") of every zone, by name, in a language of the pages."""
    locale = Locale.parse(language)
    country = {
        zone: locale.territories.get(code, code)
        for code, zones in get_global("territory_zones").items()
        if len(code) == 2 and code != "ZZ"
        for zone in zones
    }
    named = [(zone, _named(locale, zone, country.get(zone))) for zone in all_zones()]
    return tuple(sorted(named, key=lambda each: each[1].casefold()))


def city_of(zone: str, language: str) -> str:
    """The town that a zone is named after."""
    known = Locale.parse(language).time_zones.get(zone, {})
    return str(known.get("city") or zone.rsplit("/", 1)[-1].replace("_", " "))


def _named(locale: Locale, zone: str, country: str | None) -> str:
    city = city_of(zone, locale.language)
    return f"{city}, {country}" if country and country != city else city
