"""What webhooks look like over HTTP."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec

from marketplace.addresses import LONGEST_URL
from marketplace.webhooks.domain import EndpointStatus, MessageStatus

MOST_NAMED = 500
"""Messages named in one request to replay."""

Url = Annotated[
    str,
    msgspec.Meta(
        min_length=1, max_length=LONGEST_URL, description="`https://...`, on the public internet"
    ),
]
Events = Annotated[
    list[str], msgspec.Meta(description="Types of events, as `GET /v1/webhook-events` lists them")
]

Moment = Annotated[datetime, msgspec.Meta(tz=True, description="With an offset from UTC")]


class NewEndpoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An endpoint to make."""

    url: Url
    events: Events
    description: str = ""
    member: Annotated[
        str | None,
        msgspec.Meta(description="Slug of the member; only the operator names another"),
    ] = None


class EndpointChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to change; what is absent stays."""

    url: Url | None = None
    events: Events | None = None
    description: str | None = None
    active: bool | None = None


class EndpointView(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint."""

    id: UUID
    member_id: UUID
    url: str
    events: list[str]
    description: str
    status: EndpointStatus
    failures: int
    """Calls in a row that failed."""
    failing_since: datetime | None
    paused_until: datetime | None
    previous_until: datetime | None
    """Until when the secret before the present one signs too."""
    created_at: datetime


class EndpointMade(msgspec.Struct, frozen=True):
    """A new endpoint; the secret is shown this once."""

    endpoint: EndpointView
    secret: str


class Endpoints(msgspec.Struct, frozen=True):
    """Endpoints of a member."""

    items: list[EndpointView]


class SecretMade(msgspec.Struct, frozen=True):
    """A new secret, shown this once."""

    secret: str
    previous_until: datetime
    """Until when the one before signs too."""


class MessageView(msgspec.Struct, frozen=True, kw_only=True):
    """A message and how it fares."""

    id: str
    """As in the header `webhook-id`."""
    type: str
    burn_id: UUID | None
    status: MessageStatus
    attempts: int
    effective_at: datetime
    created_at: datetime
    due_at: datetime | None
    delivered_at: datetime | None


class MessagePage(msgspec.Struct, frozen=True):
    """Messages, newest first."""

    items: list[MessageView]
    next: str | None


class AttemptView(msgspec.Struct, frozen=True, kw_only=True):
    """One call."""

    created_at: datetime
    duration_ms: int
    status: int | None
    error: str | None
    answer: str


class MessageDetail(msgspec.Struct, frozen=True, kw_only=True):
    """A message, what it says, and every call with it."""

    message: MessageView
    payload: dict[str, Any]
    attempts: list[AttemptView]


class ReplayBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to deliver again: `ids`, or a span of time, or (`failed_only`) all that failed of it."""

    ids: Annotated[list[str], msgspec.Meta(min_length=1, max_length=MOST_NAMED)] | None = None
    since: Moment | None = None
    until: Moment | None = None
    failed_only: bool = True


class Replayed(msgspec.Struct, frozen=True):
    """How many messages are due again."""

    replayed: int


class Queued(msgspec.Struct, frozen=True):
    """The message that was queued."""

    id: str


class EventView(msgspec.Struct, frozen=True):
    """A type of event."""

    type: str
    about: str
    example: dict[str, Any]
    """A whole payload."""


class EventTypes(msgspec.Struct, frozen=True):
    """Every type of event."""

    items: list[EventView]
