"""What the partner console says about offers: how they stand, and why a form cannot be taken."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from marketplace.errors import MarketplaceError
from marketplace.exchange.domain import Cause, OfferStatus
from marketplace.exchange.offer_queries import OwnOfferView, Step
from marketplace.money import decimal_from_micros
from marketplace.web.formats import day_and_hour, money, number
from marketplace.web.i18n import Lazy
from marketplace.web.i18n import lazy as _l

STATUS: Final[dict[OfferStatus, Lazy]] = {
    OfferStatus.ANNOUNCED: _l("Announced"),
    OfferStatus.ON_SALE: _l("On sale"),
    OfferStatus.PAUSED: _l("Paused"),
    OfferStatus.RETIRED: _l("Retired"),
}
TONES: Final = {
    OfferStatus.ANNOUNCED: "told",
    OfferStatus.ON_SALE: "good",
    OfferStatus.PAUSED: "care",
    OfferStatus.RETIRED: "bad",
}
CLOSED: Final[dict[Cause, Lazy]] = {
    Cause.OPERATOR: _l("closed by the operator"),
    Cause.NOT_ACTIVE: _l("closed: its plugin is not active"),
    Cause.NOT_ENABLED: _l("closed: its plugin is not enabled for you"),
    Cause.SANDBOX: _l("closed while the sandbox is on"),
    Cause.BREAKER: _l("closed for a while: its plugin is in trouble"),
    Cause.PLUGIN: _l("closed by its plugin"),
}
FIELDS: Final[dict[str, Lazy]] = {
    "name": _l("Name"),
    "limit_per_wallet": _l("Limit"),
    "starts_at": _l("Begins"),
    "ends_at": _l("Ends"),
    "eligibility": _l("Who may have it"),
}
SAID: Final[dict[tuple[str, str], Lazy]] = {
    ("offer_taken", "reference"): _l("There is an offer with this reference already."),
    ("offer_taken", "sku"): _l("This SKU belongs to another member's offer."),
    ("price_not_covered", "currency"): _l("No points are issued that settle in this currency."),
    ("invalid_request", "ends_at"): _l("It ends before it begins."),
    ("invalid_request", "eligible_firms"): _l("One of these firms does not exist."),
    ("invalid_request", "eligible_countries"): _l("One of these is no country code."),
    ("invalid_request", "currency"): _l("A currency code such as EUR."),
    ("invalid_request", "plugin"): _l("This plugin delivers nothing here."),
}
"""What is said beside a field, by code of the error and field."""


class Stand(msgspec.Struct, frozen=True):
    """How an offer stands, in words."""

    text: Lazy
    tone: str
    why: Lazy | None = None
    """What keeps people from it although it is on sale."""


def stand_of(offer: OwnOfferView, now: Any) -> Stand:
    """Whether people can have it now; by the same rules as a burn."""
    text, tone = STATUS[offer.status], TONES[offer.status]
    if offer.closed is not None:
        why = CLOSED[offer.closed.cause]
        return Stand(text, "care" if offer.status is OfferStatus.ON_SALE else tone, why)
    if offer.status is not OfferStatus.ON_SALE:
        return Stand(text, tone)
    if offer.starts_at is not None and now < offer.starts_at:
        return Stand(text, "care", _l("begins %(when)s", when=day_and_hour(offer.starts_at)))
    if offer.ends_at is not None and now >= offer.ends_at:
        return Stand(text, "bad", _l("ended %(when)s", when=day_and_hour(offer.ends_at)))
    if offer.stock == 0:
        return Stand(text, "bad", _l("sold out"))
    return Stand(text, tone)


def beside(error: MarketplaceError) -> tuple[str, Lazy] | None:
    """The field an error belongs to and what is said there; None where it belongs to none."""
    field = error.extra.get("field")
    if not isinstance(field, str):
        return None
    if error.code == "price_not_covered" and "brought_micros" in error.extra:
        least = decimal_from_micros(error.extra["brought_micros"])
        return field, _l(
            "These points may bring no more than %(least)s. Ask for more points, or be paid less.",
            least=least,
        )
    said = SAID.get((error.code, field))
    return (field, said) if said else None


def step_words(step: Step, currency: str) -> list[Lazy | str]:
    """What one entry of an offer's history says; a line each."""
    details = step.details
    match step.action:
        case "offer.made":
            return [_l("Made")]
        case "offer.status":
            return [_l("Now: %(status)s", status=STATUS[OfferStatus(details["status"])])]
        case "offer.amended":
            return [_change(name, *values) for name, values in details["changes"].items()]
        case "offer.price":
            points, cost = details["before"]
            return [
                _l(
                    "Price: %(points)s points and %(cost)s, before %(old_points)s and %(old_cost)s",
                    points=number(details["points"]),
                    cost=money(details["cost_micros"], currency),
                    old_points=number(points),
                    old_cost=money(cost, currency),
                )
            ]
        case "catalog.price_announced":
            return [_l("Another price announced")]
        case "catalog.price_cancelled":
            return [_l("An announced price taken back")]
        case _:
            return [step.action]


def _change(name: str, before: Any, after: Any) -> Lazy:
    if name == "eligibility":
        return _l("%(field)s changed", field=FIELDS[name])
    return _l(
        "%(field)s: %(after)s, before %(before)s",
        field=FIELDS[name],
        after=_shown(after),
        before=_shown(before),
    )


def _shown(value: Any) -> str:
    return "-" if value is None else str(value)
