"""What a reward is worth, told honestly; what its partner is paid, told to nobody."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import pytest

from catalog import pricing
from catalog.errors import BadPriceChange
from marketplace import api
from marketplace.exchange.resolution import Delivery, capture
from marketplace.identity.domain import Role
from marketplace.notices.digest import make_digests
from marketplace.notices.domain import Email
from tests.catalog.conftest import AddListing
from tests.catalog.reading import cards, words
from tests.conftest import Headers
from tests.factories import Coalition

BROWSER = {"Accept": "text/html"}
COST_MICROS = 7_123_457


async def publish(catalog: Coalition, price_micros: int) -> None:
    """The coalition says what a point is worth."""
    async with catalog.runtime.database.begin() as session:
        await pricing.publish_point_price(session, "EUR", price_micros, actor="test")


async def test_without_a_stated_value_points_are_valued_at_the_published_price(
    client: httpx.AsyncClient, catalog: Coalition, add_listing: AddListing
) -> None:
    await add_listing("plain", {"en": "Plain"}, points=1_500, cost_micros=COST_MICROS)
    told = words(cards((await client.get("/catalog", headers=BROWSER)).text)["plain"])
    assert "1,500 points" in told
    assert "€" not in told
    await publish(catalog, 7_500)
    page = (await client.get("/catalog", headers=BROWSER)).text
    told = words(cards(page)["plain"])
    assert "€11.25 in points" in told
    assert "€0.0075 a point" in told
    assert "worth" not in told
    page = (await client.get("/catalog/plain", headers=BROWSER)).text
    assert "at the price that the coalition publishes" in words(page)
    await publish(catalog, 0)
    page = (await client.get("/catalog/plain", headers=BROWSER)).text
    assert "€" not in words(page)


async def test_sorted_by_value_what_states_none_comes_last(
    client: httpx.AsyncClient, catalog: Coalition, add_listing: AddListing
) -> None:
    await publish(catalog, 1_000_000)
    await add_listing("silent", {"en": "Silent"}, points=100)
    await add_listing("poor", {"en": "Poor"}, points=100, faces=[10_000])
    await add_listing("rich", {"en": "Rich"}, points=100, faces=[900_000])
    answer: Any = (await client.get("/v1/catalog?sort=value")).json()
    assert [item["card"]["slug"] for item in answer["items"]] == ["rich", "poor", "silent"]


async def test_a_price_that_is_none_is_refused(catalog: Coalition) -> None:
    with pytest.raises(BadPriceChange):
        await publish(catalog, -1)


async def test_nothing_a_participant_gets_tells_what_the_partner_is_paid(
    client: httpx.AsyncClient,
    catalog: Coalition,
    add_listing: AddListing,
    sign_in: Any,
) -> None:
    await add_listing(
        "mug", {"en": "A mug"}, points=500, cost_micros=COST_MICROS, category="coffee"
    )
    await catalog.issue("ann", 5_000)
    ann: Headers = await sign_in(Role.PARTICIPANT)
    wallet, offer = str(catalog.wallets["ann"]), str(catalog.offers["mug"])
    body = {"wallet_id": wallet, "offer_id": offer}
    burnt = await client.post("/v1/burns", json=body, headers={**ann, "Idempotency-Key": "k"})
    burn = burnt.json()["id"]
    code = api.Artefact(kind="code", label="Mug", secret="AAAA-BBBB")
    done = Delivery(UUID(burn), catalog.wallets["ann"], "giftfund", "order", (code,))
    async with catalog.runtime.database.begin() as session:
        await capture(session, [done], vault=catalog.runtime.vault)
        await make_digests(session, Email.DAILY, datetime.now(UTC))
    await client.put("/v1/catalog/wishes/mug", headers=ann)
    answers = [burnt]
    for path in (
        *("/catalog", "/catalog/mug", "/catalog/wishes", "/burn/mug", "/rewards?section=ready"),
        *(f"/rewards/{burn}", "/wallet", "/wallet/lots", "/notices"),
        *("/v1/catalog", "/v1/catalog/mug", "/v1/catalog/for-you", "/v1/catalog/wishes"),
        *("/v1/offers", f"/v1/offers/{offer}", f"/v1/burns/{burn}", f"/v1/wallets/{wallet}"),
        *(f"/v1/burns/preview?wallet_id={wallet}&offer=mug", f"/v1/wallets/{wallet}/history"),
        *("/v1/notices", "/schema/openapi.json"),
    ):
        accept = {} if path.startswith("/v1/") else BROWSER
        answer = await client.get(path, headers={**ann, **accept})
        assert answer.status_code == 200, (path, answer.text)
        answers.append(answer)
    for answer in answers:
        for told in (str(COST_MICROS), "7.123457", "7.12"):
            assert told not in answer.text, answer.url
        if answer.url.path != "/schema/openapi.json":
            assert "cost_micros" not in answer.text, answer.url
