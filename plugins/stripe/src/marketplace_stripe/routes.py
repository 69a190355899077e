"""HTTP: what Stripe sends, under /v1/stripe."""

from __future__ import annotations

from typing import Any

from litestar import Request, post
from litestar.params import RawBody

from marketplace.api import Host, Routes, access
from marketplace_stripe import webhooks
from marketplace_stripe.webhooks import Noted

MOST_BYTES = 262_144


def make_routes(host: Host) -> Routes:
    """The handlers over a host."""

    @post(
        "/webhook",
        opt=access(public=True),
        status_code=200,
        sync_to_thread=True,
        request_max_body_size=MOST_BYTES,
        summary="Take an event of Stripe's",
        tags=["stripe"],
    )
    def take(request: Request[Any, Any, Any], body: RawBody) -> Noted:
        """Keep an event whose signature fits a webhook secret, once; legs are asked about soon."""
        return webhooks.take(host, body, request.headers.get(webhooks.HEADER, ""))

    return [take]
