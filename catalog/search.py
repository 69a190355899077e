"""The one search behind JSON and pages: sets, counts, order and pages of a shelf. Pure, no I/O."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from catalog.bits import to_numbers
from catalog.domain import Sort
from catalog.entries import Entry
from catalog.query import LISTS, Query
from catalog.schemas import Facet, FacetValue
from catalog.shelf import ANY, FacetRow, Order, Shelf
from catalog.words import Match, combine
from marketplace.web.paging import BadCursor, decode_cursor, encode_cursor

SHOWN_FACETS: Final = ("kind", "category", "partner", "language", "country", "place", "delivery")
MOST_FACET_VALUES: Final = 40
COUNTED_SINGLY: Final = 12
"""Entries up to which counting one by one is quicker than by sets."""
FEW: Final = 300
"""Results that are sorted by themselves instead of walking the whole order."""


class Found(msgspec.Struct, frozen=True):
    """A page of entries with what is told about all results."""

    entries: list[Entry]
    total: int
    next: str | None
    facets: tuple[Facet, ...]


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
    entries, following = _page(shelf, query, tiers, bits)
    return Found(
        entries=entries,
        total=bits.bit_count(),
        next=following,
        facets=_facets(shelf, query, matched, parts, locale, affordable),
    )


def _parts(shelf: Shelf, query: Query, affordable: int | None) -> dict[str, int]:
    """What each filter leaves, by facet; filters that were not asked for are left out."""
    parts: dict[str, int] = {}
    for name in LISTS:
        chosen = getattr(query, name)
        if chosen:
            sets = shelf.facets.get(name, {})
            # Of countries and languages nobody names, what is for all of them is left.
            common = shelf.facets.get(f"{name}:*", {}).get("*", 0)
            parts[name] = 0
            for value in chosen:
                parts[name] |= sets.get(value, common)
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
    return upper & ~shelf.dearest.at_most(least - 1)


def _page(
    shelf: Shelf, query: Query, tiers: Sequence[tuple[int, int]], bits: int
) -> tuple[list[Entry], str | None]:
    """Up to `limit` entries after the cursor, and the cursor of what follows."""
    order = shelf.orders[query.sort]
    if query.sort is not Sort.RELEVANCE:
        tiers = [(0, bits)]
    after = _position(query)
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
        places = sorted(order.rank[number] for number in to_numbers(bits))
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


def _facets(
    shelf: Shelf,
    query: Query,
    matched: int,
    parts: dict[str, int],
    locale: str,
    affordable: int | None,
) -> tuple[Facet, ...]:
    """Counts of every facet, each as if none of its own values were chosen."""
    everything = matched
    for part in parts.values():
        everything &= part

    def base(name: str) -> int:
        return _without(matched, parts, name) if name in parts else everything

    few: dict[int, list[int]] = {}
    made = []
    for name in SHOWN_FACETS:
        bits = base(name)
        table = shelf.table(name, locale)
        if bits not in few and bits.bit_count() <= COUNTED_SINGLY:
            few[bits] = to_numbers(bits)
        counts = _counts(shelf.columns[name], few[bits]) if bits in few else None
        values = _values(table, bits, getattr(query, name), counts)
        if values:
            made.append(Facet(name=name, values=values))
    made.append(_points_facet(shelf, query, base("points")))
    made.append(_switch("available", base("available") & shelf.available, query.available))
    if affordable is not None:
        made.append(_switch("affordable", base("affordable") & affordable, query.affordable))
    return tuple(made)


def _switch(name: str, bits: int, chosen: bool) -> Facet:
    value = FacetValue(value="yes", label="yes", count=bits.bit_count(), chosen=chosen)
    return Facet(name=name, values=(value,), many=False)


def _without(matched: int, parts: dict[str, int], name: str) -> int:
    """What all filters but one leave."""
    bits = matched
    for other, part in parts.items():
        if other != name:
            bits &= part
    return bits


def _counts(column: Sequence[Sequence[str]], numbers: Sequence[int]) -> dict[str, int]:
    """How often each value is there among a few entries."""
    counts: dict[str, int] = {}
    for number in numbers:
        for value in column[number]:
            counts[value] = counts.get(value, 0) + 1
    return counts


def _values(
    table: Sequence[FacetRow], base: int, chosen: tuple[str, ...], counts: dict[str, int] | None
) -> tuple[FacetValue, ...]:
    """The values that leave something, or are chosen; of a tree the branches that are chosen.

    `counts` are those of each value, where `base` is so small that they were counted singly.
    """
    if not table:
        return ()
    in_tree = table[0].in_tree
    if in_tree and not chosen:
        shown = [row for row in table if not row.depth]
    elif in_tree:
        shown = [row for row in table if not row.depth or not row.shown_with.isdisjoint(chosen)]
    elif counts is not None:
        shown = [row for row in table if row.value in counts or row.value in chosen]
    else:
        shown = [row for row in table if row.own is None or row.own & base or row.value in chosen]
    if counts is None:
        found = [(row, (row.bits & base).bit_count()) for row in shown]
    else:
        common = counts.get(ANY, 0)
        found = [
            (row, counts.get(row.value, 0) + (common if row.own is not None else 0))
            for row in shown
        ]
    counted = [each for each in found if each[1] or each[0].value in chosen]
    if not in_tree:
        counted.sort(key=_by_count)
    return tuple(
        [
            FacetValue(
                value=row.value,
                label=row.label,
                count=count,
                chosen=row.value in chosen,
                depth=row.depth,
            )
            for row, count in counted[:MOST_FACET_VALUES]
        ]
    )


def _by_count(counted: tuple[FacetRow, int]) -> int:
    return -counted[1]


def _points_facet(shelf: Shelf, query: Query, base: int) -> Facet:
    """Bands of points; a value is `least-most`, and `least-` for the last one."""
    span = (query.points_min or 0, query.points_max)
    values = []
    for bounds, text, bits in shelf.bands:
        count = (base & bits).bit_count()
        chosen = span == bounds
        if count or chosen:
            values.append(FacetValue(value=text, label=text, count=count, chosen=chosen))
    return Facet(name="points", values=tuple(values), many=False)
