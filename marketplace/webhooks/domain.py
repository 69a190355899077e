"""What members can be told, and how a delivery fares: pure rules, no I/O."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

import msgspec

from marketplace.web.i18n import lazy as _l

GIVE_UP_AFTER: Final = timedelta(days=3)
"""How long a message is tried; then it is failed until somebody replays it."""
STOP_AFTER: Final = timedelta(days=3)
"""An endpoint that has taken nothing for so long is stopped, and its member told."""
KEEP: Final = timedelta(days=30)
"""How long messages and the log of their deliveries are kept."""
OLD_SECRET_LIVES: Final = timedelta(hours=24)
MOST_ENDPOINTS: Final = 20
"""Endpoints of one member."""
ANSWER_KEPT_BYTES: Final = 1024
FIRST_RETRY_S: Final = 10
LONGEST_RETRY_S: Final = 6 * 3600
LONGEST_PAUSE_S: Final = 1800
FAILURES_BEFORE_PAUSE: Final = 3
"""Failures in a row after which an endpoint is asked one message at a time."""
GONE: Final = 410
BUSY: Final = (429, 503)


class EventType(StrEnum):
    """Facts a member can be told of, each after it is committed."""

    BURN_FULFILLED = "burn.fulfilled"
    BURN_VOIDED = "burn.voided"
    BURN_REFUNDED = "burn.refunded"
    POINTS_ISSUED = "points.issued"
    TEST = "webhook.test"


SUBSCRIBABLE: Final = tuple(each for each in EventType if each is not EventType.TEST)
ABOUT: Final[dict[EventType, Any]] = {
    EventType.BURN_FULFILLED: _l("A reward was delivered and its points are spent."),
    EventType.BURN_VOIDED: _l("A reward will not be delivered; its points are back."),
    EventType.BURN_REFUNDED: _l("Points of a delivered reward were given back."),
    EventType.POINTS_ISSUED: _l("Your points were given to wallets, by a request or a file."),
    EventType.TEST: _l("Somebody asked for a test message."),
}


class EndpointStatus(StrEnum):
    """Whether an endpoint is called."""

    ACTIVE = "active"
    STOPPED = "stopped"
    """By its member, or by us after a long failure. What happens meanwhile waits for a replay."""
    GONE = "gone"
    """It answered 410 Gone: it wants no more, and nothing is kept for it."""


class MessageStatus(StrEnum):
    """How a message fares."""

    DUE = "due"
    DELIVERED = "delivered"
    FAILED = "failed"
    """Given up, or made while its endpoint was stopped; can be replayed."""


class Claimed(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint that one thread alone calls until its lease runs out."""

    id: UUID
    member_id: UUID
    url: str
    secret: bytes
    previous_secret: bytes | None
    """Encrypted; of the secret before, while it still signs."""
    failures: int
    """Calls in a row that failed."""
    lease: int


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One event for one endpoint."""

    endpoint_id: UUID
    id: int
    type: str
    subject_id: UUID | None
    """The burn; messages of one burn are delivered in their order."""
    data: dict[str, Any]
    effective_at: datetime
    attempts: int

    @property
    def public_id(self) -> str:
        """The header `webhook-id`: the same in every try and replay."""
        return public_id(self.id)

    def body(self) -> bytes:
        """The JSON that is sent, the same to the byte in every try."""
        payload = {
            "id": self.public_id,
            "type": self.type,
            "timestamp": self.effective_at,
            "data": self.data,
        }
        return msgspec.json.encode(payload)


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """How one call went. `status` None: no answer, `error` says why."""

    duration_ms: int
    status: int | None
    error: str | None
    answer: str
    """The first ANSWER_KEPT_BYTES of what came back."""
    retry_after_s: int | None = None
    """Where the endpoint asked for a pause."""

    @property
    def succeeded(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def is_gone(self) -> bool:
        return self.status == GONE


def public_id(message_id: int) -> str:
    """The id of a message as the outside sees it."""
    return f"msg_{message_id}"


def retry_after(attempts: int) -> timedelta:
    """How long a message waits after this many tries: 10 s, 30 s, 90 s ... 6 h, spread."""
    seconds = min(FIRST_RETRY_S * 3 ** min(attempts - 1, 16), LONGEST_RETRY_S)
    return timedelta(seconds=seconds * random.uniform(0.9, 1.1))  # noqa: S311 - spreads load


def pause_after(failures: int, attempt: Attempt) -> timedelta | None:
    """How long an endpoint is left alone after so many failures in a row; None: not at all."""
    if attempt.retry_after_s is not None:
        return timedelta(seconds=min(max(attempt.retry_after_s, 1), LONGEST_PAUSE_S))
    if failures < FAILURES_BEFORE_PAUSE:
        return None
    seconds = min(FIRST_RETRY_S * 2 ** min(failures - FAILURES_BEFORE_PAUSE, 16), LONGEST_PAUSE_S)
    return timedelta(seconds=seconds * random.uniform(0.9, 1.1))  # noqa: S311 - spreads load


_BURN: Final = {
    "burn_id": "0197a3c4-5b10-7d6e-8f21-0a1b2c3d4e5f",
    "wallet_id": "0197a3c0-1111-7aaa-8bbb-123456789abc",
    "offer_id": "0197a3bf-2222-7ccc-9ddd-abcdefabcdef",
    "offer_reference": "GIFT-25",
    "quantity": 1,
    "points": 2500,
}
EXAMPLES: Final[dict[EventType, dict[str, Any]]] = {
    EventType.BURN_FULFILLED: {**_BURN, "cost_micros": 17500000, "currency": "EUR"},
    EventType.BURN_VOIDED: {**_BURN, "reason": "The certificate is sold out."},
    EventType.BURN_REFUNDED: {
        **_BURN,
        "refund_id": "0197a3c9-3333-7eee-8fff-00112233aabb",
        "refunded_points": 1000,
        "reason": "The customer returned the goods.",
    },
    EventType.POINTS_ISSUED: {"issuances": 2, "wallets": 2, "points": 3500},
    EventType.TEST: {"note": "This is a test."},
}
"""What `data` of each type holds."""
