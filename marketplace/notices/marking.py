"""Marks texts for translation where they are written; they are translated where they are shown.

The extraction of messages knows both names: `N_` takes one msgid, `NN_` a singular and a plural.
"""

from __future__ import annotations

import msgspec


class Phrase(msgspec.Struct, frozen=True):
    """A text with `%(field)s` places. With `many`, `count` is the field that decides which."""

    one: str
    many: str | None = None
    count: str = "points"


def N_(text: str) -> str:  # noqa: N802 - what gettext's tools call it
    """Mark a msgid."""
    return text


def NN_(one: str, many: str, count: str = "points") -> Phrase:  # noqa: N802
    """Mark a msgid with a plural; `count` names the field counted."""
    return Phrase(one, many, count)
