"""What must hold of a listing by itself, whichever file it came in. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from catalog.domain import Delivery, ListingStatus
from catalog.specs import CategorySpec, ListingSpec
from marketplace.exchange.decide import MAX_QUANTITY

MOST_TAGS = 20
MOST_DENOMINATIONS = 30
RESERVED = frozenset(
    {
        "categories",
        "file",
        "for-you",
        "own",
        "partner",
        "pictures",
        "preview",
        "previews",
        "prices",
        "wish-alerts",
        "wishes",
    }
)
"""Addresses below `/catalog` and `/v1/catalog` that are not listings."""
LOCALE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")


def listing_faults(spec: ListingSpec) -> Iterator[str]:
    """Everything wrong with a listing that can be told without looking anything up."""
    yield from _denomination_faults(spec)
    if spec.slug in RESERVED:
        yield f"slug {spec.slug!r} is an address of the catalog's own"
    for locale in (*spec.texts, *spec.languages, spec.default_locale):
        if not LOCALE.fullmatch(locale):
            yield f"{locale!r} is no language tag such as en or pt-BR"
    if not spec.texts:
        yield "there is no text in any language"
    elif spec.default_locale not in spec.texts:
        yield f"default_locale is {spec.default_locale!r}, and there is no text in it"
    if spec.visible_from and spec.visible_to and spec.visible_to <= spec.visible_from:
        yield "visible_to is not after visible_from"
    if len(spec.tags) > MOST_TAGS:
        yield f"there are more than {MOST_TAGS} tags"
    for name in ("tags", "countries", "languages"):
        values = getattr(spec, name)
        if len(set(values)) < len(values):
            yield f"{name} holds a value twice"
    if not 0 <= spec.featured <= 1_000_000_000:
        yield "featured is not from 0 to 1,000,000,000"
    if spec.delivery_days is not None and not 0 < spec.delivery_days <= 365:
        yield "delivery_days is not from 1 to 365"
    if spec.delivery is Delivery.INSTANT and spec.delivery_days is not None:
        yield "what is delivered at once takes no delivery_days"
    if spec.status is ListingStatus.WITHDRAWN and spec.featured:
        yield "a withdrawn listing is not featured"


def _denomination_faults(spec: ListingSpec) -> Iterator[str]:
    offers = [each.offer for each in spec.denominations]
    if not offers:
        yield "there is no offer"
    if len(offers) > MOST_DENOMINATIONS:
        yield f"there are more than {MOST_DENOMINATIONS} offers"
    for offer in dict.fromkeys(each for each in offers if offers.count(each) > 1):
        yield f"offer {offer!r} is there twice"
    for each in spec.denominations:
        if not (0 < each.least <= each.most <= MAX_QUANTITY and each.step > 0):
            yield f"quantities of {each.offer!r} are not from 1 to {MAX_QUANTITY:,}, rising"
        elif (each.most - each.least) % each.step:
            yield f"steps of {each.step} from {each.least} do not lead to {each.most}"
        if (each.face_micros is None) != (each.face_currency is None):
            yield f"face and face_currency of {each.offer!r} belong together"


def category_faults(spec: CategorySpec) -> Iterator[str]:
    """Everything wrong with a category by itself."""
    if not spec.names:
        yield "there is no name in any language"
    for locale in spec.names:
        if not LOCALE.fullmatch(locale):
            yield f"{locale!r} is no language tag such as en or pt-BR"
    if spec.parent == spec.slug:
        yield "a category is not its own parent"
