"""Words and pure rules of giving: numbers of charities, statuses, what is matched."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from typing import Final

from stdnum import iban
from stdnum.exceptions import ValidationError

from charity.errors import BadNumber
from marketplace.letters import hidden_in

SLUG: Final = "charity"
KIND: Final = "donation"
BPS: Final = 10_000
GRACE_MINUTES: Final = 30
"""How long a gift can be taken back, unless its campaign says otherwise."""
LONGEST_DEDICATION: Final = 140
LOCALES: Final = ("en", "ru", "pl", "it")
"""Languages that campaigns are written in: those of the pages."""
LONGEST_TITLE: Final = 120
LONGEST_STORY: Final = 10_000
MOST_MILESTONES: Final = 20
MOST_RATE_MICROS: Final = 1_000_000_000
"""What a point is worth at most; as much as a gift can hold of them fits an account."""
LONGEST_NAME: Final = 200
LONGEST_DESIGNATION: Final = 200
LONGEST_REASON: Final = 500
NUMBERS: Final[Mapping[str, str]] = {
    "AT": "at.uid",
    "BE": "be.vat",
    "CH": "ch.uid",
    "DK": "dk.cvr",
    "EE": "ee.registrikood",
    "ES": "es.cif",
    "FI": "fi.ytunnus",
    "FR": "fr.siren",
    "IT": "it.codicefiscale",
    "LT": "lt.pvm",
    "LV": "lv.pvn",
    "NL": "nl.btw",
    "NO": "no.orgnr",
    "PL": "pl.regon",
    "PT": "pt.nif",
    "RU": "ru.ogrn",
    "SE": "se.orgnr",
    "US": "us.ein",
}
"""By country the number that a charity is registered under, as a module of python-stdnum."""


class Verification(StrEnum):
    """What is known of a charity."""

    PENDING = "pending"
    VERIFIED = "verified"
    SUSPENDED = "suspended"


class Surplus(StrEnum):
    """What happens to money beyond a campaign's goal; fixed when it starts."""

    NEXT_CAMPAIGN = "next_campaign"
    GENERAL_FUND = "general_fund"


class MatchMode(StrEnum):
    """How a match is paid."""

    BILLED = "billed"
    """Gift by gift, in the settlement of the window that the gift is captured in."""
    PREFUNDED = "prefunded"
    """The whole cap when it starts; what was not matched is given back when it ends."""


class Donor(StrEnum):
    """Who owned the points: the donor of record."""

    PERSON = "person"
    FIRM = "firm"


class Origin(StrEnum):
    """How a gift came about."""

    GIVEN = "given"
    DIRECT = "direct"
    """A burn on the campaign's offer, by an API key or another page."""
    MONTHLY = "monthly"
    EXPIRING = "expiring"
    """Announced and then given by the clock, because its points would expire."""
    MATCH = "match"
    """A firm's points behind its match: what they matched counts, with the gifts they match."""


class GiftStatus(StrEnum):
    """How far a gift is.

    asked: its burn may not be held yet; held: it can be taken back; given: promised to the charity;
    captured: the points are spent; cancelled: taken back, the points are on their way; voided: they
    are back; refused: the burn never was.
    """

    ASKED = "asked"
    HELD = "held"
    GIVEN = "given"
    CAPTURED = "captured"
    CANCELLED = "cancelled"
    VOIDED = "voided"
    REFUSED = "refused"


class PlanStatus(StrEnum):
    """How far an announced gift of points that expire is.

    announced: its time comes, or it is tried again; given: the points are spent; nothing: none of
    the points were left; missed: it could not be given before they expired; stopped: by the giver.
    """

    ANNOUNCED = "announced"
    GIVEN = "given"
    NOTHING = "nothing"
    MISSED = "missed"
    STOPPED = "stopped"


OPEN: Final = (GiftStatus.ASKED, GiftStatus.HELD, GiftStatus.GIVEN, GiftStatus.CANCELLED)
"""Statuses whose burn may still be held."""
COUNTED: Final = (GiftStatus.ASKED, GiftStatus.HELD, GiftStatus.GIVEN, GiftStatus.CAPTURED)
"""Statuses whose match is reserved."""


def check_number(country: str, number: str) -> tuple[str, bool]:
    """A registration number in its usual form, and whether its form was checked.

    BadNumber where it cannot be one. Of countries that are not in `NUMBERS` any is taken.
    """
    plain = " ".join(number.split())
    if not plain or len(plain) > 40 or hidden_in(plain):
        said = "A registration number has 1 to 40 visible characters."
        raise BadNumber(said, field="number")
    name = NUMBERS.get(country)
    if name is None:
        return plain, False
    module = importlib.import_module(f"stdnum.{name}")
    try:
        return str(module.validate(plain)), True
    except ValidationError as error:
        raise BadNumber(f"{plain} is no {country} number: {error}.", field="number") from None


def check_iban(text: str) -> str:
    """An IBAN without spaces; BadNumber where it is none."""
    try:
        return str(iban.validate(text))
    except ValidationError as error:
        raise BadNumber(f"{text} is no IBAN: {error}.", field="iban") from None


def may_receive(state: Verification, review_due_on: date | None, today: date) -> bool:
    """Whether a charity is verified, and its verification has not lapsed."""
    return state is Verification.VERIFIED and review_due_on is not None and today < review_due_on


def matched(points: int, ratio_bps: int, room: int) -> int:
    """What a match adds to a gift of `points`, given the `room` left below its cap."""
    return min(points * ratio_bps // BPS, room)


def still_matched(matched_points: int, points: int, kept: int) -> int:
    """What stays of a match when the charity keeps `kept` of a gift's `points`."""
    return matched_points * kept // points
