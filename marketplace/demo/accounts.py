"""Bank accounts of the demonstration: well formed, their check digits right, nobody's. No I/O."""

from __future__ import annotations

from typing import Final

import msgspec

from marketplace.demo.people import MEMBERS, OPERATOR

RAIL: Final = "sepa"
MANDATE_SIGNED_ON: Final = "2025-01-15"


class Place(msgspec.Struct, frozen=True):
    """An account and where its holder sits."""

    iban: str
    street: str
    building: str
    postcode: str
    town: str


HOUSE: Final = Place("NL78MERI0417164300", "Keizerskade", "41", "1016 ZZ", "Amsterdam")
"""The account of the clearing house."""
CREDITOR_ID: Final = "NL08ZZZ417164300000"

PLACES: Final = {
    OPERATOR: Place("NL77MERI0417164415", "Keizerskade", "41", "1016 ZZ", "Amsterdam"),
    "nordlicht": Place("DE20999501100004711020", "Speicherweg", "8", "24103", "Kiel"),
    "tuiles-du-midi": Place(
        "FR7699910040210041702130603", "Chemin des Fours", "12", "31200", "Toulouse"
    ),
    "valdorra": Place("ES4899910418010604187231", "Calle del Yunque", "5", "50018", "Zaragoza"),
    "brennero": Place("IT46A9993101600000041702230", "Via dei Ponti", "27", "39100", "Bolzano"),
    "havenwerk": Place("NL32HAVN0260871530", "Loodsstraat", "3", "3011 ZZ", "Rotterdam"),
    "wisla-stal": Place("PL34000009960000040081236510", "Hutnicza", "19", "31-999", "Krakow"),
    "kartenkontor": Place("DE72999501200031804410", "Kontorgasse", "2", "20457", "Hamburg"),
    "carte-celeste": Place("FR7699920007710008813045735", "Rue des Etoiles", "7", "69002", "Lyon"),
    "atlantico": Place("PT50999100330041720081589", "Rua do Farol", "11", "1100-999", "Lisboa"),
    "forum-baltica": Place("LT929991000417005512", "Uosto gatve", "6", "01999", "Vilnius"),
    "acqua-chiara": Place("IT66O9993202400000007781904", "Via Fontana", "1", "06121", "Perugia"),
}
"""By member."""


def house() -> dict[str, str]:
    """The settings of the rail."""
    return {
        "name": "Meridian Circle Clearing",
        "iban": HOUSE.iban,
        **_address(HOUSE, "NL"),
        "creditor_id": CREDITOR_ID,
    }


def of_members() -> dict[str, dict[str, str]]:
    """The account of each member, as the rail asks for it, with a mandate to collect from it."""
    return {
        member.slug: {
            "holder": member.name,
            "iban": PLACES[member.slug].iban,
            **_address(PLACES[member.slug], member.country),
            "mandate_id": f"MERIDIAN-{member.slug.upper()}",
            "mandate_signed_on": MANDATE_SIGNED_ON,
        }
        for member in MEMBERS
    }


def _address(place: Place, country: str) -> dict[str, str]:
    return {
        "street": place.street,
        "building": place.building,
        "postcode": place.postcode,
        "town": place.town,
        "country": country,
    }
