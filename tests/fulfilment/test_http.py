"""Revealing what was delivered, and watching suppliers, over HTTP and on the command line."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import httpx
import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from marketplace.cli import main
from marketplace.db import Database
from marketplace.identity.domain import Role, Scope
from marketplace.identity.models import AuditEntry
from marketplace.runtime import Runtime
from marketplace.settings import Settings
from tests.conftest import SECRET_KEY, Headers
from tests.factories import Coalition
from tests.fulfilment.conftest import Counter, Worker
from tests.fulfilment.shop import FakeShop

SignIn = Callable[..., Awaitable[Headers]]
ApiKeyOf = Callable[..., Awaitable[Headers]]


async def reveals(runtime: Runtime, burn_id: str) -> list[str]:
    """Who revealed a burn, oldest first."""
    async with runtime.database.begin() as session:
        found = await session.scalars(
            sa.select(AuditEntry.actor)
            .where(AuditEntry.action == "fulfilment.revealed", AuditEntry.subject_id == burn_id)
            .order_by(AuditEntry.id)
        )
        return list(found)


async def test_the_owner_reveals_and_every_time_is_audited(
    counter: Counter, worker: Worker, client: httpx.AsyncClient, sign_in: SignIn, runtime: Runtime
) -> None:
    ((burn_id, _),) = pairs = await counter.burn(1, quantity=2)
    ann = await sign_in(Role.PARTICIPANT)
    url = f"/v1/burns/{burn_id}/reveal"
    early = await client.post(url, headers=ann)
    assert (early.status_code, early.json()["code"]) == (409, "nothing_to_reveal")
    await worker.fulfil(pairs)
    for _ in range(2):
        answer = await client.post(url, headers=ann)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "no-store"
    assert [each["secret"] for each in answer.json()["artefacts"]] == ["CODE-1-0", "CODE-1-1"]
    assert [each["position"] for each in answer.json()["artefacts"]] == [1, 2]
    actors = await reveals(runtime, burn_id)
    assert len(actors) == 2
    assert all(actor.startswith("person:") for actor in actors)


async def test_nobody_else_reveals_except_the_shop_that_made_the_burn(
    counter: Counter,
    worker: Worker,
    client: httpx.AsyncClient,
    sign_in: SignIn,
    api_key: ApiKeyOf,
    runtime: Runtime,
) -> None:
    ((burn_id, _),) = pairs = await counter.burn(1)
    await worker.fulfil(pairs)
    url = f"/v1/burns/{burn_id}/reveal"
    bob = await client.post(url, headers=await sign_in(Role.PARTICIPANT, "bob"))
    assert bob.status_code == 404
    sponsor = await client.post(url, headers=await api_key("alpha", Scope.BURNS_WRITE))
    assert sponsor.status_code == 404
    boss = await client.post(url, headers=await sign_in(Role.OPERATOR))
    assert boss.status_code == 403
    reader = await client.post(url, headers=await api_key("operator", Scope.BURNS_READ))
    assert reader.status_code == 403
    assert await reveals(runtime, burn_id) == []
    # The fixture burns with a key of the operator member.
    maker = await client.post(url, headers=await api_key("operator", Scope.BURNS_WRITE))
    assert maker.status_code == 200
    assert len(await reveals(runtime, burn_id)) == 1


async def test_a_reward_without_artefacts_has_nothing_to_reveal(
    counter: Counter, worker: Worker, shop: FakeShop, client: httpx.AsyncClient, sign_in: SignIn
) -> None:
    shop.artefacts = False
    ((burn_id, _),) = pairs = await counter.burn(1)
    await worker.fulfil(pairs)
    answer = await client.post(
        f"/v1/burns/{burn_id}/reveal", headers=await sign_in(Role.PARTICIPANT)
    )
    assert answer.json()["code"] == "nothing_to_reveal"


async def test_the_operator_sees_how_suppliers_are_doing(
    counter: Counter, client: httpx.AsyncClient, sign_in: SignIn
) -> None:
    await counter.burn(3)
    answer = await client.get("/v1/suppliers", headers=await sign_in(Role.OPERATOR))
    found = {each["plugin"]: each for each in answer.json()}
    assert found["giftfund"]["state"] == "ready"
    assert (found["fake"]["state"], found["fake"]["waiting"]) == ("missing", 3)
    assert found["fake"]["oldest_at"]


async def test_codes_are_uploaded_over_http_by_whom_they_belong_to(
    coalition: Coalition, client: httpx.AsyncClient, sign_in: SignIn, api_key: ApiKeyOf
) -> None:
    url = "/v1/giftfund/pools/card/codes"
    csv = {"Content-Type": "text/csv"}
    shop = await api_key("shop", Scope.STOCK_WRITE)
    done = await client.post(url, content="code\nAAA\nBBB\n", headers=csv | shop)
    assert done.status_code == 200, done.text
    assert done.json() == {"sku": "card", "new": 2, "already": 0, "free": 2, "dry_run": False}
    bad = await client.post(url, content="code\nCCC\nAAA\n", headers=csv | shop)
    assert (bad.status_code, bad.json()["code"]) == (400, "giftfund_bad_upload")
    assert bad.json()["errors"][0]["line"] == 3
    dry = await client.post(url + "?dry_run=true", content="code\nCCC\n", headers=csv | shop)
    assert dry.json()["dry_run"] is True
    partner = await sign_in(Role.PARTNER)
    more = await client.post(url, content="code\nCCC\n", headers=csv | partner)
    assert more.json()["free"] == 3
    boss = await sign_in(Role.OPERATOR)
    assert (await client.post(url, content="code\nDDD\n", headers=csv | boss)).status_code == 200

    other = await api_key("tickets", Scope.STOCK_WRITE)
    assert (await client.post(url, content="code\nE\n", headers=csv | other)).status_code == 404
    assert (await client.get("/v1/giftfund/pools", headers=other)).json() == []
    wrong = await api_key("shop", Scope.BURNS_WRITE)
    assert (await client.post(url, content="code\nE\n", headers=csv | wrong)).status_code == 403
    (pool,) = (await client.get("/v1/giftfund/pools", headers=shop)).json()
    assert (pool["sku"], pool["free"], pool["low"]) == ("card", 4, True)


@pytest.fixture
def marketplace(settings: Settings) -> Callable[..., Awaitable[Result]]:
    """`await marketplace("fulfilment", "status")` runs the command line on the test's database."""
    environ = {
        "MARKETPLACE_DATABASE_URL": settings.database_url or "",
        "MARKETPLACE_SECRET_KEYS": SECRET_KEY,
    }

    async def run(*arguments: str) -> Result:
        return await asyncio.to_thread(
            CliRunner().invoke, main, list(arguments), env=environ, catch_exceptions=False
        )

    return run


async def test_the_command_line_shows_and_replays_dead_orders(
    counter: Counter,
    worker: Worker,
    shop: FakeShop,
    owner: Database,
    runtime: Runtime,
    marketplace: Callable[..., Awaitable[Result]],
) -> None:
    ((burn_id, _),) = pairs = await counter.burn(1)
    assert (await marketplace("fulfilment", "dead")).output == "No order is dead.\n"
    connection = await owner.connect_raw()
    await connection.execute(
        "update burn set fulfilment = 'dead', attempts = 50, due_at = 'infinity'"
    )
    await connection.close()
    assert burn_id in (await marketplace("fulfilment", "dead")).output
    status = (await marketplace("fulfilment", "status")).output
    assert ["fake", "missing", "closed", "0", "0", "1"] in [
        line.split() for line in status.splitlines()
    ]
    assert (
        await marketplace("fulfilment", "replay", burn_id)
    ).output == "1 orders are due again.\n"
    assert await counter.states(pairs) == [("held", "unknown")]
    again = await marketplace("fulfilment", "replay", burn_id)
    assert again.exit_code == 2
    await worker.fulfil(pairs)
    assert await counter.states(pairs) == [("captured", "done")]
    async with runtime.database.begin() as session:
        actions = await session.scalars(sa.select(AuditEntry.action))
        assert "fulfilment.replayed" in list(actions)
