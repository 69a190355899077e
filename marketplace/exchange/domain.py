"""What a burn is and whether it may happen: frozen types and pure rules, no I/O.

`marketplace.exchange.decide` holds the decision itself.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

import msgspec


class OfferStatus(StrEnum):
    """Whether an offer can be burnt on."""

    ANNOUNCED = "announced"
    ON_SALE = "on_sale"
    PAUSED = "paused"
    RETIRED = "retired"


class BurnStatus(StrEnum):
    """Where the points of a burn are."""

    REJECTED = "rejected"
    HELD = "held"
    CAPTURED = "captured"
    VOIDED = "voided"


class FulfilmentState(StrEnum):
    """Where the order of a burn is.

    queued: no supplier has seen it · ordering: a worker is asking right now · retry: the supplier
    has proof it did not take it · pending: accepted, not delivered yet · unknown: no answer; ask by
    reference · dead: given up, waits for a person · done: resolved.
    """

    QUEUED = "queued"
    ORDERING = "ordering"
    RETRY = "retry"
    PENDING = "pending"
    UNKNOWN = "unknown"
    DEAD = "dead"
    DONE = "done"


class Eligibility(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Who may have an offer. Empty means everybody; the parts given must all hold."""

    roles: tuple[str, ...] = ()
    """Roles in the firm."""
    countries: tuple[str, ...] = ()
    """ISO 3166 alpha-2 codes of the firm."""
    firms: tuple[str, ...] = ()
    """References of firms."""
    rules: tuple[str, ...] = ()
    """Names of eligibility rules that plugins register."""

    @property
    def open_to_all(self) -> bool:
        return not (self.roles or self.countries or self.firms or self.rules)


class Cause(StrEnum):
    """Why a plugin's offers are closed. Where there are several, the first here is told."""

    OPERATOR = "operator"
    """The operator closed them; the words are the operator's."""
    NOT_ACTIVE = "not_active"
    """The plugin, or this version of it, has not been activated."""
    NOT_ENABLED = "not_enabled"
    """The plugin is not enabled for the member that is paid."""
    SANDBOX = "sandbox"
    """The member is trying the plugin out."""
    BREAKER = "breaker"
    """The supplier is in trouble and left alone for a while."""
    PLUGIN = "plugin"
    """The plugin itself closed them; the words are its own."""


REASONS: Final = {
    Cause.OPERATOR: "The operator has closed the offers of this plugin.",
    Cause.NOT_ACTIVE: "The plugin that delivers it is not active.",
    Cause.NOT_ENABLED: "The plugin that delivers it is not enabled for its partner.",
    Cause.SANDBOX: "Its partner is trying out the plugin that delivers it.",
    Cause.BREAKER: "Its supplier is in trouble and is left alone for a while.",
    Cause.PLUGIN: "Whoever delivers it takes no orders.",
}


class Closed(msgspec.Struct, frozen=True, omit_defaults=True):
    """What keeps an offer from being burnt on, whatever the offer itself says."""

    cause: Cause
    words: str = ""
    """More about it, in the words of who closed it; may be empty."""

    @property
    def detail(self) -> str:
        """The reason in English, for programs."""
        return f"{REASONS[self.cause]} {self.words}".strip()


class OfferTerms(msgspec.Struct, frozen=True):
    """An offer as the decision sees it (all but its stock)."""

    id: UUID
    version: int
    reference: str
    kind: str
    acceptor_id: UUID
    plugin: str
    points: int
    cost_micros: int
    currency: str
    limit_per_wallet: int | None
    status: OfferStatus
    starts_at: datetime | None
    ends_at: datetime | None
    eligibility: Eligibility
    closed: Closed | None = None
    """Kept with the offer, so that a burn asks nothing more (`exchange.closures`)."""
