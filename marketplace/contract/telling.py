"""What a plugin tells people about their own orders, and how it says it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import msgspec

from marketplace.contract.registering import Words
from marketplace.web.i18n import NAMES, SOURCE, Lazy, load_languages

NewsField: TypeAlias = Literal["text", "number", "date", "moment", "id"]
"""How a value is shown: `text` in one line, cut where it is too long (`Words`), `number` (int),
`date` and `moment` (aware datetime; a moment is shown with its hour, in the zone it is given in),
`id` letters, digits, dashes and underscores, for the address of a page (str)."""

LONGEST: Final = {"subject": 120, "text": 600, "action": 40}
SLUG: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
PATH: Final = re.compile(r"/(?![/\\])[0-9A-Za-z_/.()%-]{0,199}")
PLACES: Final = re.compile(r"%(?:\((?P<name>[a-z_]+)\)s|(?P<other>.?))", re.S)


class NoticeKind(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of notice that a plugin gives: its words, with `%(field)s` places, made beforehand.

    What does not fit raises ValueError where the kind is made, which is when the plugin loads.
    """

    slug: str
    """Lower case, digits and underscores."""
    subject: Words | Lazy
    """One line."""
    text: Words | Lazy
    action: Words | Lazy
    """Words of the link; no places."""
    fields: Mapping[str, NewsField] = {}
    path: str = ""
    """The page it leads to, below `/<slug of the plugin>`, with places of `id`; empty: the page of
    the order's reward."""
    translations: Path | None = None
    """Folder of `<language>.po` files that `lazy` words are looked up in."""

    def __post_init__(self) -> None:
        if not SLUG.fullmatch(self.slug):
            raise ValueError(f"{self.slug!r} is no slug of a kind of notice")
        for name in LONGEST:
            for words in _given(getattr(self, name)).values():
                self._check(name, words)
        ids = {name for name, kind in self.fields.items() if kind == "id"}
        if self.path and (not PATH.fullmatch(self.path) or not _places(self.path) <= ids):
            raise ValueError(f"{self.slug}: {self.path!r} is no path with ids in it")

    def _check(self, name: str, words: str) -> None:
        shown = {} if name == "action" else self.fields
        if not 0 < len(words) <= LONGEST[name]:
            raise ValueError(f"{self.slug}: {name} has 1 to {LONGEST[name]} characters")
        if not _places(words) <= set(shown):
            raise ValueError(f"{self.slug}: {name} has a place that is no field: {words!r}")

    def words(self) -> dict[str, dict[str, str]]:
        """Subject, text and action, each by language code."""
        return _words(self.subject, self.text, self.action, self.translations, self._check)


class News(msgspec.Struct, frozen=True, kw_only=True):
    """Something to tell about one order, or about what somebody subscribed to."""

    about: str
    """An order's reference, or as in `Host.subscribe`."""
    occasion: str
    """What happened, by a name of yours: whoever heard of it under this name hears it no more."""
    values: Mapping[str, Words | int | datetime] = {}
    """Of each field of the kind."""


def _given(words: Words | Lazy) -> Mapping[str, str]:
    if isinstance(words, Lazy):
        return {SOURCE: words.message}
    return words if isinstance(words, Mapping) else {SOURCE: words}


def _places(words: str) -> set[str]:
    """Names of the places in a text; ValueError where `%` stands for anything else."""
    found = set()
    for place in PLACES.finditer(words):
        if place["name"] is None and place["other"] != "%":
            raise ValueError(f"a % that is no %(field)s: {words!r}")
        if place["name"] is not None:
            found.add(place["name"])
    return found


@lru_cache(maxsize=256)
def _translated(message: str, folder: Path | None) -> Mapping[str, str]:
    languages = load_languages([folder] if folder else [])
    return {code: languages[code].gettext(message) for code in NAMES}


def _words(
    subject: Words | Lazy, text: Words | Lazy, action: Words | Lazy, folder: Path | None, check: Any
) -> dict[str, dict[str, str]]:
    made: dict[str, dict[str, str]] = {}
    for name, words in (("subject", subject), ("text", text), ("action", action)):
        by_code = _translated(words.message, folder) if isinstance(words, Lazy) else _given(words)
        for each in by_code.values():
            check(name, each)
        # In place of English, where there is none, the first: what is stored has no order.
        made[name] = {SOURCE: next(iter(by_code.values())), **by_code}
    return made
