"""Rows as they are shown, and ids as they are given."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from marketplace.errors import InvalidRequest
from marketplace.webhooks.domain import ABOUT, EXAMPLES, EventType, Message, public_id
from marketplace.webhooks.models import WebhookAttempt, WebhookEndpoint, WebhookMessage
from marketplace.webhooks.schemas import AttemptView, EndpointView, EventView, MessageView

EXAMPLE_TIME = datetime(2026, 11, 25, 12, 30, tzinfo=UTC)
LARGEST_ID = 2**63 - 1


def endpoint_view(row: WebhookEndpoint) -> EndpointView:
    """An endpoint without its secrets."""
    return msgspec.convert(row, EndpointView, from_attributes=True)


def message_view(row: WebhookMessage) -> MessageView:
    """A message as a line of a list."""
    return MessageView(
        id=public_id(row.id),
        type=row.type,
        burn_id=row.subject_id,
        status=row.status,
        attempts=row.attempts,
        effective_at=row.effective_at,
        created_at=row.created_at,
        due_at=row.due_at,
        delivered_at=row.delivered_at,
    )


def attempt_view(row: WebhookAttempt) -> AttemptView:
    """One call."""
    return msgspec.convert(row, AttemptView, from_attributes=True)


def payload_of(row: WebhookMessage) -> dict[str, Any]:
    """What is sent."""
    sent = Message(
        endpoint_id=row.endpoint_id,
        id=row.id,
        type=row.type,
        subject_id=row.subject_id,
        data=row.data,
        effective_at=row.effective_at,
        attempts=row.attempts,
    )
    payload: dict[str, Any] = msgspec.json.decode(sent.body())
    return payload


def example_of(kind: EventType) -> dict[str, Any]:
    """A whole payload of a type, as documented."""
    return {
        "id": public_id(4711),
        "type": kind.value,
        "timestamp": EXAMPLE_TIME.isoformat().replace("+00:00", "Z"),
        "data": EXAMPLES[kind],
    }


def event_views() -> list[EventView]:
    """Every type of event, in English."""
    return [EventView(kind.value, str(ABOUT[kind]), example_of(kind)) for kind in EventType]


def message_id(text: str) -> int:
    """The id in `msg_...`; InvalidRequest."""
    digits = text.removeprefix("msg_")
    if not (digits.isascii() and digits.isdigit()) or int(digits[:20]) > LARGEST_ID:
        raise InvalidRequest(f"{text!r} is no id of a message: msg_ and digits.")
    return int(digits[:20])
