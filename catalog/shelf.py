"""The published catalog in memory: entries by number, and sets of them by everything one may ask.

A shelf is made from rows and a pulse, and never changes; a new pulse makes a new shelf. Pure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec

from catalog.bits import Ladder, from_numbers
from catalog.domain import (
    NEARLY_GONE_UNITS,
    NEW_DAYS,
    Delivery,
    Sort,
    ValueSource,
    Why,
    pick,
    text_chain,
    value_per_thousand,
)
from catalog.loading import Pulse, Rows
from catalog.names import label_of
from catalog.schemas import Card, DenominationView, Hit, Obstacle, PictureView
from marketplace.exchange.domain import Eligibility
from marketplace.money import MAX_POINTS

BAND_EDGES: Final = (0, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000)
"""Where the bands of the points facet begin; the last has no end."""
ANY: Final = "*"
"""Of countries and languages: everywhere, whatever one speaks."""

Row = Mapping[str, Any]


class Entry(msgspec.Struct):
    """One listing as search needs it. `cards` are made when first asked for."""

    number: int
    id: UUID
    row: Row
    texts: dict[str, tuple[str, str]]
    """Title and summary by locale."""
    offers: list[Row]
    picture: PictureView | None
    kind: str
    points_from: int
    points_to: int
    worth: int
    """The most that a thousand points are worth in it, in micros."""
    denominations: tuple[DenominationView, ...] = ()
    nearly_gone: bool = False
    new: bool = False
    cards: dict[str, tuple[Card, msgspec.Raw]] = {}

    @property
    def obstacles(self) -> tuple[Obstacle, ...]:
        """What keeps everybody from every choice: the first choice's, where all have some."""
        blocked = [any(each.blocks for each in d.obstacles) for d in self.denominations]
        if all(blocked):
            return self.denominations[0].obstacles
        return self.denominations[blocked.index(False)].obstacles


class CategoryNode(msgspec.Struct, frozen=True):
    """A category and where it is."""

    slug: str
    parent: str | None
    names: dict[str, str]
    depth: int
    ancestors: tuple[str, ...]
    """From the root to its parent."""


class Order(msgspec.Struct, frozen=True):
    """Numbers in one order: `keys[i]` belongs to `numbers[i]`, ascending and all different."""

    numbers: list[int]
    keys: list[tuple[Any, ...]]
    rank: list[int]
    """Place of each number."""


class FacetRow(msgspec.Struct, frozen=True):
    """One value of a facet, ready to be counted in one language."""

    value: str
    label: str
    bits: int
    depth: int = 0
    shown_with: frozenset[str] = frozenset()
    """Of a category below another: it is shown where one of these is chosen."""
    sorted_by_count: bool = True
    own: int | None = None
    """Of a country or language: who names it, where `bits` also has those that are for all."""


Band = tuple[tuple[int, int | None], str, int]
"""Bounds of points, the value of the facet, and who is in it."""


class Shelf:
    """Everything published at one moment."""

    def __init__(self, rows: Rows, pulse: Pulse, suppliers: Iterable[str]) -> None:
        self.pulse = pulse
        self.suppliers = frozenset(suppliers)
        self.categories = _tree(rows.categories)
        self.entries = _entries(rows)
        self.by_slug = {entry.row["slug"]: entry for entry in self.entries}
        self.by_id = {entry.id: entry for entry in self.entries}
        self.by_offer = {row["offer_id"]: entry for entry in self.entries for row in entry.offers}
        self.partners = {
            row["partner"]: row["partner_name"] for each in self.entries for row in each.offers
        }
        self._stand(pulse)
        self.facets = self._facets()
        self.orders = {sort: _order(self.entries, sort) for sort in Sort}
        self.cheapest = Ladder([entry.points_from for entry in self.entries])
        self.dearest = Ladder([entry.points_to for entry in self.entries])
        self.bands = self._bands()
        self.by_currency = self._by_currency()
        self._tables: dict[tuple[str, str], list[FacetRow]] = {}
        self.words: dict[tuple[str, str, bool], Any] = {}
        """What words find (`catalog.words`), by locale, word and whether it is still typed."""

    def take_words(self, before: Shelf) -> None:
        """Take over what words find, where neither texts nor the listings are others."""
        same = [e.id for e in self.entries] == [e.id for e in before.entries]
        if same and self.pulse.texts == before.pulse.texts:
            self.words = before.words

    def renew(self, pulse: Pulse) -> bool:
        """Take in stock, partners and time; True where anything that is shown has changed."""
        before = (self.visible, self.available, self.gone, [e.denominations for e in self.entries])
        self._stand(pulse)
        after = (self.visible, self.available, self.gone, [e.denominations for e in self.entries])
        return before != after

    def _stand(self, pulse: Pulse) -> None:
        """How each entry stands at this pulse."""
        self.pulse = pulse
        left, away = pulse.left, pulse.away
        visible, available, gone = [], [], []
        moments: list[datetime] = []
        for entry in self.entries:
            made = tuple(
                _denomination(row, pulse, left.get(row["offer_id"]), away, self.suppliers)
                for row in entry.offers
            )
            nearly = any(
                each.left is not None and 0 < each.left <= NEARLY_GONE_UNITS for each in made
            )
            new = _is_new(entry.row["published_at"], pulse.now)
            if made != entry.denominations or (nearly, new) != (entry.nearly_gone, entry.new):
                entry.denominations, entry.nearly_gone, entry.new = made, nearly, new
                entry.cards = {}
            if _is_visible(entry.row, pulse.now):
                visible.append(entry.number)
            if not any(each.blocks for each in entry.obstacles):
                available.append(entry.number)
            if nearly:
                gone.append(entry.number)
            moments += _moments(entry)
        self.visible, self.available, self.gone = map(from_numbers, (visible, available, gone))
        self.next_moment = min((each for each in moments if each > pulse.now), default=None)

    def is_outdated(self, pulse: Pulse) -> bool:
        """Whether the catalog or an offer has changed since this shelf was read."""
        mine = self.pulse
        return (mine.version, mine.offers) != (pulse.version, pulse.offers)

    def is_stale(self, pulse: Pulse) -> bool:
        """Whether `pulse` may show something that this shelf does not."""
        mine = self.pulse
        return (
            (pulse.left, pulse.away) != (mine.left, mine.away)
            or pulse.now < mine.now
            or (self.next_moment is not None and pulse.now >= self.next_moment)
        )

    def _facets(self) -> dict[str, dict[str, int]]:
        numbers: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
        for entry in self.entries:
            for name, values in self._values(entry):
                for value in values:
                    numbers[name][value].append(entry.number)
        made = {
            name: {value: from_numbers(each) for value, each in values.items()}
            for name, values in numbers.items()
        }
        for name in ("country", "language"):
            everywhere = made.get(name, {}).pop(ANY, 0)
            made[f"{name}:own"] = made.get(name, {})
            made[name] = {value: b | everywhere for value, b in made.get(name, {}).items()}
            made[f"{name}:{ANY}"] = {ANY: everywhere}
        return made

    def _values(self, entry: Entry) -> Iterable[tuple[str, Sequence[str]]]:
        row = entry.row
        yield "kind", (entry.kind,)
        yield "partner", tuple({each["partner"] for each in entry.offers})
        yield "delivery", (row["delivery"],)
        yield "tag", row["tags"]
        yield "country", row["countries"] or (ANY,)
        yield "language", row["languages"] or (ANY,)
        if row["place"]:
            yield "place", (row["place"],)
        if (node := self.categories.get(row["category"] or "")) is not None:
            yield "category", (*node.ancestors, node.slug)

    def table(self, name: str, locale: str) -> list[FacetRow]:
        """The values of a facet with their names, by name; categories in the order of the tree."""
        made = self._tables.get((name, locale))
        if made is None:
            sets = self.facets.get(name, {})
            if name == "category":
                made = self._category_rows(sets, locale)
            else:
                rows = [(value, label_of(self, name, value, locale)) for value in sets]
                rows.sort(key=lambda row: (row[1].casefold(), row[0]))
                own = self.facets.get(f"{name}:own", {})
                made = [
                    FacetRow(value, label, sets[value], own=own.get(value)) for value, label in rows
                ]
            self._tables[name, locale] = made
        return made

    def _category_rows(self, sets: Mapping[str, int], locale: str) -> list[FacetRow]:
        """Every category below its parent; deeper ones show where their branch is chosen."""
        inside: dict[str, set[str]] = defaultdict(set)
        for node in self.categories.values():
            for slug in (*node.ancestors, node.slug):
                inside[slug].add(node.slug)
        return [
            FacetRow(
                node.slug,
                pick(node.names, locale, node.slug),
                sets.get(node.slug, 0),
                node.depth,
                frozenset(inside[node.parent]) if node.parent else frozenset(),
                sorted_by_count=False,
            )
            for node in self.categories.values()
        ]

    def _bands(self) -> list[Band]:
        made: list[Band] = []
        for least, edge in zip(BAND_EDGES, (*BAND_EDGES[1:], None), strict=True):
            most = None if edge is None else edge - 1
            upper = self.cheapest.at_most(MAX_POINTS * 1_000 if most is None else most)
            text = f"{least}-{'' if most is None else most}"
            made.append(((least, most), text, upper & ~self.dearest.at_most(least - 1)))
        return made

    def _by_currency(self) -> dict[str, tuple[Ladder, list[int]]]:
        """Per currency: the least points of each entry that has a choice in it."""
        least: dict[str, dict[int, int]] = defaultdict(dict)
        for entry in self.entries:
            for row in entry.offers:
                points = row["points"] * row["least"]
                before = least[row["currency"]].get(entry.number, points)
                least[row["currency"]][entry.number] = min(before, points)
        return {
            currency: (Ladder(list(points.values())), list(points))
            for currency, points in least.items()
        }

    def affordable(self, balances: Mapping[str, int]) -> int:
        """Entries with a choice that these points (by currency) are enough for."""
        found = 0
        for currency, points in balances.items():
            if currency in self.by_currency:
                ladder, numbers = self.by_currency[currency]
                place = ladder.at_most(points)
                if len(numbers) == len(self.entries):
                    found |= place
                else:
                    found |= from_numbers(n for i, n in enumerate(numbers) if place >> i & 1)
        return found

    def card(self, entry: Entry, locale: str) -> tuple[Card, msgspec.Raw]:
        """The card for readers of a locale, and the encoded result that holds it."""
        made = entry.cards.get(locale)
        if made is None:
            card = _card(entry, locale)
            made = card, msgspec.Raw(msgspec.json.encode(Hit(card=card)))
            entry.cards[locale] = made
        return made


def _tree(rows: Iterable[Row]) -> dict[str, CategoryNode]:
    """Categories in the order of the tree: each after its parent, siblings by position."""
    children: dict[str | None, list[Row]] = defaultdict(list)
    for row in rows:
        children[row["parent"]].append(row)
    made: dict[str, CategoryNode] = {}

    def add(parent: str | None, ancestors: tuple[str, ...]) -> None:
        for row in children[parent]:
            names = msgspec.json.decode(row["names"], type=dict[str, str])
            node = CategoryNode(row["slug"], parent, names, len(ancestors), ancestors)
            made[node.slug] = node
            add(node.slug, (*ancestors, node.slug))

    add(None, ())
    return made


def _entries(rows: Rows) -> list[Entry]:
    """Listings that have a text and an offer; others cannot be shown."""
    texts: dict[UUID, dict[str, tuple[str, str]]] = defaultdict(dict)
    for row in rows.texts:
        texts[row["listing_id"]][row["locale"]] = (row["title"], row["summary"])
    offers: dict[UUID, list[Row]] = defaultdict(list)
    for row in rows.denominations:
        offers[row["listing_id"]].append(row)
    pictures = {
        row["listing_id"]: PictureView(
            row["hash"], row["width"], row["height"], tuple(row["widths"])
        )
        for row in rows.pictures
    }
    made: list[Entry] = []
    for row in rows.listings:
        own = offers.get(row["id"])
        if not own or row["id"] not in texts:
            continue
        values = [_value(each) for each in own]
        made.append(
            Entry(
                number=len(made),
                id=row["id"],
                row=row,
                texts=texts[row["id"]],
                offers=own,
                picture=pictures.get(row["id"]),
                kind=own[0]["kind"],
                points_from=min(each["points"] * each["least"] for each in own),
                points_to=max(each["points"] * each["most"] for each in own),
                worth=max(
                    value_per_thousand(value, each["points"])
                    for (value, _, _), each in zip(values, own, strict=True)
                ),
            )
        )
    return made


def _value(row: Row) -> tuple[int, str, ValueSource]:
    """What one unit is worth: its face value, else what the partner is paid for it."""
    if row["face_micros"] is not None:
        return row["face_micros"], row["face_currency"], ValueSource.FACE
    return row["cost_micros"], row["currency"], ValueSource.COST


def _denomination(
    row: Row,
    pulse: Pulse,
    left: int | None,
    away: Mapping[str, datetime],
    suppliers: frozenset[str],
) -> DenominationView:
    value, currency, source = _value(row)
    return DenominationView(
        offer_id=row["offer_id"],
        offer=row["offer"],
        name=row["name"],
        points=row["points"],
        value_micros=value,
        currency=currency,
        value_from=source,
        value_per_thousand_micros=value_per_thousand(value, row["points"]),
        least=row["least"],
        most=row["most"],
        step=row["step"],
        left=left,
        limit=row["limit_per_wallet"],
        obstacles=tuple(_obstacles(row, pulse.now, left, away, suppliers)),
    )


def _obstacles(
    row: Row,
    now: datetime,
    left: int | None,
    away: Mapping[str, datetime],
    suppliers: frozenset[str],
) -> Iterable[Obstacle]:
    """What keeps everybody from an offer, in the order in which a burn is checked."""
    status = row["status"]
    if status != "on_sale":
        yield Obstacle(why=Why(status))
    elif row["starts_at"] is not None and now < row["starts_at"]:
        yield Obstacle(why=Why.NOT_STARTED, at=row["starts_at"])
    elif row["ends_at"] is not None and now >= row["ends_at"]:
        yield Obstacle(why=Why.ENDED, at=row["ends_at"])
    if left is not None and left < row["least"]:
        yield Obstacle(why=Why.SOLD_OUT, units=left)
    if status == "on_sale" and (row["plugin"] not in suppliers or row["plugin"] in away):
        yield Obstacle(why=Why.PARTNER_AWAY, blocks=False, at=away.get(row["plugin"]))


def _is_visible(row: Row, now: datetime) -> bool:
    begins, ends = row["visible_from"], row["visible_to"]
    return (begins is None or begins <= now) and (ends is None or now < ends)


def _is_new(published_at: datetime | None, now: datetime) -> bool:
    return published_at is not None and now - published_at < timedelta(days=NEW_DAYS)


def _moments(entry: Entry) -> Iterable[datetime]:
    """When time alone changes how an entry stands."""
    row = entry.row
    if row["published_at"] is not None:
        yield row["published_at"] + timedelta(days=NEW_DAYS)
    for source, name in ((row, "visible_from"), (row, "visible_to")):
        if source[name] is not None:
            yield source[name]
    for offer in entry.offers:
        for name in ("starts_at", "ends_at"):
            if offer[name] is not None:
                yield offer[name]


def _order(entries: list[Entry], sort: Sort) -> Order:
    def base(entry: Entry) -> tuple[Any, ...]:
        row = entry.row
        newest = -row["published_at"].timestamp() if row["published_at"] else 0.0
        return (-row["featured"], -row["taken"], newest, row["slug"])

    def own(entry: Entry) -> tuple[Any, ...]:
        row = entry.row
        match sort:
            case Sort.POINTS_UP:
                return (entry.points_from,)
            case Sort.POINTS_DOWN:
                return (-entry.points_from,)
            case Sort.NEWEST:
                return (base(entry)[2],)
            case Sort.VALUE:
                return (-entry.worth,)
            case Sort.POPULAR:
                return (-row["taken"],)
        return ()

    keyed = sorted(((*own(entry), *base(entry)), entry.number) for entry in entries)
    rank = [0] * len(entries)
    for place, (_, number) in enumerate(keyed):
        rank[number] = place
    return Order([number for _, number in keyed], [key for key, _ in keyed], rank)


def _card(entry: Entry, locale: str) -> Card:
    row = entry.row
    shown = text_chain(locale, row["default_locale"], entry.texts) or row["default_locale"]
    title, summary = entry.texts[shown]
    first = min(entry.denominations, key=lambda each: each.points * each.least)
    return Card(
        slug=row["slug"],
        title=title,
        summary=summary,
        locale=shown,
        kind=entry.kind,
        category=row["category"],
        partner=entry.offers[0]["partner"],
        partner_name=entry.offers[0]["partner_name"],
        picture=entry.picture,
        tags=tuple(row["tags"]),
        delivery=Delivery(row["delivery"]),
        delivery_days=row["delivery_days"],
        countries=tuple(row["countries"]),
        place=row["place"],
        languages=tuple(row["languages"]),
        points_from=entry.points_from,
        points_to=entry.points_to,
        value_micros=first.value_micros * first.least,
        currency=first.currency,
        value_from=first.value_from,
        value_per_thousand_micros=entry.worth,
        featured=row["featured"] > 0,
        new=entry.new,
        nearly_gone=entry.nearly_gone,
        visible_to=row["visible_to"],
        obstacles=entry.obstacles,
    )


def eligibility_of(row: Row) -> Eligibility:
    """Who may have the offer of a denomination row."""
    return msgspec.json.decode(row["eligibility"], type=Eligibility)
