"""A person saves for a reward: hearts, the wish list, what they are told about it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import httpx
import pytest

from catalog import service, wish_pages
from marketplace.identity.domain import Role
from tests.catalog.conftest import AddListing
from tests.catalog.reading import BROWSER, HTMX, hrefs, part, words
from tests.conftest import Headers
from tests.factories import Coalition

SignIn = Callable[..., Awaitable[Headers]]


@pytest.fixture
async def ann(sign_in: SignIn, catalog: Coalition) -> Headers:
    """Ann, a buyer of acme with 1,000 points, signed in."""
    await catalog.issue("ann", 1_000)
    return {**await sign_in(Role.PARTICIPANT), **BROWSER}


async def test_a_wish_shows_how_far_it_is_until_it_is_taken_off(
    client: httpx.AsyncClient, ann: Headers, add_listing: AddListing
) -> None:
    await add_listing("mug", {"en": "Mug"}, points=500)
    await add_listing("trip", {"en": "Trip"}, points=4_000)
    assert "Nothing on your list yet" in (await client.get("/catalog/wishes", headers=ann)).text
    came = {**ann, "Referer": "http://marketplace.test/catalog?q=trip"}
    answer = await client.post("/catalog/wishes/trip", data={"on": "yes"}, headers=came)
    assert (answer.status_code, answer.headers["location"]) == (303, "/catalog?q=trip")
    assert "notice=" in answer.headers["set-cookie"]
    await client.post("/catalog/wishes/mug", data={"on": "yes"}, headers=ann)
    page = await client.get("/catalog/wishes", headers=ann)
    told = words(page.text)
    assert "You are saving for 2 rewards." in told
    assert "1,000 of 4,000" in told
    assert "3,000 points are missing. We tell you when it can be had." in told
    assert "You have enough." in told
    assert '<progress value="1000" max="4000"' in page.text
    answer = await client.post("/catalog/wishes/trip", data={"on": "no"}, headers=ann)
    assert answer.headers["location"] == "/catalog/wishes"
    assert "Trip" not in words((await client.get("/catalog/wishes", headers=ann)).text)


async def test_a_heart_turns_in_place_keeps_its_id_and_says_so(
    client: httpx.AsyncClient, ann: Headers, add_listing: AddListing
) -> None:
    await add_listing("mug", {"en": "Mug"})
    page = await client.get("/catalog", headers=ann)
    before = part(page.text, "button", 'id="wish-card-mug"')
    assert 'aria-pressed="false"' in before
    sent = {"on": "yes", "spot": "card"}
    piece = await client.post("/catalog/wishes/mug", data=sent, headers={**ann, **HTMX})
    assert piece.status_code == 200
    after = part(piece.text, "button", 'id="wish-card-mug"')
    assert 'aria-pressed="true"' in after
    assert 'value="no"' in after
    assert "It is on your wish list." in words(part(piece.text, "p", 'id="said"'))
    off = {"on": "no", "spot": '"><script>'}
    piece = await client.post("/catalog/wishes/mug", data=off, headers={**ann, **HTMX})
    assert "<script>" not in piece.text
    assert 'aria-pressed="false"' in piece.text


async def test_the_list_itself_is_renewed_and_takes_the_focus(
    client: httpx.AsyncClient, ann: Headers, add_listing: AddListing
) -> None:
    for slug in ("mug", "lamp"):
        await add_listing(slug, {"en": slug.title()})
        await client.post(f"/catalog/wishes/{slug}", data={"on": "yes"}, headers=ann)
    sent = {"on": "no", "spot": "list"}
    piece = await client.post("/catalog/wishes/mug", data=sent, headers={**ann, **HTMX})
    assert "<html" not in piece.text
    assert "Mug" not in words(piece.text)
    assert "autofocus" in part(piece.text, "p", 'id="wishes-count"')


async def test_nobody_sees_or_changes_the_wishes_of_others(
    client: httpx.AsyncClient, ann: Headers, sign_in: SignIn, add_listing: AddListing
) -> None:
    await add_listing("mug", {"en": "Mug"})
    await client.post("/catalog/wishes/mug", data={"on": "yes"}, headers=ann)
    bob = {**await sign_in(Role.PARTICIPANT, of="bob"), **BROWSER}
    assert "Nothing on your list yet" in (await client.get("/catalog/wishes", headers=bob)).text
    await client.post("/catalog/wishes/mug", data={"on": "no"}, headers=bob)
    assert "Mug" in words((await client.get("/catalog/wishes", headers=ann)).text)
    for role in (Role.OPERATOR, Role.PARTNER, Role.FINANCE, Role.FIRM_MANAGER):
        staff = {**await sign_in(role), **BROWSER}
        assert (await client.get("/catalog/wishes", headers=staff)).status_code == 403
        answer = await client.post("/catalog/wishes/mug", data={"on": "yes"}, headers=staff)
        assert answer.status_code == 403


async def test_strangers_are_led_to_sign_in_and_other_sites_refused(
    client: httpx.AsyncClient, ann: Headers, add_listing: AddListing
) -> None:
    await add_listing("mug", {"en": "Mug"})
    answer = await client.get("/catalog/wishes", headers=BROWSER)
    assert answer.headers["location"] == "/sign-in?next=/catalog/wishes"
    came = {**BROWSER, "Referer": "http://marketplace.test/catalog/mug"}
    answer = await client.post("/catalog/wishes/mug", data={"on": "yes"}, headers=came)
    assert answer.headers["location"] == "/sign-in?next=/catalog/mug"


async def test_an_unknown_listing_and_a_full_list_are_told(
    client: httpx.AsyncClient,
    ann: Headers,
    add_listing: AddListing,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answer = await client.post("/catalog/wishes/nothing", data={"on": "yes"}, headers=ann)
    assert answer.status_code == 404
    await add_listing("mug", {"en": "Mug"})
    monkeypatch.setattr(service, "MOST_WISHES", 0)
    answer = await client.post("/catalog/wishes/mug", data={"on": "yes"}, headers=ann)
    assert (answer.status_code, answer.headers["location"]) == (303, wish_pages.WISHES)
    assert "notice=" in answer.headers["set-cookie"]


async def test_how_one_is_told_is_chosen_beside_the_list(
    client: httpx.AsyncClient, ann: Headers
) -> None:
    page = await client.get("/catalog/wishes", headers=ann)
    assert 'name="in_app" value="yes" checked' in page.text
    assert '<option value="now" selected>' in page.text
    answer = await client.post("/catalog/wish-alerts", data={"email": "weekly"}, headers=ann)
    assert (answer.status_code, answer.headers["location"]) == (303, "/catalog/wishes")
    page = await client.get("/catalog/wishes", headers=ann)
    assert 'name="in_app" value="yes" checked' not in page.text
    assert '<option value="weekly" selected>' in page.text
    answer = await client.post("/catalog/wish-alerts", data={"email": "pigeon"}, headers=ann)
    assert answer.status_code == 400


async def test_a_hostile_title_stays_a_title(
    client: httpx.AsyncClient, ann: Headers, add_listing: AddListing
) -> None:
    await add_listing("mug", {"en": "<script>alert(1)</script>\"'> mug"})
    await client.post("/catalog/wishes/mug", data={"on": "yes"}, headers=ann)
    page = await client.get("/catalog/wishes", headers=ann)
    assert "<script>alert" not in page.text
    assert "/catalog/mug" in hrefs(page.text)
