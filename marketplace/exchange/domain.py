"""What a burn is and whether it may happen: frozen types and pure rules, no I/O.

`marketplace.exchange.decide` holds the decision itself.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
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
