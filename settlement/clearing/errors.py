"""What clearing refuses."""

from __future__ import annotations

from marketplace.errors import MarketplaceError


class NothingToSettle(MarketplaceError):
    """No window is closed, or none of those named."""

    code = "nothing_to_settle"
    title = "There is no closed window to settle"
    status = 409


class WindowOutOfOrder(MarketplaceError):
    """Windows are settled oldest first."""

    code = "window_out_of_order"
    title = "An earlier window is not settled yet"
    status = 409


class NoPayAccount(MarketplaceError):
    """A member has no approved account for the money of its leg, or one that does not fit."""

    code = "no_pay_account"
    title = "A member has no account that its leg can be paid with"
    status = 409


class RailMissing(MarketplaceError):
    """No enabled plugin has a rail of this name."""

    code = "rail_missing"
    title = "There is no such rail"
    status = 409


class PrefundTooSmall(MarketplaceError):
    """More is to be paid back than was paid ahead."""

    code = "prefund_too_small"
    title = "The member has not paid that much ahead"
    status = 409


class NotUnpaid(MarketplaceError):
    """A default is of a debtor's leg that failed and was not paid in another way."""

    code = "not_unpaid"
    title = "This leg is not one that a debtor failed to pay"
    status = 409
