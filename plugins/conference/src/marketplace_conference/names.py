"""What an event, a session or a category is called: in the event's own language, and in others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from marketplace.api import LANGUAGES, Words, told_in

Names = Mapping[str, str]
"""By language code, without the event's own."""


class Said(NamedTuple):
    """A name, and the language it is in."""

    text: str
    language: str


def said(name: str, names: Names, own: str, language: str | None) -> Said:
    """What it is called for a reader of `language`; None: in the event's `own` language."""
    known = {**names, own: name}
    chosen = told_in(language or own, own, known)
    return Said(known[chosen], chosen)


def everywhere(name: str, names: Names, own: str) -> Words:
    """The same in each language of pages, for a notice: its reader is not known yet."""
    if not names:
        return name
    return {code: said(name, names, own, code).text for code in LANGUAGES}
