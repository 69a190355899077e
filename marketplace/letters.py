"""What may stand in words that people write and others read: names, titles, dedications, reasons.

Control characters break lines and files, and invisible ones make two different names look alike or
turn the writing around them. Words of people are refused with the character's number, those that
only decorate are shown without it. Joiners stay, for emoji and several scripts are spelled with
them.
"""

from __future__ import annotations

import unicodedata
from typing import Final

from marketplace.errors import InvalidRequest

UNSHOWN: Final = ("Cc", "Cs", "Co", "Zl", "Zp")
"""Categories of Unicode that no line of text may hold: control characters and the like."""
INVISIBLE: Final = "Cf"
"""The category of what is not seen and changes what is: marks of direction, soft hyphens."""
JOINERS: Final = frozenset("\u200c\u200d")
SOFT_HYPHEN: Final = "\u00ad"
BLANKS: Final = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and symbols that are drawn as nothing."""


def hidden_in(text: str, *, lines: bool = False) -> str | None:
    """The first character that words may not hold; None where there is none.

    `lines`: they may have several lines, and say where words are broken at the end of one.
    """
    if text.isprintable() and BLANKS.isdisjoint(text):  # nearly always
        return None
    for each in text:
        if lines and each in "\n\r\t" + SOFT_HYPHEN:
            continue
        kind = unicodedata.category(each)
        if kind in UNSHOWN or each in BLANKS or (kind == INVISIBLE and each not in JOINERS):
            return each
    return None


def require_shown(text: str, field: str, longest: int, *, lines: bool = False) -> str:
    """Words without blanks around them; InvalidRequest, naming `field`, where they cannot be."""
    plain = text.strip()
    found = hidden_in(plain, lines=lines)
    if found is not None:
        said = f"U+{ord(found):04X} is not seen, or turns writing around; it cannot stand in words."
        raise InvalidRequest(said, field=field)
    if len(plain) > longest:
        raise InvalidRequest(f"It has {longest:,} characters at most.", field=field)
    return plain


def without_hidden(text: str) -> str:
    """Words without the characters that are not seen."""
    if text.isprintable():
        return text
    return "".join(
        each for each in text if each in JOINERS or unicodedata.category(each) != INVISIBLE
    )


def shown(text: str, longest: int) -> str:
    """Somebody's words as they may be stored and shown: one line, without what is hidden."""
    clean = "".join(
        " " if unicodedata.category(each) in UNSHOWN or each in BLANKS else each
        for each in without_hidden(text[:longest])
    )
    return " ".join(clean.split())
