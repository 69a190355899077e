"""The one search behind JSON and pages: sets, counts, order and pages of a shelf. Pure, no I/O."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from catalog.bits import to_few
from catalog.domain import Sort
from catalog.entries import Entry
from catalog.facets import ANY, BAND_OF, COUNTED_SINGLY, FOR_ANY, POINTS, SHOWN, shown
from catalog.query import LISTS, Query
from catalog.schemas import Facet, FacetValue
from catalog.shelf import Order, Shelf
from catalog.words import Match, combine
from marketplace.web.paging import BadCursor, decode_cursor, encode_cursor

FEW: Final = 300
"""Results that are sorted by themselves instead of walking the whole order."""


class Found(msgspec.Struct, frozen=True):
    """A page of entries with what is told about all results."""

    entries: list[Entry]
    total: int
    next: str | None
    facets: tuple[Facet, ...]
    everything: int
    """The set of all results."""


def find(
    shelf: Shelf,
    query: Query,
    matches: Sequence[Match],
    locale: str,
    affordable: int | None = None,
) -> Found:
    """Search a shelf; `matches` are what its words find, `affordable` what the caller can pay.

    BadCursor where the cursor is of another order.
    """
    scored = query.sort is Sort.RELEVANCE
    tiers = combine(matches, shelf.visible, scored=scored) if matches else [(0, shelf.visible)]
    matched = 0
    for _, bits in tiers:
        matched |= bits
    parts = _parts(shelf, query, affordable)
    bits = matched
    for part in parts.values():
        bits &= part
    total = bits.bit_count()
    numbers = to_few(bits) if total <= COUNTED_SINGLY else None
    entries, following = _page(shelf, query, tiers, bits, numbers)
    return Found(
        entries=entries,
        total=total,
        next=following,
        facets=_facets(shelf, query, locale, Bases(matched, parts, bits, numbers), affordable),
        everything=bits,
    )


def with_affordable(found: Found, affordable: int) -> tuple[Facet, ...]:
    """The facets of a search that did not ask who looks, for somebody who can pay so much."""
    return (*found.facets, _switch("affordable", found.everything & affordable, False))


def _parts(shelf: Shelf, query: Query, affordable: int | None) -> dict[str, int]:
    """What each filter leaves, by facet; filters that were not asked for are left out."""
    parts: dict[str, int] = {}
    for name in LISTS:
        chosen = getattr(query, name)
        if chosen:
            sets = shelf.sets[name]
            # What names no country or language is for all of them.
            bits = sets.get(ANY, 0) if name in FOR_ANY else 0
            for value in chosen:
                bits |= sets.get(value, 0)
            parts[name] = bits
    if query.points_min is not None or query.points_max is not None:
        parts["points"] = _between(shelf, query.points_min or 0, query.points_max)
    if query.affordable:
        parts["affordable"] = affordable or 0
    if query.available:
        parts["available"] = shelf.available
    return parts


def _between(shelf: Shelf, least: int, most: int | None) -> int:
    """Entries with a choice from `least` to `most` points (a range of choices counts whole)."""
    upper = shelf.visible if most is None else shelf.cheapest.at_most(most)
    return upper & ~shelf.dearest.at_most(least - 1) if least else upper


def _page(
    shelf: Shelf,
    query: Query,
    tiers: Sequence[tuple[int, int]],
    bits: int,
    numbers: list[int] | None,
) -> tuple[list[Entry], str | None]:
    """Up to `limit` entries after the cursor, and the cursor of what follows."""
    if not bits and query.cursor is None:
        return [], None
    order = shelf.orders[query.sort]
    after = _position(query) if query.cursor is not None else None
    if numbers is not None and after is None and len(tiers) == 1 and len(numbers) <= query.limit:
        # The usual search: a few results of one score, all on the first page.
        places = sorted([order.rank[number] for number in numbers])
        return [shelf.entries[order.numbers[place]] for place in places], None
    if query.sort is not Sort.RELEVANCE:
        tiers = [(0, bits)]
    rows: list[tuple[int, int]] = []
    for score, tier in tiers:
        if after is not None and score > after[0]:
            continue
        key = after[1] if after is not None and score == after[0] else None
        wanted = query.limit + 1 - len(rows)
        rows += [(score, place) for place in _walk(order, tier & bits, key, wanted)]
        if len(rows) > query.limit:
            break
    page = rows[: query.limit]
    following = None
    if len(rows) > query.limit:
        score, place = page[-1]
        following = encode_cursor((query.sort.value, score, order.keys[place]))
    return [shelf.entries[order.numbers[place]] for _, place in page], following


def _position(query: Query) -> tuple[int, tuple[Any, ...]] | None:
    """Score and key of the last entry of the page before; None for the first page."""
    found = decode_cursor(query.cursor, tuple[str, int, tuple[Any, ...]])
    if found is None:
        return None
    sort, score, key = found
    if sort != query.sort.value:
        raise BadCursor("The cursor is of another order; begin with the first page.")
    return score, key


def _walk(order: Order, bits: int, after: tuple[Any, ...] | None, wanted: int) -> list[int]:
    """Places in the order, from after a key, of the first `wanted` members of a set."""
    start = 0
    if after is not None:
        try:
            start = bisect_right(order.keys, after)
        except TypeError:
            raise BadCursor("Use `next` of the page before, unchanged.") from None
    if not bits:
        return []
    if bits.bit_count() <= FEW:
        places = sorted(order.rank[number] for number in to_few(bits))
        return [place for place in places if place >= start][:wanted]
    field = bits.to_bytes((bits.bit_length() + 7) >> 3, "little")
    reach = len(field) << 3
    found: list[int] = []
    for place in range(start, len(order.numbers)):
        number = order.numbers[place]
        if number < reach and field[number >> 3] >> (number & 7) & 1:
            found.append(place)
            if len(found) == wanted:
                break
    return found


class Bases(msgspec.Struct, frozen=True):
    """What the facets are counted in."""

    matched: int
    """What the words find."""
    parts: dict[str, int]
    """What each filter leaves."""
    everything: int
    """What all of them leave."""
    numbers: list[int] | None
    """The same one by one, where they are few."""

    def of(self, name: str) -> int:
        """What all filters but that of this facet leave."""
        if name not in self.parts:
            return self.everything
        bits = self.matched
        for other, part in self.parts.items():
            if other != name:
                bits &= part
        return bits


def _facets(
    shelf: Shelf, query: Query, locale: str, bases: Bases, affordable: int | None
) -> tuple[Facet, ...]:
    """Counts of every facet, each as if none of its own values were chosen."""
    facets, table = shelf.facets, shelf.facets.table(locale)
    counted = None
    if bases.numbers is not None:
        counted = facets.count_singly(table, bases.numbers)
    made = []
    for facet, name in enumerate(SHOWN):
        chosen = getattr(query, name)
        if chosen or counted is None:
            found = facets.count(table, facet, bases.of(name), chosen)
        else:
            found = counted[facet]
        if (found or chosen) and (values := shown(table, facet, found, chosen)):
            made.append(Facet(name, values))
    if counted is None or "points" in bases.parts:
        found = facets.count(table, POINTS, bases.of("points"), ())
    else:
        found = counted[POINTS]
    made.append(Facet("points", shown(table, POINTS, found, _bands(query)), many=False))
    made.append(_switch("available", bases.of("available") & shelf.available, query.available))
    if affordable is not None:
        made.append(_switch("affordable", bases.of("affordable") & affordable, query.affordable))
    return tuple(made)


def _bands(query: Query) -> tuple[str, ...]:
    """The band of points that is asked for, where it is one."""
    if query.points_min is None and query.points_max is None:
        return ()
    band = BAND_OF.get((query.points_min or 0, query.points_max))
    return () if band is None else (band,)


def _switch(name: str, bits: int, chosen: bool) -> Facet:
    return Facet(name, (FacetValue("yes", "yes", bits.bit_count(), chosen),), many=False)
