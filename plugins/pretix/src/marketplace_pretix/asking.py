"""What an organizer asks of who comes, and whether what was said answers it: pure, no I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Literal, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from marketplace.api import Lazy, lazy

Text: TypeAlias = dict[str, str] | str
"""Words of an organizer: by language, or in one."""
Wanted: TypeAlias = Literal["no", "optional", "required"]

ANSWERABLE: Final = frozenset(("N", "S", "T", "B", "C", "M", "D", "H", "W", "CC", "TEL"))
"""Kinds of questions that can be answered here: all but files."""
CHOSEN: Final = frozenset(("C", "M"))
NAME_PARTS: Final[Mapping[str, tuple[str, ...]]] = {
    "given_family": ("given_name", "family_name"),
    "title_given_family": ("given_name", "family_name"),
    "given_middle_family": ("given_name", "family_name"),
    "title_given_middle_family": ("given_name", "family_name"),
    "family_given": ("family_name", "given_name"),
    "family_nospace_given": ("family_name", "given_name"),
    "family_comma_given": ("family_name", "given_name"),
    "calling_full": ("full_name",),
    "full_transcription": ("full_name",),
    "salutation_given_family": ("given_name", "family_name"),
    "salutation_title_given_family": ("given_name", "family_name"),
    "salutation_title_given_family_degree": ("given_name", "family_name"),
}
"""What a name has to have by the organizer's scheme; any other has `full_name`."""
PARTS: Final[Mapping[str, Lazy]] = {
    "given_name": lazy("Given name"),
    "family_name": lazy("Family name"),
    "full_name": lazy("Full name"),
}
ADDRESS_PARTS: Final[Mapping[str, Lazy]] = {
    "street": lazy("Street and number"),
    "zipcode": lazy("Postal code"),
    "city": lazy("City"),
    "country": lazy("Country"),
}
COUNTRY: Final = re.compile("[A-Z]{2}")
ADDRESS: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
PHONE: Final = re.compile(r"\+[1-9][0-9 ()/.-]{5,30}")
LONGEST: Final = 200
LONGEST_ANSWER: Final = 2_000

MISSING: Final = lazy("This is required.")
TOO_LONG: Final = lazy("This is too long.")
TOO_SHORT: Final = lazy("This is too short.")
UNSEEN: Final = lazy("This has characters that are not seen.")
NO_ADDRESS: Final = lazy("This is no e-mail address.")
NO_NUMBER: Final = lazy("This is no number.")
NO_DATE: Final = lazy("This is no date, or no time.")
NO_PHONE: Final = lazy("Begin with + and the code of the country, as in +48 22 123 45 67.")
NO_COUNTRY: Final = lazy("This is no country.")
NOT_OFFERED: Final = lazy("Choose one of what is offered.")
OUT_OF_BOUNDS: Final = lazy("This is more or less than the organizer takes.")


class Option(msgspec.Struct, frozen=True):
    """One that can be chosen."""

    id: int
    identifier: str
    answer: Text = ""


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """A question, as pretix has it."""

    id: int
    question: Text
    type: str
    required: bool = False
    items: list[int] = []
    options: list[Option] = []
    position: int = 0
    ask_during_checkin: bool = False
    hidden: bool = False
    dependency_question: int | None = None
    dependency_values: list[str] = []
    help_text: Text | None = None
    valid_number_min: str | None = None
    valid_number_max: str | None = None
    valid_date_min: str | None = None
    valid_date_max: str | None = None
    valid_datetime_min: datetime | None = None
    valid_datetime_max: datetime | None = None
    valid_string_length_min: int | None = None
    valid_string_length_max: int | None = None


class Bundled(msgspec.Struct, frozen=True):
    """What comes with each unit, and is asked for nothing."""

    item: int
    variation: int | None
    count: int


class Asks(msgspec.Struct, frozen=True, kw_only=True):
    """All that is asked of who comes with one product."""

    names: Wanted = "no"
    name_scheme: str = "full"
    emails: Wanted = "no"
    companies: Wanted = "no"
    addresses: Wanted = "no"
    questions: list[Question] = []
    is_seated: bool = False
    least: int = 1
    most: int | None = None
    time_zone: str = "UTC"
    bundled: list[Bundled] = []
    """Asks nothing, and goes with the order."""

    @property
    def must_be_told(self) -> bool:
        """Whether nothing can be ordered before it was answered."""
        wanted = (self.names, self.emails, self.companies, self.addresses)
        required = any(each.required for each in self.questions)
        return self.is_seated or required or "required" in wanted

    def fits(self, quantity: int) -> bool:
        """Whether the organizer sells so many in one order."""
        return self.least <= quantity <= (self.most or quantity)

    @property
    def name_parts(self) -> tuple[str, ...]:
        """Parts of a name, in the organizer's order."""
        return NAME_PARTS.get(self.name_scheme, ("full_name",))


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Who comes, as they were typed."""

    name: dict[str, str] = {}
    email: str = ""
    company: str = ""
    address: dict[str, str] = {}
    """By `ADDRESS_PARTS`; the country is a code of two letters."""
    answers: dict[str, list[str]] = {}
    """By the question's id; ids of options where one chooses."""
    seat: str = ""


Problems: TypeAlias = dict[str, Lazy]
"""By field: `name-given_name`, `email`, `company`, `street`, `seat`, `q-12`."""


def problems(person: Person, asks: Asks) -> Problems:
    """What is wrong with what was said about one person; empty where nothing is."""
    found: Problems = {}
    for part in asks.name_parts if asks.names != "no" else ():
        _note(found, f"name-{part}", _of_text(person.name.get(part, ""), asks.names))
    if asks.emails != "no":
        _note(found, "email", _of_text(person.email, asks.emails))
        if person.email and not ADDRESS.fullmatch(person.email):
            found["email"] = NO_ADDRESS
    if asks.companies != "no":
        _note(found, "company", _of_text(person.company, asks.companies))
    if asks.addresses != "no":
        for part in ADDRESS_PARTS:
            _note(found, part, _of_text(person.address.get(part, ""), asks.addresses))
        country = person.address.get("country", "")
        if country and not COUNTRY.fullmatch(country):
            found["country"] = NO_COUNTRY
    if asks.is_seated and not person.seat:
        found["seat"] = MISSING
    for each in asked(asks, person.answers):
        _note(found, f"q-{each.id}", _of_answer(each, person.answers.get(str(each.id), []), asks))
    return found


def asked(asks: Asks, answers: Mapping[str, Sequence[str]]) -> list[Question]:
    """The questions that are asked of somebody who answers so: some depend on others."""
    by_id = {each.id: each for each in asks.questions}

    def is_asked(question: Question, depth: int = 0) -> bool:
        parent_id = question.dependency_question
        if parent_id is None:
            return True
        parent = by_id.get(parent_id)
        if parent is None or depth > len(by_id) or not is_asked(parent, depth + 1):
            return False
        return bool(set(question.dependency_values) & _values(parent, answers))

    return [each for each in asks.questions if is_asked(each)]


def position(person: Person, asks: Asks) -> dict[str, Any]:
    """The part of a position of an order that says who comes, as pretix takes it."""
    made: dict[str, Any] = {}
    name = {part: person.name[part] for part in asks.name_parts if person.name.get(part)}
    if asks.names != "no" and name:
        made["attendee_name_parts"] = {"_scheme": asks.name_scheme, **name}
    if asks.emails != "no" and person.email:
        made["attendee_email"] = person.email
    if asks.companies != "no" and person.company:
        made["company"] = person.company
    if asks.addresses != "no":
        address = {part: person.address.get(part, "") for part in ADDRESS_PARTS}
        made |= {part: text for part, text in address.items() if text}
    if asks.is_seated:
        made["seat"] = person.seat
    answers = [
        _answer(each, given, asks)
        for each in asked(asks, person.answers)
        if (given := person.answers.get(str(each.id)))
    ]
    return {**made, "answers": answers} if answers else made


def said(text: Text | None, language: str) -> str:
    """An organizer's words in a language, else in English, else in the first it has."""
    if not isinstance(text, dict):
        return text or ""
    near = [words for code, words in text.items() if code.split("-")[0] == language]
    return text.get(language) or next(iter(near), "") or text.get("en") or _first(text)


def _first(text: Mapping[str, str]) -> str:
    return next((words for words in text.values() if words), "")


def _note(found: Problems, field: str, problem: Lazy | None) -> None:
    if problem is not None:
        found[field] = problem


def _of_text(text: str, wanted: Wanted) -> Lazy | None:
    if not text:
        return MISSING if wanted == "required" else None
    if not text.isprintable():
        return UNSEEN
    return TOO_LONG if len(text) > LONGEST else None


def _values(question: Question, answers: Mapping[str, Sequence[str]]) -> set[str]:
    """An answer, as questions that depend on it name it."""
    given = set(answers.get(str(question.id), ()))
    if question.type not in CHOSEN:
        return given
    return {each.identifier for each in question.options if str(each.id) in given}


def _of_answer(question: Question, given: Sequence[str], asks: Asks) -> Lazy | None:
    if not any(given):
        return MISSING if question.required else None
    if question.type in CHOSEN:
        offered = {str(each.id) for each in question.options}
        is_one = question.type == "M" or len(given) == 1
        return None if is_one and set(given) <= offered else NOT_OFFERED
    if len(given) > 1 or len(given[0]) > LONGEST_ANSWER:
        return TOO_LONG
    if not all(line.isprintable() for line in given[0].replace("\r\n", "\n").split("\n")):
        return UNSEEN
    return _of_typed(question, given[0], asks)


def _of_typed(question: Question, text: str, asks: Asks) -> Lazy | None:
    match question.type:
        case "B":
            if text not in ("True", "False"):
                return NOT_OFFERED
            # A required one is a statement to agree with, as at pretix.
            return MISSING if question.required and text != "True" else None
        case "N":
            return _of_number(question, text)
        case "D" | "H" | "W":
            return _of_moment(question, text, asks)
        case "TEL":
            return None if PHONE.fullmatch(text) else NO_PHONE
        case "CC":
            return None if COUNTRY.fullmatch(text) else NO_COUNTRY
    if len(text) < (question.valid_string_length_min or 0):
        return TOO_SHORT
    return TOO_LONG if len(text) > (question.valid_string_length_max or LONGEST_ANSWER) else None


def _of_number(question: Question, text: str) -> Lazy | None:
    try:
        number = Decimal(text.replace(",", "."))
    except InvalidOperation:
        return NO_NUMBER
    if not number.is_finite() or len(text) > 40:
        return NO_NUMBER
    least, most = question.valid_number_min, question.valid_number_max
    is_within = (least is None or number >= Decimal(least)) and (
        most is None or number <= Decimal(most)
    )
    return None if is_within else OUT_OF_BOUNDS


def _of_moment(question: Question, text: str, asks: Asks) -> Lazy | None:
    try:
        if question.type == "H":
            time.fromisoformat(text)
            return None
        if question.type == "D":
            day = date.fromisoformat(text).isoformat()
            is_within = (question.valid_date_min or day) <= day <= (question.valid_date_max or day)
        else:
            moment = _moment(text, asks.time_zone)
            least, most = question.valid_datetime_min, question.valid_datetime_max
            is_within = (least or moment) <= moment <= (most or moment)
    except ValueError:
        return NO_DATE
    return None if is_within else OUT_OF_BOUNDS


def _moment(text: str, time_zone: str) -> datetime:
    """What was typed is a moment where the event is. ValueError."""
    found = datetime.fromisoformat(text)
    return found if found.tzinfo is not None else found.replace(tzinfo=zone(time_zone))


def zone(name: str) -> ZoneInfo:
    """The time zone of this name; UTC where this machine knows none of it."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def _answer(question: Question, given: Sequence[str], asks: Asks) -> dict[str, Any]:
    if question.type in CHOSEN:
        # Pretix writes the text of a choice itself, and takes no empty one.
        chosen = [int(each) for each in given]
        return {"question": question.id, "answer": ", ".join(given), "options": chosen}
    text = given[0]
    if question.type == "N":
        text = text.replace(",", ".")
    elif question.type == "W":
        text = _moment(text, asks.time_zone).isoformat()
    return {"question": question.id, "answer": text, "options": []}
