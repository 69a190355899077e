"""What can go wrong in the catalog."""

from __future__ import annotations

from marketplace.errors import Conflict, InvalidRequest, NotFound


class UnknownListing(NotFound):
    code = "unknown_listing"
    title = "There is no such listing, or it is not published"


class BadSearch(InvalidRequest):
    code = "bad_search"
    title = "The search asks for something it cannot have"


class NotPublishable(Conflict):
    code = "not_publishable"
    title = "The listing cannot be published as it is"


class BadPriceChange(InvalidRequest):
    code = "bad_price_change"
    title = "The price cannot change like this"


class TooManyWishes(Conflict):
    code = "too_many_wishes"
    title = "The wish list is full"


class ListingTaken(Conflict):
    code = "listing_taken"
    title = "There is a listing with this address already"


class ListingChanged(Conflict):
    code = "listing_changed"
    title = "Somebody else has changed the listing meanwhile"


class BadListing(InvalidRequest):
    code = "bad_listing"
    title = "The listing cannot be like this"
