"""What the catalog's views are called on its pages: words, links and marks for one reader.

Methods of `Shown` are called while a page is made, when its language is spoken.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from catalog.domain import Why, value_per_thousand
from catalog.messages import DELIVERIES, FACETS, KINDS, OBSTACLES, SORTS, SUGGESTED, VALUES, Words
from catalog.names import country_name, language_name
from catalog.query import LISTS, Query
from catalog.schemas import Card, DenominationView, Facet, Obstacle, Suggestion
from catalog.viewer import Viewer
from marketplace.web.formats import day, number
from marketplace.web.page import Page

PATH: Final = "/catalog"
WISH_HELPS: Final = frozenset(
    {Why.ANNOUNCED, Why.NOT_STARTED, Why.NOT_READY, Why.SOLD_OUT, Why.SHORT}
)
"""Where a wish is what helps: we tell people when it can be had."""
LIKE_IT_HELPS: Final = frozenset(
    {
        Why.PAUSED,
        Why.RETIRED,
        Why.ENDED,
        Why.CLOSED,
        Why.CLOSED_BECAUSE,
        Why.BREAKDOWN,
        Why.LIMIT_REACHED,
    }
)
SWITCHES: Final = ("affordable", "available")
FACET_ORDER: Final = (
    *SWITCHES,
    *("kind", "category", "points", "partner", "place", "delivery", "language", "country"),
)
PARAGRAPHS: Final = re.compile(r"\n\s*\n")


class Told(msgspec.Struct, frozen=True):
    """An obstacle in words, what would help, and where that leads (None: nowhere)."""

    why: Why
    text: str
    help: str
    href: str | None
    short: str
    """The words of a link to it on a card."""
    blocks: bool

    @property
    def by_wish(self) -> bool:
        """Whether what helps is to wish for it."""
        return self.why in WISH_HELPS


class Chip(msgspec.Struct, frozen=True):
    """A filter that is on, and the address of the search without it."""

    label: str
    href: str


class Shown:
    """Words and links for one reader, by the names templates use."""

    def __init__(self, page: Page, viewer: Viewer | None = None) -> None:
        self._page = page
        self._viewer = viewer
        self.is_stranger = page.principal is None
        self.can_wish = viewer is not None

    # -- names of codes ----------------------------------------------------------------------------

    def kind(self, code: str) -> str:
        """The name of a kind of reward."""
        return self._page._(KINDS[code]) if code in KINDS else code

    def delivery(self, card: Card) -> str:
        """How and how soon a reward comes."""
        way = self._page._(DELIVERIES[card.delivery])
        if not card.delivery_days:
            return way
        within = self._page.ngettext(
            "within %(count)s day", "within %(count)s days", card.delivery_days
        )
        return f"{way}, {within}"

    def value_source(self, view: Card | DenominationView) -> str:
        """Where the money value is taken from; empty where there is none."""
        return self._page._(VALUES[view.value_from]) if view.value_from else ""

    def reason(self, suggestion: Suggestion) -> str:
        """Why something is suggested."""
        return self._page._(SUGGESTED[suggestion.reason]) % {"about": suggestion.about}

    def countries(self, card: Card) -> str:
        """Where a reward can be used; empty: everywhere."""
        return ", ".join(country_name(code, self._page.locale) for code in card.countries)

    def languages(self, codes: Iterable[str]) -> str:
        """Names of languages."""
        return ", ".join(language_name(code, self._page.locale) for code in codes)

    def sorts(self) -> list[tuple[str, str]]:
        """Orders to choose from: value and name."""
        return [(each.value, self._page._(words)) for each, words in SORTS.items()]

    def facet(self, name: str) -> str:
        """The name of a facet."""
        return self._page._(FACETS[name])

    def value(self, facet: str, value: str, label: str) -> str:
        """The name of a facet's value."""
        if facet == "kind":
            return self.kind(value)
        if facet == "delivery":
            return self._page._(next(w for d, w in DELIVERIES.items() if d.value == value))
        if facet == "points":
            least, _, most = value.partition("-")
            return self._between(int(least), int(most) if most else None)
        return label

    def _between(self, least: int | None, most: int | None) -> str:
        if most is None:
            return self._page._("%(least)s and more") % {"least": number(least or 0)}
        if not least:
            return self._page._("up to %(most)s") % {"most": number(most)}
        values = {"least": number(least), "most": number(most)}
        return self._page._("%(least)s to %(most)s") % values

    def foreign(self, card: Card) -> bool:
        """Whether the texts are in another language than the page."""
        return card.locale.split("-")[0] != self._page.locale

    def paragraphs(self, text: str) -> list[str]:
        """The paragraphs of a plain text."""
        return [part.strip() for part in PARAGRAPHS.split(text) if part.strip()]

    def range_of(self, denomination: DenominationView) -> str:
        """Which quantities may be chosen."""
        values = {"least": number(denomination.least), "most": number(denomination.most)}
        if denomination.step == 1:
            return self._page._("From %(least)s to %(most)s.") % values
        words = self._page._("From %(least)s to %(most)s, in steps of %(step)s.")
        return words % {**values, "step": number(denomination.step)}

    def point_value(self, view: Card | DenominationView) -> int:
        """Micros that one point is worth in it."""
        return (view.value_per_thousand_micros or 0) // 1_000

    def is_one_rate(self, card: Card) -> bool:
        """Whether a point is worth the same in the smallest choice as in the best."""
        if card.value_micros is None:
            return True
        of_smallest = value_per_thousand(card.value_micros, card.points_from)
        return of_smallest == card.value_per_thousand_micros

    def facets(self, facets: Sequence[Facet]) -> list[Facet]:
        """Those with something to choose, in the order in which people ask."""
        useful = [
            each
            for each in facets
            if len(each.values) > 1
            or any(value.chosen for value in each.values)
            or (each.name in SWITCHES and each.values[0].count)
        ]
        return sorted(useful, key=lambda each: FACET_ORDER.index(each.name))

    # -- links -------------------------------------------------------------------------------------

    def listing(self, slug: str) -> str:
        """The address of a listing."""
        return f"{PATH}/{slug}"

    def search(self, query: Query, **changes: object) -> str:
        """The address of a changed search."""
        asked = query.link(**changes)
        return PATH if asked == "?" else f"{PATH}{asked}"

    def in_category(self, slug: str) -> str:
        """Everything of a category."""
        return self.search(Query(category=(slug,)))

    def of_partner(self, slug: str) -> str:
        """Everything of a partner."""
        return self.search(Query(partner=(slug,)))

    def tagged(self, tag: str) -> str:
        """Everything with a tag."""
        return self.search(Query(tag=(tag,)))

    def affordable(self) -> str:
        """What the reader can have now."""
        return self.search(Query(affordable=True, available=True))

    def without_filters(self, query: Query) -> str:
        """The same words and order, without filters."""
        return self.search(Query(words=query.words, text=query.text, sort=query.sort))

    def category(self, query: Query, facets: Sequence[Facet]) -> str:
        """The name of the one category that is asked for; empty where it is none or several."""
        if len(query.category) != 1:
            return ""
        chosen = (v.label for f in facets if f.name == "category" for v in f.values if v.chosen)
        return next(chosen, query.category[0])

    def band(self, query: Query, value: str, chosen: bool) -> str:
        """The address of a search for a band of points, or without it where it is chosen."""
        least, _, most = value.partition("-")
        if chosen:
            return self.search(query, points_min=None, points_max=None)
        return self.search(
            query,
            points_min=int(least) or None,
            points_max=int(most) if most else None,
        )

    def chips(self, query: Query, facets: Sequence[Facet], cards: Iterable[Card]) -> list[Chip]:
        """Every filter that is on; what tags are called is known from the cards that have them."""
        labels = {(f.name, v.value): v.label for f in facets for v in f.values}
        for card in cards:
            named = zip(card.tags, card.tag_names, strict=True)
            labels |= {("tag", tag): name for tag, name in named if name != tag}
        made = []
        for name in LISTS:
            for value in getattr(query, name):
                label = self.value_or_raw(name, value, labels)
                rest = tuple(each for each in getattr(query, name) if each != value)
                made.append(Chip(label, self.search(query, **{name: rest})))
        if query.points_min is not None or query.points_max is not None:
            label = self._page._("Points: %(range)s") % {
                "range": self._between(query.points_min, query.points_max)
            }
            made.append(Chip(label, self.search(query, points_min=None, points_max=None)))
        made += [
            Chip(self.facet(name), self.search(query, **{name: False}))
            for name in SWITCHES
            if getattr(query, name)
        ]
        return made

    def value_or_raw(self, name: str, value: str, labels: Mapping[tuple[str, str], str]) -> str:
        """The name of a chosen value, or itself where no listing has it."""
        if (name, value) in labels:
            return self.value(name, value, labels[name, value])
        return f"#{value}" if name == "tag" else value

    # -- what is in the way ------------------------------------------------------------------------

    def told(self, obstacle: Obstacle, card: Card) -> Told:
        """An obstacle in words, with what would help."""
        words = OBSTACLES[obstacle.why]
        values = {
            "at": day(obstacle.at, "long") if obstacle.at else "",
            "among": ", ".join(obstacle.among_names or obstacle.among),
            "points": number(obstacle.points or 0),
            "units": number(obstacle.units or 0),
        }
        return Told(
            why=obstacle.why,
            text=obstacle.detail or self._text(words, obstacle.points or 0) % values,
            help=self._page._(words.help) % values,
            href=self._way(obstacle.why, card),
            short=self._short(obstacle.why),
            blocks=obstacle.blocks,
        )

    def _text(self, words: Words, points: int) -> str:
        if words.many is None:
            return self._page._(words.text)
        return self._page.language.ngettext(words.text, words.many, points)

    def all(self, obstacles: Iterable[Obstacle], card: Card) -> list[Told]:
        """Every obstacle in words, those that block first."""
        found = sorted(obstacles, key=lambda each: not each.blocks)
        return [self.told(each, card) for each in found]

    def first(self, obstacles: Iterable[Obstacle], card: Card) -> Told | None:
        """The obstacle that counts most: one that blocks before a mere warning."""
        return next(iter(self.all(obstacles, card)), None)

    def _short(self, why: Why) -> str:
        if why in WISH_HELPS:
            return self._page._("Save for it")
        if why is Why.SIGN_IN:
            return self._page._("Sign in")
        return self._page._("See what you can have")

    def _way(self, why: Why, card: Card) -> str | None:
        """Where what would help is done."""
        if why in WISH_HELPS:
            return f"{self.listing(card.slug)}#wish"
        if why in LIKE_IT_HELPS:
            return self.in_category(card.category) if card.category else PATH
        match why:
            case Why.COUNTRY if self._viewer is not None:
                return self.search(Query(country=(self._viewer.country,)))
            case Why.FIRM | Why.ROLE | Why.EXPOSURE:
                return self.affordable()
            case Why.SIGN_IN:
                return f"/sign-in?next={self.listing(card.slug)}"
        return None
