"""The exchange over HTTP: what a client sees, and what it may not see."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa
from litestar import Litestar

from marketplace import api
from marketplace.exchange.models import Burn
from marketplace.exchange.resolution import Delivery, capture
from marketplace.identity.domain import Role, Scope
from marketplace.ids import uuid7
from marketplace.runtime import Runtime
from tests.factories import Coalition

Headers = dict[str, str]
MakeKey = Callable[..., Awaitable[Headers]]


def burn_body(coalition: Coalition, name: str = "ann", **more: Any) -> dict[str, Any]:
    return {
        "wallet_id": str(coalition.wallets[name]),
        "offer_id": str(coalition.offers["card"]),
        **more,
    }


async def burn(
    client: httpx.AsyncClient, who: Headers, body: Any, key: str = "k1"
) -> httpx.Response:
    return await client.post("/v1/burns", json=body, headers={**who, "Idempotency-Key": key})


async def deliver(runtime: Runtime, burn_id: str) -> None:
    async with runtime.database.begin() as session:
        row = await session.scalar(sa.select(Burn).where(Burn.id == UUID(burn_id)))
        assert row is not None
        code = api.Artefact(kind="code", label="Card", secret="XMAS-2026")
        await capture(
            session,
            [Delivery(row.id, row.wallet_id, "giftfund", "order-1", (code,))],
            vault=runtime.vault,
        )


async def test_a_participant_burns_reads_and_cancels(
    client: httpx.AsyncClient, coalition: Coalition, sign_in: MakeKey
) -> None:
    await coalition.issue("ann", 2_500)
    ann = await sign_in(Role.PARTICIPANT)
    made = await burn(client, ann, burn_body(coalition))
    assert made.status_code == 201
    held = made.json()
    assert (held["status"], held["points"], held["quantity"]) == ("held", 1_000, 1)
    repeat = await burn(client, ann, burn_body(coalition))
    assert repeat.content == made.content
    assert repeat.headers["idempotent-replayed"] == "true"

    seen = (await client.get(f"/v1/burns/{held['id']}", headers=ann)).json()
    assert (seen["status"], seen["fulfilment"], seen["artefacts"]) == ("held", "queued", [])
    cancel = f"/v1/burns/{held['id']}/cancel"
    assert (await client.post(cancel, headers=ann)).json()["status"] == "voided"
    assert (await client.post(cancel, headers=ann)).status_code == 200
    wallet = await client.get(f"/v1/wallets/{held['wallet_id']}", headers=ann)
    assert (wallet.json()["available"], wallet.json()["held"]) == (2_500, 0)


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"quantity": 0}, 400, "invalid_request"),
        ({"quantity": -3}, 400, "invalid_request"),
        ({"quantity": 1.5}, 400, "invalid_request"),
        ({"quantity": 100_000}, 400, "invalid_request"),
        ({"wallet_id": "mine"}, 400, "invalid_request"),
        ({"points": 5}, 400, "invalid_request"),
        ({"wallet_id": str(uuid7())}, 404, "unknown_wallet"),
        ({"offer_id": str(uuid7())}, 404, "unknown_offer"),
        ({"quantity": 3}, 409, "insufficient_points"),
    ],
)
async def test_a_bad_burn_is_refused_in_words(
    client: httpx.AsyncClient,
    coalition: Coalition,
    sign_in: MakeKey,
    change: dict[str, Any],
    status: int,
    code: str,
) -> None:
    await coalition.issue("ann", 2_500)
    answer = await burn(client, await sign_in(Role.PARTICIPANT), burn_body(coalition, **change))
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"]


async def test_requests_that_are_no_burn(
    client: httpx.AsyncClient, coalition: Coalition, sign_in: MakeKey, api_key: MakeKey
) -> None:
    ann = await sign_in(Role.PARTICIPANT)
    body = burn_body(coalition)
    assert (await client.post("/v1/burns", json=body, headers=ann)).status_code == 400
    assert (await burn(client, ann, body, key="x" * 201)).status_code == 400
    assert (await burn(client, {}, body)).status_code == 401
    assert (await burn(client, ann, {"wallet_id": "x" * 9_000})).status_code == 413
    got = await client.get("/v1/burns", headers=ann)
    assert (got.status_code, got.headers["allow"]) == (405, "POST")
    reader = await api_key("alpha", Scope.BURNS_READ)
    assert (await burn(client, reader, body)).status_code == 403
    assert (await burn(client, await sign_in(Role.FINANCE), body)).status_code == 403


async def test_nobody_burns_from_or_sees_what_is_not_theirs(
    client: httpx.AsyncClient, coalition: Coalition, sign_in: MakeKey, api_key: MakeKey
) -> None:
    await coalition.issue("ann", 5_000)
    body = burn_body(coalition)
    bob = await sign_in(Role.PARTICIPANT, "bob")
    assert (await burn(client, bob, body)).json()["code"] == "unknown_wallet"
    stranger = await api_key("beta", Scope.BURNS_WRITE, Scope.BURNS_READ, Scope.WALLETS_READ)
    assert (await burn(client, stranger, body)).json()["code"] == "unknown_wallet"
    sponsor = await api_key("alpha", Scope.BURNS_WRITE, Scope.BURNS_READ)
    held = (await burn(client, sponsor, body)).json()
    burn_path, wallet_path = f"/v1/burns/{held['id']}", f"/v1/wallets/{held['wallet_id']}"
    for who in (bob, stranger):
        assert (await client.get(burn_path, headers=who)).status_code == 404
        assert (await client.get(wallet_path, headers=who)).status_code == 404
        assert (await client.post(f"{burn_path}/cancel", headers=who)).status_code == 404
    acceptor = await api_key("shop", Scope.BURNS_READ)
    for who in (sponsor, acceptor, await sign_in(Role.PARTICIPANT)):
        assert (await client.get(burn_path, headers=who)).status_code == 200


async def test_the_member_that_was_paid_refunds(
    client: httpx.AsyncClient,
    coalition: Coalition,
    runtime: Runtime,
    sign_in: MakeKey,
    api_key: MakeKey,
) -> None:
    await coalition.issue("ann", 1_000)
    ann = await sign_in(Role.PARTICIPANT)
    held = (await burn(client, ann, burn_body(coalition))).json()
    await deliver(runtime, held["id"])
    path = f"/v1/burns/{held['id']}/refunds"
    shop = {**await api_key("shop", Scope.REFUNDS_WRITE), "Idempotency-Key": "r1"}
    tickets = {**await api_key("tickets", Scope.REFUNDS_WRITE), "Idempotency-Key": "r1"}
    body = {"reason": "broken", "points": 400}
    assert (await client.post(path, json=body, headers=tickets)).status_code == 404
    first = await client.post(path, json=body, headers=shop)
    assert (first.status_code, first.json()["points"]) == (201, 400)
    again = await client.post(path, json=body, headers=shop)
    assert (again.json(), again.headers["idempotent-replayed"]) == (first.json(), "true")
    other = await client.post(path, json={"reason": "more"}, headers=shop)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    for points in (0, -1, 1_000):
        wrong = {**shop, "Idempotency-Key": f"p{points}"}
        answer = await client.post(path, json={"reason": "x", "points": points}, headers=wrong)
        assert answer.status_code in (400, 409)
    assert (await client.post(f"/v1/burns/{held['id']}/cancel", headers=ann)).status_code == 409
    seen = (await client.get(f"/v1/burns/{held['id']}", headers=ann)).json()
    assert (seen["status"], seen["refunded_points"]) == ("captured", 400)


async def test_offers_are_listed_in_pages(
    client: httpx.AsyncClient, coalition: Coalition, sign_in: MakeKey
) -> None:
    for number in range(5):
        await coalition.add_offer(f"offer-{number}", acceptor="shop", stock=number)
    ann = await sign_in(Role.PARTICIPANT)
    found: list[str] = []
    cursor: str | None = None
    while True:
        params = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = (await client.get("/v1/offers", params=params, headers=ann)).json()
        found += [offer["reference"] for offer in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert found == ["card", *(f"offer-{number}" for number in range(5))]
    one = await client.get(f"/v1/offers/{coalition.offers['offer-3']}", headers=ann)
    assert (one.json()["stock"], one.json()["acceptor"]) == (3, "shop")
    assert (await client.get(f"/v1/offers/{uuid7()}", headers=ann)).status_code == 404


async def test_a_hundred_posts_of_one_key_have_one_effect(
    client: httpx.AsyncClient, coalition: Coalition, api_key: MakeKey
) -> None:
    await coalition.issue("ann", 100_000)
    key = await api_key("operator", Scope.BURNS_WRITE)
    answers = await asyncio.gather(
        *(burn(client, key, burn_body(coalition), key="one") for _ in range(100))
    )
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1


async def test_a_full_queue_is_503_with_retry_after_and_the_same_key_burns_later(
    app: Litestar, client: httpx.AsyncClient, coalition: Coalition, api_key: MakeKey
) -> None:
    await coalition.issue("ann", 1_000)
    key = await api_key("operator", Scope.BURNS_WRITE)
    engine = app.state.burn_engine
    room, engine._queue_limit = engine._queue_limit, 0
    answer = await burn(client, key, burn_body(coalition))
    assert (answer.status_code, answer.json()["code"]) == (503, "busy")
    assert answer.headers["retry-after"] == "1"
    engine._queue_limit = room
    assert (await burn(client, key, burn_body(coalition))).status_code == 201
