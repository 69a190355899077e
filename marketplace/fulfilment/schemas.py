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
