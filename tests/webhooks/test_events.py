"""Members hear of what happened, if and only if it happened, and say no secret of anybody."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from marketplace.exchange.engine import BurnEngine
from marketplace.exchange.models import Burn
from marketplace.exchange.resolution import Delivery, capture
from marketplace.identity.domain import Principal
from marketplace.ledger.errors import IssuancesRefused
from marketplace.webhooks import service
from marketplace.webhooks.domain import EXAMPLES, EventType, MessageStatus
from marketplace.webhooks.models import WebhookEndpoint
from tests.exchange.conftest import Ask
from tests.exchange.test_resolution import burn, deliver, give_up, pay_back
from tests.factories import Coalition
from tests.webhooks.conftest import Subscribe, Worker, endpoint, messages
from tests.webhooks.receiver import Receiver

__all__ = ["burn"]  # a fixture


def shape(data: dict[str, Any]) -> dict[str, type]:
    return {name: type(value) for name, value in data.items()}


async def test_who_is_paid_and_who_looks_after_the_wallet_hear_of_a_burn(
    coalition: Coalition,
    burn: Burn,
    operator: Principal,
    subscribe: Subscribe,
    worker: Worker,
    receiver: Receiver,
) -> None:
    """Shop is paid, alpha sponsors the firm, tickets has nothing to do with it."""
    runtime = coalition.runtime
    for member in ("shop", "alpha", "tickets"):
        await subscribe(member, events=["burn.fulfilled", "burn.refunded"])
    await deliver(runtime, burn)
    await pay_back(runtime, operator, burn, 300, "r1")
    assert await worker.deliver() == 4
    by_member = {each.body: each.event for each in receiver.heard}
    assert sorted(each["type"] for each in by_member.values()) == [
        "burn.fulfilled",
        "burn.fulfilled",
        "burn.refunded",
        "burn.refunded",
    ]
    for each in receiver.heard:
        assert each.event["data"]["burn_id"] == str(burn.id)
        assert b"XMAS-2026" not in each.body
    paid = [each["data"] for each in by_member.values() if "cost_micros" in each["data"]]
    assert [(each["cost_micros"], each["currency"]) for each in paid] == [(7_000_000, "EUR")]
    assert shape(paid[0]) == shape(EXAMPLES[EventType.BURN_FULFILLED])
    refunded = next(e["data"] for e in by_member.values() if e["type"] == "burn.refunded")
    assert shape(refunded) == shape(EXAMPLES[EventType.BURN_REFUNDED])
    assert (refunded["points"], refunded["refunded_points"]) == (1_000, 300)


async def test_a_void_says_why(
    coalition: Coalition, burn: Burn, subscribe: Subscribe, worker: Worker, receiver: Receiver
) -> None:
    await subscribe("shop")
    await give_up(coalition.runtime, burn)
    assert await worker.deliver() == 1
    [heard] = receiver.heard
    assert heard.event["type"] == "burn.voided"
    assert heard.event["data"]["reason"] == "out of codes"
    assert shape(heard.event["data"]) == shape(EXAMPLES[EventType.BURN_VOIDED])


async def test_an_issuer_hears_of_its_own_points(
    coalition: Coalition, subscribe: Subscribe, worker: Worker, receiver: Receiver
) -> None:
    await subscribe("alpha", events=["points.issued"])
    await coalition.issue("ann", 500, issuer="alpha")
    await coalition.issue("ann", 700, issuer="beta")
    assert await worker.deliver() == 1
    [heard] = receiver.heard
    assert heard.event["data"] == {"issuances": 1, "wallets": 1, "points": 500}
    assert shape(heard.event["data"]) == shape(EXAMPLES[EventType.POINTS_ISSUED])
    with pytest.raises(IssuancesRefused):
        await coalition.issue("ann", 5, issuer="tickets")
    assert len(await messages(coalition)) == 1


async def test_what_is_undone_was_never_told(
    coalition: Coalition, burn: Burn, subscribe: Subscribe
) -> None:
    await subscribe("shop")

    async def dies_before_the_commit() -> None:
        async with coalition.runtime.database.begin() as session:
            delivery = Delivery(burn.id, burn.wallet_id, "giftfund", "order-1")
            await capture(session, [delivery], vault=coalition.runtime.vault)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await dies_before_the_commit()
    assert await messages(coalition) == []
    await deliver(coalition.runtime, burn)
    await deliver(coalition.runtime, burn)
    assert len(await messages(coalition)) == 1


async def test_an_unwanted_event_makes_nothing(
    coalition: Coalition, burn: Burn, subscribe: Subscribe
) -> None:
    await subscribe("shop", events=["burn.voided", "points.issued"])
    await deliver(coalition.runtime, burn)
    assert await messages(coalition) == []


async def test_what_happens_while_an_endpoint_is_stopped_can_be_had_later(
    coalition: Coalition,
    engine: BurnEngine,
    ask: Ask,
    burn: Burn,
    subscribe: Subscribe,
    worker: Worker,
    receiver: Receiver,
) -> None:
    endpoint_id, _ = await subscribe("shop")
    await set_active(coalition, endpoint_id, False)
    await deliver(coalition.runtime, burn)
    assert await worker.deliver() == 0
    [message] = await messages(coalition)
    assert message.status is MessageStatus.FAILED
    row = await set_active(coalition, endpoint_id, True)
    async with coalition.runtime.database.begin() as session:
        assert await service.replay(session, "test", row, service.Which()) == 1
    assert await worker.deliver() == 1
    assert receiver.types == ["burn.fulfilled"]


async def set_active(coalition: Coalition, endpoint_id: UUID, active: bool) -> WebhookEndpoint:
    async with coalition.runtime.database.begin() as session:
        row = await session.get_one(WebhookEndpoint, endpoint_id)
        change = service.Change(active=active)
        await service.change(session, "test", row, change, coalition.runtime.outbound)
    return await endpoint(coalition, endpoint_id)
