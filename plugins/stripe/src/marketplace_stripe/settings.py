"""What the operator says about the clearing house's own Stripe account."""

from __future__ import annotations

from typing import Annotated, Final
from urllib.parse import urlsplit

import msgspec

from marketplace import api

STRIPE: Final = "https://api.stripe.com"

WebhookKey = Annotated[str, api.SECRET, msgspec.Meta(pattern=r"^whsec_\S{8,}$", max_length=200)]


class House(msgspec.Struct, frozen=True, kw_only=True):
    """The platform's account at Stripe."""

    secret_key: Annotated[
        str,
        api.SECRET,
        msgspec.Meta(
            title="Key",
            description="A restricted key (rk_) that may write payment intents, transfers and "
            "accounts, and read charges, balance and customers.",
            pattern=r"^(rk|sk)_(test|live)_[A-Za-z0-9_]+$",
            max_length=300,
        ),
    ]
    webhook_key: Annotated[
        WebhookKey,
        msgspec.Meta(title="Webhook secret", description="Signs what Stripe sends: whsec_ ..."),
    ]
    webhook_next_key: Annotated[
        WebhookKey | None,
        msgspec.Meta(title="Next webhook secret", description="Is taken too, during rotation."),
    ] = None
    connect_webhook_key: Annotated[
        WebhookKey | None,
        msgspec.Meta(
            title="Webhook secret of connected accounts",
            description="Of the second webhook, for events on connected accounts: it has its own.",
        ),
    ] = None
    statements: Annotated[
        bool,
        msgspec.Meta(
            title="Import each day by itself",
            description="Days of the balance are imported once they are over, without anybody.",
        ),
    ] = True
    address: Annotated[
        str,
        msgspec.Meta(
            title="Address",
            description="Of Stripe; of a double on this machine for trials.",
            pattern="^https?://",
            max_length=200,
        ),
    ] = STRIPE

    def __repr__(self) -> str:
        """Without its secrets: it may stand in a log, or in what an error says."""
        return f"House(address={self.address!r}, live={self.live})"

    @property
    def live(self) -> bool:
        """Whether real money moves."""
        return self.secret_key[3:].startswith("live_")

    @property
    def webhook_keys(self) -> list[str]:
        """Secrets one of which has signed what Stripe sends."""
        keys = (self.webhook_key, self.webhook_next_key, self.connect_webhook_key)
        return [key for key in keys if key]

    @property
    def elsewhere(self) -> str:
        """Why the address will not do; empty where it will: Stripe's own, or this machine's for
        a test key."""
        found = urlsplit(self.address)
        if self.address.rstrip("/") == STRIPE:
            return ""
        if found.hostname not in ("127.0.0.1", "::1", "localhost"):
            return f"The address must be {STRIPE}, or a double on this machine."
        if self.live:
            return "A live key is sent to Stripe only, never to a double."
        return ""
