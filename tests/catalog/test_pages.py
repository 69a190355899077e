"""A person looks for a reward: words, filters, pages, suggestions; with and without scripts."""

from __future__ import annotations

import io
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from catalog.domain import Delivery
from marketplace.coalition.domain import ContractRole
from marketplace.coalition.exposure import open_exposures
from marketplace.coalition.imports import import_file
from marketplace.exchange.domain import OfferStatus
from marketplace.identity.domain import Role
from tests.catalog.conftest import AddListing
from tests.catalog.reading import BROWSER, HTMX, cards, hrefs, part, words
from tests.conftest import Headers, bearer
from tests.factories import Coalition, make_session

SignIn = Callable[..., Awaitable[Headers]]


@pytest.fixture
async def ann(sign_in: SignIn, catalog: Coalition) -> Headers:
    """Ann, a buyer of acme with 1,000 points, signed in."""
    await catalog.issue("ann", 1_000)
    return {**await sign_in(Role.PARTICIPANT), **BROWSER}


# -- finding ---------------------------------------------------------------------------------------


async def test_a_card_tells_points_money_and_value_of_a_point(
    client: httpx.AsyncClient, ann: Headers, add_listing: AddListing
) -> None:
    await add_listing("mug", {"en": "A mug"}, points=500, faces=[4_000_000])
    page = await client.get("/catalog", headers=ann)
    assert page.status_code == 200
    told = words(cards(page.text)["mug"])
    assert "500 points" in told
    assert "worth €4.00" in told
    assert "€0.008 a point" in told
    assert "Shop" in told
    assert "At once, on screen" in told
    assert "You have 1,000 points" in words(page.text)


async def test_a_choice_of_values_says_from_and_the_best_rate(
    client: httpx.AsyncClient, catalog: Coalition, add_listing: AddListing
) -> None:
    await catalog.add_offer("small", acceptor="shop", points=100)
    await catalog.add_offer("large", acceptor="shop", points=900)
    faces = [1_000_000, 10_000_000]
    await add_listing("book", {"en": "Book"}, offers=["small", "large"], faces=faces)
    told = words(cards((await client.get("/catalog", headers=BROWSER)).text)["book"])
    assert "from 100 points worth €1.00" in told
    assert "up to €0.0111 a point" in told


async def test_words_find_and_misspelt_ones_say_what_was_taken(
    client: httpx.AsyncClient, ann: Headers, add_listing: AddListing
) -> None:
    await add_listing("coffee", {"en": "Coffee from the roaster"})
    await add_listing("book", {"en": "A book"})
    page = await client.get("/catalog?q=cofee", headers=ann)
    assert list(cards(page.text)) == ["coffee"]
    assert "Nothing is called “cofee”, so we looked for: coffee" in words(page.text)
    assert 'type="search" value="cofee"' in page.text


async def test_nothing_found_offers_the_way_back(
    client: httpx.AsyncClient, add_listing: AddListing
) -> None:
    await add_listing("coffee", {"en": "Coffee"}, category="coffee")
    page = await client.get("/catalog?q=coffee&kind=seat", headers=BROWSER)
    assert "Without the filters there is 1." in words(page.text)
    assert "/catalog?q=coffee" in hrefs(page.text)
    page = await client.get("/catalog?q=zzzzzz", headers=BROWSER)
    assert "No reward is called that" in words(page.text)
    assert "/catalog?category=home" in hrefs(page.text)


async def test_an_empty_catalog_says_so(client: httpx.AsyncClient, catalog: Coalition) -> None:
    page = await client.get("/catalog", headers=BROWSER)
    assert page.status_code == 200
    assert "The shelves are still empty" in words(page.text)


async def test_filters_are_boxes_of_the_form_and_chips_take_them_away(
    client: httpx.AsyncClient, ann: Headers, add_listing: AddListing
) -> None:
    await add_listing("mug", {"en": "Mug"}, points=500, category="coffee")
    await add_listing("trip", {"en": "Trip"}, points=30_000, kind="seat", category="leisure")
    page = await client.get("/catalog?q=&kind=gift&points_min=&points_max=2499", headers=ann)
    assert list(cards(page.text)) == ["mug"]
    chosen = part(page.text, "label", 'for="facet-kind-gift"')
    assert "checked" in chosen
    assert 'form="search"' in chosen
    chips = part(page.text, "ul", "Filters that are on")
    assert "Gift" in words(chips)
    assert "Points: up to 2,499" in words(chips)
    assert "/catalog?points_max=2499" in hrefs(chips)
    assert "/catalog?kind=gift" in hrefs(chips)


async def test_a_category_is_a_page_of_its_own(
    client: httpx.AsyncClient, add_listing: AddListing
) -> None:
    await add_listing("mug", {"en": "Mug"}, category="coffee")
    polish = {**BROWSER, "Accept-Language": "pl"}
    page = await client.get("/catalog?category=coffee", headers=polish)
    assert "<title>Kawa" in page.text
    assert "Kawa" in words(part(page.text, "h2", "found-title"))


async def test_within_my_points_is_for_those_who_have_some(
    client: httpx.AsyncClient, ann: Headers, add_listing: AddListing
) -> None:
    await add_listing("mug", {"en": "Mug"}, points=500)
    await add_listing("lamp", {"en": "Lamp"}, points=5_000)
    page = await client.get("/catalog?affordable=yes", headers=ann)
    assert list(cards(page.text)) == ["mug"]
    stranger = await client.get("/catalog", headers=BROWSER)
    assert "Within my points" not in stranger.text


async def test_what_does_not_fit_is_told_and_left_out(
    client: httpx.AsyncClient, add_listing: AddListing
) -> None:
    await add_listing("mug", {"en": "Mug"})
    for wrong in ("points_min=9&points_max=2", "points_min=abc", "sort=luck", "cursor=xyz"):
        page = await client.get(f"/catalog?q=mug&{wrong}", headers=BROWSER)
        assert page.status_code == 400
        assert list(cards(page.text)) == ["mug"]
        assert "We could not read all of that" in words(page.text)
    await add_listing("trip", {"en": "Trip"}, points=90_000)
    page = await client.get("/catalog?points_min=9&points_max=2", headers={**BROWSER, **HTMX})
    assert 'form="search" value="9"' in page.text
    assert (await client.get("/catalog?q=a%00b", headers=BROWSER)).status_code == 400


# -- page after page -------------------------------------------------------------------------------


async def test_show_more_is_a_link_and_a_part_for_htmx(
    client: httpx.AsyncClient, ann: Headers, add_listing: AddListing
) -> None:
    for number in range(5):
        await add_listing(f"gift-{number}", {"en": f"Gift {number}"}, points=100 + number)
    page = await client.get("/catalog?sort=points&limit=2", headers=ann)
    (more,) = [href for href in hrefs(page.text) if "cursor=" in href]
    following = await client.get(more, headers=ann)
    assert list(cards(following.text)) == ["gift-2", "gift-3", "gift-4"]
    assert "To the beginning of the list" in words(following.text)
    piece = await client.get(more, headers={**ann, **HTMX})
    assert "<html" not in piece.text
    assert list(cards(piece.text)) == ["gift-2", "gift-3", "gift-4"]
    assert "autofocus" in cards(piece.text)["gift-2"]
    assert "3 more rewards" in words(part(piece.text, "p", 'id="said"'))


async def test_typing_brings_the_parts_that_change_and_an_address_to_share(
    client: httpx.AsyncClient, ann: Headers, add_listing: AddListing
) -> None:
    await add_listing("mug", {"en": "Mug"})
    await add_listing("lamp", {"en": "Lamp"})
    piece = await client.get("/catalog?q=mu&points_min=&sort=relevance", headers={**ann, **HTMX})
    assert "<html" not in piece.text
    assert list(cards(piece.text)) == ["mug"]
    assert piece.headers["hx-push-url"] == "/catalog?q=mu"
    assert "1 reward" in words(part(piece.text, "p", 'id="said"'))
    assert 'id="facets" hx-swap-oob="innerHTML"' in piece.text
    assert "<title>Rewards for “mu”" in piece.text
    typing = {**HTMX, "HX-Current-URL": "http://marketplace.test/catalog?q=m"}
    piece = await client.get("/catalog?q=mug", headers={**ann, **typing})
    assert piece.headers["hx-replace-url"] == "/catalog?q=mug"
    chip = {**HTMX, "HX-Trigger": "gone-1"}
    piece = await client.get("/catalog?q=mug", headers={**ann, **chip})
    assert "autofocus" in part(piece.text, "h2", "found-title")


async def test_going_back_gives_the_whole_page(
    client: httpx.AsyncClient, catalog: Coalition
) -> None:
    back = {**HTMX, "HX-History-Restore-Request": "true"}
    assert "<html" in (await client.get("/catalog", headers={**BROWSER, **back})).text


# -- what is in the way ----------------------------------------------------------------------------

SOON = datetime.now(UTC) + timedelta(days=20)
IN_THE_WAY = {
    "announced": ({"status": OfferStatus.ANNOUNCED}, "Announced", "/catalog/it#wish"),
    "paused": ({"status": OfferStatus.PAUSED}, "The partner has paused it", "?category=coffee"),
    "retired": ({"status": OfferStatus.RETIRED}, "no longer given out", "?category=coffee"),
    "later": ({"starts_at": SOON}, "It opens on", "/catalog/it#wish"),
    "over": (
        {"starts_at": SOON - timedelta(days=60), "ends_at": SOON - timedelta(days=40)},
        "It ended on",
        "?category=coffee",
    ),
    "role": ({"eligibility": {"roles": ["pilot"]}}, "in these roles: pilot", "affordable=yes"),
    "country": ({"eligibility": {"countries": ["FR"]}}, "in these countries: France", "country=DE"),
    "firm": ({"eligibility": {"firms": ["other"]}}, "people of certain firms", "affordable=yes"),
    "sold out": ({"stock": 0}, "Sold out", "/catalog/it#wish"),
    "short": ({"points": 1_250}, "250 points are missing", "/catalog/it#wish"),
}


@pytest.mark.parametrize("case", IN_THE_WAY)
async def test_a_card_says_why_and_leads_to_what_helps(
    case: str,
    client: httpx.AsyncClient,
    ann: Headers,
    catalog: Coalition,
    add_listing: AddListing,
) -> None:
    terms, why, way = IN_THE_WAY[case]
    await catalog.add_offer("it", acceptor="shop", **terms)
    await add_listing("it", {"en": "It"}, category="coffee", offers=["it"])
    card = cards((await client.get("/catalog", headers=ann)).text)["it"]
    assert why in words(card)
    assert any(way in href for href in hrefs(card))


NAMES = """code,name_en,name_ru,name_pl,name_it
role:pilot,pilots,лётчики,piloci,piloti
tag:instant,at once,сразу,od razu,
"""


async def test_roles_and_tags_go_by_their_names_in_the_readers_language(
    client: httpx.AsyncClient, ann: Headers, catalog: Coalition, add_listing: AddListing
) -> None:
    await add_listing(
        "wings", {"en": "Wings"}, eligibility={"roles": ["pilot", "baker"]}, tags=("instant", "odd")
    )
    assert "in these roles: pilot, baker" in words(
        (await client.get("/catalog/wings", headers=ann)).text
    )
    report = await import_file(catalog.runtime, "names", io.BytesIO(NAMES.encode()))
    assert report.new == 2
    for language, role, tag in (("ru", "лётчики", "сразу"), ("it", "piloti", "at once")):
        reader = {**ann, "Accept-Language": language}
        for address in ("/catalog/wings", "/burn/wings"):
            assert f": {role}, baker" in words((await client.get(address, headers=reader)).text)
        page = words((await client.get("/catalog/wings", headers=reader)).text)
        assert f"{tag} odd" in page
        chips = words((await client.get("/catalog?tag=instant", headers=reader)).text)
        assert tag in chips
        told = (await client.get("/v1/catalog/wings", headers=reader)).json()
        assert told["detail"]["card"]["tag_names"] == [tag, "odd"]
        assert told["mine"]["obstacles"][0]["among_names"] == [role, "baker"]
    again = await import_file(
        catalog.runtime, "names", io.BytesIO(NAMES.replace("pilots", "flyers").encode())
    )
    assert (again.new, again.unchanged) == (1, 1)
    assert "flyers" in (await client.get("/catalog/wings", headers=ann)).text


@pytest.mark.parametrize(
    ("points", "language", "told"),
    [
        (1_001, "en", "1 point is missing."),
        (1_002, "ru", "Не хватает 2 баллов."),
        (1_021, "ru", "Не хватает 21 балла."),
        (1_001, "pl", "Brakuje 1 punktu."),
        (1_001, "it", "Manca 1 punto."),
    ],
)
async def test_what_is_missing_is_counted_as_each_language_counts(
    points: int,
    language: str,
    told: str,
    client: httpx.AsyncClient,
    ann: Headers,
    add_listing: AddListing,
) -> None:
    await add_listing("dear", {"en": "Dear"}, points=points)
    page = await client.get("/catalog", headers={**ann, "Accept-Language": language})
    assert told in words(cards(page.text)["dear"])


async def test_cards_of_limits_caps_and_partners_in_trouble(
    client: httpx.AsyncClient, ann: Headers, catalog: Coalition, add_listing: AddListing
) -> None:
    await add_listing("once", {"en": "Once"}, limit_per_wallet=1, points=100, category="coffee")
    await add_listing("strange", {"en": "Strange"}, plugin="acme", points=500)
    body = {"wallet_id": str(catalog.wallets["ann"]), "offer_id": str(catalog.offers["once"])}
    taken = await client.post("/v1/burns", json=body, headers={**ann, "Idempotency-Key": "k"})
    assert taken.status_code == 201
    found = cards((await client.get("/catalog", headers=ann)).text)
    assert "You have had all that one participant may have: 1." in words(found["once"])
    assert "/catalog?category=coffee" in hrefs(found["once"])
    assert "The partner has trouble just now" in words(found["strange"])
    page = await client.get("/catalog/strange", headers=ann)
    assert "Your points are held, not spent" in words(page.text)
    await catalog.add_member("capped", role=ContractRole.BOTH, exposure_cap_micros=1_000)
    async with catalog.runtime.database.begin() as session:
        await open_exposures(session, [catalog.members["capped"]])
    await catalog.issue("bob", 1_000, issuer="capped")
    bob = {**bearer(await make_session(catalog, Role.PARTICIPANT, "bob")), **BROWSER}
    card = cards((await client.get("/catalog", headers=bob)).text)["once"]
    assert "An issuer of your points has reached what it may owe" in words(card)


async def test_nearly_gone_and_slow_delivery_are_told(
    client: httpx.AsyncClient, ann: Headers, add_listing: AddListing
) -> None:
    await add_listing("rare", {"en": "Rare"}, stock=2, delivery=Delivery.POST, delivery_days=5)
    told = words(cards((await client.get("/catalog", headers=ann)).text)["rare"])
    assert "Nearly gone" in told
    assert "By post, within 5 days" in told


# -- who looks -------------------------------------------------------------------------------------


async def test_strangers_look_and_only_their_pages_may_be_shared(
    client: httpx.AsyncClient, ann: Headers, add_listing: AddListing
) -> None:
    await add_listing("mug", {"en": "Mug"})
    page = await client.get("/catalog", headers=BROWSER)
    assert list(cards(page.text)) == ["mug"]
    assert page.headers["cache-control"].startswith("public")
    assert {"Authorization", "Cookie"} <= set(page.headers["vary"].split(", "))
    assert "/catalog/wishes/" not in page.text
    assert "/sign-in?next=/catalog" in hrefs(page.text)
    own = await client.get("/catalog", headers=ann)
    assert own.headers["cache-control"] == "no-store"
    assert "/catalog/wishes/mug" in own.text
    themed = await client.get("/catalog", headers={**BROWSER, "Cookie": "theme=dark"})
    assert themed.headers["cache-control"] == "no-store"


async def test_hostile_texts_stay_texts(
    client: httpx.AsyncClient, ann: Headers, add_listing: AddListing
) -> None:
    await add_listing("mug", {"en": '<script>alert(1)</script> "mug"'}, tags=('"><b>',))
    for path in ("/catalog", "/catalog/mug", "/catalog?q=<b>mug", '/catalog?tag="><b>'):
        page = await client.get(path, headers=ann)
        assert "<script>alert" not in page.text
        assert "<b>" not in page.text


async def test_for_you_has_a_reason_and_a_switch(
    client: httpx.AsyncClient, ann: Headers, add_listing: AddListing
) -> None:
    await add_listing("mug", {"en": "Mug"}, points=500)
    page = await client.get("/catalog", headers=ann)
    strip = part(page.text, "section", "for-you-title")
    assert "New on the shelf" in words(strip)
    assert "for-you-title" not in (await client.get("/catalog?q=mug", headers=ann)).text
    off = await client.post("/catalog/for-you", data={"on": "no"}, headers=ann)
    assert (off.status_code, off.headers["location"]) == (303, "/catalog")
    page = await client.get("/catalog", headers=ann)
    assert "Suggestions are off." in words(page.text)
    assert "for-you-title" not in page.text
    piece = await client.post("/catalog/for-you", data={"on": "yes"}, headers={**ann, **HTMX})
    assert "for-you-title" in piece.text
    assert "Suggestions are on." in words(piece.text)


async def test_a_tag_stays_while_other_filters_change(
    client: httpx.AsyncClient, add_listing: AddListing
) -> None:
    await add_listing("mug", {"en": "Mug"}, tags=("winter",))
    page = await client.get("/catalog?tag=winter", headers=BROWSER)
    assert "#winter" in words(part(page.text, "ul", "Filters that are on"))
    assert 'name="tag" value="winter" form="search"' in page.text


async def test_bands_of_points_lead_to_their_range(
    client: httpx.AsyncClient, add_listing: AddListing
) -> None:
    await add_listing("mug", {"en": "Mug"}, points=600)
    await add_listing("trip", {"en": "Trip"}, points=300_000)
    page = await client.get("/catalog", headers=BROWSER)
    band, _ = [href for href in hrefs(page.text) if "points_m" in href]
    asked = parse_qs(urlsplit(band).query)
    least = int(asked.get("points_min", ["0"])[0])
    assert least <= 600 <= int(asked["points_max"][0])
    assert list(cards((await client.get(band, headers=BROWSER)).text)) == ["mug"]


async def test_a_listing_without_a_wallet_shows_no_hearts(
    client: httpx.AsyncClient, sign_in: SignIn, add_listing: AddListing
) -> None:
    await add_listing("mug", {"en": "Mug"})
    for role in (Role.OPERATOR, Role.PARTNER, Role.FINANCE, Role.FIRM_MANAGER):
        staff = {**await sign_in(role), **BROWSER}
        page = await client.get("/catalog", headers=staff)
        assert list(cards(page.text)) == ["mug"]
        assert "/catalog/wishes/mug" not in page.text
