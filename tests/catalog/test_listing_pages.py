"""A person looks at one reward, chooses how much of it, and is led to the burn, or told why not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from catalog import repository
from catalog.domain import ListingStatus
from catalog.imports.checks import RESERVED, listing_faults
from catalog.models import PriceChange
from catalog.pages import PAGES
from catalog.routes import ROUTES
from catalog.specs import DenominationSpec, ListingSpec, TextSpec
from marketplace.identity.domain import Role
from marketplace.ids import uuid7
from tests.catalog.conftest import AddListing
from tests.catalog.reading import BROWSER, HTMX, cards, hrefs, part, words
from tests.conftest import Headers
from tests.factories import Coalition

SignIn = Callable[..., Awaitable[Headers]]


@pytest.fixture
async def ann(sign_in: SignIn, catalog: Coalition) -> Headers:
    """Ann, a buyer of acme with 1,000 points, signed in."""
    await catalog.issue("ann", 1_000)
    return {**await sign_in(Role.PARTICIPANT), **BROWSER}


@pytest.fixture
async def book(catalog: Coalition, add_listing: AddListing) -> None:
    """A book certificate of 5, 10 or 25 euros; its offers have names with a slash."""
    choices = []
    for euros in (5, 10, 25):
        offer = f"shop/book-{euros}"
        await catalog.add_offer(
            offer, acceptor="shop", points=euros * 90, cost_micros=1, stock=9, name=f"Book {euros}"
        )
        choices.append(
            DenominationSpec(offer=offer, face_micros=euros * 1_000_000, face_currency="EUR")
        )
    text = TextSpec(title="Book", summary="To read.", body="One.\n\nTwo.", terms="Three years.")
    await add_listing(
        "book", {"en": text}, denominations=tuple(choices), category="coffee", countries=("DE",)
    )


async def test_a_listing_tells_everything_before_one_chooses(
    client: httpx.AsyncClient, ann: Headers, book: None
) -> None:
    page = await client.get("/catalog/book", headers=ann)
    told = words(page.text)
    assert "Catalog Home Coffee Book" in told
    for expected in (
        *("from 450 points", "worth €5.00", "€0.0111 a point", "To read.", "Three years."),
        *(
            "For use in: Germany",
            "At once, on screen",
            "Money value: as the partner states it.",
            "Shop",
        ),
        *("It costs 450 points", "You have 1,000", "Left after it 550"),
    ):
        assert expected in told
    assert '<p class="listing__part">Two.</p>' in page.text
    assert page.headers["cache-control"] == "no-store"


async def test_values_are_radios_and_those_out_of_reach_say_why(
    client: httpx.AsyncClient, ann: Headers, book: None
) -> None:
    page = await client.get("/catalog/book", headers=ann)
    picks = part(page.text, "fieldset", "field")
    assert picks.count('type="radio"') == 2
    assert "€25.00 2,250 points 1,250 points are missing" in words(picks)
    assert "Only 9 left" in words(picks)


async def test_the_form_leads_to_the_burn_of_what_was_chosen(
    client: httpx.AsyncClient, ann: Headers, book: None
) -> None:
    chosen = {"choice": "1*shop/book-10"}
    answer = await client.get("/catalog/book/burn", params=chosen, headers=ann)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/burn/shop/book-10?quantity=1"
    confirm = await client.get(answer.headers["location"], headers=ann)
    assert confirm.status_code == 200
    assert "Get Book, €10.00" in confirm.text


async def test_what_is_no_choice_is_told_beside_the_form(
    client: httpx.AsyncClient, ann: Headers, book: None
) -> None:
    answer = await client.get("/catalog/book/burn?choice=1*card", headers=ann)
    assert answer.status_code == 422
    assert "Choose one of these." in words(answer.text)


async def test_a_range_takes_a_number_and_counts_as_one_types(
    client: httpx.AsyncClient, ann: Headers, catalog: Coalition, add_listing: AddListing
) -> None:
    await catalog.add_offer("well", acceptor="shop", points=10, cost_micros=50_000, kind="donation")
    many = DenominationSpec(offer="well", least=5, most=200, step=5)
    await add_listing("well", {"en": "Well"}, denominations=(many,))
    page = await client.get("/catalog/well", headers=ann)
    assert 'min="5" max="200" step="5" value="5"' in page.text
    assert "From 5 to 200, in steps of 5." in words(page.text)
    asked = {"choice": "*well", "quantity": "40"}
    piece = await client.get("/catalog/well/sum", params=asked, headers={**ann, **HTMX})
    assert words(piece.text) == "It costs 400 points You have 1,000 Left after it 600"
    piece = await client.get(
        "/catalog/well/sum", params={**asked, "quantity": "150"}, headers={**ann, **HTMX}
    )
    assert "Missing 500" in words(piece.text)
    going = await client.get("/catalog/well/burn", params=asked, headers=ann)
    assert going.headers["location"] == "/burn/well?quantity=40"
    for wrong in ("7", "0", "-5", "201", "many", "9" * 20):
        answer = await client.get(
            "/catalog/well/burn", params={**asked, "quantity": wrong}, headers=ann
        )
        assert answer.status_code == 422
        assert 'aria-invalid="true"' in answer.text


async def test_few_quantities_are_choices(
    client: httpx.AsyncClient, ann: Headers, catalog: Coalition, add_listing: AddListing
) -> None:
    await catalog.add_offer("seat", acceptor="tickets", points=300, limit_per_wallet=2)
    some = DenominationSpec(offer="seat", most=3)
    await add_listing("seat", {"en": "Seat"}, denominations=(some,))
    picks = part((await client.get("/catalog/seat", headers=ann)).text, "fieldset", "field")
    assert picks.count('type="radio"') == 2
    assert "900 points More than one participant may have now" in words(picks)


async def test_where_nothing_can_be_had_there_is_no_button_but_a_way(
    client: httpx.AsyncClient, ann: Headers, add_listing: AddListing
) -> None:
    await add_listing("trip", {"en": "Trip"}, points=4_000, category="leisure")
    page = await client.get("/catalog/trip", headers=ann)
    told = words(page.text)
    assert "Burn points for it" not in told
    assert "3,000 points are missing." in told
    assert "1,000 of 4,000" in told
    assert "Put it on my wish list" in told
    assert "/catalog?affordable=yes&available=yes" in hrefs(page.text)


async def test_a_price_to_come_is_announced(
    client: httpx.AsyncClient, ann: Headers, catalog: Coalition, add_listing: AddListing
) -> None:
    await add_listing("mug", {"en": "Mug"}, points=500)
    at = datetime.now(UTC) + timedelta(days=30)
    change = PriceChange(id=uuid7(), offer_reference="mug", points=1_200, at=at, made_by="test")
    async with catalog.runtime.database.begin() as session:
        session.add(change)
    page = await client.get("/catalog/mug", headers=ann)
    assert f"From {at.day} {at:%B} {at.year}: 1,200 points." in words(page.text)


async def test_another_language_is_said_and_marked(
    client: httpx.AsyncClient, ann: Headers, add_listing: AddListing
) -> None:
    await add_listing("mug", {"en": "A mug", "pl": "Kubek"})
    polish = {**ann, "Accept-Language": "pl"}
    italian = {**ann, "Accept-Language": "it"}
    page = await client.get("/catalog/mug", headers=polish)
    assert "Kubek" in words(part(page.text, "h1", ""))
    assert "listing__language" not in page.text
    page = await client.get("/catalog/mug", headers=italian)
    assert '<h1 lang="en">A mug</h1>' in page.text
    assert "listing__language" in page.text
    assert 'lang="en">A mug</a>' in (await client.get("/catalog", headers=italian)).text


async def test_others_of_the_category_are_shown(
    client: httpx.AsyncClient, ann: Headers, book: None, add_listing: AddListing
) -> None:
    await add_listing("beans", {"en": "Beans"}, category="coffee")
    await add_listing("trip", {"en": "Trip"}, category="leisure")
    page = await client.get("/catalog/book", headers=ann)
    assert list(cards(page.text)) == ["beans"]


async def test_strangers_and_staff_see_it_without_a_burn_button(
    client: httpx.AsyncClient, sign_in: SignIn, book: None
) -> None:
    page = await client.get("/catalog/book", headers=BROWSER)
    assert "Sign in and burn points" in words(page.text)
    assert "You have" not in words(page.text)
    going = await client.get("/catalog/book/burn?choice=1*shop/book-5", headers=BROWSER)
    assert going.headers["location"] == "/burn/shop/book-5?quantity=1"
    asked = await client.get(going.headers["location"], headers=BROWSER)
    assert asked.headers["location"].startswith("/sign-in?next=/burn/shop/book-5")
    for role in (Role.OPERATOR, Role.PARTNER):
        staff = {**await sign_in(role), **BROWSER}
        told = words((await client.get("/catalog/book", headers=staff)).text)
        assert "Only they burn points" in told
        assert "Burn points for it" not in told


async def test_what_is_not_there_is_a_page_not_found(
    client: httpx.AsyncClient, ann: Headers, add_listing: AddListing
) -> None:
    await add_listing("draft", {"en": "Draft"}, status=ListingStatus.DRAFT)
    for path in ("/catalog/nothing", "/catalog/draft", "/catalog/draft/burn", "/catalog/preview/x"):
        answer = await client.get(path, headers=ann)
        assert answer.status_code == 404
        assert 'data-code="unknown_listing"' in answer.text


async def test_a_draft_is_previewed_by_its_owners_and_by_token(
    client: httpx.AsyncClient,
    ann: Headers,
    sign_in: SignIn,
    catalog: Coalition,
    add_listing: AddListing,
) -> None:
    await add_listing("draft", {"en": "Draft"}, status=ListingStatus.DRAFT)
    async with catalog.runtime.database.begin() as session:
        found = await repository.listing(session, "draft")
        assert found is not None
        token = found.preview_token
    partner = {**await sign_in(Role.PARTNER), **BROWSER}
    page = await client.get("/catalog/draft/preview", headers=partner)
    assert "This is a draft: people do not see it yet." in words(page.text)
    assert f"/catalog/preview/{token}" in hrefs(page.text)
    assert "Burn points for it" not in words(page.text)
    shared = await client.get(f"/catalog/preview/{token}", headers=BROWSER)
    assert "This is a draft" in words(shared.text)
    assert f"/catalog/preview/{token}" not in hrefs(shared.text)
    assert shared.headers["cache-control"] == "no-store"
    other = {**await sign_in(Role.PARTNER, of="tickets"), **BROWSER}
    assert (await client.get("/catalog/draft/preview", headers=other)).status_code == 404
    assert (await client.get("/catalog/draft/preview", headers=ann)).status_code == 403


def test_no_listing_takes_an_address_of_the_catalogs_own() -> None:
    paths = {path for route in (*PAGES.routes, *ROUTES) for path in getattr(route, "paths", ())}
    own = {path.split("/")[1] for path in paths if not path.startswith("/{")} - {""}
    assert own == RESERVED
    text = {"en": TextSpec(title="Wishes")}
    spec = ListingSpec(slug="wishes", denominations=(DenominationSpec(offer="x"),), texts=text)
    assert "slug 'wishes' is an address of the catalog's own" in set(listing_faults(spec))
