"""What a burn would do is told beforehand, by the same decision that is made afterwards."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from marketplace.clock import now
from marketplace.exchange.domain import OfferStatus
from marketplace.identity.domain import Role, Scope
from tests.conftest import Headers
from tests.factories import Coalition, days
from tests.web.problems import problem

Make = Callable[..., Awaitable[Headers]]


async def foresee(client: httpx.AsyncClient, who: Headers, **params: Any) -> dict[str, Any]:
    answer = await client.get("/v1/burns/preview", params={"offer": "card", **params}, headers=who)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def burn(
    client: httpx.AsyncClient, coalition: Coalition, who: Headers, *, key: str, **more: Any
) -> httpx.Response:
    body = {
        "wallet_id": str(coalition.wallets["ann"]),
        "offer_id": str(coalition.offers["card"]),
        **more,
    }
    return await client.post("/v1/burns", json=body, headers={**who, "Idempotency-Key": key})


async def test_the_preview_names_the_lots_that_the_burn_then_takes(
    client: httpx.AsyncClient, coalition: Coalition, sign_in: Make
) -> None:
    async with coalition.runtime.database.begin() as session:
        start = await now(session)
    await coalition.issue("ann", 900, reference="LATER", expires_at=start + days(90))
    await coalition.issue("ann", 300, issuer="beta", reference="SOON", expires_at=start + days(9))
    await coalition.issue("ann", 500, reference="EVER")
    ann = await sign_in(Role.PARTICIPANT)
    seen = await foresee(client, ann)
    assert (seen["points"], seen["available"], seen["available_after"]) == (1_000, 1_700, 700)
    assert [(each["reference"], each["points"], each["left"]) for each in seen["draws"]] == [
        ("SOON", 300, 0),
        ("LATER", 700, 200),
    ]
    assert [each["issuer"] for each in seen["draws"]] == ["Beta", "Alpha"]
    assert seen["supplier"] == "Shop"
    assert seen["refusal"] is None
    held = await burn(client, coalition, ann, key="k", expected_points=1_000)
    assert held.status_code == 201
    after = await foresee(client, ann)
    assert (after["available"], after["refusal"]["code"]) == (700, "insufficient_points")
    assert (after["draws"], after["available_after"]) == ([], None)


async def test_a_wallet_of_many_small_lots_is_foreseen_whole(
    client: httpx.AsyncClient, coalition: Coalition, sign_in: Make
) -> None:
    for _ in range(100):
        await coalition.issue("ann", 10)
    seen = await foresee(client, await sign_in(Role.PARTICIPANT))
    assert len(seen["draws"]) == 100


@pytest.mark.parametrize(
    ("terms", "points", "code"),
    [
        ({"status": OfferStatus.PAUSED}, 5_000, "offer_not_on_sale"),
        ({"eligibility": {"roles": ["manager"]}}, 5_000, "not_eligible"),
        ({"limit_per_wallet": 1}, 5_000, "limit_reached"),
        ({"stock": 1}, 5_000, "sold_out"),
        ({}, 1_500, "insufficient_points"),
    ],
)
async def test_a_refusal_is_told_beforehand(
    client: httpx.AsyncClient,
    coalition: Coalition,
    sign_in: Make,
    terms: dict[str, Any],
    points: int,
    code: str,
) -> None:
    await coalition.add_offer("thing", acceptor="shop", **terms)
    await coalition.issue("ann", points)
    seen = await foresee(client, await sign_in(Role.PARTICIPANT), offer="thing", quantity=2)
    assert seen["refusal"]["code"] == code
    assert seen["refusal"]["detail"]


async def test_nobody_looks_into_another_wallet(
    client: httpx.AsyncClient, coalition: Coalition, sign_in: Make, api_key: Make
) -> None:
    ann, path = str(coalition.wallets["ann"]), "/v1/burns/preview"
    asked = {"offer": "card", "wallet_id": ann}
    bob = await sign_in(Role.PARTICIPANT, "bob")
    problem(await client.get(path, params=asked, headers=bob), 404, "not_found")
    stranger = await api_key("beta", Scope.BURNS_WRITE)
    problem(await client.get(path, params=asked, headers=stranger), 404, "not_found")
    sponsor = await api_key("alpha", Scope.BURNS_WRITE)
    assert (await client.get(path, params=asked, headers=sponsor)).status_code == 200
    problem(await client.get(path, params={"offer": "card"}, headers=sponsor), 404, "not_found")
    problem(await client.get(path, params={"offer": "none"}, headers=bob), 404, "not_found")


async def test_a_burn_at_another_price_than_the_one_shown_is_refused(
    client: httpx.AsyncClient, coalition: Coalition, sign_in: Make
) -> None:
    await coalition.issue("ann", 5_000)
    ann = await sign_in(Role.PARTICIPANT)
    for _ in range(2):
        refused = await burn(client, coalition, ann, key="k1", expected_points=900)
        problem(refused, 409, "price_changed")
    other = await burn(client, coalition, ann, key="k1", expected_points=1_000)
    problem(other, 422, "idempotency_key_reused")
    held = await burn(client, coalition, ann, key="k2", quantity=2, expected_points=2_000)
    assert held.json()["points"] == 2_000
