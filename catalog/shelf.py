"""The published catalog in memory: entries by number, and sets of them by everything one may ask.

A shelf is made from rows and a pulse, and never changes; a new pulse makes a new shelf. Pure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from catalog.bits import Ladder, from_numbers
from catalog.domain import NEARLY_GONE_UNITS, Sort
from catalog.entries import (
    Entry,
    Row,
    is_new,
    is_visible,
    make_card,
    make_entries,
    moments_of,
    stand_of,
)
from catalog.facets import SHOWN, CategoryNode, Facets
from catalog.loading import Pulse, Rows
from catalog.schemas import Card, Hit


class Order(msgspec.Struct, frozen=True):
    """Numbers in one order: `keys[i]` belongs to `numbers[i]`, ascending and all different."""

    numbers: list[int]
    keys: list[tuple[Any, ...]]
    rank: list[int]
    """Place of each number."""


class Shelf:
    """Everything published at one moment."""

    def __init__(self, rows: Rows, pulse: Pulse, suppliers: Iterable[str]) -> None:
        self.pulse = pulse
        self.suppliers = frozenset(suppliers)
        self.categories = _tree(rows.categories)
        self.names = rows.names
        self.entries = make_entries(rows)
        self.by_slug = {entry.row["slug"]: entry for entry in self.entries}
        self.by_id = {entry.id: entry for entry in self.entries}
        self.numbers = {entry.id: entry.number for entry in self.entries}
        self.by_offer = {row["offer_id"]: entry for entry in self.entries for row in entry.offers}
        self.partners = {
            row["partner"]: row["partner_name"] for each in self.entries for row in each.offers
        }
        self.visible = self.available = 0
        """Sets: within its dates; with a choice that nothing keeps from everybody."""
        self.next_moment: datetime | None = None
        """When time alone changes something next."""
        self._stand(pulse, self.entries)
        self.facets = Facets(self.entries, self.categories, self.partners)
        self.sets = {name: self.facets.sets(name) for name in SHOWN}
        """Who has each value, by facet; tags are asked for and not counted."""
        self.sets["tag"] = self._tags()
        self.orders = {sort: _order(self.entries, sort) for sort in Sort}
        self.cheapest = Ladder([entry.points_from for entry in self.entries])
        self.dearest = Ladder([entry.points_to for entry in self.entries])
        self.by_currency = self._by_currency()
        self.words: dict[tuple[str, str, bool], Any] = {}
        """What words find (`catalog.words`), by locale, word and whether it is still typed."""

    def take_words(self, before: Shelf) -> None:
        """Take over what words find, where neither texts nor the listings are others."""
        same = [e.id for e in self.entries] == [e.id for e in before.entries]
        if same and self.pulse.texts == before.pulse.texts:
            self.words = before.words

    def renew(self, pulse: Pulse) -> bool:
        """Take in stock, partners and time; True where a card or a set has changed."""
        mine = self.pulse
        if self._touches_all(pulse):
            return self._stand(pulse, self.entries)
        moved = {
            offer_id
            for offer_id in mine.left.keys() | pulse.left.keys()
            if mine.left.get(offer_id) != pulse.left.get(offer_id)
        }
        numbers = {self.by_offer[each].number for each in moved if each in self.by_offer}
        return self._stand(pulse, [self.entries[number] for number in numbers])

    def _stand(self, pulse: Pulse, entries: Sequence[Entry]) -> bool:
        """How these entries stand at this pulse; True where a card or a set has changed."""
        changed = False
        for entry in entries:
            before = (
                entry.obstacles if entry.denominations else None,
                entry.nearly_gone,
                entry.new,
            )
            entry.denominations = tuple(
                stand_of(row, pulse, self.suppliers) for row in entry.offers
            )
            entry.nearly_gone = any(
                each.left is not None and 0 < each.left <= NEARLY_GONE_UNITS
                for each in entry.denominations
            )
            entry.new = is_new(entry.row["published_at"], pulse.now)
            if before != (entry.obstacles, entry.nearly_gone, entry.new):
                entry.cards = {}
                changed = True
        changed |= self._set(
            "visible", [e for e in entries if is_visible(e.row, pulse.now)], entries
        )
        free = [e for e in entries if not any(each.blocks for each in e.obstacles)]
        changed |= self._set("available", free, entries)
        if len(entries) == len(self.entries):
            moments = (each for entry in entries for each in moments_of(entry))
            self.next_moment = min((each for each in moments if each > pulse.now), default=None)
        self.pulse = pulse
        return changed

    def _set(self, name: str, members: Sequence[Entry], among: Sequence[Entry]) -> bool:
        """Make exactly `members` of `among` part of the set `name`; True where that changes it."""
        before: int = getattr(self, name)
        kept = before & ~from_numbers(entry.number for entry in among)
        after = kept | from_numbers(entry.number for entry in members)
        setattr(self, name, after)
        return after != before

    def is_outdated(self, pulse: Pulse) -> bool:
        """Whether the catalog or an offer has changed since this shelf was read."""
        mine = self.pulse
        return (mine.version, mine.offers) != (pulse.version, pulse.offers)

    def is_stale(self, pulse: Pulse) -> bool:
        """Whether `pulse` may show something that this shelf does not."""
        return pulse.left != self.pulse.left or self._touches_all(pulse)

    def _touches_all(self, pulse: Pulse) -> bool:
        """Whether partners or the hour may have changed any entry."""
        mine = self.pulse
        late = self.next_moment is not None and pulse.now >= self.next_moment
        return pulse.away != mine.away or pulse.now < mine.now or late

    def _tags(self) -> dict[str, int]:
        numbers: dict[str, list[int]] = defaultdict(list)
        for entry in self.entries:
            for tag in entry.row["tags"]:
                numbers[tag].append(entry.number)
        return {tag: from_numbers(each) for tag, each in numbers.items()}

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
            card = make_card(entry, locale, self.names)
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
