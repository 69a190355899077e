"""What the fulfilment routes answer."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec


class RevealedArtefact(msgspec.Struct, frozen=True, kw_only=True):
    """A code, ticket, link or receipt in clear."""

    position: int
    """1 for the first unit."""
    kind: str
    label: str
    secret: str
    expires_at: datetime | None


class Revealed(msgspec.Struct, frozen=True, kw_only=True):
    """What a burn delivered; asking for it was audited."""

    burn_id: UUID
    artefacts: list[RevealedArtefact]


class SupplierState(msgspec.Struct, frozen=True, kw_only=True):
    """How one plugin is doing."""

    plugin: str
    state: str
    """`ready`; or its orders wait, see `reason`: `inactive` (not activated), `stopped` (by the
    operator), `disabled` (it does not start), `missing` (not installed)."""
    breaker: str
    """`closed`, `open` or `half_open`."""
    failures: int
    """Failed chunks in a row."""
    waiting: int
    """Held burns not resolved yet, dead ones excepted."""
    unknown: int
    """Of these, orders whose outcome the supplier could not tell."""
    dead: int
    """Orders given up, which wait for a person."""
    oldest_at: datetime | None
    """When the oldest waiting burn was held."""
    reason: str | None
    """Why it is not ready, or its last error."""
    open_until: datetime | None
    last_success_at: datetime | None
    wrong: list[str] = []
    """What is wrong with it, in words; empty where all is well."""


class SupplierAnswer(msgspec.Struct, frozen=True):
    """One answer, or failure to answer, about an order."""

    at: datetime
    attempt: int
    outcome: str
    """`unknown`, `pending`, `retry` or `neverordered`."""
    words: str


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """An order given up; its points stay held until somebody decides."""

    burn_id: UUID
    plugin: str
    offer: str
    """The offer's reference."""
    offer_id: UUID
    offer_name: str
    sku: str
    member: str | None
    """Slug of the member that would be paid."""
    wallet_id: UUID
    """Who waits."""
    quantity: int
    points: int
    cost_micros: int
    currency: str
    attempts: int
    held_at: datetime
    waiting_s: int
    answers: list[SupplierAnswer]
    """What the supplier last said, latest first."""


class DeadLetterPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of orders given up, oldest first."""

    items: list[DeadLetter]
    next: str | None


class ReplayBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which dead orders to try again: exactly one of the three."""

    burn_ids: list[UUID] | None = None
    plugin: str | None = None
    all: bool = False


class Replayed(msgspec.Struct, frozen=True):
    """The burns that are due again."""

    burn_ids: list[UUID]
