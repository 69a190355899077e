"""What the exchange's routes take and give."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec

from marketplace.exchange.decide import MAX_QUANTITY
from marketplace.exchange.domain import BurnStatus, Eligibility, FulfilmentState, OfferStatus
from marketplace.money import MAX_POINTS

Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]


class BurnBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /v1/burns`."""

    wallet_id: UUID
    offer_id: UUID
    quantity: Annotated[int, msgspec.Meta(ge=1, le=MAX_QUANTITY)] = 1


class ArtefactView(msgspec.Struct, frozen=True):
    """Something delivered, without its secret: `POST /v1/burns/{id}/reveal` shows that."""

    position: int
    kind: str
    label: str
    expires_at: datetime | None


class BurnView(msgspec.Struct, frozen=True):
    """A burn as it stands now."""

    id: UUID
    wallet_id: UUID
    offer_id: UUID
    quantity: int
    points: int
    status: BurnStatus
    fulfilment: FulfilmentState
    message: str
    """The state in plain words."""
    rejection: str | None
    refunded_points: int
    effective_at: datetime
    hold_until: datetime | None
    artefacts: list[ArtefactView]


class RefundBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /v1/burns/{id}/refunds`; without `points` all that is left."""

    reason: Reason
    points: Annotated[int, msgspec.Meta(ge=1, le=MAX_POINTS)] | None = None


class RefundView(msgspec.Struct, frozen=True):
    """A refund."""

    id: UUID
    burn_id: UUID
    wallet_id: UUID
    points: int
    reason: str
    effective_at: datetime


class OfferView(msgspec.Struct, frozen=True):
    """An offer as the exchange trades it."""

    id: UUID
    reference: str
    kind: str
    name: str
    acceptor: str
    """Slug of the member that is paid."""
    points: int
    status: OfferStatus
    starts_at: datetime | None
    ends_at: datetime | None
    stock: int | None
    """Units left; null is unlimited."""
    limit_per_wallet: int | None
    eligibility: Eligibility
