"""What the exchange's routes take and give."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec

from marketplace.exchange.decide import MAX_QUANTITY
from marketplace.exchange.domain import BurnStatus, Eligibility, FulfilmentState, OfferStatus
from marketplace.fulfilment.promise import DeliveryPromise
from marketplace.money import MAX_POINTS

LONGEST_REASON = 500
SELECTION = r"^[A-Za-z0-9_-]{1,64}(?!\n)$"
"""`$` alone would let a line end pass."""
Selection = Annotated[str, msgspec.Meta(pattern=SELECTION)]
Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_REASON)]


class BurnBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /v1/burns`."""

    wallet_id: UUID
    offer_id: UUID
    quantity: Annotated[int, msgspec.Meta(ge=1, le=MAX_QUANTITY)] = 1
    expected_points: Annotated[int, msgspec.Meta(ge=1, le=MAX_POINTS)] | None = None
    """Burn only at this price for the whole quantity; absent: at whatever it costs now."""
    selection: Selection | None = None
    """What was chosen beforehand with the supplier, as it named it: seats that are reserved."""


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
    selection: str | None
    """What was chosen beforehand with the supplier."""
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
    """As the exchange calls it."""
    title: str
    """As people know it, in the language asked for; the name where no listing shows it."""
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


class DrawPreview(msgspec.Struct, frozen=True):
    """Points that would go from one lot."""

    points: int
    left: int
    """Points the lot keeps."""
    issuer: str
    """Name of the member that issued them."""
    reference: str
    """The issuer's reference of the points."""
    expires_at: datetime | None
    """Null: never."""


class RefusalView(msgspec.Struct, frozen=True):
    """Why a burn would be refused; `code` is that of the error it would get."""

    code: str
    detail: str


class BurnPreview(msgspec.Struct, frozen=True, kw_only=True):
    """What a burn would do now; nothing is promised until it is made."""

    offer_id: UUID
    offer: str
    """Reference of the offer."""
    name: str
    """As the exchange calls it."""
    title: str
    """As people know it, in the language asked for; the name where no listing shows it."""
    kind: str
    supplier: str
    """Name of the member that is paid."""
    wallet_id: UUID
    quantity: int
    points: int
    """Points for the whole quantity."""
    available: int
    available_after: int | None
    """Null where it would be refused."""
    draws: list[DrawPreview]
    """Points that would go, in the order they are drawn; empty where it would be refused."""
    stock: int | None
    """Units left; null is unlimited."""
    limit_per_wallet: int | None
    limit_used: int
    """Units this wallet has of the limit."""
    delivery: DeliveryPromise
    refusal: RefusalView | None
