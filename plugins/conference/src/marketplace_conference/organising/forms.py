"""What the forms of a draft say: fields read into the parts of an event's document. Pure.

Each reader takes what was typed and the document as it is, notes what is wrong beside its field,
and gives the document that is wanted, or None where something is wrong.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from marketplace.api import LANGUAGES as PAGE_LANGUAGES
from marketplace.api import Lazy, lazy, micros_from_decimal
from marketplace_conference.documents import zones
from marketplace_conference.names import Names
from marketplace_conference.organising.moves import HOUR, read_moment

LONGEST_LINE: Final = 200
LONGEST_TEXT: Final = 4_000
LONGEST_CODE: Final = 64
AMOUNT: Final = re.compile(r"(0|[1-9][0-9]{0,8})(\.[0-9]{1,6})?")
SLUG: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?")
SKU: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
LATIN: Final = str.maketrans(
    dict(zip("łøđðıабвгдеёзийклмнопрстуфыэі", "loddiabvgdeezijklmnoprstufyei", strict=True))
    | {"ß": "ss", "æ": "ae", "œ": "oe", "þ": "th"}
    | {"ж": "zh", "х": "kh", "ц": "ts", "ч": "ch", "ш": "sh", "щ": "shch", "ъ": "", "ь": ""}  # noqa: RUF001
    | {"ю": "yu", "я": "ya"}
)
"""Letters that no accent makes, as addresses write them."""
LANGUAGES: Final = {
    "bg": "Български", "cs": "Čeština", "da": "Dansk", "de": "Deutsch", "el": "Ελληνικά",
    "en": "English", "es": "Español", "et": "Eesti", "fi": "Suomi", "fr": "Français",
    "ga": "Gaeilge", "hr": "Hrvatski", "hu": "Magyar", "is": "Íslenska", "it": "Italiano",
    "lt": "Lietuvių", "lv": "Latviešu", "mt": "Malti", "nl": "Nederlands", "no": "Norsk",
    "pl": "Polski", "pt": "Português", "ro": "Română", "ru": "Русский", "sk": "Slovenčina",
    "sl": "Slovenščina", "sr": "Српски", "sv": "Svenska", "tr": "Türkçe", "uk": "Українська",
}  # fmt: skip
"""Languages of events, as those who speak them call them."""
NAME_IN: Final = "name-"
"""Before the code of a language: the field of a name in it."""
NEEDED: Final = lazy("Fill this in.")


class Form:
    """What was typed, and what is wrong with it by field."""

    def __init__(self, typed: Mapping[str, Any]) -> None:
        self.typed = {name: str(words).replace("\r\n", "\n") for name, words in typed.items()}
        self.problems: dict[str, Lazy] = {}

    def __getitem__(self, name: str) -> str:
        return self.typed.get(name, "")

    def wrong(self, name: str, words: Lazy) -> None:
        """Note what is wrong; the first thing about a field is what is said."""
        self.problems.setdefault(name, words)

    def has(self, name: str) -> bool:
        """Whether a box is ticked."""
        return bool(self[name])

    def line(self, name: str, *, required: bool = True, kept: str = "") -> str:
        """One line of text; `kept`, what it was, where only blanks differ."""
        words = " ".join(self[name].split())
        if words and words == " ".join(kept.split()):
            return kept if kept.isprintable() else words
        if required and not words:
            self.wrong(name, NEEDED)
        elif len(words) > LONGEST_LINE or not words.isprintable():
            self.wrong(name, lazy("200 characters at most, in one line."))
        return words

    def names(self, own: str, kept: Names) -> dict[str, str]:
        """Names in the languages of pages but the event's `own`; those that are `kept` in yet
        others, which no field asks for, stay."""
        found = {code: words for code, words in kept.items() if code not in PAGE_LANGUAGES}
        for code in PAGE_LANGUAGES:
            if words := self.line(f"{NAME_IN}{code}", required=False):
                found[code] = words
        found.pop(own, None)
        return found

    def text(self, name: str) -> str:
        """Text of several lines, or none."""
        words = self[name].strip()
        if len(words) > LONGEST_TEXT:
            self.wrong(name, lazy("4,000 characters at most."))
        elif not all(each.isprintable() or each in "\n\t" for each in words):
            self.wrong(name, lazy("It has a character that cannot be shown."))
        return words

    def number(self, name: str, least: int, most: int, *, default: int | None = None) -> int:
        """A whole number; `default` where nothing was typed."""
        digits = "".join(self[name].split())
        if not digits and default is not None:
            return default
        good = digits.isascii() and digits.isdigit() and len(digits) <= len(str(most))
        if not good or not least <= int(digits) <= most:
            words = lazy(
                "A whole number from %(least)s to %(most)s.", least=least, most=f"{most:,}"
            )
            self.wrong(name, words if digits else NEEDED)
            return least
        return int(digits)

    def moment(self, name: str, zone: ZoneInfo, kept: datetime | None = None) -> datetime | None:
        """A day and an hour, as at the event; `kept`, what it was, where the same is typed: its
        seconds are in no field, and an hour that there is twice is not another one."""
        if kept is not None and self[name].strip() == kept.astimezone(zone).strftime(HOUR):
            return kept
        found = read_moment(self[name].strip(), zone)
        if found is None:
            words = lazy("A day and an hour that there is, like 2027-03-01T09:30.")
            self.wrong(name, words if self[name].strip() else NEEDED)
        return found

    def span(self, zone: ZoneInfo, kept: Any = None) -> tuple[datetime, datetime] | None:
        """From `starts` to `ends`; `kept`: an event or a session as it was."""
        starts = self.moment("starts", zone, kept and kept.starts_at)
        ends = self.moment("ends", zone, kept and kept.ends_at)
        if starts is None or ends is None:
            return None
        if ends <= starts:
            self.wrong("ends", lazy("It has to end after it starts."))
        return starts, ends

    def zone(self, name: str) -> ZoneInfo:
        """A time zone; UTC where it is none, which is noted."""
        words = self[name].strip()
        if words in zones():
            return ZoneInfo(words)
        self.wrong(name, lazy("A time zone of the list, like Europe/Warsaw.") if words else NEEDED)
        return ZoneInfo("UTC")

    def micros(self, name: str) -> int | None:
        """An amount of money, or none."""
        words = "".join(self[name].replace(",", ".").split())
        if not words:
            return None
        if not AMOUNT.fullmatch(words):
            self.wrong(name, lazy("An amount such as 17.50, with at most six decimals."))
            return None
        return micros_from_decimal(words)


def code_of(words: str, taken: Collection[str], fallback: str) -> str:
    """A code made of words, unlike those that are taken."""
    plain = unicodedata.normalize("NFKD", words.lower().translate(LATIN))
    kept = re.sub(r"[^a-z0-9]+", "-", plain.encode("ascii", "ignore").decode()).strip("-")
    made = kept[: LONGEST_CODE - 4].strip("-") or fallback
    if made not in taken:
        return made
    return next(
        each for number in range(2, len(taken) + 3) if (each := f"{made}-{number}") not in taken
    )


def name_fields(names: Names) -> dict[str, str]:
    """Names in other languages as their fields show them."""
    return {f"{NAME_IN}{code}": words for code, words in names.items()}


def other_languages(own: str) -> list[tuple[str, str]]:
    """Languages of pages that a name may be said in besides the event's own."""
    return [(code, words) for code, words in PAGE_LANGUAGES.items() if code != own]


def hour_field(moment: datetime, zone: str) -> str:
    """A moment as its field shows it."""
    return moment.astimezone(ZoneInfo(zone)).strftime(HOUR)


def money_field(micros: int | None) -> str:
    """An amount as its field shows it."""
    if micros is None:
        return ""
    plain = f"{Decimal(micros) / 1_000_000:f}"
    whole, _, rest = plain.partition(".")
    return f"{whole}.{rest.rstrip('0').ljust(2, '0')}"


def utc(moment: datetime) -> datetime:
    """The same moment, as it is stored."""
    return moment.astimezone(UTC)
