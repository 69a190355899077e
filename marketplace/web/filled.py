"""A form as it was typed: what it means field by field, and what is wrong beside each field.

    form = Filled(await request.form())
    name, points = form.take("name", fields.Text), form.take("points", fields.Points)
    if not form.problems: ...

A form that does not fit is rendered again from `form.typed`, so that nothing typed is lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from marketplace.coalition.imports import fields
from marketplace.web.i18n import Lazy
from marketplace.web.i18n import lazy as _l

NEEDED: Final = _l("Fill this in.")
WORDS: Final[dict[type[fields.Cell], Lazy]] = {
    fields.Text: _l("One line of at most 200 visible characters, please."),
    fields.Reference: _l("One line of at most 200 visible characters, please."),
    fields.Label: _l("Lower case letters, digits, dashes and underscores only."),
    fields.Slug: _l("Lower case letters, digits and dashes only, at most 63."),
    fields.Points: _l("A whole number of points, 1 or more."),
    fields.Count: _l("A whole number, 0 or more."),
    fields.Positive: _l("A whole number, 1 or more."),
    fields.Micros: _l("An amount such as 17.50, with at most six decimals."),
    fields.Moment: _l("A date and time such as 2027-01-31 12:00."),
    fields.Currency: _l("A currency code such as EUR."),
    fields.Labels: _l("Different words with semicolons between them, in lower case."),
    fields.Countries: _l("Different country codes such as DE, with semicolons between them."),
    fields.References: _l("Different references with semicolons between them."),
}
"""What a field of each kind takes; kinds of one room say it where they are used."""
LISTS: Final = (fields.TextList,)


class Filled:
    """What somebody typed into a form."""

    def __init__(self, typed: Mapping[str, Any]) -> None:
        self.typed = {name: _plain(value) for name, value in typed.items()}
        """By field, as it is shown again; files are not in it."""
        self.problems: dict[str, Lazy] = {}
        """What is wrong, by field, in the order in which fields were taken."""

    def __getitem__(self, name: str) -> str:
        """What was typed into a field; empty where nothing was."""
        return self.typed.get(name, "")

    def wrong(self, name: str, words: Lazy) -> None:
        """Note what is wrong with a field; the first thing is what is said."""
        self.problems.setdefault(name, words)

    def take(
        self,
        name: str,
        kind: type[fields.Cell],
        default: Any = None,
        *,
        required: bool = True,
        words: Lazy | None = None,
    ) -> Any:
        """The value of a field; `default` where it is empty or wrong, which is noted."""
        text = self[name].strip()
        if issubclass(kind, LISTS):
            text = ";".join(part for part in text.replace(",", ";").split(";") if part.strip())
        if issubclass(kind, fields.Micros):
            text = text.replace(",", ".").replace("\N{NO-BREAK SPACE}", "").replace(" ", "")
        if not text:
            if required:
                self.wrong(name, NEEDED)
            return default
        try:
            return _bare(kind.parse(text))
        except fields.WrongCell:
            self.wrong(name, words or WORDS[kind])
            return default

    def has(self, name: str) -> bool:
        """Whether a box is ticked."""
        return bool(self[name])


def _bare(value: Any) -> Any:
    """A value without the kind of its cell, which drivers and codecs do not know."""
    if isinstance(value, datetime):
        return datetime.combine(value.date(), value.timetz())
    for plain in (int, str, tuple):
        if isinstance(value, plain):
            return plain(value)  # type: ignore[arg-type]
    return value


def _plain(value: Any) -> str:
    """Text of a field without the characters that no field takes; line ends as `\\n`."""
    if not isinstance(value, str):
        return ""
    return value.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "")


def moment_field(moment: datetime | None) -> str:
    """A moment as a field of type `datetime-local` holds it, in UTC."""
    if moment is None:
        return ""
    plain = moment.astimezone(UTC).replace(tzinfo=None)
    return plain.isoformat(timespec="seconds" if plain.second else "minutes")
