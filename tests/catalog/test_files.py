"""Listings in and out of files: every bad line is named, nothing is half done, all comes back."""

from __future__ import annotations

import io
import json
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from catalog.domain import Delivery, ListingStatus
from catalog.imports import CatalogReport, export_categories, export_listings, import_catalog
from catalog.imports.documents import document_of, read_documents
from catalog.imports.rows import ListingRow, cells_of_listing, listing_of
from catalog.models import Listing
from catalog.specs import DenominationSpec, ListingSpec, TextSpec
from marketplace.coalition.imports.fields import decode_cell
from marketplace.coalition.imports.report import Faults
from marketplace.letters import hidden_in
from tests.factories import Coalition

MUG = {
    "slug": "mug",
    "status": "published",
    "category": "coffee",
    "tags": ["warm"],
    "denominations": [{"offer": "card", "face": "12.50", "face_currency": "EUR"}],
    "texts": {"en": {"title": "Mug", "body": "One.\n\nTwo."}, "de": {"title": "Becher"}},
}
TEA = {"slug": "tea", "parent": "home", "names": {"en": "Tea", "ru": "Чай"}}
CSV = """slug,offers,status,category,title_en,title_ru,face,face_currency,delivery
mug,card*1-40,published,coffee,Mug,Кружка,12.50,EUR,post
"""


async def take(
    catalog: Coalition, content: str, format_: str = "json", *, dry_run: bool = False
) -> CatalogReport:
    """Import a file."""
    async with catalog.runtime.database.begin() as session:
        return await import_catalog(session, io.BytesIO(content.encode()), format_, dry_run=dry_run)


async def listed(catalog: Coalition) -> list[str]:
    async with catalog.runtime.database.begin() as session:
        return list(await session.scalars(sa.select(Listing.slug).order_by(Listing.slug)))


def lines(*documents: Any) -> str:
    return "\n".join(json.dumps(each) for each in documents)


async def test_a_file_is_imported_once_and_then_changes_what_it_says(
    catalog: Coalition, client: httpx.AsyncClient
) -> None:
    content = lines(TEA, {**MUG, "category": "tea"})
    report = await take(catalog, content, dry_run=True)
    assert report.lines() == [
        "categories: 1 new, 0 changed, 0 unchanged (dry run: nothing was written)",
        "listings: 1 new, 0 changed, 0 unchanged (dry run: nothing was written)",
    ]
    assert await listed(catalog) == []
    assert (await take(catalog, content)).listings.new == 1
    assert (await take(catalog, content)).listings.unchanged == 1
    report = await take(catalog, lines({**MUG, "featured": 3}))
    assert (report.listings.changed, report.categories.new) == (1, 0)
    card: Any = (await client.get("/v1/catalog?q=mug")).json()["items"][0]["card"]
    assert (card["category"], card["featured"], card["value_micros"]) == (
        "coffee", True, 12_500_000,
    )  # fmt: skip


async def test_csv_says_the_same_with_a_column_for_each_text(
    catalog: Coalition, client: httpx.AsyncClient
) -> None:
    assert (await take(catalog, CSV, "csv")).ok
    assert (await take(catalog, "\ufeff" + CSV, "csv")).listings.unchanged == 1
    shown: Any = (await client.get("/v1/catalog/mug?locale=ru")).json()["detail"]
    assert (shown["card"]["title"], shown["card"]["delivery"]) == ("Кружка", "post")
    assert shown["denominations"][0]["most"] == 40
    categories = "slug,parent,name_en,position\nkitchen,home,Kitchen,4\n"
    assert (await take(catalog, categories, "csv")).categories.new == 1


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({"slug": "Mug"}, "lower case"),
        ({"status": "shown"}, "Invalid enum value"),
        ({"category": "none"}, "there is no category 'none'"),
        ({"denominations": [{"offer": "none"}]}, "there is no offer 'none'"),
        ({"denominations": []}, "there is no offer"),
        ({"denominations": [{"offer": "card"}] * 2}, "twice"),
        ({"denominations": [{"offer": "card", "least": 2, "most": 5, "step": 2}]}, "steps of 2"),
        ({"denominations": [{"offer": "card", "most": 9_999}]}, "quantities"),
        ({"denominations": [{"offer": "card", "face": "1"}]}, "belong together"),
        ({"texts": {}}, "no text"),
        ({"texts": {"ru": {"title": "Кружка"}}}, "default_locale is 'en'"),
        ({"texts": {"en": {"title": ""}}}, "$.texts"),
        ({"texts": {"en": {"title": "x" * 121}}}, "$.texts"),
        ({"texts": {"english!": {"title": "Mug"}, "en": {"title": "Mug"}}}, "no language tag"),
        ({"countries": ["XX"]}, "$.countries"),
        ({"visible_from": "2026-02-01", "visible_to": "2026-01-01"}, "not after"),
        ({"delivery_days": 3}, "at once"),
        ({"colour": "red"}, "unknown field"),
    ],
)
async def test_what_is_wrong_with_a_listing_is_named_and_nothing_is_imported(
    catalog: Coalition, document: dict[str, Any], reason: str
) -> None:
    await catalog.add_offer("plate", acceptor="shop")
    plate = {"slug": "plate", "denominations": [{"offer": "plate"}], "texts": MUG["texts"]}
    report = await take(catalog, lines(plate, {**MUG, **document}))
    assert not report.ok
    assert all(bad.line == 2 for bad in report.bad_lines)
    assert any(reason in bad.reason for bad in report.bad_lines), report.lines()
    assert await listed(catalog) == []


async def test_every_bad_line_is_named_at_once(catalog: Coalition) -> None:
    content = (
        "slug,offers,title_en,face,featured\n"
        "Big,card,Mug,,\n"
        "mug,none,Mug,,\n"
        "mug,card,,,\n"
        "cup,card,Cup,1;2,x\n"
        "dish,card*5-2,Dish,,\n"
        "too,few\n"
    )
    report = await take(catalog, content, "csv")
    assert {bad.line for bad in report.bad_lines} == {2, 3, 4, 5, 6, 7}
    assert "nothing was imported" in report.lines()[-1]
    assert not (await take(catalog, "slug,strange\nmug,1\n", "csv")).ok
    assert not (await take(catalog, "", "csv")).ok


@pytest.mark.parametrize(
    "content",
    ["{", "nonsense", '{"slug": 1, "texts": {}}', "[1, 2]", '{"a":' * 5_000, '"text"', "null"],
)
async def test_what_is_no_document_is_a_bad_line_and_no_crash(
    catalog: Coalition, content: str
) -> None:
    report = await take(catalog, content)
    assert (report.ok, report.bad_lines[0].line) == (False, 1)


async def test_an_offer_is_in_one_listing_at_most(catalog: Coalition) -> None:
    assert (await take(catalog, lines(MUG))).ok
    report = await take(catalog, lines({**MUG, "slug": "cup"}))
    assert report.bad_lines[0].reason == "offer 'card' is in the listing 'mug' already"
    report = await take(catalog, lines(MUG, {**MUG, "slug": "cup"}))
    assert "on line 1 already" in report.bad_lines[0].reason
    # In one file it may pass from one listing to another.
    await catalog.add_offer("plate", acceptor="shop")
    plate = {**MUG, "denominations": [{"offer": "plate"}]}
    assert (await take(catalog, lines(plate, {**MUG, "slug": "cup"}))).ok


async def test_a_category_is_never_below_itself(catalog: Coalition) -> None:
    names = {"en": "Name"}
    for document in (
        {"slug": "home", "parent": "coffee", "names": names},
        {"slug": "home", "parent": "home", "names": names},
        {"slug": "new", "parent": "none", "names": names},
    ):
        assert not (await take(catalog, lines(document))).ok


async def test_what_is_exported_comes_back_unchanged(catalog: Coalition) -> None:
    await take(catalog, lines(TEA, MUG))
    async with catalog.runtime.database.begin() as session:
        out = io.StringIO()
        assert await export_listings(session, out, "json") == 1
        tree = io.StringIO()
        await export_categories(session, tree)
    report = await take(catalog, out.getvalue())
    assert (report.listings.unchanged, report.categories.unchanged) == (1, 4)
    assert (await take(catalog, tree.getvalue(), "csv")).categories.unchanged == 4


words = st.characters(min_codepoint=33, max_codepoint=0x2FFF, exclude_categories=("Cs", "Cc", "Zs"))
texts = st.text(words, min_size=1, max_size=20).filter(lambda text: hidden_in(text) is None)
prose = st.text(words, min_size=1, max_size=20).filter(
    lambda text: hidden_in(text, lines=True) is None and text.strip() == text
)
specs = st.builds(
    ListingSpec,
    slug=st.just("mug"),
    status=st.sampled_from(ListingStatus),
    tags=st.lists(st.sampled_from(["warm", "new"]), unique=True).map(tuple),
    place=st.none() | st.sampled_from(["Gdańsk", 'The "Inn"']),
    delivery=st.sampled_from(Delivery),
    featured=st.integers(0, 9),
    denominations=st.just(
        (
            DenominationSpec(offer="a/b", least=2, most=8, step=3, face_micros=1_500_000,
                             face_currency="EUR"),
            DenominationSpec(offer="c", face_micros=7_000_000, face_currency="EUR"),
        )
    ),
    texts=st.dictionaries(
        st.sampled_from(["en", "ru", "pl", "it"]),
        st.builds(TextSpec, title=texts, body=prose),
        min_size=1,
    ),
)  # fmt: skip


@given(specs)
def test_every_listing_survives_both_formats(spec: ListingSpec) -> None:
    import msgspec

    cells = {name: cell for name, cell in cells_of_listing(spec).items() if cell}
    assert listing_of(msgspec.convert(cells, ListingRow, dec_hook=decode_cell)) == spec
    faults = Faults()
    written = io.BytesIO(msgspec.json.encode(document_of(spec)))
    assert [found for _, found in read_documents(written, faults)] == [spec]
    assert faults.total == 0
