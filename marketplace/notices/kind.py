"""What a kind of notice is: its words, its fields, where it leads."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum

import msgspec

from marketplace.notices.domain import Category
from marketplace.notices.marking import Phrase


class Field(StrEnum):
    """How a value of a context is shown, and what `notify` takes for it."""

    TEXT = "text"
    """A name or a few words of somebody's, shown in one line: str."""
    NUMBER = "number"
    """Points or a count: int."""
    DATE = "date"
    """A moment, shown as a date: str, ISO 8601."""
    MOMENT = "moment"
    """A moment, shown with its hour in the zone it is given in: str, ISO 8601."""
    REASON = "reason"
    """Why a burn was voided: one of `REASONS`, or words a supplier gave: str."""
    ID = "id"
    """Part of an address: str of letters, digits and dashes."""
    PATH = "path"
    """A page of ours: str that begins with one slash."""


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of notice."""

    slug: str
    category: Category
    subject: Phrase
    text: Phrase
    fields: Mapping[str, Field]
    path: str
    """The page it leads to, with `%(field)s` places; `%(path)s` where the context names it."""
    action: str
    """Words of the link, a msgid."""
    tips: tuple[str, ...] = ()
    """Msgids of short hints that take turns, one a day."""
    in_app: bool = True
    """Whether it may be shown in the inbox."""
    shows: bool = False
    """Whether the inbox shows it although its category is mailed only."""
    mails: bool = True
    """Whether it may be mailed."""
    secret: bool = False
    """Whether the mail leads to a page that nothing else names (a link to sign in with)."""
    life: timedelta = timedelta(days=3)
    """A mail not sent by then is of no use any more and is dropped."""
