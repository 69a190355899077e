"""Being let in by a route is not enough: everybody reaches only what is theirs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from uuid import uuid4

import httpx
import pytest
import sqlalchemy as sa

from marketplace.db import Database
from marketplace.identity.domain import Role, Scope
from tests.conftest import Headers
from tests.factories import Coalition
from tests.web.problems import problem

Make = Callable[..., Awaitable[Headers]]


@pytest.fixture
async def two_firms(coalition: Coalition) -> Coalition:
    """Ann of acme, sponsored by alpha; cleo of zeta, sponsored by beta. Ann has points."""
    await coalition.add_firm("zeta", sponsor="beta")
    await coalition.add_participant("cleo", firm="zeta")
    await coalition.issue("ann", 5_000)
    return coalition


async def burn(
    client: httpx.AsyncClient, coalition: Coalition, headers: Headers, name: str = "ann"
) -> httpx.Response:
    """Burn the offer `card` from a participant's wallet."""
    wallet, offer = coalition.wallets[name], coalition.offers["card"]
    body = {"wallet_id": str(wallet), "offer_id": str(offer), "quantity": 1}
    key = {"Idempotency-Key": str(uuid4())}
    return await client.post("/v1/burns", json=body, headers={**headers, **key})


async def test_a_wallet_is_read_by_its_owner_manager_sponsor_and_operator_only(
    two_firms: Coalition, client: httpx.AsyncClient, sign_in: Make, api_key: Make
) -> None:
    path = f"/v1/wallets/{two_firms.wallets['ann']}"
    theirs = [
        await sign_in(Role.PARTICIPANT, "ann"),
        await sign_in(Role.FIRM_MANAGER, "acme"),
        await sign_in(Role.OPERATOR),
        await api_key("alpha", Scope.WALLETS_READ),
    ]
    others = [
        await sign_in(Role.PARTICIPANT, "bob"),
        await sign_in(Role.PARTICIPANT, "cleo"),
        await sign_in(Role.FIRM_MANAGER, "zeta"),
        await api_key("beta", Scope.WALLETS_READ),
        await api_key("shop", Scope.WALLETS_READ),
    ]
    for suffix in ("", "/history"):
        for headers in theirs:
            assert (await client.get(path + suffix, headers=headers)).status_code == 200
        for headers in others:
            problem(await client.get(path + suffix, headers=headers), 404, "not_found")


async def test_a_wallet_is_burnt_from_by_its_owner_and_sponsor_only(
    two_firms: Coalition, client: httpx.AsyncClient, sign_in: Make, api_key: Make
) -> None:
    for headers in (
        await sign_in(Role.PARTICIPANT, "bob"),
        await sign_in(Role.PARTICIPANT, "cleo"),
        await api_key("beta", Scope.BURNS_WRITE),
        await api_key("shop", Scope.BURNS_WRITE),
    ):
        problem(await burn(client, two_firms, headers), 404, "unknown_wallet")
    for headers in (
        await sign_in(Role.PARTICIPANT, "ann"),
        await api_key("alpha", Scope.BURNS_WRITE),
    ):
        assert (await burn(client, two_firms, headers)).status_code == 201


async def test_a_burn_is_seen_by_those_it_concerns_only(
    two_firms: Coalition, client: httpx.AsyncClient, sign_in: Make, api_key: Make
) -> None:
    ann = await sign_in(Role.PARTICIPANT, "ann")
    made = (await burn(client, two_firms, ann)).json()
    path = f"/v1/burns/{made['id']}"
    for headers in (
        ann,
        await sign_in(Role.PARTNER, "shop"),
        await sign_in(Role.FINANCE),
        await api_key("alpha", Scope.BURNS_READ),
        await api_key("shop", Scope.BURNS_READ),
    ):
        assert (await client.get(path, headers=headers)).status_code == 200
    for headers in (
        await sign_in(Role.PARTICIPANT, "bob"),
        await sign_in(Role.PARTNER, "tickets"),
        await api_key("beta", Scope.BURNS_READ),
    ):
        problem(await client.get(path, headers=headers), 404, "not_found")
    for headers in (
        await sign_in(Role.PARTICIPANT, "bob"),
        await api_key("beta", Scope.BURNS_WRITE),
    ):
        for action in ("cancel", "reveal"):
            answer = await client.post(f"{path}/{action}", headers=headers)
            problem(answer, 404, "not_found")
    other = {**await sign_in(Role.PARTNER, "tickets"), "Idempotency-Key": "mine"}
    refund = await client.post(
        f"{path}/refunds", json={"points": 1_000, "reason": "x"}, headers=other
    )
    problem(refund, 404, "not_found")


async def test_a_credential_that_ends_burns_nothing_more(
    two_firms: Coalition,
    client: httpx.AsyncClient,
    sign_in: Make,
    api_key: Make,
    owner: Database,
) -> None:
    ann, key = await sign_in(Role.PARTICIPANT, "ann"), await api_key("alpha", Scope.BURNS_WRITE)
    for headers in (ann, key):
        assert (await burn(client, two_firms, headers)).status_code == 201
    async with owner.begin() as session:
        await session.execute(sa.text("update api_key set revoked_at = now()"))
        await session.execute(sa.text("update person set disabled_at = now()"))
    for headers in (ann, key):
        problem(await burn(client, two_firms, headers), 401, "not_authenticated")
