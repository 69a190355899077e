"""What search finds and counts is what a naive walk over every listing finds and counts."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.bits import from_numbers
from catalog.domain import Sort
from catalog.entries import Entry
from catalog.facets import BANDS, SHOWN
from catalog.loading import Pulse, Rows
from catalog.names import label_of
from catalog.query import LISTS, Query
from catalog.schemas import Facet
from catalog.search import Found, find, with_affordable
from catalog.shelf import Shelf
from catalog.words import Match

NOW = datetime(2026, 6, 1, tzinfo=UTC)
PARENTS = {"home": None, "coffee": "home", "beans": "coffee", "tea": "home", "fun": None}

listings = st.lists(
    st.fixed_dictionaries(
        {
            "kind": st.sampled_from(("gift", "seat")),
            "category": st.sampled_from((None, *PARENTS)),
            "partners": st.lists(
                st.integers(0, 5).map("p{}".format), min_size=1, max_size=2, unique=True
            ),
            "languages": st.lists(st.sampled_from(("en", "pl")), unique=True),
            "countries": st.lists(st.sampled_from(("DE", "PL", "IT")), unique=True),
            "place": st.sampled_from((None, "Kraków", "Roma")),
            "tags": st.lists(st.sampled_from(("new", "old")), unique=True),
            "points": st.sampled_from((100, 999, 1_000, 2_500, 7_000, 120_000)),
            "most": st.integers(1, 12),
            "status": st.sampled_from(("on_sale", "paused")),
            "later": st.booleans(),
        }
    ),
    max_size=14,
)


def some(*values: str) -> st.SearchStrategy[tuple[str, ...]]:
    """Some values of a facet, mostly none."""
    chosen = st.lists(st.sampled_from(values), min_size=1, max_size=2, unique=True)
    return st.one_of(st.just(()), st.just(()), chosen.map(lambda each: tuple(sorted(each))))


points = st.none() | st.sampled_from((0, 100, 999, 1_000, 2_499, 2_500, 100_000, 10**6))
queries = st.builds(
    Query,
    kind=some("gift", "seat", "none"),
    category=some(*PARENTS, "none"),
    partner=some("p0", "p1", "p9"),
    language=some("en", "pl", "xx"),
    country=some("DE", "PL", "XX", "*"),
    place=some("Roma", "Oslo"),
    delivery=some("instant", "post"),
    tag=some("new", "none"),
    points_min=points,
    points_max=points,
    affordable=st.booleans(),
    available=st.booleans(),
    sort=st.sampled_from(Sort),
    limit=st.sampled_from((1, 3, 100)),
).filter(lambda query: (query.points_min or 0) <= (query.points_max or 10**9))


def shelf_of(specs: list[dict[str, Any]]) -> Shelf:
    """A shelf of these listings, numbered in their order."""
    listings, texts, denominations = [], [], []
    for number, spec in enumerate(specs):
        key = UUID(int=number + 1)
        listings.append(
            {
                "id": key, "slug": f"l{number:02}", "category": spec["category"],
                "tags": spec["tags"], "countries": spec["countries"], "place": spec["place"],
                "delivery": "instant", "delivery_days": None, "languages": spec["languages"],
                "default_locale": "en", "visible_to": None, "featured": number % 2,
                "visible_from": NOW + timedelta(days=1) if spec["later"] else None,
                "taken": number % 3, "published_at": NOW,
            }
        )  # fmt: skip
        texts.append({"listing_id": key, "locale": "en", "title": "T", "summary": ""})
        denominations += [
            {
                "listing_id": key, "least": 1, "most": spec["most"], "step": 1,
                "face_micros": None, "face_currency": None, "offer": f"o{number}-{place}",
                "offer_id": UUID(int=1_000 + 10 * number + place), "name": "O",
                "kind": spec["kind"], "points": spec["points"], "currency": "EUR",
                "point_micros": None,
                "status": spec["status"], "starts_at": None, "ends_at": None, "plugin": "giftfund",
                "limit_per_wallet": None, "eligibility": "{}", "closed": None, "partner": partner,
                "partner_name": partner.upper(),
            }
            for place, partner in enumerate(spec["partners"])
        ]  # fmt: skip
    categories = [
        {"slug": slug, "parent": parent, "names": msgspec.json.encode({"en": slug})}
        for slug, parent in PARENTS.items()
    ]
    rows = Rows(listings, texts, denominations, [], categories, {})
    return Shelf(rows, Pulse(1, 1, 1, NOW, {}, {}), ["giftfund"])


def values_of(entry: Entry, name: str) -> set[str]:
    """What an entry has of a facet, or `*`."""
    row = entry.row
    match name:
        case "kind":
            return {entry.kind}
        case "category":
            return set(ancestry(row["category"]))
        case "partner":
            return {each["partner"] for each in entry.offers}
        case "language":
            return set(row["languages"]) or {"*"}
        case "country":
            return set(row["countries"]) or {"*"}
        case "place":
            return {row["place"]} - {None}
        case "tag":
            return set(row["tags"])
    return {row["delivery"]}


def ancestry(category: str | None) -> Iterable[str]:
    """A category and those above it."""
    while category is not None:
        yield category
        category = PARENTS[category]


def has(entry: Entry, name: str, value: str) -> bool:
    own = values_of(entry, name)
    return value in own or (name in ("country", "language") and "*" in own)


def within(entry: Entry, least: int | None, most: int | None) -> bool:
    return entry.points_to >= (least or 0) and (most is None or entry.points_from <= most)


def passes(entry: Entry, query: Query, can_pay: int, *, but: str = "") -> bool:
    """Whether an entry passes every filter, one left aside."""
    for name in LISTS:
        chosen = getattr(query, name)
        if name != but and chosen and not any(has(entry, name, value) for value in chosen):
            return False
    if but != "points" and not within(entry, query.points_min, query.points_max):
        return False
    if query.affordable and but != "affordable" and entry.points_from > can_pay:
        return False
    return not query.available or but == "available" or is_available(entry)


def is_available(entry: Entry) -> bool:
    return not any(each.blocks for each in entry.obstacles)


def naive_counts(
    shelf: Shelf, matched: list[Entry], query: Query, can_pay: int, name: str
) -> list[tuple[str, int, bool]]:
    """Value, count and choice of what is to be shown of a facet, in order."""
    base = [each for each in matched if passes(each, query, can_pay, but=name)]
    if name == "points":
        bounds = (query.points_min or 0, query.points_max)
        counted = [
            (text, sum(within(each, *edges) for each in base), edges == bounds)
            for text, edges in BANDS.items()
        ]
        return [each for each in counted if each[1] or each[2]]
    chosen = getattr(query, name)
    own = {value for each in base for value in values_of(each, name)}
    if name == "category":
        known = [slug for slug in PARENTS if PARENTS[slug] is None or is_open(slug, chosen)]
    else:
        known = sorted({v for each in shelf.entries for v in values_of(each, name)} - {"*"})
    shown = [
        (value, sum(has(each, name, value) for each in base), value in chosen)
        for value in known
        if value in own or value in chosen
    ]
    if name != "category":
        labels = {
            value: label_of(shelf.partners, name, value, "en").casefold() for value, *_ in shown
        }
        shown.sort(key=lambda each: (-each[1], labels[each[0]], each[0]))
    return shown


def is_open(slug: str, chosen: tuple[str, ...]) -> bool:
    """Whether the category above one, or something below that, is chosen."""
    return any(PARENTS[slug] in ancestry(each) for each in chosen if each in PARENTS)


def naive_order(entry: Entry, sort: Sort, score: int) -> tuple[Any, ...]:
    """What results are ordered by."""
    row = entry.row
    own = {
        Sort.RELEVANCE: -score,
        Sort.POINTS_UP: entry.points_from,
        Sort.POINTS_DOWN: -entry.points_from,
        Sort.VALUE: -entry.worth,
        Sort.NEWEST: 0,
        Sort.POPULAR: -row["taken"],
    }[sort]
    return own, -row["featured"], -row["taken"], row["slug"]


def told(facet: Facet) -> list[tuple[str, int, bool]]:
    return [(each.value, each.count, each.chosen) for each in facet.values]


def pages(shelf: Shelf, query: Query, matches: list[Match], affordable: int) -> list[Found]:
    """Every page of a search."""
    made = [find(shelf, query, matches, "en", affordable)]
    while (cursor := made[-1].next) is not None:
        following = msgspec.structs.replace(query, cursor=cursor)
        made.append(find(shelf, following, matches, "en", affordable))
    return made


WAYS = {
    "one by one": {},
    "by sets": {"catalog.search.COUNTED_SINGLY": -1, "catalog.facets.COUNTED_SINGLY": -1},
    "wide": {"catalog.facets.NARROW": 1, "catalog.facets.FEW_ROWS": 0},
}
"""How facets are counted, whatever the results."""


@pytest.mark.parametrize("way", WAYS)
@settings(max_examples=60)
@given(specs=listings, query=queries, can_pay=st.sampled_from((0, 1_000, 10**6)), data=st.data())
def test_search_agrees_with_a_naive_walk(
    way: str, specs: list[dict[str, Any]], query: Query, can_pay: int, data: st.DataObject
) -> None:
    scores = [data.draw(st.sampled_from((0, 10, 40))) for _ in specs]
    with pytest.MonkeyPatch.context() as patch:
        for name, value in WAYS[way].items():
            patch.setattr(name, value)
        shelf = shelf_of(specs)
        word = Match(
            tuple(
                (s, from_numbers(n for n, own in enumerate(scores) if own == s)) for s in (40, 10)
            ),
            from_numbers(n for n, own in enumerate(scores) if own),
        )
        matches = data.draw(st.sampled_from(([], [word])))
        affordable = shelf.affordable({"EUR": can_pay})
        found = pages(shelf, query, matches, affordable)
    matched = [
        entry
        for entry, spec, score in zip(shelf.entries, specs, scores, strict=True)
        if not spec["later"] and (score or not matches)
    ]
    results = [each for each in matched if passes(each, query, can_pay)]
    results.sort(
        key=lambda each: naive_order(each, query.sort, scores[each.number] if matches else 0)
    )
    assert [entry.row["slug"] for page in found for entry in page.entries] == [
        entry.row["slug"] for entry in results
    ]
    facets = {facet.name: told(facet) for facet in found[0].facets}
    for name in (*SHOWN, "points"):
        assert facets.get(name, []) == naive_counts(shelf, matched, query, can_pay, name)
    for name, leaves in (
        ("available", is_available),
        ("affordable", lambda entry: entry.points_from <= can_pay),
    ):
        base = [each for each in matched if passes(each, query, can_pay, but=name)]
        assert facets[name] == [("yes", sum(map(leaves, base)), getattr(query, name))]
    assert {page.total for page in found} == {len(results)}
    if not query.affordable:
        unasked = find(shelf, query, matches, "en")
        assert with_affordable(unasked, affordable) == found[0].facets
