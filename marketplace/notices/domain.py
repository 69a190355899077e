"""What notices are made of: categories, the ways they reach a person, how mail fares. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

import msgspec

from marketplace.notices.marking import N_

STALE_AFTER: Final = timedelta(days=7)
"""What happened longer ago than this (an import of old data) is filed as read, and never mailed."""


class Category(StrEnum):
    """What a person can choose about; all but `ACCOUNT`, without which nobody could sign in."""

    REWARDS = "rewards"
    GIFTS = "gifts"
    POINTS = "points"
    EXPIRY = "expiry"
    WISHES = "wishes"
    GIVING = "giving"
    ACCOUNT = "account"


class Email(StrEnum):
    """When a notice is mailed: never, at once, or in the digest of the day or week."""

    NONE = "none"
    NOW = "now"
    DAILY = "daily"
    WEEKLY = "weekly"


DIGESTS: Final = (Email.DAILY, Email.WEEKLY)
DIGEST_KINDS: Final = {"digest_daily": Email.DAILY, "digest_weekly": Email.WEEKLY}
"""Kinds of mail that hold many notices."""


class MailStatus(StrEnum):
    """How a mail fares. `FAILED`: refused for good; `EXPIRED`: not sent while it was of use."""

    DUE = "due"
    SENT = "sent"
    FAILED = "failed"
    EXPIRED = "expired"


class Preference(msgspec.Struct, frozen=True, kw_only=True):
    """What a person wants of one category."""

    category: Category
    in_app: bool
    email: Email


class CategoryTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What a category is called, and what holds for people who have not chosen."""

    title: str
    """A msgid, like `about`."""
    about: str
    in_app: bool = True
    email: Email = Email.NOW


CATEGORIES: Final[dict[Category, CategoryTerms]] = {
    Category.REWARDS: CategoryTerms(
        title=N_("Your rewards"),
        about=N_(
            "A reward is delivered, cannot be delivered or is refunded; its partner has news of it."
        ),
    ),
    Category.GIFTS: CategoryTerms(
        title=N_("Gifts"), about=N_("A colleague sends you a reward as a gift.")
    ),
    Category.POINTS: CategoryTerms(
        title=N_("New points"), about=N_("You are given points."), email=Email.DAILY
    ),
    Category.EXPIRY: CategoryTerms(
        title=N_("Points about to expire"),
        about=N_("30 and 7 days before points of yours expire."),
    ),
    Category.WISHES: CategoryTerms(
        title=N_("Your wish list"),
        about=N_("You can afford a wish, or it is nearly gone."),
    ),
    Category.GIVING: CategoryTerms(
        title=N_("Your giving"),
        about=N_("Donations, receipts, monthly gifts, and campaigns you gave to."),
    ),
    Category.ACCOUNT: CategoryTerms(
        title=N_("Signing in"), about=N_("Links you ask for."), in_app=False
    ),
}

CHOOSABLE: Final = tuple(each for each in Category if each is not Category.ACCOUNT)


def default_preference(category: Category) -> Preference:
    """What holds for a person who has not chosen."""
    terms = CATEGORIES[category]
    return Preference(category=category, in_app=terms.in_app, email=terms.email)


class Told(msgspec.Struct, frozen=True):
    """A notice as it is stored."""

    kind: str
    context: dict[str, Any]
    effective_at: datetime
    created_at: datetime


class Claimed(msgspec.Struct, frozen=True, kw_only=True):
    """A mail that this process is sending; `attempt` proves it when the outcome is written."""

    person_id: UUID
    id: int
    kind: str
    attempt: int
    created_at: datetime
    secret: bytes | None
    email: str
    name: str
    locales: tuple[str | None, ...]
    """Language tags: the one the person chose, then others, the most wanted first."""
    notices: Sequence[Told] = ()
    """One, or those of a digest, newest first."""
