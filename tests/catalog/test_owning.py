"""A partner shows its offers: words side by side, pictures, prices to come, files; its own only."""

from __future__ import annotations

import io
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from PIL import Image

from catalog import pricing
from catalog.models import Picture
from marketplace.clock import travel_to
from marketplace.identity.domain import Role, Scope
from tests.catalog.conftest import AddListing
from tests.conftest import Headers
from tests.factories import Coalition
from tests.web.problems import problem

Make = Callable[..., Awaitable[Headers]]
HERE = "/catalog/partner/listings"
PRICES = "/catalog/partner/prices"
TYPED = {
    "slug": "tea",
    "default_locale": "en",
    "title_en": "Tea",
    "summary_en": "Warm",
    "title_pl": "Herbata",
    "body_pl": "Liście.\r\n\r\nWoda.",
    "category": "coffee",
    "tags": "warm, new",
    "delivery": "post",
    "delivery_days": "3",
    "offer_0": "card",
    "least_0": "5",
    "most_0": "50",
    "step_0": "5",
    "face_0": "1,50",
    "face_currency_0": "EUR",
}


def png(width: int = 300, colour: str = "green") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, 200), colour).save(out, "PNG")
    return out.getvalue()


def hidden(page: str, name: str) -> str:
    """The value of a hidden field."""
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found
    return found[1]


async def test_a_listing_is_written_seen_and_published(
    catalog: Coalition, client: httpx.AsyncClient, sign_in: Make
) -> None:
    partner = await sign_in(Role.PARTNER)
    wrong = {**TYPED, "title_en": "", "most_0": "51", "face_currency_0": "", "delivery": "instant"}
    answer = await client.post(f"{HERE}/new", data=wrong, headers=partner)
    assert answer.status_code == 422
    for field in ("title_en", "step_0", "face_currency_0", "delivery_days"):
        assert f'id="{field}-error"' in answer.text, field
    assert 'value="Herbata"' in answer.text  # nothing typed is lost
    assert "Liście.\n\nWoda." in answer.text

    made = await client.post(f"{HERE}/new", data={**TYPED, "do": "preview"}, headers=partner)
    assert (made.status_code, made.headers["location"]) == (303, "/catalog/tea/preview")
    preview = (await client.get("/catalog/tea/preview", headers=partner)).text
    assert "This is a draft" in preview
    assert (await client.get("/catalog/tea")).status_code == 404
    assert (await client.post(f"{HERE}/tea/publish", headers=partner)).status_code == 303
    shown: Any = (await client.get("/v1/catalog/tea?locale=pl")).json()["detail"]
    assert (shown["card"]["title"], shown["body"]) == ("Herbata", "Liście.\n\nWoda.")
    assert shown["denominations"][0]["most"] == 50
    assert (await client.post(f"{HERE}/tea/withdraw", headers=partner)).status_code == 303
    assert (await client.get("/catalog/tea")).status_code == 404
    again = await client.post(f"{HERE}/new", data=TYPED, headers=partner)
    assert (again.status_code, 'id="slug-error"' in again.text) == (422, True)


async def test_two_who_edit_one_listing_lose_nothing_silently(
    catalog: Coalition, client: httpx.AsyncClient, sign_in: Make
) -> None:
    partner = await sign_in(Role.PARTNER)
    await client.post(f"{HERE}/new", data=TYPED, headers=partner)
    seen = hidden((await client.get(f"{HERE}/tea", headers=partner)).text, "seen")
    first = {**TYPED, "seen": seen, "title_en": "Green tea"}
    assert (await client.post(f"{HERE}/tea", data=first, headers=partner)).status_code == 303
    second = {**TYPED, "seen": seen, "title_en": "Black tea"}
    late = await client.post(f"{HERE}/tea", data=second, headers=partner)
    assert (late.status_code, 'value="Black tea"' in late.text) == (409, True)
    second["seen"] = hidden(late.text, "seen")
    assert (await client.post(f"{HERE}/tea", data=second, headers=partner)).status_code == 303
    assert "Black tea" in (await client.get(HERE, headers=partner)).text


async def test_pictures_are_added_ordered_and_removed(
    catalog: Coalition, client: httpx.AsyncClient, sign_in: Make
) -> None:
    partner = await sign_in(Role.PARTNER)
    await client.post(f"{HERE}/new", data=TYPED, headers=partner)
    path = f"{HERE}/tea/pictures"

    async def upload(body: bytes) -> httpx.Response:
        return await client.post(
            path, files={"file": ("x.png", body, "image/png")}, headers=partner
        )

    for colour in ("green", "red"):
        assert (await upload(png(colour=colour))).status_code == 303
    bad = await upload(b"<svg onload=alert(1)>")
    assert (bad.status_code, 'id="file-error"' in bad.text) == (422, True)
    page = (await client.get(f"{HERE}/tea", headers=partner)).text
    (second,) = re.findall(r'name="first" value="(\w+)"', page)
    await client.post(path, data={"first": second}, headers=partner)
    await client.post(f"{HERE}/tea/publish", headers=partner)
    card: Any = (await client.get("/v1/catalog/tea")).json()["detail"]["card"]
    assert card["picture"]["hash"] == second
    await client.post(path, data={"drop": second}, headers=partner)
    card = (await client.get("/v1/catalog/tea")).json()["detail"]["card"]
    assert card["picture"]["hash"] != second
    gone = await client.post(path, data={"drop": second}, headers=partner)
    assert gone.status_code == 404
    async with catalog.runtime.database.begin() as session:
        assert await session.scalar(sa.select(sa.func.count()).select_from(Picture)) == 1
    for number in range(7):
        await upload(png(width=310 + number))
    assert (await upload(png(width=400))).status_code == 422


async def test_a_price_comes_on_its_day_and_is_paid_by_the_points(
    catalog: Coalition, client: httpx.AsyncClient, sign_in: Make
) -> None:
    partner = await sign_in(Role.PARTNER)
    form = (await client.get(f"{PRICES}?offer=card", headers=partner)).text
    assert 'value="1000"' in form
    asked = {"offer": "card", "at": "2031-01-01T00:00", "points": "1200", "cost": "9.60"}
    for change, field in (
        ({"cost": "9.61"}, "cost"),
        ({"at": "2001-01-01T00:00"}, "at"),
        ({"points": ""}, "points"),
        ({"offer": ""}, "offer"),
    ):
        refused = await client.post(PRICES, data={**asked, **change}, headers=partner)
        assert (refused.status_code, f'id="{field}-error"' in refused.text) == (422, True), field
    assert (await client.post(PRICES, data=asked, headers=partner)).status_code == 303
    page = (await client.get(PRICES, headers=partner)).text
    (price,) = re.findall(rf"{PRICES}/([0-9a-f-]+)/cancel", page)
    other = await sign_in(Role.PARTNER, "tickets")
    await client.post(f"{PRICES}/{price}/cancel", headers=other)
    assert price in (await client.get(PRICES, headers=partner)).text
    async with catalog.runtime.database.begin() as session:
        await travel_to(session, datetime(2031, 1, 2, tzinfo=UTC), allowed=True)
    async with catalog.runtime.database.begin() as session:
        assert await pricing.apply_due(session) == 1
    own: Any = (await client.get("/v1/offers/own", headers=partner)).json()["items"][0]
    assert (own["points"], own["cost_micros"]) == (1_200, 9_600_000)
    late = await client.post(f"{PRICES}/{price}/cancel", headers=partner)
    assert late.status_code == 303


async def test_prices_over_http(
    catalog: Coalition, client: httpx.AsyncClient, sign_in: Make, api_key: Make
) -> None:
    await catalog.add_offer("seat", acceptor="tickets")
    key = await api_key("shop", Scope.OFFERS_READ, Scope.OFFERS_WRITE)
    body = {
        "offer": "card",
        "at": "2031-01-01T00:00:00Z",
        "points": 1_200,
        "cost_micros": 7_000_000,
    }
    for change, status, code in (
        ({"offer": "seat"}, 400, "bad_price_change"),
        ({"cost_micros": None}, 400, "bad_price_change"),
        ({"points": 10}, 422, "price_not_covered"),
    ):
        answer = await client.post("/v1/catalog/prices", json={**body, **change}, headers=key)
        problem(answer, status, code)
    made: Any = await client.post("/v1/catalog/prices", json=body, headers=key)
    assert made.status_code == 201
    (shown,) = (await client.get("/v1/catalog/prices", headers=key)).json()
    assert shown["id"] == made.json()["id"]
    path = f"/v1/catalog/prices/{shown['id']}"
    other = await api_key("tickets", Scope.OFFERS_READ, Scope.OFFERS_WRITE)
    assert (await client.get("/v1/catalog/prices", headers=other)).json() == []
    problem(await client.delete(path, headers=other), 400, "bad_price_change")
    assert (await client.delete(path, headers=key)).status_code == 204
    operator = await sign_in(Role.OPERATOR)
    cheap = {**body, "cost_micros": None, "points": 1}
    assert (
        await client.post("/v1/catalog/prices", json=cheap, headers=operator)
    ).status_code == 201


@pytest.mark.parametrize("format_", ["csv", "json"])
async def test_a_file_comes_back_as_it_went(
    catalog: Coalition,
    client: httpx.AsyncClient,
    sign_in: Make,
    add_listing: AddListing,
    format_: str,
) -> None:
    await add_listing("mug", {"en": "Mug"})
    await add_listing("seat", {"en": "Seat"}, acceptor="tickets")
    partner = await sign_in(Role.PARTNER)
    path = f"/catalog/partner/bulk/listings.{format_}"
    text = (await client.get(path, headers=partner)).text
    assert ("mug" in text, "seat" in text) == (True, False)

    async def send(content: str, do: str) -> httpx.Response:
        files = {"file": (f"listings.{format_}", content.encode(), "text/plain")}
        return await client.post(
            "/catalog/partner/bulk", files=files, data={"do": do}, headers=partner
        )

    same = await send(text, "check")
    assert "leave 1 as they are" in same.text
    assert (await send(text.replace("Mug", "Cup"), "take")).status_code == 303
    assert "Cup" in (await client.get(HERE, headers=partner)).text
    for change in (("mug", "seat"), ("offers", "offres") if format_ == "csv" else ("{", "[")):
        bad = await send(text.replace(*change), "take")
        assert (bad.status_code, "Nothing was taken" in bad.text) == (422, True)
    assert (await client.get(f"{path}x", headers=partner)).status_code == 404
    wrong = {"file": ("listings.xls", b"x", "text/plain")}
    answer = await client.post("/catalog/partner/bulk", files=wrong, headers=partner)
    assert answer.status_code == 422


async def test_files_over_http_hold_what_is_ones_own(
    catalog: Coalition, client: httpx.AsyncClient, add_listing: AddListing, api_key: Make
) -> None:
    await add_listing("mug", {"en": "Mug"})
    await add_listing("seat", {"en": "Seat"}, acceptor="tickets")
    key = await api_key("shop", Scope.OFFERS_READ, Scope.OFFERS_WRITE)
    operator = await api_key("operator", Scope.OFFERS_READ, Scope.OFFERS_WRITE)
    both = (await client.get("/v1/catalog/file", headers=operator)).text
    own = (await client.get("/v1/catalog/file", headers=key)).text
    assert ("seat" in own, "seat" in both) == (False, True)
    problem(await client.post("/v1/catalog/file", content=both, headers=key), 400, "bad_lines")
    featured = own.replace('"slug"', '"featured":9,"slug"')
    refused = await client.post("/v1/catalog/file", content=featured, headers=key)
    problem(refused, 400, "bad_lines")
    category = '{"slug":"new","names":{"en":"New"}}'
    problem(await client.post("/v1/catalog/file", content=category, headers=key), 400, "bad_lines")
    stolen = own.replace('"mug"}]', '"seat"}]')
    problem(await client.post("/v1/catalog/file", content=stolen, headers=key), 400, "bad_lines")
    dry: Any = await client.post("/v1/catalog/file?dry_run=true", content=own, headers=key)
    assert dry.json()["listings"]["unchanged"] == 1
    listed: Any = (await client.get("/v1/catalog/own", headers=key)).json()["items"]
    assert [each["slug"] for each in listed] == ["mug"]
    for path, kind in (("withdraw", {}), ("publish", {}), ("pictures", {"content": png()})):
        done = await client.post(f"/v1/catalog/mug/{path}", headers=key, **kind)
        assert done.status_code == 204, done.text
        theirs = await client.post(f"/v1/catalog/seat/{path}", headers=key, **kind)
        problem(theirs, 404, "unknown_listing")


async def test_listings_of_another_are_not_there(
    catalog: Coalition, client: httpx.AsyncClient, sign_in: Make, add_listing: AddListing
) -> None:
    await add_listing("seat", {"en": "Seat"}, acceptor="tickets")
    await add_listing("mug", {"en": "Mug"}, acceptor="shop")
    await add_listing("both", {"en": "Both"}, offers=["card"])
    await catalog.add_offer("row", acceptor="tickets")
    operator, partner = await sign_in(Role.OPERATOR), await sign_in(Role.PARTNER)
    path = f"{HERE}/both?member=shop"
    page = (await client.get(path, headers=operator)).text
    shared = {
        "seen": hidden(page, "seen"), "title_en": "Both", "default_locale": "en",
        "delivery": "instant", "offer_0": "card", "offer_1": "row",
    }  # fmt: skip
    assert (await client.post(path, data=shared, headers=operator)).status_code == 303
    assert "Mug" in (await client.get(HERE, headers=partner)).text
    # What is of two members is the operator's to edit.
    for slug in ("seat", "both"):
        assert f"{HERE}/{slug}" not in (await client.get(HERE, headers=partner)).text
        assert (await client.get(f"{HERE}/{slug}", headers=partner)).status_code == 404
        for tail in ("", "/publish", "/withdraw", "/pictures"):
            answer = await client.post(f"{HERE}/{slug}{tail}", data=shared, headers=partner)
            assert answer.status_code == 404, tail
    taken = await client.post(
        f"{HERE}/new", data={**TYPED, "slug": "mine", "offer_0": "seat"}, headers=partner
    )
    assert (taken.status_code, 'id="offer_0-error"' in taken.text) == (422, True)
    # Placement is not in a partner's form; what it sends is not heard.
    await client.post(
        f"{HERE}/new", data={**TYPED, "offer_0": "", "featured": "9"}, headers=partner
    )
    await catalog.add_offer("tea", acceptor="shop")
    sent = {**TYPED, "offer_0": "tea", "featured": "9"}
    assert (await client.post(f"{HERE}/new", data=sent, headers=partner)).status_code == 303
    text = (await client.get("/v1/catalog/file", headers=partner)).text
    assert '"featured"' not in text
