"""A partner that runs its own service: from burn to reward, and news that come by callback."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import uuid4

import httpx
import msgspec
import pytest
import pytest_asyncio
from marketplace_remote.example import signing
from marketplace_remote.example.service import Mischief, Service
from marketplace_remote.settings import RemoteSettings

from marketplace import api
from marketplace.fulfilment.home import Home
from marketplace.host import PluginHost
from marketplace.registry import service as registry
from marketplace.runtime import Runtime
from marketplace.settings import Settings
from tests.factories import Coalition
from tests.fulfilment.conftest import Counter, Pairs, Worker

CALLBACKS = "/v1/remote/callbacks?member=shop"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """The partner's service is on this machine."""
    return msgspec.structs.replace(settings, outbound_allow="127.0.0.1")


@pytest.fixture
def partner() -> Iterator[Service]:
    """The service of the member `shop`, with ten mugs."""
    made = Service([api.new_signing_key()], [api.new_signing_key()]).start()
    made.shop.fill("mug", 10)
    yield made
    made.stop()


@pytest_asyncio.fixture
async def worker(
    settings: Settings, partner: Service, coalition: Coalition
) -> AsyncIterator[Worker]:
    """A worker; shop has enabled the plugin with its service's address and keys."""
    runtime = coalition.runtime
    given = RemoteSettings(
        url=partner.url, our_key=partner.their_keys[0], your_key=partner.our_keys[0]
    )
    async with runtime.database.begin() as session:
        await registry.configure(
            session,
            runtime,
            "remote",
            msgspec.to_builtins(given),
            actor="test",
            member_id=coalition.members["shop"],
        )
    await coalition.activate("remote", "shop")
    await coalition.add_offer("mug", acceptor="shop", plugin="remote")
    home = Home(settings)
    await asyncio.to_thread(home.open)
    yield Worker(home)
    await asyncio.to_thread(home.close)


async def report(client: httpx.AsyncClient, partner: Service, pairs: Pairs) -> httpx.Response:
    """The partner's callback about these burns."""
    body = msgspec.json.encode({"references": [burn_id for burn_id, _ in pairs]})
    headers = signing.sign(partner.our_keys, f"msg_{uuid4().hex}", body)
    return await client.post(CALLBACKS, content=body, headers=headers)


async def test_a_burn_is_delivered_by_the_partners_own_service(
    counter: Counter, worker: Worker, partner: Service
) -> None:
    pairs = await counter.burn(3, offer="mug", quantity=2)
    await worker.fulfil(pairs, "remote")
    assert await counter.states(pairs) == [("captured", "done")] * 3
    assert partner.shop.stock["mug"] == 4
    more = await counter.burn(1, offer="mug", quantity=5)
    await worker.fulfil(more, "remote")
    assert await counter.states(more) == [("voided", "done")]
    assert await counter.verified()


async def test_a_callback_has_the_order_looked_up_at_once(
    counter: Counter, worker: Worker, partner: Service, client: httpx.AsyncClient
) -> None:
    partner.mischief = Mischief.LATER
    pairs = await counter.burn(1, offer="mug")
    await worker.fulfil(pairs, "remote")
    assert await counter.states(pairs) == [("held", "pending")]
    [wait_s] = await counter.seconds_to_due(pairs)
    assert wait_s > 30
    partner.mischief = Mischief.NONE
    # A callback is no proof: the partner still says that it is on its way.
    assert (await report(client, partner, pairs)).json() == {"woken": 1}
    await worker.fulfil(pairs, "remote")
    assert await counter.states(pairs) == [("held", "pending")]
    partner.shop.deliver_waiting()
    answer = await report(client, partner, pairs)
    assert (answer.status_code, answer.json()) == (202, {"woken": 1})
    [wait_s] = await counter.seconds_to_due(pairs)
    assert wait_s <= 0
    await worker.fulfil(pairs, "remote")
    assert await counter.states(pairs) == [("captured", "done")]
    assert (await report(client, partner, pairs)).json() == {"woken": 0}
    assert await counter.verified()


async def test_a_callback_that_overtakes_the_answer_is_not_lost(
    counter: Counter,
    worker: Worker,
    partner: Service,
    client: httpx.AsyncClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    partner.mischief = Mischief.LATER
    delivered, reported = threading.Event(), threading.Event()
    answer = partner.answer

    def late(*given: Any) -> Any:
        said = answer(*given)  # that it will deliver, which it does before this is heard
        partner.shop.deliver_waiting()
        delivered.set()
        assert reported.wait(15)
        return said

    monkeypatch.setattr(partner, "answer", late)
    pairs = await counter.burn(1, offer="mug")
    asking = asyncio.create_task(worker.fulfil(pairs, "remote"))
    try:
        assert await asyncio.to_thread(delivered.wait, 60)
        assert await counter.states(pairs) == [("held", "ordering")]
        assert (await report(client, partner, pairs)).json() == {"woken": 1}
    finally:
        reported.set()
        await asking
    assert await counter.states(pairs) == [("held", "pending")]
    [wait_s] = await counter.seconds_to_due(pairs)
    assert wait_s <= 0
    await worker.fulfil(pairs, "remote")
    assert await counter.states(pairs) == [("captured", "done")]
    assert await counter.verified()


async def test_callbacks_of_others_are_refused(
    counter: Counter, worker: Worker, partner: Service, client: httpx.AsyncClient
) -> None:
    partner.mischief = Mischief.LATER
    pairs = await counter.burn(1, offer="mug")
    await worker.fulfil(pairs, "remote")
    partner.our_keys = [api.new_signing_key()]
    answer = await report(client, partner, pairs)
    assert (answer.status_code, answer.json()["code"]) == (401, "bad_signature")
    [wait_s] = await counter.seconds_to_due(pairs)
    assert wait_s > 30
    document = await client.get("/v1/remote/openapi.json")
    assert set(document.json()["paths"]) == {"/orders", "/orders/lookup", "/health"}


async def test_only_what_waits_for_its_own_plugin_and_member_is_woken(
    counter: Counter, worker: Worker, partner: Service, runtime: Runtime, coalition: Coalition
) -> None:
    partner.mischief = Mischief.LATER
    waiting = await counter.burn(1, offer="mug")
    await worker.fulfil(waiting, "remote")
    fresh, others = await counter.burn(1, offer="mug"), await counter.burn(1, offer="gift")
    references = [burn_id for burn_id, _ in (*waiting, *fresh, *others)] + ["no id", str(uuid4())]
    host = PluginHost("remote", lambda: runtime.database, lambda: runtime.vault)

    def wake(acceptor: str | None) -> int:
        with host.transaction() as session:
            acceptor_id = coalition.members[acceptor] if acceptor else None
            return host.wake(session, references, acceptor_id=acceptor_id)

    assert await asyncio.to_thread(wake, "tickets") == 0
    assert await asyncio.to_thread(wake, "shop") == 1
    assert await asyncio.to_thread(wake, None) == 1


async def test_an_order_that_was_given_up_is_taken_up_again(
    counter: Counter, worker: Worker, partner: Service, runtime: Runtime, client: httpx.AsyncClient
) -> None:
    partner.mischief = Mischief.LATER
    pairs = await counter.burn(1, offer="mug")
    await worker.fulfil(pairs, "remote")
    connection = await runtime.database.connect_raw()
    await connection.execute(
        "update burn set fulfilment = 'dead', attempts = 60, due_at = 'infinity'"
    )
    await connection.close()
    partner.mischief = Mischief.NONE
    partner.shop.deliver_waiting()
    assert (await report(client, partner, pairs)).json() == {"woken": 1}
    await worker.fulfil(pairs, "remote")
    assert await counter.states(pairs) == [("captured", "done")]
