"""A voucher from the burn to the till, the settlement and back, as partners see it over HTTP."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio
from marketplace_vouchers.codes import new_code

from marketplace.fulfilment.home import Home
from marketplace.identity.domain import Role, Scope
from marketplace.runtime import Runtime
from marketplace.settings import Settings
from tests.conftest import Headers
from tests.factories import Coalition
from tests.fulfilment.conftest import Counter, Worker, counter
from tests.settlement.test_positions import run_positions
from tests.web.problems import problem

__all__ = ["counter"]

Make = Callable[..., Awaitable[Headers]]
EUR = 1_000_000
PATIENCE_S = 120.0
SPA = {
    "sku": "spa-75",
    "name": "Thermal day",
    "value_micros": 75 * EUR,
    "currency": "EUR",
    "valid_days": 365,
    "accepted_by": "coalition",
}


class Clerk:
    """Somebody who asks /v1/vouchers with one credential."""

    def __init__(self, client: httpx.AsyncClient, headers: Headers) -> None:
        self.client = client
        self.headers = headers

    async def post(self, path: str, body: Any = None, key: str | None = None) -> httpx.Response:
        headers = {**self.headers, "Idempotency-Key": key or str(uuid4())}
        return await self.client.post(f"/v1/vouchers/{path}", json=body, headers=headers)

    async def get(self, path: str) -> httpx.Response:
        return await self.client.get(f"/v1/vouchers/{path}", headers=self.headers)


@pytest_asyncio.fixture
async def worker(settings: Settings) -> AsyncIterator[Worker]:
    """A worker that knows the plugins installed."""
    home = Home(settings)
    await asyncio.to_thread(home.open)
    yield Worker(home)
    await asyncio.to_thread(home.close)


@pytest.fixture
async def owner_clerk(client: httpx.AsyncClient, api_key: Make, coalition: Coalition) -> Clerk:
    """The shop, which owns the series."""
    await coalition.add_offer(
        "spa", acceptor="shop", kind="voucher", plugin="vouchers", sku="spa-75"
    )
    scopes = (Scope.STOCK_WRITE, Scope.VOUCHERS_REDEEM, Scope.REFUNDS_WRITE)
    made = Clerk(client, await api_key("shop", *scopes))
    assert (await made.post("series", SPA)).status_code == 201
    return made


@pytest.fixture
async def till(client: httpx.AsyncClient, api_key: Make) -> Clerk:
    """A till of tickets."""
    return Clerk(client, await api_key("tickets", Scope.VOUCHERS_REDEEM))


async def buy(
    counter: Counter, worker: Worker, client: httpx.AsyncClient, sign_in: Make
) -> tuple[str, str]:
    """Ann burns points on a voucher; (burn id, code)."""
    ((burn_id, _),) = pairs = await counter.burn(offer="spa")
    await worker.fulfil(pairs, "vouchers")
    ann = await sign_in(Role.PARTICIPANT)
    answer = await client.post(f"/v1/burns/{burn_id}/reveal", headers=ann)
    assert answer.status_code == 200, answer.text
    (artefact,) = answer.json()["artefacts"]
    assert artefact["label"] == "Thermal day"
    return burn_id, artefact["secret"]


async def test_a_voucher_bought_here_is_taken_there_settled_and_refunded(
    counter: Counter,
    worker: Worker,
    client: httpx.AsyncClient,
    sign_in: Make,
    owner_clerk: Clerk,
    till: Clerk,
    database_url: str,
) -> None:
    burn_id, code = await buy(counter, worker, client, sign_in)
    seen = (await till.post("validations", {"code": code.lower()})).json()
    assert (seen["state"], seen["left_micros"], seen["issued_by"]) == ("usable", 75 * EUR, "shop")
    lock = (await till.post("locks", {"code": code, "till": "desk"})).json()
    refused = await owner_clerk.post("redemptions", {"code": code})
    problem(refused, 409, "vouchers_locked")
    assert int(refused.headers["retry-after"]) > 0
    body = {"lock_id": lock["lock_id"], "amount_micros": 20 * EUR, "till": "desk"}
    done = await till.post("redemptions", body, "R-1")
    assert done.status_code == 201, done.text
    again = await till.post("redemptions", body, "R-1")
    assert (again.headers["idempotent-replayed"], again.json()) == ("true", done.json())
    problem(
        await till.post("redemptions", {**body, "amount_micros": 1}, "R-1"),
        422,
        "idempotency_key_reused",
    )
    over = await till.post("redemptions", {"code": code, "amount_micros": 56 * EUR})
    assert problem(over, 409, "vouchers_too_little_left")["left_micros"] == 55 * EUR
    # The burn paid the shop EUR 7.00; of the voucher it owes tickets EUR 20.00.
    _, output = await asyncio.to_thread(run_positions, database_url, "--json")
    net = json.loads(output)[0]["net_micros"]
    assert (net["shop"], net["tickets"]) == (7 * EUR - 20 * EUR, 20 * EUR)
    assert await counter.verified()

    number = done.json()["id"]
    problem(await owner_clerk.post(f"redemptions/{number}/rollback", {}), 404, "not_found")
    problem(await till.post(f"redemptions/{number}/rollback", {}), 403, "vouchers_not_parent")
    back = await till.post(f"redemptions/{number}/rollback", {"till": "desk"}, "B-1")
    assert back.json()["amount_micros"] == -20 * EUR
    twice = await till.post(f"redemptions/{number}/rollback", {"till": "desk"}, "B-1")
    assert twice.json() == back.json()
    other_key = await till.post(f"redemptions/{number}/rollback", {"till": "desk"})
    assert (
        problem(other_key, 409, "vouchers_already_rolled_back")["rollback_id"] == back.json()["id"]
    )
    read = (await owner_clerk.get(f"redemptions/{number}")).json()
    assert read["rolled_back_by"] == back.json()["id"]

    await till.post("redemptions", {"code": code, "amount_micros": 5 * EUR})
    headers = {**owner_clerk.headers, "Idempotency-Key": "refund"}
    refund = await client.post(
        f"/v1/burns/{burn_id}/refunds", json={"reason": "ill"}, headers=headers
    )
    assert refund.status_code == 201, refund.text
    problem(await till.post("redemptions", {"code": code}), 409, "vouchers_cancelled")
    seen = (await till.post("validations", {"code": code})).json()
    assert seen["state"] == "cancelled"
    _, output = await asyncio.to_thread(run_positions, database_url, "--json")
    net = json.loads(output)[0]["net_micros"]
    assert net == {"shop": -5 * EUR, "tickets": 5 * EUR}
    assert await counter.verified()


async def test_the_refund_is_told_and_the_voucher_cancelled_in_its_own_row(
    counter: Counter,
    worker: Worker,
    client: httpx.AsyncClient,
    sign_in: Make,
    owner_clerk: Clerk,
    runtime: Runtime,
) -> None:
    burn_id, _ = await buy(counter, worker, client, sign_in)
    headers = {**owner_clerk.headers, "Idempotency-Key": "refund"}
    await client.post(f"/v1/burns/{burn_id}/refunds", json={"reason": "ill"}, headers=headers)
    # Observers are told after the answer, and nobody waits for them.
    deadline = time.monotonic() + PATIENCE_S
    connection = await runtime.database.connect_raw()
    try:
        while not await connection.fetchval(
            "select cancelled_at is not null from vouchers_voucher where order_reference = $1",
            burn_id,
        ):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.1)
    finally:
        await connection.close()


async def test_a_refund_and_a_redemption_at_the_same_moment_wait_for_each_other(
    counter: Counter,
    worker: Worker,
    client: httpx.AsyncClient,
    sign_in: Make,
    owner_clerk: Clerk,
    till: Clerk,
) -> None:
    for number in range(3):
        burn_id, code = await buy(counter, worker, client, sign_in)
        headers = {**owner_clerk.headers, "Idempotency-Key": f"refund {number}"}
        body = {"reason": "ill"}
        refund, *taken = await asyncio.gather(
            client.post(f"/v1/burns/{burn_id}/refunds", json=body, headers=headers),
            *(till.post("redemptions", {"code": code, "amount_micros": EUR}) for _ in range(4)),
        )
        assert refund.status_code == 201
        assert {each.status_code for each in taken} <= {201, 409}
        late = await till.post("redemptions", {"code": code})
        problem(late, 409, "vouchers_cancelled")
    assert await counter.verified()


async def test_an_offer_of_another_member_cannot_sell_the_owners_voucher(
    counter: Counter, worker: Worker, owner_clerk: Clerk, coalition: Coalition
) -> None:
    await coalition.add_offer(
        "fake-spa", acceptor="tickets", kind="voucher", plugin="vouchers", sku="spa-75"
    )
    pairs = await counter.burn(offer="fake-spa")
    await worker.fulfil(pairs, "vouchers")
    assert await counter.states(pairs) == [("voided", "done")]


async def test_who_may_do_what(
    client: httpx.AsyncClient, owner_clerk: Clerk, till: Clerk, sign_in: Make
) -> None:
    problem(await till.post("series", {**SPA, "sku": "mine"}), 403, "missing_permission")
    partner = Clerk(client, await sign_in(Role.PARTNER, "tickets"))
    problem(await partner.post("series", {**SPA, "owner": "shop"}), 403, "not_allowed")
    assert (await partner.post("series", {**SPA, "sku": "mine"})).json()["owner"] == "tickets"
    assert [each["sku"] for each in (await partner.get("series")).json()] == ["mine"]
    problem(await partner.post("series/spa-75/close"), 404, "not_found")
    operator = Clerk(client, await sign_in(Role.OPERATOR))
    assert [each["sku"] for each in (await operator.get("series")).json()] == ["mine", "spa-75"]
    named = await operator.post("series", {**SPA, "sku": "theirs", "owner": "shop"})
    assert named.json()["owner"] == "shop"
    for stranger in (Role.PARTICIPANT, Role.FINANCE, Role.FIRM_MANAGER):
        clerk = Clerk(client, await sign_in(stranger))
        problem(await clerk.post("validations", {"code": new_code()}), 403, "missing_permission")
    assert (await owner_clerk.post("series/spa-75/close")).json()["closed_at"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("validations", {}),
        ("validations", {"code": ""}),
        ("validations", {"code": "x" * 65}),
        ("locks", {"code": "K7QX-2M9F-TR4W-HJ6B", "seconds": 1}),
        ("redemptions", {"amount_micros": 5}),
        ("redemptions", {"code": "K7QX", "amount_micros": 0}),
        ("redemptions", {"code": "K7QX", "amount_micros": -5}),
        ("redemptions", {"code": "K7QX", "currency": "eur"}),
        ("redemptions", {"code": "K7QX", "amount": 5}),
        ("redemptions", {"lock_id": "none"}),
    ],
)
async def test_what_is_not_well_formed(path: str, body: dict[str, Any], till: Clerk) -> None:
    problem(await till.post(path, body), 400, "invalid_request")


async def test_a_till_that_guesses_is_told_to_wait(till: Clerk, owner_clerk: Clerk) -> None:
    problem(
        await till.post("validations", {"code": "K7QX-2M9F-TR4W-HJ6"}),
        422,
        "vouchers_code_mistyped",
    )
    for _ in range(10):
        problem(await till.post("redemptions", {"code": new_code()}), 404, "vouchers_unknown")
    refused = await till.post("redemptions", {"code": new_code()})
    assert problem(refused, 429, "vouchers_locked_out")["retry_after_s"] <= 900
    assert 0 < int(refused.headers["retry-after"]) <= 900
    problem(await owner_clerk.post("validations", {"code": new_code()}), 404, "vouchers_unknown")


async def test_a_batch_is_made_in_the_background_and_its_codes_go_out_once(
    owner_clerk: Clerk, till: Clerk, runtime: Runtime, worker: Worker
) -> None:
    begun = await owner_clerk.post("series/spa-75/batches", {"quantity": 25}, "K")
    assert (begun.status_code, begun.json()["made"]) == (202, 0)
    batch = f"batches/{begun.json()['id']}"
    assert (await owner_clerk.post("series/spa-75/batches", {"quantity": 25}, "K")).json() == (
        begun.json()
    )
    problem(await owner_clerk.post(f"{batch}/export"), 409, "vouchers_batch_not_ready")
    await worker.do(lambda: worker.work.plugin_task("vouchers", "make-batches"))
    assert (await owner_clerk.get(batch)).json()["made"] == 25
    problem(await till.get(batch), 403, "missing_permission")
    exported = await owner_clerk.post(f"{batch}/export")
    assert exported.headers["content-type"] == "text/csv; charset=utf-8"
    assert exported.headers["cache-control"] == "no-store"
    header, first, *others = exported.text.splitlines()
    assert header == "number,code,name,value,currency,valid_until"
    assert len(others) == 24
    problem(await owner_clerk.post(f"{batch}/export"), 409, "vouchers_batch_exported")
    code = first.split(",")[1]
    done = await till.post("redemptions", {"code": code})
    assert done.json()["left_micros"] == 0
    assert (await owner_clerk.post(f"{batch}/cancel")).json()["cancelled_at"]
    page = (await owner_clerk.get("redemptions?limit=1")).json()
    assert [each["id"] for each in page["items"]] == [done.json()["id"]]
    assert page["next"] is None
