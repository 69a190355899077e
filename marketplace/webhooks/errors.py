"""What can go wrong with webhooks."""

from __future__ import annotations

from marketplace.errors import Conflict, InvalidRequest


class TooManyEndpoints(Conflict):
    code = "too_many_webhooks"
    title = "The member has as many webhook endpoints as it may have"


class EndpointNotActive(Conflict):
    code = "webhook_not_active"
    title = "The webhook endpoint is not active"


class UnknownEvent(InvalidRequest):
    code = "unknown_event"
    title = "There is no such event to subscribe to"
