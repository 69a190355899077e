"""What a line of a wallet's history says to its owner."""

from __future__ import annotations

from typing import Final

from marketplace.ledger.domain import TransferCode
from marketplace.ledger.story import StoryLine
from marketplace.web.i18n import Lazy
from marketplace.web.i18n import lazy as _l

TIMES: Final = "\N{MULTIPLICATION SIGN}"
KINDS: Final = {
    TransferCode.ISSUE: _l("Earned"),
    TransferCode.HOLD: _l("Held"),
    TransferCode.CAPTURE: _l("Spent"),
    TransferCode.VOID: _l("Came back"),
    TransferCode.REFUND: _l("Refunded"),
    TransferCode.EXPIRE: _l("Expired"),
}
"""A line in one word."""

OUR_REASONS: Final = {
    "cancelled": _l("you cancelled it"),
    "hold_timeout": _l("the partner did not take the order in time"),
}
"""Why a burn was voided, where the exchange said so; suppliers use words of their own."""


def reason_in_words(reason: str | None) -> Lazy | str:
    """Why points came back: a supplier's words are said as its own catalogue translates them."""
    return OUR_REASONS.get(reason) or _l(reason) if reason else ""


def explain(line: StoryLine) -> Lazy:
    """One line of the history as a sentence."""
    offer = line.offer or ""
    if line.quantity is not None and line.quantity > 1:
        offer = f"{line.quantity} {TIMES} {offer}"
    match line.code:
        case TransferCode.ISSUE:
            return _l(
                "%(issuer)s gave you points for %(reference)s",
                issuer=line.issuer,
                reference=line.reference,
            )
        case TransferCode.HOLD:
            return _l("Held for %(offer)s until the partner delivers", offer=offer)
        case TransferCode.CAPTURE:
            return _l(
                "%(offer)s was delivered; these points of %(issuer)s are spent",
                offer=offer,
                issuer=line.issuer,
            )
        case TransferCode.VOID:
            reason = reason_in_words(line.reason)
            return _l("%(offer)s did not come: %(reason)s", offer=offer, reason=reason)
        case TransferCode.REFUND:
            return _l(
                "%(offer)s was refunded in points of %(issuer)s: %(reason)s",
                offer=offer,
                issuer=line.issuer,
                reason=line.reason,
            )
        case TransferCode.EXPIRE:
            return _l(
                "Points of %(issuer)s for %(reference)s expired unused",
                issuer=line.issuer,
                reference=line.reference,
            )
        case TransferCode.OWE:
            raise ValueError("a debt between members is in nobody's wallet")
