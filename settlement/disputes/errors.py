"""What disputes are refused for."""

from __future__ import annotations

from marketplace.errors import MarketplaceError


class NotDisputable(MarketplaceError):
    """The line cannot be disputed by this member, or not any more."""

    code = "not_disputable"
    title = "The line cannot be disputed"
    status = 409
