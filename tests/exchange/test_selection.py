"""A burn names what was chosen beforehand with its supplier, at the price that was promised."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from marketplace.api import PluginOffer
from marketplace.clock import now
from marketplace.exchange.models import Burn, Offer, PricePromise
from marketplace.fulfilment import repository
from marketplace.host import PluginHost
from marketplace.identity.domain import Role
from marketplace.runtime import Runtime
from tests.conftest import Headers
from tests.exchange.browsing import Browser
from tests.exchange.test_http import burn, burn_body
from tests.factories import Coalition

Make = Callable[..., Awaitable[Headers]]
CHOSEN = "Seats_at-the-FRONT-1"


async def promise(
    coalition: Coalition, runtime: Runtime, *, minutes: float = 10, sku: str = "card-1"
) -> list[PluginOffer]:
    """What a plugin is told that promises today's price for CHOSEN."""
    host = PluginHost("giftfund", lambda: runtime.database, lambda: runtime.vault)

    def within(session: Any) -> list[PluginOffer]:
        until = host.now(session) + timedelta(minutes=minutes)
        return list(host.promise_price(session, sku, CHOSEN, until))

    async with coalition.runtime.database.begin() as session:
        return await session.run_sync(within)


async def set_price(coalition: Coalition, points: int) -> None:
    async with coalition.runtime.database.begin() as session:
        changed = sa.update(Offer).where(Offer.reference == "card")
        await session.execute(changed.values(points=points, version=Offer.version + 1))


@pytest.fixture
async def sku(coalition: Coalition) -> str:
    async with coalition.runtime.database.begin() as session:
        await session.execute(
            sa.update(Offer)
            .where(Offer.reference == "card")
            .values(sku="card-1", version=Offer.version + 1)
        )
    return "card-1"


async def test_a_selection_is_kept_with_the_burn_and_handed_to_the_supplier(
    client: httpx.AsyncClient, coalition: Coalition, sign_in: Make, runtime: Runtime
) -> None:
    await coalition.issue("ann", 5_000)
    ann = await sign_in(Role.PARTICIPANT)
    made = await burn(client, ann, burn_body(coalition, selection=CHOSEN), key="chosen")
    plain = await burn(client, ann, burn_body(coalition), key="plain")
    assert (made.status_code, plain.status_code) == (201, 201)
    seen = [
        (await client.get(f"/v1/burns/{each.json()['id']}", headers=ann)).json()["selection"]
        for each in (made, plain)
    ]
    assert seen == [CHOSEN, None]
    pairs = [(each.json()["id"], each.json()["wallet_id"]) for each in (made, plain)]
    connection = await runtime.database.connect_raw()
    try:
        claimed = await repository.claim(connection, "giftfund", pairs, 60.0)
    finally:
        await connection.close()
    assert {each.order.reference: each.order.selection for each in claimed} == {
        made.json()["id"]: CHOSEN,
        plain.json()["id"]: None,
    }


async def test_another_selection_is_another_burn_and_a_refused_one_is_kept_as_well(
    client: httpx.AsyncClient, coalition: Coalition, sign_in: Make
) -> None:
    ann = await sign_in(Role.PARTICIPANT)
    poor = await burn(client, ann, burn_body(coalition, selection=CHOSEN))
    assert poor.json()["code"] == "insufficient_points"
    again = await burn(client, ann, burn_body(coalition, selection=CHOSEN))
    assert (again.status_code, again.headers["idempotent-replayed"]) == (409, "true")
    for other in ({}, {"selection": f"{CHOSEN}0"}):
        changed = await burn(client, ann, burn_body(coalition, **other))
        assert changed.json()["code"] == "idempotency_key_reused"
    async with coalition.runtime.database.begin() as session:
        assert (await session.scalars(sa.select(Burn.selection))).all() == [CHOSEN]


@pytest.mark.parametrize("wrong", ["", "x" * 65, "two words", "ü", 5, "a\n"])
async def test_what_cannot_be_a_selection_is_refused(
    wrong: Any, client: httpx.AsyncClient, coalition: Coalition, sign_in: Make
) -> None:
    await coalition.issue("ann", 5_000)
    ann = await sign_in(Role.PARTICIPANT)
    refused = await burn(client, ann, burn_body(coalition, selection=wrong))
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_request")
    page = await client.get("/burn/card", params={"selection": "two words"}, headers=ann)
    assert page.status_code == 400


async def test_a_promised_price_holds_for_its_selection_alone_until_it_ends(
    client: httpx.AsyncClient, coalition: Coalition, sign_in: Make, runtime: Runtime, sku: str
) -> None:
    await coalition.issue("ann", 50_000)
    ann = await sign_in(Role.PARTICIPANT)
    (offer,) = await promise(coalition, runtime)
    assert (offer.reference, offer.sku, offer.points) == ("card", sku, 1_000)
    assert await promise(coalition, runtime, sku="no-such") == []
    await set_price(coalition, 1_500)
    # A promise that is made again keeps its price.
    assert (await promise(coalition, runtime))[0].points == 1_000

    async def points(key: str, **body: Any) -> int:
        made = await burn(client, ann, burn_body(coalition, **body), key=key)
        assert made.status_code == 201, made.text
        return int(made.json()["points"])

    assert await points("1", selection=CHOSEN, quantity=2, expected_points=2_000) == 2_000
    assert await points("2", selection="another") == 1_500
    assert await points("3") == 1_500
    seen = await client.get(
        "/v1/burns/preview", params={"offer": "card", "selection": CHOSEN}, headers=ann
    )
    assert seen.json()["points"] == 1_000
    async with coalition.runtime.database.begin() as session:
        rows = await session.execute(sa.select(Burn.selection, Burn.cost_micros))
        costs = {row.selection: row.cost_micros for row in rows}
        cost = await session.scalar(sa.select(Offer.cost_micros).where(Offer.reference == "card"))
        assert costs[CHOSEN] == 2 * (cost or 0)
        late = await now(session) - timedelta(seconds=1)
        await session.execute(sa.update(PricePromise).values(until=late))
    assert await points("4", selection=CHOSEN) == 1_500


async def test_promises_of_long_ago_are_cleared_away_by_new_ones(
    coalition: Coalition, runtime: Runtime, sku: str
) -> None:
    await promise(coalition, runtime)
    async with coalition.runtime.database.begin() as session:
        await session.execute(
            sa.update(PricePromise).values(
                selection="old", until=await now(session) - timedelta(days=2)
            )
        )
    await promise(coalition, runtime, sku=sku)
    async with coalition.runtime.database.begin() as session:
        assert (await session.scalars(sa.select(PricePromise.selection))).all() == [CHOSEN]


async def test_the_pages_carry_what_was_chosen_at_the_price_that_was_shown(
    client: httpx.AsyncClient, coalition: Coalition, sign_in: Make, runtime: Runtime, sku: str
) -> None:
    await coalition.issue("ann", 5_000)
    ann = Browser(client, await sign_in(Role.PARTICIPANT))
    await promise(coalition, runtime)
    await set_price(coalition, 1_500)
    said = await ann.open(f"/burn/card?quantity=2&selection={CHOSEN}")
    assert "Price 2,000 points" in said
    assert "what you have chosen: 2" in said
    assert "How many?" not in said
    assert "You burnt 2,000 points" in await ann.send("/burn/card")
    async with coalition.runtime.database.begin() as session:
        assert (await session.scalars(sa.select(Burn.selection))).all() == [CHOSEN]
