"""What people are told: why a product cannot be had here, why an order was refused.

English words are what is stored and logged; pages say them in the reader's language.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from marketplace.api import Lazy, lazy

SOLD_OUT: Final = lazy("Nothing of this is left at the organizer.")
NOT_SOLD: Final = lazy("The organizer does not sell this at the moment.")
CANCELLED_THERE: Final = lazy("The organizer has cancelled this order.")
NOT_TOLD: Final = lazy("The organizer wants to know who comes: say it before you burn points.")
USED: Final = lazy("What you said about who comes was used for another order already.")
NOT_TAKEN: Final = lazy("The organizer's server did not take what was said about who comes.")
SEAT_TAKEN: Final = lazy("Somebody else has taken this seat meanwhile: choose another one.")
TOO_FEW: Final = lazy("The organizer sells only more of these at once.")
TOO_MANY: Final = lazy("The organizer does not sell so many of these at once.")

TROUBLES: Final[Mapping[str, Lazy]] = {
    "token": lazy("The server does not know the token any more."),
    "event": lazy("The token may not see this event, or there is none."),
    "sku": lazy("The offer names no event and product."),
    "product": lazy("The event has no such product."),
    "inactive": lazy("The product, or this variation of it, is not active."),
    "no_variation": lazy("The product has variations: the offer has to name one of them."),
    "variation": lazy("The product has no such variation."),
    "no_date": lazy("The event is a series: the offer has to name one of its dates."),
    "date": lazy("The event has no such date, or it is not active."),
    "not_on_date": lazy("The product is not sold on this date."),
    "not_live": lazy(
        "The shop of the event is not live, so nobody could open the page of an order."
    ),
    "not_begun": lazy("The sale of the event has not begun."),
    "over": lazy("The sale of the event is over."),
    "not_yet": lazy("The product is not available yet."),
    "no_longer": lazy("The product is not available any more."),
    "channel": lazy("It is not sold on the sales channel that the settings name."),
    "voucher": lazy("The product is sold with a voucher only."),
    "approval": lazy("Orders of the product have to be approved by the organizer."),
    "membership": lazy("The product is for holders of a membership."),
    "bundled": lazy("The product is sold as part of others only."),
    "addons": lazy("An add-on has to be chosen with the product."),
    "bundles": lazy("What comes with the product is not sold, or asks something of its own."),
    "giftcard": lazy("The product is a gift card."),
    "account": lazy("The product gives a membership, for which one needs an account there."),
    "medium": lazy("The product is kept on a card or wristband, which is handed out there."),
    "hidden": lazy("The product is hidden while another one is available."),
    "quota": lazy("The product has no quota."),
    "question": lazy("A required question of the event cannot be answered here."),
}
"""Why nothing of an offer is sold here, by code; its partner reads them."""

NOT_VALID: Final = lazy("The organizer has cancelled this: it is not valid any more.")
SOME_NOT_VALID: Final = lazy(
    "The organizer has cancelled some of the tickets. See below under tickets which are valid."
)
CHANGED: Final = lazy(
    "The organizer has changed this since: look at the tickets as they are now, for their codes."
)
NOTICED: Final[Mapping[str, Lazy]] = {
    "fewer": lazy(
        "Tickets of the order are nowhere to be seen: neither in it, nor in an order that was "
        "split from it. Their points do not go back by themselves."
    ),
    "unpaid": lazy("The organizer changed the order, and wants it paid for."),
    "back": lazy("A ticket is valid again, or was added, after its points went back."),
    "moved": lazy("The organizer changed tickets to another product, variation or date."),
}
"""What an organizer changed in an order that stands, for people to look at, by code."""
