"""Words for what the catalog says by code: msgids, for pages to translate with `page._`.

Places are filled by `%`: `page._(OBSTACLES[each.why].text) % values`.
"""

from __future__ import annotations

from typing import Final

import msgspec

from catalog.domain import Delivery, Reason, Sort, ValueSource, Why


def N_(message: str) -> str:  # noqa: N802 - the name by which messages are collected
    """Mark a message for translation; it is translated where it is shown."""
    return message


class Words(msgspec.Struct, frozen=True):
    """What is in the way, and what would help."""

    text: str
    help: str


OBSTACLES: Final = {
    Why.ANNOUNCED: Words(
        N_("Announced: it cannot be burnt on yet."),
        N_("Put it on your wish list, and we tell you when it opens."),
    ),
    Why.PAUSED: Words(
        N_("The partner has paused it."), N_("Pauses are short as a rule; look again later.")
    ),
    Why.RETIRED: Words(
        N_("It is no longer given out."), N_("See what is like it in the same category.")
    ),
    Why.NOT_STARTED: Words(N_("It opens on %(at)s."), N_("Put it on your wish list until then.")),
    Why.ENDED: Words(N_("It ended on %(at)s."), N_("See what is like it in the same category.")),
    Why.CLOSED: Words(
        N_("It is closed for the time being."), N_("See what is like it in the same category.")
    ),
    Why.CLOSED_BECAUSE: Words(
        N_("It is closed for the time being: %(detail)s"),
        N_("See what is like it in the same category."),
    ),
    Why.NOT_READY: Words(
        N_("The partner is not ready to deliver it yet."),
        N_("Put it on your wish list until then."),
    ),
    Why.BREAKDOWN: Words(
        N_("The partner cannot deliver just now."),
        N_("It opens again by itself; look again in a few minutes."),
    ),
    Why.SIGN_IN: Words(N_("You are not signed in."), N_("Sign in to see what you can have.")),
    Why.NO_WALLET: Words(
        N_("You have no wallet."), N_("Points are burnt by participants of a firm.")
    ),
    Why.ROLE: Words(
        N_("It is for people in these roles: %(among)s."),
        N_("If your role is recorded wrongly, your firm can have it changed."),
    ),
    Why.COUNTRY: Words(
        N_("It is for firms in these countries: %(among)s."),
        N_("See what can be used in your country."),
    ),
    Why.FIRM: Words(N_("It is for people of certain firms."), N_("See what is open to your firm.")),
    Why.RULE: Words(N_("%(detail)s"), ""),
    Why.LIMIT_REACHED: Words(
        N_("You have had all that one participant may have: %(units)s."),
        N_("See what is like it in the same category."),
    ),
    Why.SOLD_OUT: Words(
        N_("Sold out."), N_("Put it on your wish list: it comes back when the partner refills it.")
    ),
    Why.SHORT: Words(
        N_("%(points)s points are missing."),
        N_("Put it on your wish list, and we tell you when you have enough."),
    ),
    Why.EXPOSURE: Words(
        N_("An issuer of your points has reached what it may owe until it settles."),
        N_("Try something smaller, or again after the next settlement."),
    ),
    Why.PARTNER_AWAY: Words(
        N_("The partner has trouble just now: it may take longer."),
        N_("Your points are held, not spent, until the partner confirms."),
    ),
}
"""By `Obstacle.why`. Places: `at` (a date), `among` (a list), `points`, `units`, `detail`."""

SUGGESTED: Final = {
    Reason.HISTORY: N_("Because you took: %(about)s"),
    Reason.FIRM: N_("Liked by colleagues of your firm"),
    Reason.ROLE: N_("Liked by people in your role"),
    Reason.POPULAR: N_("Liked in the whole coalition"),
    Reason.NEW: N_("New on the shelf"),
}
"""By `Suggestion.reason`."""

DELIVERIES: Final = {
    Delivery.INSTANT: N_("At once, on screen"),
    Delivery.EMAIL: N_("By e-mail"),
    Delivery.POST: N_("By post"),
    Delivery.ON_SITE: N_("On site"),
}
"""By `Card.delivery`."""

SORTS: Final = {
    Sort.RELEVANCE: N_("Best match"),
    Sort.POINTS_UP: N_("Fewest points first"),
    Sort.POINTS_DOWN: N_("Most points first"),
    Sort.NEWEST: N_("Newest first"),
    Sort.VALUE: N_("Most value for a point"),
    Sort.POPULAR: N_("Most taken"),
}
"""By `Query.sort`, in the order in which they are offered."""

KINDS: Final = {
    "gift": N_("Gift"),
    "voucher": N_("Voucher"),
    "seat": N_("Seat"),
    "donation": N_("Donation"),
}
"""By `Card.kind`; kinds that plugins register go by their own names."""

FACETS: Final = {
    "kind": N_("Kind"),
    "category": N_("Category"),
    "partner": N_("Partner"),
    "language": N_("Language"),
    "country": N_("Country"),
    "place": N_("Place"),
    "delivery": N_("Delivery"),
    "points": N_("Points"),
    "available": N_("Can be had now"),
    "affordable": N_("Within my points"),
}
"""By `Facet.name`."""

VALUES: Final = {
    ValueSource.FACE: N_("The value printed on it."),
    ValueSource.COST: N_("What the partner is paid for it."),
}
"""How the money value was found, by `value_from`."""
