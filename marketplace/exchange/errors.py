"""Why a burn is refused. The order of the classes is the order in which the rules are checked."""

from __future__ import annotations

from collections.abc import Mapping

from marketplace.errors import MarketplaceError
from marketplace.web.i18n import SOURCE


class BurnRejected(MarketplaceError):
    """Base of the stored rejections: the key is burnt, a replay gets the same answer."""


class UnknownWallet(BurnRejected):
    code = "unknown_wallet"
    title = "There is no such wallet, or it is not yours to burn from"
    status = 404


class UnknownOffer(BurnRejected):
    code = "unknown_offer"
    title = "There is no such offer"
    status = 404


class OfferNotOnSale(BurnRejected):
    code = "offer_not_on_sale"
    title = "The offer is not on sale"
    status = 409


class PluginClosed(BurnRejected):
    code = "plugin_closed"
    title = "Whoever delivers this reward cannot take orders at present"
    status = 409


class NotEligible(BurnRejected):
    code = "not_eligible"
    title = "This offer is not open to this participant"
    status = 403

    def __init__(self, detail: str = "", words: Mapping[str, str] | None = None) -> None:
        self.words: Mapping[str, str] = words or {}
        """What a rule says, by language code; empty where no rule has said anything."""
        super().__init__(detail or self.told(SOURCE))

    def told(self, language: str) -> str:
        """What the rule says to a reader of this language; empty where none has spoken."""
        wanted = (language, language.split("-")[0], SOURCE)
        found = next((code for code in wanted if code in self.words), None)
        return self.words[found] if found is not None else next(iter(self.words.values()), "")


class LimitReached(BurnRejected):
    code = "limit_reached"
    title = "The limit of this offer for one participant is reached"
    status = 409


class SoldOut(BurnRejected):
    code = "sold_out"
    title = "The offer is sold out"
    status = 409


class PriceChanged(BurnRejected):
    code = "price_changed"
    title = "The price is not the one you were shown"
    status = 409


class ExposureCap(BurnRejected):
    code = "exposure_cap"
    title = "An issuer of these points has reached its exposure cap"
    status = 409


class InsufficientPoints(BurnRejected):
    code = "insufficient_points"
    title = "The wallet has not enough points"
    status = 409


REJECTIONS: dict[str, type[BurnRejected]] = {
    cls.code: cls
    for cls in (
        UnknownWallet,
        UnknownOffer,
        OfferNotOnSale,
        PluginClosed,
        NotEligible,
        LimitReached,
        SoldOut,
        PriceChanged,
        ExposureCap,
        InsufficientPoints,
    )
}
"""Rejections by code, in order of precedence."""


class AlreadyOrdered(MarketplaceError):
    code = "already_ordered"
    title = "The reward is already ordered from the supplier"
    status = 409


class BurnNotHeld(MarketplaceError):
    code = "burn_not_held"
    title = "The burn is no longer held"
    status = 409


class NotRefundable(MarketplaceError):
    code = "not_refundable"
    title = "This cannot be refunded"
    status = 409


class NotGivable(MarketplaceError):
    code = "not_givable"
    title = "This reward cannot be given away"
    status = 409


class AlreadyGiven(MarketplaceError):
    code = "already_given"
    title = "This reward is given to a colleague"
    status = 409


class GiftAccepted(MarketplaceError):
    code = "gift_accepted"
    title = "Your colleague has accepted the gift"
    status = 409


class OfferChanged(MarketplaceError):
    code = "offer_changed"
    title = "Somebody else has changed the offer meanwhile"
    status = 409


class OfferRetired(MarketplaceError):
    code = "offer_retired"
    title = "A retired offer stays retired"
    status = 409


class OfferTaken(MarketplaceError):
    code = "offer_taken"
    title = "The reference or sku belongs to another offer"
    status = 409


class PriceNotCovered(MarketplaceError):
    code = "price_not_covered"
    title = "The points bring less than the reward costs"
    status = 422
