"""How the demonstration's offers are shown: texts in four languages, categories, pictures.

The catalog's own files, as a stranger would import them: one JSON document a line. The story only;
`seed.py` imports it through the plugin's commands, for the core does not know the catalog.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from marketplace.demo.causes import CAMPAIGNS
from marketplace.demo.shelf import (
    CERTIFICATES,
    DONATIONS,
    PROMOTIONS,
    SEATS,
    VOUCHERS,
)
from marketplace.demo.words import (
    BODIES,
    CATEGORIES,
    DAYS,
    GIFTS,
    GIVEN,
    GIVING,
    LANGUAGES,
    STAYS,
    SUMMARIES,
    TERMS,
    Words,
)

LARGEST_DONATION: Final = 40
"""Units of five euros that one may give where it is needed most."""
FEATURED: Final = {"saveurs": 3, "sport": 2, "any": 2, "koffie": 1}


class DemoListing(msgspec.Struct, frozen=True):
    """A listing: the document that the catalog imports, and what its picture shows."""

    document: dict[str, Any]
    kind: str

    @property
    def slug(self) -> str:
        return str(self.document["slug"])


NEWCOMERS = ("kino", "sport", "douro", "heat-pumps", "pump")
"""Listings published at the end of the year that is played."""


def categories() -> Iterator[dict[str, Any]]:
    """The category documents, parents first."""
    for position, (slug, parent, names) in enumerate(CATEGORIES):
        above = {"parent": parent} if parent else {}
        yield {"slug": slug, **above, "position": position, "names": _by_language(names)}


def listings() -> list[DemoListing]:
    """One listing for each thing there is, but for campaigns, which are listed once they began."""
    return [*_gifts(), *_stays(), *_seats(), *_donations()]


def campaign_listings() -> list[DemoListing]:
    """How the catalog shows campaigns: by the hundred points."""
    return [
        _listing(
            each.form,
            each.slug,
            each.titles,
            {},
            offers=[{"offer": each.reference, "least": 100, "most": 1_000, "step": 100}],
            stories=each.stories,
            category="water" if each.form == "donation" else "work",
            tags=["charity"],
        )
        for each in CAMPAIGNS
        if each.months[1] is None
    ]


def _by_language(words: Words) -> dict[str, str]:
    return dict(zip(LANGUAGES, words, strict=True))


def _listing(
    kind: str, slug: str, titles: Words, faces: dict[str, int], **more: Any
) -> DemoListing:
    stories = more.pop("stories", None)
    offers = more.pop("offers", [])
    texts = {
        language: {
            "title": titles[at],
            "summary": GIVEN[at] if stories else SUMMARIES[kind][at],
            "body": stories[at] if stories else BODIES[kind][at],
            "terms": TERMS["donation" if stories else kind][at],
        }
        for at, language in enumerate(LANGUAGES)
    }
    units = more.pop("units", {})
    document = {
        "slug": slug,
        "status": "draft" if slug in NEWCOMERS else "published",
        "featured": FEATURED.get(slug, 0),
        "denominations": [
            {"offer": offer, "face": str(euros), "face_currency": "EUR", **units}
            for offer, euros in faces.items()
        ]
        + offers,
        "texts": texts,
        **more,
    }
    return DemoListing(document, kind)


def _gifts() -> Iterator[DemoListing]:
    for acceptor, slug, _, faces, _ in CERTIFICATES:
        category, titles = GIFTS[slug]
        offers = {f"{acceptor}/{slug}-{euros}": euros for euros in faces}
        tags = ["certificate", "instant"]
        yield _listing("gift", slug, titles, offers, category=category, tags=tags)
    for acceptor, slug, _, euros, _, _, _ in PROMOTIONS:
        category, titles = GIFTS[slug]
        offers = {f"{acceptor}/{slug}": euros}
        yield _listing("gift", slug, titles, offers, category=category, tags=["promotion"])


def _stays() -> Iterator[DemoListing]:
    for slug, _, euros in VOUCHERS:
        place, titles = STAYS[slug]
        yield _listing(
            "voucher",
            slug,
            titles,
            {f"atlantico/{slug}": euros},
            category="travel",
            countries=["PT"],
            place=place,
            delivery="email",
            delivery_days=1,
        )


def _seats() -> Iterator[DemoListing]:
    for slug, _, euros in SEATS:
        place, country, language, titles = DAYS[slug]
        where: dict[str, Any] = {"delivery": "email", "delivery_days": 1}
        if place:
            where = {"delivery": "on_site", "place": place, "countries": [country]}
        yield _listing(
            "seat",
            slug,
            titles,
            {f"forum-baltica/{slug}": euros},
            category="congress",
            languages=[language],
            **where,
        )


def _donations() -> Iterator[DemoListing]:
    for slug, _, euros in DONATIONS:
        units = {"most": LARGEST_DONATION} if slug == "any" else {}
        yield _listing(
            "donation",
            slug,
            GIVING[slug],
            {f"acqua-chiara/{slug}": euros},
            category="water",
            tags=["charity"],
            units=units,
        )
