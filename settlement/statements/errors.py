"""What statements refuse."""

from __future__ import annotations

from marketplace.errors import Conflict, MarketplaceError


class StatementNotFinal(Conflict):
    """The window is still open, or nobody vouches for the settlement yet."""

    code = "statement_not_final"
    title = "There is no statement yet"


class StatementChanged(MarketplaceError):
    """Made again from the ledger, a statement is not what was issued: somebody changed rows."""

    code = "statement_changed"
    title = "The ledger no longer gives the statement that was issued"
    status = 500
