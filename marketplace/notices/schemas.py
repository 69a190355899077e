"""What the routes of notices take and give."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

from marketplace.notices.domain import Category, Preference
from marketplace.web.paging import MOST

NoticeId = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,18}$")]


class NoticeView(msgspec.Struct, frozen=True, kw_only=True):
    """A notice in words, in the reader's language."""

    id: str
    kind: str
    category: Category
    subject: str
    text: str
    tip: str | None
    """A short hint besides."""
    path: str
    """The page it leads to."""
    action: str
    """Words of the link to that page."""
    effective_at: datetime
    """When it happened."""
    read_at: datetime | None


class NoticePage(msgspec.Struct, frozen=True, kw_only=True):
    """Notices, unread first, then newest first."""

    items: list[NoticeView]
    next: str | None
    """Cursor of the next page; null on the last."""
    unread: int
    """100 at most."""


class MarkRead(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Notices to mark as read: those named, or all."""

    ids: Annotated[list[NoticeId], msgspec.Meta(max_length=MOST)] = []
    all: bool = False


class Unread(msgspec.Struct, frozen=True):
    """What is left to read, 100 at most."""

    unread: int


class Preferences(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a person wants of each category; those not named stay as they are."""

    items: Annotated[list[Preference], msgspec.Meta(max_length=len(Category))]
