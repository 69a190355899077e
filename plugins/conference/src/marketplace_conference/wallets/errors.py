"""Why a phone is refused. Each code is in docs/concepts/tickets.md."""

from __future__ import annotations

from marketplace.api import MarketplaceError


class PassTokenRefused(MarketplaceError):
    code = "conference_pass_token_refused"
    title = "This is not the token of that pass"
    status = 401
