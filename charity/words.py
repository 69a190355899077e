"""Words for the codes of charity, in the reader's language."""

from __future__ import annotations

from typing import Final

from charity.domain import Donor, GiftStatus, MatchMode, Surplus
from marketplace.web.i18n import Lazy
from marketplace.web.i18n import lazy as _l
from marketplace.web.i18n import lazy_in as _lp

CANNOT: Final = _l("It cannot receive gifts now.")
SURPLUS: Final[dict[Surplus, Lazy]] = {
    Surplus.NEXT_CAMPAIGN: _l("What comes in beyond the goal goes to the charity's next campaign."),
    Surplus.GENERAL_FUND: _l("What comes in beyond the goal goes to the charity's general fund."),
}
MATCH_MODES: Final[dict[MatchMode, Lazy]] = {
    MatchMode.BILLED: _l("Billed gift by gift"),
    MatchMode.PREFUNDED: _l("Paid ahead: all of it now, the rest comes back"),
}
STATUSES: Final[dict[GiftStatus, tuple[Lazy, str]]] = {
    GiftStatus.ASKED: (_l("being made"), "told"),
    GiftStatus.HELD: (_l("held: you can take it back"), "care"),
    GiftStatus.GIVEN: (_l("on its way to the charity"), "care"),
    GiftStatus.CAPTURED: (_l("given"), "good"),
    GiftStatus.CANCELLED: (_l("taken back, the points return"), "care"),
    GiftStatus.VOIDED: (_l("taken back"), "told"),
    GiftStatus.REFUSED: (_l("not made"), "told"),
}
STAGES: Final[dict[str, Lazy]] = {
    "window": _l("In a settlement window"),
    "disputed": _l("Kept out of settlements by a dispute"),
    "settlement": _l("In a settlement"),
    "payout": _l("Paid to the charity"),
    "rejected": _l("Payment failed"),
    "refund": _l("Taken off: what was given back"),
    "adjusted": _l("Taken off: a dispute was upheld"),
}
STEPS: Final[dict[str, Lazy]] = {
    "open": _l("open"),
    "closing": _l("closing"),
    "closed": _l("closed"),
    "in_settlement": _l("being settled"),
    "settled": _l("settled"),
    "pending": _l("drafted"),
    "recorded": _l("recorded"),
    "approved": _l("approved"),
    "submitted": _l("sent to the bank"),
    "settling": _l("being paid"),
    "aborted": _l("aborted"),
    "planned": _lp("gift", "planned"),
    "accepted": _lp("gift", "accepted by the bank"),
    "booked": _l("booked by the bank"),
    "rejected": _l("refused by the bank"),
    "returned": _l("returned by the bank"),
    "unknown": _lp("gift", "not known yet"),
    "disputed": _l("not decided yet"),
    "waiting": _l("decided, in the next settlement"),
}
DONORS: Final[dict[Donor, Lazy]] = {
    Donor.PERSON: _l("My own gifts"),
    Donor.FIRM: _l("Gifts from the firm's pool"),
}
REFUSALS: Final[dict[str, Lazy]] = {
    "": _l("The gift could not be made. Nothing was given."),
    "insufficient_points": _l("There are not enough points for that. Nothing was given."),
    "offer_not_on_sale": _l("The campaign takes no gifts now. Nothing was given."),
    "campaign_over": _l("The campaign takes no gifts any more. Nothing was given."),
    "price_changed": _l("The campaign takes no gifts now. Nothing was given."),
    "plugin_closed": _l("The charity cannot receive now. Nothing was given."),
    "charity_not_verified": _l("The charity is not verified now. Nothing was given."),
    "exposure_cap": _l("An issuer of these points has to settle first. Nothing was given."),
}
