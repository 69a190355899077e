"""What the bank's side of settlement refuses."""

from __future__ import annotations

from marketplace.errors import MarketplaceError


class UnknownBankAccount(MarketplaceError):
    """A statement is for an account that is not the clearing house's."""

    code = "unknown_bank_account"
    title = "The statement is for an account that is not ours"
    status = 409


class StatementDoesNotFoot(MarketplaceError):
    """Opening plus booked entries is not closing; or a balance or an account is missing."""

    code = "statement_does_not_foot"
    title = "The statement does not add up"
    status = 409


class StatementOverlaps(MarketplaceError):
    """Its days are on another statement already, with other content."""

    code = "statement_overlaps"
    title = "Another statement of this account covers the same days"
    status = 409


class StatementChanged(MarketplaceError):
    """A statement of this name was imported with other content."""

    code = "statement_changed"
    title = "A statement of this name was imported with other content"
    status = 409


class BreakNeedsAction(MarketplaceError):
    """The action does not fit the break."""

    code = "break_needs_action"
    title = "This break cannot be resolved in this way"
    status = 409


class NoBankReader(MarketplaceError):
    """The rail cannot read files of a bank."""

    code = "no_bank_reader"
    title = "No plugin can read this file"
    status = 409
