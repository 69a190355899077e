"""Languages: which one a reader gets, and the words, numbers and dates in it.

Words come from .po files, read when the process starts; nothing is compiled. English is the
language of the source. While a page or an e-mail is made, one language is spoken:

    with speak(languages["pl"]):
        text = str(lazy("Wallet"))
"""

from __future__ import annotations

import io
import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Annotated

from babel import Locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations
from litestar.params import HeaderParameter

log = logging.getLogger(__name__)

NAMES = {"en": "English", "ru": "Русский", "pl": "Polski", "it": "Italiano"}
"""Languages of the pages by code, each in its own words."""
SOURCE = "en"
REGIONS = {"en": "en_GB"}
"""Whose habits of numbers and dates a language has: days come before months here."""
CORE_LOCALE_DIR = Path(__file__).parents[1] / "locale"


class Language:
    """One language of the pages: its words and its habits."""

    def __init__(self, code: str, translations: NullTranslations) -> None:
        self.code = code
        self.name = NAMES[code]
        self.locale = Locale.parse(REGIONS.get(code, code))
        self._translations = translations

    def gettext(self, message: str) -> str:
        """The message in this language."""
        return str(self._translations.gettext(message)) if message else ""

    def ngettext(self, singular: str, plural: str, count: int) -> str:
        """The form that fits the count."""
        return str(self._translations.ngettext(singular, plural, count))

    def pgettext(self, context: str, message: str) -> str:
        """The message as used in a context."""
        return str(self._translations.pgettext(context, message))

    def npgettext(self, context: str, singular: str, plural: str, count: int) -> str:
        """The form that fits the count, as used in a context."""
        return str(self._translations.npgettext(context, singular, plural, count))


Languages = Mapping[str, Language]


def load_languages(folders: Sequence[Path] = ()) -> Languages:
    """Every language, with the words of the core and of `folders` (each holds `<code>.po`).

    Words of the core win over words of others, earlier folders over later ones.
    """
    return {
        code: Language(code, _translations(code, [CORE_LOCALE_DIR, *folders])) for code in NAMES
    }


@lru_cache(maxsize=1)
def core_languages() -> Languages:
    """Every language with the words of the core: for e-mail, commands and workers."""
    return load_languages()


def _translations(code: str, folders: Sequence[Path]) -> NullTranslations:
    first: NullTranslations = NullTranslations()
    if code == SOURCE:
        return first
    found = [_read(path) for folder in folders if (path := folder / f"{code}.po").exists()]
    # Falling back is by chain; the catalogs themselves are shared between applications.
    for catalog in reversed(found):
        linked = Translations(io.BytesIO(catalog))
        linked.add_fallback(first)
        first = linked
    return first


def _read(path: Path) -> bytes:
    return _compile(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=64)
def _compile(path: Path, modified_ns: int) -> bytes:
    """The catalog as gettext reads it; remembered, for reading a .po takes a tenth of a second."""
    with path.open("rb") as file:
        catalog = read_po(file, abort_invalid=True)
    compiled = io.BytesIO()
    write_mo(compiled, catalog)
    return compiled.getvalue()


# -- the language that is spoken now ---------------------------------------------------------------

_spoken: ContextVar[Language | None] = ContextVar("spoken", default=None)
_present: ContextVar[datetime | None] = ContextVar("present", default=None)


@contextmanager
def speak(language: Language, now: datetime | None = None) -> Iterator[None]:
    """Lazy strings, templates and formats speak `language` within the block.

    `now` is business time, from which the filter `relative` counts; absent: this machine's clock.
    """
    tokens = _spoken.set(language), _present.set(now)
    try:
        yield
    finally:
        _spoken.reset(tokens[0])
        _present.reset(tokens[1])


def spoken() -> Language:
    """The language spoken now; English outside `speak`."""
    return _spoken.get() or core_languages()[SOURCE]


def present() -> datetime:
    """Business time as `speak` was told, else this machine's clock."""
    return _present.get() or datetime.now(UTC)


class Lazy:
    """A message that is translated when it is shown: for names in tables and titles of errors."""

    __slots__ = ("context", "message", "values")

    def __init__(
        self, message: str, values: Mapping[str, object] | None = None, context: str | None = None
    ) -> None:
        self.message = message
        self.values = values or {}
        self.context = context

    def __str__(self) -> str:
        language, context = spoken(), self.context
        if context is None:
            text = language.gettext(self.message)
        else:
            text = language.pgettext(context, self.message)
        return text % self.values if self.values else text

    def __repr__(self) -> str:
        return f"lazy({self.message!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Lazy) and (self.message, self.values, self.context) == (
            other.message,
            other.values,
            other.context,
        )

    def __hash__(self) -> int:
        return hash(self.message)


def lazy(message: str, **values: object) -> Lazy:
    """Mark a message for translation now, translate it when it is shown.

    Import it as `_l`: `label=_l("Wallet")`, `_l("Up to %(count)s", count=3)`.
    """
    return Lazy(message, values)


def lazy_in(context: str, message: str, **values: object) -> Lazy:
    """As `lazy`, for a word that means something else elsewhere. Import it as `_lp`."""
    return Lazy(message, values, context)


def told_in(language: str, default: str, available: Collection[str]) -> str:
    """Which of the `available` languages somebody's words are shown in to a reader of `language`.

    Theirs (`pt-BR`, then `pt`), the default one, English, the first by name; the default, too,
    where there is none.
    """
    for wanted in (language, language.split("-")[0], default, SOURCE):
        if wanted in available:
            return wanted
    return min(available, default=default)


Accepts = Annotated[str, HeaderParameter(name="Accept-Language", required=False)]
"""The parameter by which JSON routes learn what their reader's program speaks."""

# -- which language a reader gets ------------------------------------------------------------------


def choose_language(*wishes: str | None, accept: str = "") -> str:
    """The first wish we speak, else the best of an Accept-Language header, else English."""
    for wish in wishes:
        if wish in NAMES:
            return wish
    return next((code for code in _accepted(accept) if code in NAMES), SOURCE)


def _accepted(header: str) -> list[str]:
    """Language codes of an Accept-Language header, most wanted first, without regions."""
    weighted: list[tuple[float, str]] = []
    for part in header[:500].split(","):
        tag, _, parameters = part.strip().partition(";")
        code = tag.strip().split("-")[0].lower()
        name, _, value = parameters.strip().partition("=")
        try:
            weight = float(value) if name == "q" else 1.0
        except ValueError:
            weight = 0.0
        if code and weight > 0:
            weighted.append((-weight, code))
    return [code for _, code in sorted(weighted, key=lambda each: each[0])]
