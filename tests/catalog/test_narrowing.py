"""Facets, orders and pages of search."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog import publishing, writing
from catalog.bits import Ladder, from_numbers, to_numbers
from catalog.query import Query, read_pairs, read_query
from catalog.words import distance
from tests.catalog.conftest import AddListing
from tests.catalog.test_search import facet, found
from tests.factories import Coalition


async def ten(add_listing: AddListing) -> None:
    """Ten listings from 100 to 1,000 points, every third of them featured."""
    for n in range(1, 11):
        await add_listing(
            f"thing-{n:02}",
            {"en": f"Thing number {n}"},
            points=n * 100,
            faces=[n * n * 100_000],
            featured=int(n % 3 == 0),
        )


async def pages(client: httpx.AsyncClient, query: str) -> list[str]:
    """Slugs of every page of a search, following the cursor."""
    slugs: list[str] = []
    cursor = ""
    for _ in range(50):
        answer: Any = (await client.get(f"/v1/catalog?{query}{cursor}")).json()
        slugs += [item["card"]["slug"] for item in answer["items"]]
        if answer["next"] is None:
            return slugs
        cursor = f"&cursor={answer['next']}"
    raise AssertionError("the pages never end")


async def test_facets_count_what_each_further_choice_would_leave(
    client: httpx.AsyncClient, add_listing: AddListing
) -> None:
    await add_listing("mug", {"en": "Coffee mug"}, category="coffee", points=500)
    await add_listing("beans", {"en": "Coffee beans"}, category="coffee", points=1_500)
    await add_listing("lamp", {"en": "Lamp"}, category="home", points=3_000, kind="voucher")
    await add_listing(
        "film", {"en": "Film"}, category="leisure", points=900, acceptor="tickets", kind="voucher",
        countries=("PL",), languages=("pl",),
    )  # fmt: skip
    assert await facet(client, "kind") == {"gift": 2, "voucher": 2}
    # Within one facet any of the chosen values counts, so the others keep their counts.
    assert await facet(client, "kind", "kind=gift") == {"gift": 2, "voucher": 2}
    assert await facet(client, "partner", "kind=gift") == {"shop": 2}
    assert await found(client, "kind=gift&kind=voucher&partner=tickets") == ["film"]
    # A category holds what is below it; deeper ones show once their branch is chosen.
    assert await facet(client, "category") == {"home": 3, "leisure": 1}
    assert await facet(client, "category", "category=home") == {
        "home": 3, "coffee": 2, "leisure": 1,
    }  # fmt: skip
    assert sorted(await found(client, "category=home")) == ["beans", "lamp", "mug"]
    assert await facet(client, "points") == {"0-999": 2, "1000-2499": 1, "2500-4999": 1}
    assert await found(client, "points_min=1000&points_max=2000") == ["beans"]
    # What names no country can be had in every one, and counts there.
    assert await facet(client, "country") == {"PL": 4}
    assert len(await found(client, "country=DE")) == 3
    assert len(await found(client, "language=pl")) == 4


async def test_a_few_results_are_counted_as_many_are(
    client: httpx.AsyncClient, add_listing: AddListing, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = ({}, {"countries": ("PL",)}, {"countries": ("PL", "IT"), "languages": ("it",)})
    for n in range(9):
        category = ("coffee", "home", None)[n % 3]
        await add_listing(f"thing-{n}", {"en": "Thing"}, category=category, **places[n // 3])
    queries = ("", "category=home", "country=PL", "country=DE&kind=gift", "language=it&q=thing")

    async def answers() -> list[Any]:
        return [(await client.get(f"/v1/catalog?{query}")).json()["facets"] for query in queries]

    singly = await answers()
    monkeypatch.setattr("catalog.search.COUNTED_SINGLY", -1)
    assert await answers() == singly


@pytest.mark.parametrize(
    ("sort", "slugs"),
    [
        ("points", ["thing-01", "thing-02", "thing-03"]),
        ("-points", ["thing-10", "thing-09", "thing-08"]),
        ("newest", ["thing-10", "thing-09", "thing-08"]),
        ("value", ["thing-10", "thing-09", "thing-08"]),
        ("relevance", ["thing-09", "thing-06", "thing-03"]),
        ("popular", ["thing-09", "thing-06", "thing-03"]),
    ],
)
async def test_orders(
    client: httpx.AsyncClient, add_listing: AddListing, sort: str, slugs: list[str]
) -> None:
    await ten(add_listing)
    assert (await found(client, f"sort={sort}"))[:3] == slugs
    assert sorted(await pages(client, f"sort={sort}&limit=3")) == sorted(await found(client, ""))


async def test_no_listing_is_shown_twice_or_lost_while_others_come_and_go(
    client: httpx.AsyncClient, add_listing: AddListing, catalog: Coalition
) -> None:
    await ten(add_listing)
    first: Any = (await client.get("/v1/catalog?sort=points&limit=4")).json()
    seen = [item["card"]["slug"] for item in first["items"]]
    # One that was shown goes, one comes before the cursor and one after it.
    async with catalog.runtime.database.begin() as session:
        await publishing.withdraw(session, "thing-02", actor="test")
    await add_listing("early", {"en": "Early"}, points=150)
    await add_listing("late", {"en": "Late"}, points=950)
    seen += await pages(client, f"sort=points&limit=4&cursor={first['next']}")
    assert seen == [*(f"thing-{n:02}" for n in range(1, 10)), "late", "thing-10"]


async def test_a_cursor_of_another_order_or_of_nobody_is_refused(
    client: httpx.AsyncClient, add_listing: AddListing
) -> None:
    await ten(add_listing)
    first: Any = (await client.get("/v1/catalog?sort=points&limit=4")).json()
    for query in (f"sort=newest&cursor={first['next']}", "cursor=abc", "cursor=gqFh"):
        answer = await client.get(f"/v1/catalog?{query}")
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_cursor")


@pytest.mark.parametrize(
    "query",
    [
        "points_min=many", "points_min=-1", "points_min=5&points_max=4", "sort=best", "limit=0",
        "limit=1000", "affordable=perhaps", f"q={'x' * 201}", "q=%00",
        "&".join(f"kind=k{n}" for n in range(30)), "&".join("x=1" for _ in range(300)),
    ],
)  # fmt: skip
async def test_what_cannot_be_searched_for_is_named(client: httpx.AsyncClient, query: str) -> None:
    answer = await client.get(f"/v1/catalog?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_search")


async def test_public_answers_may_be_shared_and_are_confirmed_by_their_tag(
    client: httpx.AsyncClient, add_listing: AddListing, catalog: Coalition
) -> None:
    await add_listing("mug", {"en": "Mug", "ru": "Кружка"})
    answer = await client.get("/v1/catalog")
    assert answer.headers["cache-control"].startswith("public")
    assert "Authorization" in answer.headers["vary"]
    known = {"If-None-Match": answer.headers["etag"]}
    assert (await client.get("/v1/catalog", headers=known)).status_code == 304
    async with catalog.runtime.database.begin() as session:
        await writing.touch(session)
    assert (await client.get("/v1/catalog", headers=known)).status_code == 200
    for headers, query in (({"Accept-Language": "ru"}, ""), ({}, "?locale=ru")):
        answer = await client.get(f"/v1/catalog{query}", headers=headers)
        assert answer.json()["items"][0]["card"]["title"] == "Кружка"


async def test_only_what_is_published_and_within_its_dates_is_seen(
    client: httpx.AsyncClient, add_listing: AddListing
) -> None:
    await add_listing("mug", {"en": "Mug"})
    await add_listing("draft", {"en": "Draft"}, status="draft")
    from datetime import UTC, datetime

    await add_listing("past", {"en": "Past"}, visible_to=datetime(2020, 1, 1, tzinfo=UTC))
    await add_listing("future", {"en": "To come"}, visible_from=datetime(2200, 1, 1, tzinfo=UTC))
    assert await found(client, "") == ["mug"]
    for slug in ("draft", "past", "future", "none"):
        answer = await client.get(f"/v1/catalog/{slug}")
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_listing")


async def test_texts_fall_back_from_the_readers_language_to_the_listings_to_english(
    client: httpx.AsyncClient, add_listing: AddListing
) -> None:
    await add_listing("both", {"en": "Mug", "it": "Tazza"}, default_locale="it")
    await add_listing("english", {"en": "Lamp", "ru": "Лампа"}, default_locale="en")
    for locale, both, english in (
        ("it", "Tazza", "Lamp"), ("pl", "Tazza", "Lamp"), ("ru", "Tazza", "Лампа"),
        ("en", "Mug", "Lamp"),
    ):  # fmt: skip
        assert (await detail(client, "both", locale))["title"] == both
        assert (await detail(client, "english", locale))["title"] == english


async def detail(client: httpx.AsyncClient, slug: str, locale: str) -> Any:
    """The card of a listing in a language."""
    return (await client.get(f"/v1/catalog/{slug}?locale={locale}")).json()["detail"]["card"]


async def test_a_listing_tells_its_choices_and_their_worth(
    client: httpx.AsyncClient, add_listing: AddListing, catalog: Coalition
) -> None:
    from catalog.specs import DenominationSpec

    for euros in (10, 25):
        await catalog.add_offer(
            f"book-{euros}", acceptor="shop", points=euros * 150, cost_micros=euros * 900_000
        )
    await add_listing(
        "book",
        {"en": "Certificate"},
        category="coffee",
        denominations=(
            DenominationSpec(offer="book-10", face_micros=10_000_000, face_currency="EUR"),
            DenominationSpec(offer="book-25", least=1, most=5, step=2),
        ),
    )
    shown: Any = (await client.get("/v1/catalog/book")).json()["detail"]
    assert (shown["card"]["points_from"], shown["card"]["points_to"]) == (1_500, 18_750)
    first, second = shown["denominations"]
    assert (first["value_micros"], first["value_from"]) == (10_000_000, "face")
    assert (second["value_micros"], second["value_from"]) == (None, None)
    assert second["value_per_thousand_micros"] is None
    # 10 euros for 1,500 points, rounded down to the micro.
    assert first["value_per_thousand_micros"] == 6_666_666
    assert [each["name"] for each in shown["path"]] == ["Home", "Coffee"]
    tree: Any = (await client.get("/v1/catalog/categories?locale=pl")).json()["items"]
    assert [(each["name"], each["count"]) for each in tree] == [("Dom", 1), ("Czas wolny", 0)]
    assert tree[0]["children"][0]["name"] == "Kawa"


@given(st.lists(st.integers(0, 3_000), unique=True))
def test_a_set_gives_back_its_numbers(numbers: list[int]) -> None:
    assert to_numbers(from_numbers(numbers)) == sorted(numbers)


@given(st.lists(st.integers(0, 500), max_size=300), st.integers(-5, 505))
def test_a_ladder_knows_who_has_at_most_so_much(values: list[int], most: int) -> None:
    expected = [number for number, value in enumerate(values) if value <= most]
    assert to_numbers(Ladder(values).at_most(most)) == expected


@settings(max_examples=60)
@given(st.text(min_size=1, max_size=12), st.text(min_size=1, max_size=12))
def test_a_distance_is_one(one: str, other: str) -> None:
    away = distance(one, other)
    assert away == distance(other, one)
    assert (away == 0) == (one == other)


@given(
    st.builds(
        Query,
        kind=st.lists(st.sampled_from(["gift", "a b", "ü&="]), unique=True).map(sorted).map(tuple),
        points_min=st.none() | st.integers(0, 100),
        points_max=st.none() | st.integers(100, 200),
        available=st.booleans(),
        limit=st.integers(1, 100),
    )
)
def test_an_address_reads_back_as_the_search_it_was_written_from(query: Query) -> None:
    assert read_query(read_pairs(query.link().removeprefix("?"))) == query


def test_a_facets_value_is_chosen_and_dropped_by_its_link() -> None:
    query = read_query([("q", "mug "), ("kind", "gift")])
    assert query.toggled("kind", "seat") == "?q=mug+&kind=gift&kind=seat"
    assert query.toggled("kind", "gift") == "?q=mug+"
