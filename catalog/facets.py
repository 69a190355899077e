"""Facets: the values by which results are narrowed, and how many results each would leave. Pure.

Few results are counted one by one, with all facets at once. Many are counted by sets: a value knows
who has it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import compress
from operator import itemgetter
from typing import Final

import msgspec

from catalog.bits import from_numbers, to_few
from catalog.domain import pick
from catalog.entries import Entry
from catalog.names import label_of
from catalog.schemas import FacetValue

SHOWN: Final = ("kind", "category", "partner", "language", "country", "place", "delivery")
"""Facets by value, as they are shown; points come after them."""
POINTS: Final = len(SHOWN)
"""Number of the points facet."""
MOST_VALUES: Final = 40
COUNTED_SINGLY: Final = 64
"""Results up to which counting one by one is quicker than by sets; 255 at most."""
FEW_ROWS: Final = 16
"""Values up to which sets are quicker however few the results are; open categories are few."""
NARROW: Final = 64
"""Values of a facet up to which they have a byte each in the integers that are added up."""
BAND_EDGES: Final = (0, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000)
"""Where the bands of the points facet begin; the last has no end."""
BANDS: Final = {
    f"{least}-{'' if most is None else most}": (least, most)
    for least, most in zip(BAND_EDGES, (*(edge - 1 for edge in BAND_EDGES[1:]), None), strict=True)
}
"""Bounds of the bands by the value of the facet: `least-most`, and `least-` for the last one."""
BAND_OF: Final = {bounds: text for text, bounds in BANDS.items()}
ANY: Final = "*"
"""Of countries and languages: everywhere, whatever one speaks."""
CATEGORY: Final = SHOWN.index("category")
FOR_ANY: Final = frozenset({"country", "language"})
"""Facets of which an entry that names no value has them all."""
WITH_ANY: Final = frozenset(SHOWN.index(name) for name in FOR_ANY)
IN_ORDER: Final = frozenset({CATEGORY, POINTS})
"""Facets whose values keep their places; others are ordered by their counts."""


class CategoryNode(msgspec.Struct, frozen=True):
    """A category and where it is."""

    slug: str
    parent: str | None
    names: dict[str, str]
    depth: int
    ancestors: tuple[str, ...]
    """From the root to its parent."""


class FacetRow(msgspec.Struct, frozen=True):
    """One value of a facet, ready to be shown in one language."""

    facet: int
    """Place in SHOWN, or POINTS."""
    value: str
    label: str
    bits: int
    """Who has it."""
    place: int
    """Among the values of the facet: by name, categories in the order of the tree."""
    depth: int = 0
    """Below other categories; deeper ones show where their branch is chosen."""


Found = list[tuple[FacetRow, int]]
"""Values and how many of the results have each; for those of nobody there is no row."""


class FacetTable(msgspec.Struct, frozen=True):
    """The facets in one language."""

    by_facet: list[dict[str, FacetRow]]
    """By facet and value, in the order of their places."""
    rows: list[FacetRow]
    """Those of narrow facets, one facet after the other."""
    arranged: Callable[[Sequence[int]], tuple[int, ...]]
    """Counts by the number of the value, as counts of `rows`."""
    opened: dict[str, tuple[FacetRow, ...]]
    """By category: the rows that are shown where it is chosen."""

    def candidates(self, facet: int, chosen: Sequence[str]) -> Collection[FacetRow]:
        """The rows that may be shown; of a tree the branches that are chosen."""
        rows = self.by_facet[facet]
        if facet != CATEGORY:
            return rows.values()
        if len(chosen) == 1 and chosen[0] in self.opened:
            return self.opened[chosen[0]]
        opened = {row.value for value in chosen for row in self.opened.get(value, ())}
        return [row for row in rows.values() if not row.depth or row.value in opened]


class Facets:
    """Every value of the facets of a shelf, and which each entry has.

    Facets with few values are narrow. Their values are numbered, and an entry has one integer with
    a byte for each of them, 1 where it has the value: the sum of these integers over some entries
    counts every value of every narrow facet at once. The values of wide ones are counted by name.
    """

    def __init__(
        self,
        entries: Sequence[Entry],
        categories: Mapping[str, CategoryNode],
        partners: Mapping[str, str],
    ) -> None:
        self._categories = categories
        self._partners = partners
        columns = [[tuple(dict.fromkeys(each)) for each in _values(e, categories)] for e in entries]
        self._sets = _sets_of(columns)
        self._wide = [
            len(sets) > NARROW and facet != POINTS for facet, sets in enumerate(self._sets)
        ]
        narrow = [
            (facet, value)
            for facet, sets in enumerate(self._sets)
            for value in sets
            if not self._wide[facet]
        ]
        self._numbers = {each: number for number, each in enumerate(narrow)}
        self._packs = _packs_of(columns, self._numbers)
        self._columns = [
            [each[facet] for each in columns] if wide else []
            for facet, wide in enumerate(self._wide)
        ]
        """The values of each entry, of wide facets."""
        self._tables: dict[str, FacetTable] = {}

    def sets(self, name: str) -> dict[str, int]:
        """Who has each value of a facet; what is for ANY has that value alone."""
        return self._sets[SHOWN.index(name)]

    def table(self, locale: str) -> FacetTable:
        """The facets for readers of a locale."""
        made = self._tables.get(locale)
        if made is None:
            made = self._tables[locale] = self._made(locale)
        return made

    def _made(self, locale: str) -> FacetTable:
        by_facet = [
            {value: self._row(facet, value, label, place) for place, (label, value) in pairs}
            for facet in range(POINTS + 1)
            for pairs in [enumerate(self._labels(facet, locale))]
        ]
        rows: list[FacetRow] = []
        for facet, each in enumerate(by_facet):
            rows += [row for row in each.values() if (facet, row.value) in self._numbers]
        numbers = [self._numbers[row.facet, row.value] for row in rows]
        return FacetTable(by_facet, rows, itemgetter(*numbers), self._opened(by_facet))

    def _labels(self, facet: int, locale: str) -> list[tuple[str, str]]:
        """Labels and values of a facet in the order of their places."""
        if facet == POINTS:
            return [(text, text) for text in BANDS]
        if facet == CATEGORY:
            nodes = self._categories.values()
            return [(pick(node.names, locale, node.slug), node.slug) for node in nodes]
        name = SHOWN[facet]
        labels = [
            (label_of(self._partners, name, value, locale), value) for value in self._sets[facet]
        ]
        return sorted(labels, key=lambda row: (row[0].casefold(), row[1]))

    def _row(self, facet: int, value: str, label: str, place: int) -> FacetRow:
        node = self._categories.get(value) if facet == CATEGORY else None
        depth = 0 if node is None else node.depth
        return FacetRow(facet, value, label, self._sets[facet].get(value, 0), place, depth)

    def _opened(
        self, by_facet: Sequence[Mapping[str, FacetRow]]
    ) -> dict[str, tuple[FacetRow, ...]]:
        """By category: the top, and what is right below it and each of its ancestors."""
        rows = by_facet[CATEGORY]
        return {
            node.slug: tuple(
                row
                for slug, row in rows.items()
                if not row.depth or self._categories[slug].parent in (*node.ancestors, node.slug)
            )
            for node in self._categories.values()
        }

    def count_singly(self, table: FacetTable, numbers: Sequence[int]) -> list[Found]:
        """Every facet of a few entries."""
        found: list[Found] = [[] for _ in self._wide]
        if not numbers:
            return found
        counts = self._added_up(table, numbers)
        for row, count in zip(compress(table.rows, counts), filter(None, counts), strict=True):
            found[row.facet].append((row, count))
        for facet, wide in enumerate(self._wide):
            if wide:
                found[facet] = self._count_wide(table, facet, numbers)
        return found

    def count(self, table: FacetTable, facet: int, base: int, chosen: Sequence[str]) -> Found:
        """One facet of a set of entries; of a tree the branches that are chosen."""
        rows = table.candidates(facet, chosen)
        few = facet == CATEGORY or len(rows) <= FEW_ROWS
        if few or base.bit_count() > COUNTED_SINGLY:
            return [(row, count) for row in rows if (count := (row.bits & base).bit_count())]
        return self.count_singly(table, to_few(base))[facet]

    def _added_up(self, table: FacetTable, numbers: Sequence[int]) -> tuple[int, ...]:
        packs = self._packs
        total = sum([packs[number] for number in numbers])
        return table.arranged(total.to_bytes(len(self._numbers), "little"))

    def _count_wide(self, table: FacetTable, facet: int, numbers: Sequence[int]) -> Found:
        column, rows = self._columns[facet], table.by_facet[facet]
        counts: dict[str, int] = {}
        for number in numbers:
            for value in column[number]:
                counts[value] = counts.get(value, 0) + 1
        found = [(rows[value], count) for value, count in counts.items()]
        found.sort(key=_place)
        return found


def _sets_of(columns: Sequence[Sequence[Sequence[str]]]) -> list[dict[str, int]]:
    """Who has each value, by facet."""
    members: list[dict[str, list[int]]] = [defaultdict(list) for _ in range(POINTS + 1)]
    members[POINTS] = {text: [] for text in BANDS}
    for number, own in enumerate(columns):
        for facet, values in enumerate(own):
            for value in values:
                members[facet][value].append(number)
    return [{value: from_numbers(each) for value, each in facet.items()} for facet in members]


def _packs_of(
    columns: Sequence[Sequence[Sequence[str]]], numbers: Mapping[tuple[int, str], int]
) -> list[int]:
    """The integer of each entry, once for all that have the same values."""
    same: dict[int, int] = {}
    packs = []
    for own in columns:
        pack = sum(
            1 << 8 * numbers[facet, value]
            for facet, values in enumerate(own)
            for value in values
            if (facet, value) in numbers
        )
        packs.append(same.setdefault(pack, pack))
    return packs


def shown(
    table: FacetTable, facet: int, found: Found, chosen: Sequence[str]
) -> tuple[FacetValue, ...]:
    """The values that leave something, or are chosen; of a tree the branches that are chosen.

    `found` is in the order of the places.
    """
    if chosen:
        found = _with_chosen(table.by_facet[facet], found, chosen)
    if facet in WITH_ANY:
        found = _with_any(found)
    elif facet == CATEGORY and not chosen:
        found = [each for each in found if not each[0].depth]
    if len(found) > 1 and facet not in IN_ORDER:
        found.sort(key=_count, reverse=True)
    return tuple(
        [
            FacetValue(row.value, row.label, count, row.value in chosen, row.depth)
            for row, count in found[:MOST_VALUES]
        ]
    )


def _with_chosen(rows: Mapping[str, FacetRow], found: Found, chosen: Sequence[str]) -> Found:
    """What is chosen is shown even where it leaves nothing."""
    there = {row.value for row, _ in found}
    missing = [(rows[value], 0) for value in chosen if value in rows and value not in there]
    return sorted(found + missing, key=_place) if missing else found


def _with_any(found: Found) -> Found:
    """What is for all countries or languages counts in each that is shown."""
    for row, common in found:
        if row.value == ANY:
            return [(each, count + common) for each, count in found if each.value != ANY]
    return found


def _place(counted: tuple[FacetRow, int]) -> int:
    return counted[0].place


_count = itemgetter(1)


def _values(entry: Entry, categories: Mapping[str, CategoryNode]) -> Iterable[Iterable[str]]:
    """The values of an entry, facet by facet."""
    row = entry.row
    node = categories.get(row["category"] or "")
    return (
        (entry.kind,),
        () if node is None else (*node.ancestors, node.slug),
        (each["partner"] for each in entry.offers),
        row["languages"] or (ANY,),
        row["countries"] or (ANY,),
        (row["place"],) if row["place"] else (),
        (row["delivery"],),
        (
            text
            for text, (least, most) in BANDS.items()
            if entry.points_to >= least and (most is None or entry.points_from <= most)
        ),
    )
