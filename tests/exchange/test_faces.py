"""One face of an offer: what its listing shows is shown wherever the offer is named."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import ModuleType
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import sqlalchemy as sa

from catalog import writing
from catalog.domain import ListingStatus
from catalog.models import Listing, ListingPicture, Picture
from catalog.specs import DenominationSpec, ListingSpec, TextSpec
from marketplace import api, asides, faces
from marketplace.faces import Faces
from marketplace.identity.domain import Role
from marketplace.ledger import statement
from marketplace.ledger.words import TIMES
from marketplace.runtime import Runtime
from tests.conftest import Headers
from tests.exchange.browsing import Browser, words_of
from tests.exchange.test_http import burn, burn_body, deliver
from tests.factories import Coalition

Make = Callable[..., Awaitable[Headers]]
PICTURE = "a" * 64
RUSSIAN = {"Accept-Language": "ru"}


@pytest.fixture
async def listed(coalition: Coalition) -> Coalition:
    """The coalition's card is in the catalog: a certificate of 25 euros, with a picture."""
    await put_listing(coalition)
    async with coalition.runtime.database.begin() as session:
        session.add(Picture(hash=PICTURE, width=1280, height=800, widths=[320, 640, 1280]))
        listing_id = await session.scalar(sa.text("select id from catalog_listing"))
        await session.flush()
        session.add(ListingPicture(listing_id=listing_id, position=0, hash=PICTURE))
    await coalition.issue("ann", 9_000)
    return coalition


async def put_listing(coalition: Coalition) -> None:
    choice = DenominationSpec(offer="card", face_micros=25_000_000, face_currency="EUR")
    spec = ListingSpec(
        slug="books",
        status=ListingStatus.PUBLISHED,
        denominations=(choice,),
        texts={"en": TextSpec(title="Book certificate"), "ru": TextSpec(title="Книги")},
    )
    async with coalition.runtime.database.begin() as session:
        await writing.put_listings(session, [spec], {})
        await writing.touch(session)


async def set_status(coalition: Coalition, status: ListingStatus) -> None:
    async with coalition.runtime.database.begin() as session:
        await session.execute(sa.update(Listing).values(status=status))
        await writing.touch(session)


@pytest.fixture
async def ann(client: httpx.AsyncClient, listed: Coalition, sign_in: Make) -> Browser:
    return Browser(client, await sign_in(Role.PARTICIPANT))


async def test_every_page_shows_what_the_listing_shows(ann: Browser, listed: Coalition) -> None:
    said = await ann.open("/catalog/books")
    assert "worth €25.00" in said
    said = await ann.open("/burn/card?quantity=2")
    assert "Get Book certificate" in said
    assert "worth €50.00" in said
    assert f"/v1/catalog/pictures/{PICTURE}-640.webp" in ann.html
    said = await ann.send("/burn/card")
    assert f"2 {TIMES} Book certificate" in said
    assert "worth €50.00" in said
    assert PICTURE in ann.html
    address = ann.address
    for page in ("/rewards", "/wallet", f"{address}/gift", address):
        said = await ann.open(page)
        assert "Book certificate" in said
        assert "Card" not in said
    assert "worth €50.00" in await ann.open("/rewards")
    assert PICTURE in ann.html
    await deliver(listed.runtime, address.removeprefix("/rewards/"))
    assert "Book certificate is ready for you" in await ann.open("/notices")
    sheet = await ann.post(f"{address}/print")
    assert f"2 {TIMES} Book certificate" in words_of(sheet)


async def test_it_is_named_in_the_readers_language(ann: Browser, listed: Coalition) -> None:
    made = await burn(ann.client, ann.who, burn_body(listed), "k")
    await deliver(listed.runtime, made.json()["id"])
    ann.who = {**ann.who, **RUSSIAN}
    for page in ("/burn/card", "/rewards?section=ready", "/wallet", "/notices"):
        assert "Книги" in await ann.open(page), page
    told = await ann.client.get("/v1/notices", headers=ann.who)
    assert "Книги" in told.json()["items"][0]["subject"]


async def test_a_refusal_and_second_thoughts_lead_back_to_the_listing(
    ann: Browser, listed: Coalition
) -> None:
    await ann.open("/burn/card")
    (leave,) = re.findall(r'href="([^"]*)"[^>]*><span class="button__label">Not now<', ann.html)
    assert leave == "/catalog/books"
    wish = '<a href="/catalog/books">Put it on your wish list'
    async with listed.runtime.database.begin() as session:
        await session.execute(sa.text("update offer set points = 90000 where reference = 'card'"))
    await ann.open("/burn/card")
    assert wish in ann.html
    await set_status(listed, ListingStatus.WITHDRAWN)
    assert "Put it on your wish list" in await ann.open("/burn/card")
    assert wish not in ann.html


async def test_a_withdrawn_listing_lends_its_face_and_a_draft_does_not(
    ann: Browser, listed: Coalition
) -> None:
    offer_id = listed.offers["card"]
    face = await listed.runtime.faces.one(offer_id, "pl")
    assert face is not None
    assert (face.title, face.language, face.path) == ("Book certificate", "en", "/catalog/books")
    assert (face.value_micros, face.currency, face.value_from) == (25_000_000, "EUR", "face")
    await set_status(listed, ListingStatus.WITHDRAWN)
    face = await listed.runtime.faces.one(offer_id, "en")
    assert face is not None
    assert face.path is None
    await set_status(listed, ListingStatus.DRAFT)
    assert await listed.runtime.faces.one(offer_id, "en") is None
    said = await ann.open("/burn/card")
    assert "Get Card" in said
    assert "worth" not in said


class Told:
    """A describer that answers as it is told."""

    def __init__(self, answer: Callable[[Sequence[UUID]], Any]) -> None:
        self.answer = answer
        self.asked: list[tuple[UUID, ...]] = []

    def describe(self, offer_ids: Sequence[UUID], language: str) -> Mapping[UUID, api.OfferFace]:
        self.asked.append(tuple(offer_ids))
        answer: Mapping[UUID, api.OfferFace] = self.answer(offer_ids)
        return answer


def face_of(title: str = "Mug", **more: Any) -> api.OfferFace:
    return api.OfferFace(
        title=title, language="en", value_micros=1, currency="EUR", value_from="cost", **more
    )


ONE, OTHER = uuid4(), uuid4()


async def test_each_offer_is_asked_of_one_describer_only() -> None:
    first, second = (
        Told(lambda _: {ONE: face_of("A")}),
        Told(lambda ids: dict.fromkeys(ids, face_of("B"))),
    )
    known = await Faces({"acme": [first], "zeta": [second]}).of([ONE, OTHER, ONE], "en")
    assert {key: face.title for key, face in known.items()} == {ONE: "A", OTHER: "B"}
    assert (first.asked, second.asked) == ([(ONE, OTHER)], [(OTHER,)])
    assert await Faces({}).of([ONE], "en") == {}
    assert await Faces({"acme": [first]}).of([], "en") == {}
    assert len(first.asked) == 1


def _raise(error: BaseException) -> Any:
    raise error


@pytest.mark.parametrize(
    "answer",
    [
        lambda _: _raise(ValueError("broken")),
        lambda _: _raise(SystemExit(1)),
        lambda _: None,
    ],
)
async def test_one_that_raises_rests_and_costs_a_page_nothing(answer: Any) -> None:
    bad, good = Told(answer), Told(lambda ids: dict.fromkeys(ids, face_of()))
    known = Faces({"acme": [bad], "zeta": [good]})
    for _ in range(3):
        assert (await known.of([ONE], "en"))[ONE].title == "Mug"
    assert len(bad.asked) == 1


async def test_one_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faces, "ANSWER_S", 0.1)
    gate = threading.Event()
    hung = Told(lambda _: gate.wait(30) and {})
    known = Faces({"acme": [hung]})
    begun = time.monotonic()
    answers = await asyncio.gather(*(known.of([ONE], "en") for _ in range(20)))
    assert answers == [{}] * 20
    assert time.monotonic() - begun < 20
    assert len(hung.asked) <= asides.MOST_AT_ONCE
    gate.set()


@pytest.mark.parametrize(
    "wrong",
    [
        "a string",
        face_of(title=""),
        face_of(path="https://evil.example/"),
        face_of(path="//evil.example"),
        face_of(picture=api.OfferPicture(address="https://evil.example/p", width=1, height=1)),
    ],
)
async def test_what_is_no_face_of_ours_is_left_out(wrong: Any) -> None:
    known = Faces({"acme": [Told(lambda _: {ONE: wrong, OTHER: face_of(), uuid4(): face_of()})]})
    assert set(await known.of([ONE, OTHER], "en")) == {OTHER}


async def test_a_page_stands_though_its_describer_breaks(
    client: httpx.AsyncClient, coalition: Coalition, sign_in: Make, runtime: Runtime
) -> None:
    runtime.faces._describers[:] = [("acme", Told(lambda _: _raise(OSError("gone"))))]
    await coalition.issue("ann", 9_000)
    browser = Browser(client, await sign_in(Role.PARTICIPANT))
    assert "Get Card" in await browser.open("/burn/card")
    await browser.send("/burn/card")
    for page in ("/rewards", "/wallet", "/notices"):
        await browser.open(page)


def test_what_is_no_describer_disables_its_plugin(runtime: Runtime) -> None:
    plugin = ModuleType("acme")

    @api.hookimpl
    def marketplace_register_offer_describers(host: api.Host) -> Sequence[Any]:
        return ["nothing"]

    vars(plugin)["marketplace_register_offer_describers"] = marketplace_register_offer_describers
    runtime.plugins.manager.register(plugin, name="acme")
    assert "acme" not in runtime.plugins.offer_describers()
    assert "is no OfferDescriber" in runtime.plugins.disabled["acme"]


async def test_json_and_statements_call_it_as_its_readers_do(
    listed: Coalition, client: httpx.AsyncClient, sign_in: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = {**await sign_in(Role.PARTICIPANT), **RUSSIAN}
    await burn(client, ann, burn_body(listed))
    wallet, offer = listed.wallets["ann"], listed.offers["card"]
    seen = (await client.get("/v1/burns/preview?offer=card", headers=ann)).json()
    assert (seen["name"], seen["title"]) == ("Card", "Книги")
    for told in (
        (await client.get(f"/v1/offers/{offer}", headers=ann)).json(),
        (await client.get("/v1/offers", headers=ann)).json()["items"][0],
    ):
        assert (told["name"], told["title"]) == ("Card", "Книги")
    lines = (await client.get(f"/v1/wallets/{wallet}/history", headers=ann)).json()["items"]
    assert [line["title"] for line in lines] == ["Книги", None]
    printed: list[statement.Statement] = []

    async def press(made: statement.Statement, language: Any) -> bytes:
        printed.append(made)
        return b""

    monkeypatch.setattr(statement, "typeset", press)
    await client.get("/wallet/statement.pdf", headers=ann)
    assert "Книги" in [line.offer for line in printed[0].lines]
