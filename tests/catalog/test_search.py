"""Finding a reward: in four languages, misspelt, while typing, narrowed and in order."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from catalog.specs import TextSpec
from tests.catalog.conftest import AddListing


async def found(client: httpx.AsyncClient, query: str) -> list[str]:
    """Slugs of the results."""
    answer = await client.get(f"/v1/catalog?{query}")
    assert answer.status_code == 200, answer.text
    return [item["card"]["slug"] for item in answer.json()["items"]]


async def facet(client: httpx.AsyncClient, name: str, query: str = "") -> dict[str, int]:
    """Counts of a facet by value."""
    answer: Any = (await client.get(f"/v1/catalog?{query}")).json()
    return {
        value["value"]: value["count"]
        for each in answer["facets"]
        if each["name"] == name
        for value in each["values"]
    }


@pytest.fixture
async def shelf(add_listing: AddListing) -> None:
    """Four rewards with texts in four languages."""
    await add_listing(
        "mug",
        {
            "en": TextSpec(title="Coffee mug", summary="For the morning", body="Stoneware."),
            "ru": TextSpec(title="Кофейная кружка", summary="Для утра"),
            "pl": TextSpec(title="Kubek do kawy", summary="Na dobry początek dnia"),
            "it": TextSpec(title="Tazza da caffè", summary="Per la mattina"),
        },
        points=500,
        category="coffee",
    )
    await add_listing(
        "books",
        {
            "en": "Certificate for books",
            "ru": "Сертификат на книги",
            "pl": "Karta podarunkowa do księgarni",
            "it": "Buono per libri",
        },
        points=2_000,
        category="leisure",
    )
    await add_listing(
        "cinema",
        {
            "en": "Two cinema tickets",
            "ru": "Два билета в кино",
            "pl": "Dwa bilety do kina",
            "it": "Due biglietti per il cinema",
        },
        points=3_000,
        category="leisure",
        acceptor="tickets",
        place="Kraków",
        countries=("PL",),
    )
    await add_listing("well", {"en": "A share of a village well"}, points=100, kind="donation")


@pytest.mark.usefixtures("shelf")
@pytest.mark.parametrize(
    ("words", "slug"),
    [
        ("mugs", "mug"),
        ("КРУЖКИ", "mug"),
        ("kubki", "mug"),
        ("tazze caffe", "mug"),
        ("księgarnia", "books"),
        ("ksiegarni", "books"),
        ("книга", "books"),
        ("libro", "books"),
        ("билеты", "cinema"),
        ("bilet", "cinema"),
        ("biglietto", "cinema"),
        ("krakow", "cinema"),
    ],
)
async def test_words_are_found_in_any_form_with_or_without_accents(
    client: httpx.AsyncClient, words: str, slug: str
) -> None:
    assert (await found(client, f"q={words}%20"))[:1] == [slug]


@pytest.mark.usefixtures("shelf")
@pytest.mark.parametrize(
    ("words", "slug"),
    [
        ("cofee", "mug"),
        ("coffe mgu", "mug"),
        ("cinmea", "cinema"),
        ("certifcate", "books"),
        ("сертефикат", "books"),
        ("кружкка", "mug"),
        ("beilty", "cinema"),
        ("podarunkwa", "books"),
        ("bigletti", "cinema"),
        ("tazzza", "mug"),
    ],
)
async def test_misspelt_words_find_what_was_meant_and_say_so(
    client: httpx.AsyncClient, words: str, slug: str
) -> None:
    assert (await found(client, f"q={words}%20"))[:1] == [slug]


@pytest.mark.usefixtures("shelf")
@pytest.mark.parametrize(
    ("typed", "slug", "meant"),
    [
        ("rybuf", "books", "книга"),
        ("ИШДУЕН", "cinema", "bilety"),
        ("сщаауу", "mug", "coffee"),
    ],
)
async def test_words_typed_on_the_wrong_keyboard_are_read_on_the_other(
    client: httpx.AsyncClient, typed: str, slug: str, meant: str
) -> None:
    answer: Any = (await client.get(f"/v1/catalog?q={typed}%20")).json()
    assert [item["card"]["slug"] for item in answer["items"]][:1] == [slug]
    assert answer["corrections"] == [{"word": typed.lower(), "taken": [meant]}]


@pytest.mark.usefixtures("shelf")
async def test_what_means_nothing_on_either_keyboard_finds_nothing(
    client: httpx.AsyncClient,
) -> None:
    assert await found(client, "q=ghbdtn%20") == []


@pytest.mark.usefixtures("shelf")
async def test_a_word_is_found_while_it_is_typed(client: httpx.AsyncClient) -> None:
    for typed in ("c", "ci", "cin", "cine", "cinem", "cinema"):
        assert "cinema" in await found(client, f"q={typed}")
    assert await found(client, "q=серт") == ["books"]


@pytest.mark.usefixtures("shelf")
async def test_nothing_is_found_for_nonsense(client: httpx.AsyncClient) -> None:
    assert await found(client, "q=qwxzzzk") == []
    assert len(await found(client, "")) == 4
    assert len(await found(client, "q=%27%3A*%26%28%21")) == 4
    for text in ("½", "a%27b", "%5C", "c%2B%2B", "&", "<->", "кот:*"):
        await found(client, f"q={text}")
