"""Puts a notice into words, in the language that is spoken (`web.i18n.speak`)."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

from marketplace.notices.kind import Field
from marketplace.notices.kinds import KINDS, PLUGIN_NOTICE, REASONS
from marketplace.notices.marking import Phrase
from marketplace.web import formats
from marketplace.web.i18n import SOURCE, spoken

LONGEST_NAME: Final = 120
LONGEST_REASON: Final = 300
LONGEST_TEXT: Final = 1_500
# Marks that turn the direction of writing around: a name must not rearrange our sentence.
TURNS: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f")
ENDS: Final = (".", "!", "?", "…")


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """What a reader sees of a notice. Plain text: whoever shows it as HTML escapes it."""

    subject: str
    text: str
    tip: str | None
    path: str
    """The page it leads to, of ours."""
    action: str
    """Words of the link."""


def words_of(kind: str, context: Mapping[str, Any], told_at: datetime) -> Words:
    """The words of a notice. `told_at` decides which tip has its turn."""
    if kind == PLUGIN_NOTICE.slug:
        return _words_of_plugin(context)
    found = KINDS[kind]
    shown = {name: _shown(field, context[name]) for name, field in found.fields.items()}
    return Words(
        subject=one_line(_say(found.subject, context, shown), LONGEST_REASON),
        text=_say(found.text, context, shown),
        tip=_tip(found.tips, told_at),
        path=found.path % shown,
        action=spoken().gettext(found.action),
    )


def _words_of_plugin(context: Mapping[str, Any]) -> Words:
    said = {name: _said(by_code) for name, by_code in context["words"].items()}
    shown = {
        name: _shown(Field(field), _said(context["values"][name]))
        for name, field in context["fields"].items()
    }
    return Words(
        subject=one_line(said["subject"] % shown, LONGEST_REASON),
        text=one_line(said["text"] % shown, LONGEST_TEXT),
        tip=None,
        path=context["path"],
        action=one_line(said["action"]),
    )


def _said(words: Any) -> Any:
    """In the reader's language, else in English, else in the first that the plugin has given."""
    if not isinstance(words, Mapping):
        return words
    return words.get(spoken().code) or words.get(SOURCE) or next(iter(words.values()))


def one_line(text: str, longest: int = LONGEST_NAME) -> str:
    """Somebody's words as one line without control characters, cut where they are too long."""
    kept = (
        " " if unicodedata.category(each) in ("Cc", "Cs", "Zl", "Zp") else each
        for each in text
        if each not in TURNS
    )
    line = " ".join("".join(kept).split())
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


def _say(phrase: Phrase, context: Mapping[str, Any], shown: Mapping[str, str]) -> str:
    if phrase.many is None:
        return spoken().gettext(phrase.one) % shown
    return spoken().ngettext(phrase.one, phrase.many, context[phrase.count]) % shown


def _shown(field: Field, value: Any) -> str:
    if field is Field.NUMBER:
        return formats.number(value)
    if field is Field.DATE:
        return formats.day(datetime.fromisoformat(value))
    if field is Field.MOMENT:
        return _moment(datetime.fromisoformat(value))
    if field is Field.REASON:
        return _reason(value)
    return one_line(value) if field is Field.TEXT else str(value)


def _moment(moment: datetime) -> str:
    """The hour as it is there, with how far from UTC that is."""
    zone = f"{moment:%z}"
    shown = "UTC" if not moment.utcoffset() else f"UTC{zone[:3]}:{zone[3:5]}"
    return f"{formats.day_and_hour(moment.replace(tzinfo=None))} ({shown})"


def _reason(reason: str | None) -> str:
    reason = reason or ""
    known = REASONS.get(reason)
    if known is not None:
        return spoken().gettext(known)
    # A supplier's words are said as its own catalogue translates them, where it is at hand.
    line = one_line(spoken().gettext(reason), LONGEST_REASON)
    return line if line.endswith(ENDS) else f"{line}."


def _tip(tips: tuple[str, ...], told_at: datetime) -> str | None:
    if not tips:
        return None
    return spoken().gettext(tips[told_at.toordinal() % len(tips)])
