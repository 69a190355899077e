"""What the catalog shows: one set of views for JSON and pages.

Points are integers, money is integer micros of a currency, times are aware UTC. Nothing in `Card`,
`Facet` or `Detail` depends on who asks: what does is in `Mine`.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar
from uuid import UUID

import msgspec

from catalog.domain import Delivery, ListingStatus, Reason, ValueSource, Why
from marketplace.web import pictures


class Obstacle(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One reason why a reward cannot be had now. `catalog.messages` has the words for each."""

    why: Why
    blocks: bool = True
    """False: it can be burnt on all the same, but it may take longer."""
    points: int | None = None
    """How many points are missing (`short`)."""
    units: int | None = None
    """Units left (`sold_out`) or the limit for one participant (`limit_reached`)."""
    at: datetime | None = None
    """When it begins, ended, or is worth another try."""
    among: tuple[str, ...] = ()
    among_names: tuple[str, ...] = ()
    """What those of `among` are called in the language that was asked for."""
    """Roles or countries it is open to (`role`, `country`)."""
    detail: str = ""
    """Words of the plugin whose rule refuses (`rule`)."""


class PictureView(pictures.PictureView, frozen=True):
    """A picture, at `/v1/catalog/pictures/<hash>-<width>.webp` for each of `widths`."""

    FOLDER: ClassVar[str] = "/v1/catalog/pictures"


class DenominationView(msgspec.Struct, frozen=True, kw_only=True):
    """One offer of a listing: what a unit costs and how many may be chosen."""

    offer_id: UUID
    offer: str
    """The offer's reference: `/burn/{offer}?quantity=`."""
    name: str
    points: int
    """Of one unit."""
    value_micros: int | None
    """Money value of one unit; null where nobody has stated one."""
    currency: str
    value_from: ValueSource | None
    value_per_thousand_micros: int | None
    """What a thousand points are worth here."""
    least: int = 1
    most: int = 1
    step: int = 1
    left: int | None = None
    """Units left where they are few (20 or less); null otherwise."""
    limit: int | None = None
    """Units one participant may have."""
    obstacles: tuple[Obstacle, ...] = ()
    """What keeps everybody from it; empty: it is on sale."""

    @property
    def fixed(self) -> bool:
        return self.least == self.most

    @property
    def quantities(self) -> range:
        return range(self.least, self.most + 1, self.step)


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """A listing as search shows it, in one language; the same for everybody."""

    slug: str
    title: str
    summary: str
    locale: str
    """The language these texts are in."""
    kind: str
    category: str | None
    partner: str
    """Slug of the member that is paid; `partner_name` is its name."""
    partner_name: str
    picture: PictureView | None
    tags: tuple[str, ...]
    tag_names: tuple[str, ...]
    """What the tags are called in the language that was asked for, in the same order."""
    delivery: Delivery
    delivery_days: int | None
    countries: tuple[str, ...]
    place: str | None
    languages: tuple[str, ...]
    points_from: int
    """Points of the smallest choice."""
    points_to: int
    """Points of the largest choice."""
    value_micros: int | None
    """Money value of the smallest choice; null where nobody has stated one."""
    currency: str
    value_from: ValueSource | None
    value_per_thousand_micros: int | None
    """What a thousand points are worth in the best of its choices."""
    featured: bool
    new: bool
    nearly_gone: bool
    visible_to: datetime | None
    obstacles: tuple[Obstacle, ...]
    """What keeps everybody from every choice; empty: it is on sale."""


class Mine(msgspec.Struct, frozen=True, kw_only=True):
    """A listing as it stands to one participant. Agrees with what the burn engine would say."""

    can_burn: bool
    """At least one of its choices would be accepted now."""
    offer: str | None
    """The choice the rest is about: the first that can be burnt on, else the nearest to it."""
    have: int
    """Points that can be burnt on it."""
    need: int
    """Points of its smallest choice."""
    short: int
    """Points missing, 0 where none are."""
    obstacles: tuple[Obstacle, ...]
    """What is in the way; empty where it can be burnt on."""
    wished: bool = False


class Hit(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One result: the card, and how it stands to the caller where that is a participant."""

    card: Card
    mine: Mine | None = None


class FacetValue(msgspec.Struct, frozen=True, gc=False):
    """One value of a facet and how many results it leaves."""

    value: str
    label: str
    count: int
    chosen: bool = False
    depth: int = 0
    """Level in the category tree."""


class Facet(msgspec.Struct, frozen=True, gc=False):
    """A way to narrow the results; `name` is the query parameter."""

    name: str
    values: tuple[FacetValue, ...]
    many: bool = True
    """Several values may be chosen (any of them counts)."""


class Correction(msgspec.Struct, frozen=True, kw_only=True):
    """A word nothing was found for, and the words taken in its place."""

    word: str
    taken: tuple[str, ...]


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """A page of results."""

    items: list[Hit]
    total: int
    next: str | None
    """Cursor of the next page."""
    facets: tuple[Facet, ...]
    corrections: tuple[Correction, ...]
    locale: str


class CategoryView(msgspec.Struct, frozen=True, kw_only=True):
    """A category with what is in it, descendants included."""

    slug: str
    name: str
    count: int
    children: tuple[CategoryView, ...] = ()


class CategoryTree(msgspec.Struct, frozen=True):
    """The whole tree."""

    items: tuple[CategoryView, ...]


class PriceView(msgspec.Struct, frozen=True, kw_only=True):
    """A price that is announced."""

    offer: str
    points: int
    at: datetime


class Detail(msgspec.Struct, frozen=True, kw_only=True):
    """A listing in full, in one language; the same for everybody."""

    card: Card
    status: ListingStatus
    body: str
    """Plain text; paragraphs are separated by empty lines."""
    terms: str
    pictures: tuple[PictureView, ...]
    denominations: tuple[DenominationView, ...]
    path: tuple[CategoryView, ...]
    """Categories from the root down to its own."""
    other_locales: tuple[str, ...]
    visible_from: datetime | None
    prices_to_come: tuple[PriceView, ...]


class ChoiceMine(msgspec.Struct, frozen=True, kw_only=True):
    """A denomination as it stands to one participant, for its least quantity."""

    offer: str
    can_burn: bool
    have: int
    need: int
    short: int
    most: int
    """The largest quantity the points, limit and stock allow now; 0: none."""
    obstacles: tuple[Obstacle, ...]


class DetailFor(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A listing in full, and how it and each of its choices stand to the caller."""

    detail: Detail
    mine: Mine | None = None
    choices: tuple[ChoiceMine, ...] = ()


class Suggestion(msgspec.Struct, frozen=True, kw_only=True):
    """Something for the caller, and why it is suggested."""

    hit: Hit
    reason: Reason
    about: str = ""
    """What the reason is about: a title taken before (`history`), the role (`role`)."""


class ForYou(msgspec.Struct, frozen=True):
    """Suggestions, best first; none where they are switched off."""

    on: bool
    items: list[Suggestion]


class WishView(msgspec.Struct, frozen=True, kw_only=True):
    """A wish and how far it is."""

    hit: Hit
    have: int
    need: int
    percent: int
    """0 to 100."""
    made_at: datetime


class Wishes(msgspec.Struct, frozen=True):
    """The wish list, newest first."""

    items: list[WishView]
