"""How listings stand to a participant: what the burn engine says, and never more."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from catalog import counting
from marketplace.clock import now, travel_to
from marketplace.coalition.domain import ContractRole
from marketplace.exchange import closures
from marketplace.exchange.domain import Cause, OfferStatus
from marketplace.exchange.models import Offer
from marketplace.fulfilment.models import SupplierHealth
from marketplace.identity.domain import Role
from tests.catalog.conftest import AddListing
from tests.factories import Coalition

Headers = dict[str, str]
SignIn = Callable[..., Awaitable[Headers]]


async def card_of(client: httpx.AsyncClient, headers: Headers, slug: str) -> Any:
    """The result of a listing for a caller."""
    answer = await client.get("/v1/catalog?limit=100", headers=headers)
    assert answer.headers["cache-control"] == "private, no-store"
    return next(item for item in answer.json()["items"] if item["card"]["slug"] == slug)


async def burn(client: httpx.AsyncClient, headers: Headers, catalog: Coalition, offer: str) -> Any:
    """Try to burn one unit of an offer."""
    body = {"wallet_id": str(catalog.wallets["ann"]), "offer_id": str(catalog.offers[offer])}
    key = {"Idempotency-Key": f"{offer}-{id(body)}"}
    return await client.post("/v1/burns", json=body, headers=headers | key)


async def everything(catalog: Coalition, add_listing: AddListing) -> dict[str, list[str]]:
    """One listing for each way in which a burn can go; what is in the way of ann, by slug."""
    async with catalog.runtime.database.begin() as session:
        moment = await now(session)
    later, before = moment + timedelta(days=3), moment - timedelta(days=3)
    offers: dict[str, tuple[dict[str, Any], list[str]]] = {
        "good": ({}, []),
        "dear": ({"points": 9_000}, ["short"]),
        "announced": ({"offer_status": OfferStatus.ANNOUNCED}, ["announced"]),
        "paused": ({"offer_status": OfferStatus.PAUSED}, ["paused"]),
        "retired": ({"offer_status": OfferStatus.RETIRED}, ["retired"]),
        "soon": ({"starts_at": later}, ["not_started"]),
        "over": ({"ends_at": before}, ["ended"]),
        "role": ({"eligibility": {"roles": ["manager"]}}, ["role"]),
        "country": ({"eligibility": {"countries": ["PL"]}}, ["country"]),
        "firm": ({"eligibility": {"firms": ["other"]}}, ["firm"]),
        "rule": ({"eligibility": {"rules": ["acme.trained"]}}, ["rule"]),
        "gone": ({"stock": 0}, ["sold_out"]),
        "once": ({"limit_per_wallet": 1, "points": 100}, ["limit_reached"]),
        "both": ({"points": 9_000, "eligibility": {"roles": ["manager"]}}, ["role", "short"]),
        "dollars": ({"currency": "USD"}, ["short"]),
        "strange": ({"plugin": "acme"}, ["partner_away"]),
        "broken": ({"plugin": "broken"}, ["breakdown"]),
        "unready": ({"plugin": "unready", "points": 9_000}, ["not_ready", "short"]),
        "stopped": ({"plugin": "stopped"}, ["closed"]),
        "counted": ({"plugin": "counted"}, ["closed_because"]),
        "off": (
            {"plugin": "broken", "offer_status": OfferStatus.RETIRED},
            ["retired", "breakdown"],
        ),
    }
    for slug, (terms, _) in offers.items():
        await add_listing(slug, {"en": slug.title()}, **terms)
    async with catalog.runtime.database.begin() as session:
        for plugin, cause, words in (
            ("broken", Cause.BREAKER, ""),
            ("unready", Cause.NOT_ACTIVE, "Version 1 has not been activated."),
            ("stopped", Cause.OPERATOR, ""),
            ("counted", Cause.OPERATOR, "Stocktaking."),
        ):
            await closures.close(session, plugin, cause, actor="test", words=words)
    return {slug: expected for slug, (_, expected) in offers.items()}


async def test_what_is_in_the_way_is_what_the_engine_says(
    client: httpx.AsyncClient, catalog: Coalition, add_listing: AddListing, sign_in: SignIn
) -> None:
    expected = await everything(catalog, add_listing)
    await catalog.issue("ann", 5_000)
    ann = await sign_in(Role.PARTICIPANT)
    assert (await burn(client, ann, catalog, "once")).status_code == 201
    for slug, reasons in expected.items():
        mine = (await card_of(client, ann, slug))["mine"]
        assert [each["why"] for each in mine["obstacles"]] == reasons, slug
        answer = await burn(client, ann, catalog, slug)
        assert mine["can_burn"] == (answer.status_code == 201), (slug, answer.text)


async def test_how_many_points_are_missing_and_have(
    client: httpx.AsyncClient, catalog: Coalition, add_listing: AddListing, sign_in: SignIn
) -> None:
    await add_listing("mug", {"en": "Mug"}, points=1_200)
    await catalog.issue("ann", 1_000)
    ann = await sign_in(Role.PARTICIPANT)
    mine = (await card_of(client, ann, "mug"))["mine"]
    assert (mine["have"], mine["need"], mine["short"]) == (1_000, 1_200, 200)
    assert mine["obstacles"] == [{"why": "short", "points": 200}]
    assert not (await client.get("/v1/catalog?affordable=yes", headers=ann)).json()["items"]
    await catalog.issue("ann", 200)
    affordable: Any = (await client.get("/v1/catalog?affordable=yes", headers=ann)).json()
    assert [item["card"]["slug"] for item in affordable["items"]] == ["mug"]
    shares = {each["name"]: each["values"][0]["count"] for each in affordable["facets"]}
    assert shares["affordable"] == 1


async def test_an_issuer_at_its_cap_stands_in_the_way(
    client: httpx.AsyncClient, catalog: Coalition, add_listing: AddListing, sign_in: SignIn
) -> None:
    from marketplace.coalition.exposure import open_exposures

    await catalog.add_member("capped", role=ContractRole.BOTH, exposure_cap_micros=1_000)
    async with catalog.runtime.database.begin() as session:
        await open_exposures(session, [catalog.members["capped"]])
    await add_listing("mug", {"en": "Mug"}, points=500)
    await catalog.issue("ann", 1_000, issuer="capped")
    ann = await sign_in(Role.PARTICIPANT)
    mine = (await card_of(client, ann, "mug"))["mine"]
    assert [each["why"] for each in mine["obstacles"]] == ["exposure"]


async def test_a_partner_in_trouble_is_a_warning_and_no_refusal(
    client: httpx.AsyncClient, catalog: Coalition, add_listing: AddListing, sign_in: SignIn
) -> None:
    await add_listing("mug", {"en": "Mug"}, points=500)
    await catalog.issue("ann", 1_000)
    async with catalog.runtime.database.begin() as session:
        moment = await now(session)
        session.add(
            SupplierHealth(plugin="giftfund", failures=9, open_until=moment + timedelta(hours=1))
        )
    ann = await sign_in(Role.PARTICIPANT)
    mine = (await card_of(client, ann, "mug"))["mine"]
    assert mine["can_burn"]
    assert (mine["obstacles"][0]["why"], mine["obstacles"][0]["blocks"]) == ("partner_away", False)
    strangers: Any = (await client.get("/v1/catalog")).json()["items"][0]
    assert "mine" not in strangers
    assert strangers["card"]["obstacles"][0]["why"] == "partner_away"


async def test_a_change_of_an_offer_or_of_the_hour_is_seen_at_once(
    client: httpx.AsyncClient, catalog: Coalition, add_listing: AddListing
) -> None:
    async with catalog.runtime.database.begin() as session:
        moment = await now(session)
    await add_listing("mug", {"en": "Mug"}, starts_at=moment + timedelta(days=1), stock=3)

    async def first() -> Any:
        return (await client.get("/v1/catalog")).json()["items"][0]["card"]

    assert (await first())["obstacles"][0]["why"] == "not_started"
    async with catalog.runtime.database.begin() as session:
        await travel_to(session, moment + timedelta(days=2), allowed=True)
    assert (await first())["obstacles"] == []
    assert (await first())["nearly_gone"]
    async with catalog.runtime.database.begin() as session:
        await session.execute(sa.text("update offer_stock set remaining = 0"))
    assert (await first())["obstacles"] == [{"why": "sold_out", "units": 0}]
    assert not (await client.get("/v1/catalog?available=yes")).json()["items"]
    async with catalog.runtime.database.begin() as session:
        await session.execute(
            sa.update(Offer)
            .where(Offer.reference == "mug")
            .values(status=OfferStatus.PAUSED, version=Offer.version + 1)
        )
    assert (await first())["obstacles"][0]["why"] == "paused"


async def test_each_choice_stands_by_itself_and_tells_the_largest_quantity(
    client: httpx.AsyncClient, catalog: Coalition, add_listing: AddListing, sign_in: SignIn
) -> None:
    from catalog.specs import DenominationSpec

    await catalog.add_offer("unit", acceptor="shop", points=100, stock=9, limit_per_wallet=6)
    await catalog.add_offer("large", acceptor="shop", points=5_000)
    await add_listing(
        "gift",
        {"en": "Donation"},
        denominations=(
            DenominationSpec(offer="large"),
            DenominationSpec(offer="unit", least=1, most=40),
        ),
    )
    await catalog.issue("ann", 850)
    ann = await sign_in(Role.PARTICIPANT)
    answer: Any = (await client.get("/v1/catalog/gift", headers=ann)).json()
    large, unit = answer["choices"]
    assert (large["can_burn"], large["short"], large["most"]) == (False, 4_150, 0)
    assert (unit["can_burn"], unit["most"]) == (True, 6)
    # The listing stands by its best choice.
    assert (answer["mine"]["offer"], answer["mine"]["can_burn"]) == ("unit", True)


async def test_what_one_person_is_told_is_never_told_to_another(
    client: httpx.AsyncClient, catalog: Coalition, add_listing: AddListing, sign_in: SignIn
) -> None:
    await add_listing("mug", {"en": "Mug"}, points=500)
    await catalog.issue("ann", 1_000)
    ann, bob = await sign_in(Role.PARTICIPANT), await sign_in(Role.PARTICIPANT, of="bob")
    assert (await card_of(client, ann, "mug"))["mine"]["can_burn"]
    assert not (await card_of(client, bob, "mug"))["mine"]["can_burn"]
    public = await client.get("/v1/catalog?limit=100")
    assert public.headers["cache-control"].startswith("public")
    assert "mine" not in public.json()["items"][0]
    operator = await sign_in(Role.OPERATOR)
    assert "mine" not in await card_of(client, operator, "mug")
    wrong = await client.get("/v1/catalog", headers={"Authorization": "Bearer nothing"})
    assert wrong.status_code == 401


@pytest.fixture
async def colleagues(catalog: Coalition, add_listing: AddListing) -> list[str]:
    """Four colleagues of ann with points, and three listings."""
    names = ["cara", "dan", "eve", "fay"]
    for name in names:
        await catalog.add_participant(name, firm="acme", role="fitter")
        await catalog.issue(name, 9_000)
    await catalog.issue("ann", 9_000)
    await add_listing("mug", {"en": "Mug"}, points=100, category="coffee")
    await add_listing("beans", {"en": "Beans"}, points=100, category="coffee")
    await add_listing("film", {"en": "Film"}, points=100)
    return names


async def take(
    client: httpx.AsyncClient, catalog: Coalition, sign_in: SignIn, who: str, offer: str
) -> None:
    """Somebody burns on an offer."""
    body = {"wallet_id": str(catalog.wallets[who]), "offer_id": str(catalog.offers[offer])}
    headers = {**await sign_in(Role.PARTICIPANT, of=who), "Idempotency-Key": f"{who}-{offer}"}
    assert (await client.post("/v1/burns", json=body, headers=headers)).status_code == 201


async def suggested(client: httpx.AsyncClient, headers: Headers) -> dict[str, tuple[str, str]]:
    """Reason and what it is about, by slug."""
    answer: Any = (await client.get("/v1/catalog/for-you", headers=headers)).json()
    return {
        each["hit"]["card"]["slug"]: (each["reason"], each["about"]) for each in answer["items"]
    }


async def test_suggestions_say_why_and_never_show_what_fewer_than_three_took(
    client: httpx.AsyncClient, catalog: Coalition, colleagues: list[str], sign_in: SignIn
) -> None:
    ann = await sign_in(Role.PARTICIPANT)
    for name in colleagues[:2]:
        await take(client, catalog, sign_in, name, "film")
    await take(client, catalog, sign_in, "ann", "mug")
    await count(catalog)
    told = await suggested(client, ann)
    # What she took herself is not suggested; what is like it is, and says so.
    assert told == {"beans": ("history", "Mug"), "film": ("popular", "")}
    await take(client, catalog, sign_in, colleagues[2], "film")
    await count(catalog)
    assert (await suggested(client, ann))["film"] == ("firm", "")
    # Somebody in the fitters' role, of another firm, is told of the role.
    await catalog.add_firm("other", sponsor="alpha")
    await catalog.add_participant("gus", firm="other", role="fitter")
    gus = await sign_in(Role.PARTICIPANT, of="gus")
    assert (await suggested(client, gus))["film"] == ("role", "fitter")


async def count(catalog: Coalition) -> None:
    """What the periodic task does."""
    async with catalog.runtime.database.begin() as session:
        await counting.count_taken(session)


async def test_suggestions_can_be_switched_off_and_hold_nothing_one_may_not_have(
    client: httpx.AsyncClient,
    catalog: Coalition,
    colleagues: list[str],
    add_listing: AddListing,
    sign_in: SignIn,
) -> None:
    await add_listing("elite", {"en": "Elite"}, eligibility={"roles": ["manager"]}, featured=9)
    await add_listing("gone", {"en": "Gone"}, stock=0, featured=9)
    ann = await sign_in(Role.PARTICIPANT)
    assert set(await suggested(client, ann)) == {"mug", "beans", "film"}
    for on in (False, True):
        answer = await client.put("/v1/catalog/for-you", json={"on": on}, headers=ann)
        assert answer.json() == {"on": on}
        shown: Any = (await client.get("/v1/catalog/for-you", headers=ann)).json()
        assert (shown["on"], bool(shown["items"])) == (on, on)
    operator = await sign_in(Role.OPERATOR)
    assert (await client.get("/v1/catalog/for-you", headers=operator)).status_code == 403
