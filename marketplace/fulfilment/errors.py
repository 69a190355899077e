"""What can go wrong where rewards are delivered."""

from __future__ import annotations

from marketplace.errors import MarketplaceError


class NothingToReveal(MarketplaceError):
    code = "nothing_to_reveal"
    title = "There is no code, ticket or receipt to show for this burn"
    status = 409
