"""Words of the catalog: frozen types and pure rules, no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final

from marketplace.web.i18n import told_in

LOCALES: Final = ("en", "ru", "pl", "it")
"""Languages the catalog searches with a configuration of their own; texts may have others too."""
FALLBACK: Final = "en"

NEARLY_GONE_UNITS: Final = 5
"""Units left at which people are told that a reward is nearly gone."""
NEW_DAYS: Final = 14
"""Days after publishing in which a listing counts as new."""
POPULAR_DAYS: Final = 90
"""Days of burns that popularity counts."""
FEWEST_PEOPLE: Final = 3
"""What fewer people than this took is never told: nobody's choice can be read off the catalog."""


class ListingStatus(StrEnum):
    """Whether people see a listing."""

    DRAFT = "draft"
    PUBLISHED = "published"
    WITHDRAWN = "withdrawn"


class Delivery(StrEnum):
    """How a reward comes."""

    INSTANT = "instant"
    EMAIL = "email"
    POST = "post"
    ON_SITE = "on_site"


class Sort(StrEnum):
    """Order of results. Equal ones are ordered as by relevance without words."""

    RELEVANCE = "relevance"
    POINTS_UP = "points"
    POINTS_DOWN = "-points"
    NEWEST = "newest"
    VALUE = "value"
    POPULAR = "popular"


class ValueSource(StrEnum):
    """What the money value of a reward is taken from; never from what the partner is paid."""

    FACE = "face"
    """The value its listing states: printed on it, or what it costs elsewhere."""
    POINTS = "points"
    """None is stated: what its points are worth at the coalition's published price."""


class Why(StrEnum):
    """Why a caller may not have a reward now. The order is the order in which they are told."""

    ANNOUNCED = "announced"
    PAUSED = "paused"
    RETIRED = "retired"
    NOT_STARTED = "not_started"
    ENDED = "ended"
    CLOSED = "closed"
    """By the operator, who did not say why."""
    CLOSED_BECAUSE = "closed_because"
    """By the operator, who said why."""
    NOT_READY = "not_ready"
    """What delivers it is not in service yet, or not for this partner."""
    BREAKDOWN = "breakdown"
    """What delivers it has broken down."""
    SIGN_IN = "sign_in"
    NO_WALLET = "no_wallet"
    ROLE = "role"
    COUNTRY = "country"
    FIRM = "firm"
    RULE = "rule"
    LIMIT_REACHED = "limit_reached"
    SOLD_OUT = "sold_out"
    SHORT = "short"
    EXPOSURE = "exposure"
    PARTNER_AWAY = "partner_away"


class Reason(StrEnum):
    """Why a listing is suggested to somebody."""

    HISTORY = "history"
    FIRM = "firm"
    ROLE = "role"
    POPULAR = "popular"
    NEW = "new"


def pick(texts: Mapping[str, str], locale: str, otherwise: str) -> str:
    """The name for a reader of `locale`, in their language where there is one."""
    return texts.get(told_in(locale, FALLBACK, texts), otherwise)


def quantities(least: int, most: int, step: int) -> Sequence[int]:
    """Every quantity a denomination lets one choose."""
    return range(least, most + 1, step)


def value_per_thousand(value_micros: int, points: int) -> int:
    """Micros that a thousand points are worth in this reward, rounded down."""
    return value_micros * 1_000 // points
