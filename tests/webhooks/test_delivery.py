"""Deliveries: signed, tried again, in the order of a burn; none waits for another's endpoint."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta
from uuid import UUID

import pytest

from marketplace.db import Database
from marketplace.exchange.models import Burn
from marketplace.identity.domain import Principal, Role
from marketplace.notices.words import words_of
from marketplace.outbound import Outbound
from marketplace.webhooks import delivery, queue, service
from marketplace.webhooks.domain import (
    ANSWER_KEPT_BYTES,
    MOST_ENDPOINTS,
    Attempt,
    EndpointStatus,
    EventType,
    MessageStatus,
    pause_after,
    retry_after,
)
from marketplace.webhooks.models import WebhookEndpoint
from tests.exchange.test_resolution import burn, deliver, pay_back
from tests.factories import Coalition, make_person
from tests.notices.conftest import notices
from tests.webhooks.conftest import (
    RETRY_NOW,
    UNPAUSE,
    Subscribe,
    Worker,
    attempts,
    endpoint,
    messages,
    run_sql,
)
from tests.webhooks.receiver import Heard, Receiver, failing, ok

__all__ = ["burn"]  # a fixture


async def send_test(coalition: Coalition, endpoint_id: UUID) -> int:
    async with coalition.runtime.database.begin() as session:
        row = await session.get_one(WebhookEndpoint, endpoint_id)
        return await service.send_test(session, "test", row)


async def test_a_message_is_signed_and_sent_once(
    coalition: Coalition, subscribe: Subscribe, worker: Worker, receiver: Receiver
) -> None:
    endpoint_id, secret = await subscribe("shop")
    message_id = await send_test(coalition, endpoint_id)
    assert await worker.deliver() == 1
    assert await worker.deliver() == 0
    [heard] = receiver.heard
    assert heard.is_signed_by(secret)
    assert not heard.is_signed_by("whsec_" + "A" * 44)
    assert heard.id == heard.event["id"] == f"msg_{message_id}"
    assert set(heard.event) == {"id", "type", "timestamp", "data"}
    [message] = await messages(coalition)
    assert (message.status, message.due_at) == (MessageStatus.DELIVERED, None)
    [attempt] = await attempts(coalition)
    assert (attempt.status, attempt.error, attempt.answer) == (204, None, "")


async def test_both_secrets_sign_while_they_change(
    coalition: Coalition,
    subscribe: Subscribe,
    worker: Worker,
    receiver: Receiver,
    owner: Database,
) -> None:
    endpoint_id, old = await subscribe("shop")
    async with coalition.runtime.database.begin() as session:
        row = await session.get_one(WebhookEndpoint, endpoint_id)
        new, _ = await service.rotate(session, "test", row, coalition.runtime.vault)
    assert new != old
    await send_test(coalition, endpoint_id)
    await worker.deliver()
    assert [receiver.heard[0].is_signed_by(each) for each in (old, new)] == [True, True]
    await run_sql(owner, "update webhook_endpoint set previous_until = now()")
    await send_test(coalition, endpoint_id)
    await worker.deliver()
    assert [receiver.heard[1].is_signed_by(each) for each in (old, new)] == [False, True]


async def test_a_failure_is_tried_again_under_the_same_id(
    coalition: Coalition,
    subscribe: Subscribe,
    worker: Worker,
    receiver: Receiver,
    owner: Database,
) -> None:
    endpoint_id, _ = await subscribe("shop")
    await send_test(coalition, endpoint_id)
    receiver.answer = failing(500)
    assert await worker.deliver() == 1
    assert await worker.deliver() == 0  # not yet
    [message] = await messages(coalition)
    assert (message.status, message.attempts) == (MessageStatus.DUE, 1)
    receiver.answer = failing(302, Location="http://169.254.169.254/")
    await run_sql(owner, RETRY_NOW)
    await worker.deliver()
    receiver.answer = ok
    await run_sql(owner, RETRY_NOW)
    await worker.deliver()
    assert len({each.id for each in receiver.heard}) == 1
    assert len({each.body for each in receiver.heard}) == 1
    assert [each.status for each in await attempts(coalition)] == [500, 302, 204]
    assert (await attempts(coalition))[0].answer == "no\ufffdpe"
    stands = await endpoint(coalition, endpoint_id)
    assert (stands.failures, stands.failing_since) == (0, None)


async def test_a_later_message_of_a_burn_waits_for_the_earlier(
    coalition: Coalition,
    burn: Burn,
    operator: Principal,
    subscribe: Subscribe,
    worker: Worker,
    receiver: Receiver,
    owner: Database,
) -> None:
    endpoint_id, _ = await subscribe("shop")
    await deliver(coalition.runtime, burn)
    await pay_back(coalition.runtime, operator, burn, 100, "r1")

    def refuses_fulfilled(heard: Heard) -> tuple[int, dict[str, str], bytes]:
        return (500 if heard.event["type"] == "burn.fulfilled" else 204), {}, b""

    receiver.answer = refuses_fulfilled
    await worker.deliver()
    await send_test(coalition, endpoint_id)
    await worker.deliver()
    # What is about another thing goes on meanwhile.
    assert receiver.types == ["burn.fulfilled", "webhook.test"]
    receiver.answer = ok
    await run_sql(owner, RETRY_NOW)
    await worker.deliver()
    assert receiver.types[2:] == ["burn.fulfilled", "burn.refunded"]


async def test_an_endpoint_that_hangs_holds_up_nobody_else(
    coalition: Coalition,
    subscribe: Subscribe,
    worker: Worker,
    receiver: Receiver,
    other_receiver: Receiver,
) -> None:
    """While one endpoint of shop does not answer, tickets is told everything, also what is new."""
    hanging, _ = await subscribe("shop")
    fine, _ = await subscribe("tickets", url=other_receiver.url)
    release = threading.Event()

    def hang(heard: Heard) -> tuple[int, dict[str, str], bytes]:
        release.wait(30)
        return ok(heard)

    receiver.answer = hang
    for endpoint_id in (hanging, fine):
        await send_test(coalition, endpoint_id)
    running = asyncio.create_task(worker.deliver())
    for each in (receiver, other_receiver):
        await asyncio.to_thread(each.wait_for_call)
    await send_test(coalition, fine)
    await asyncio.to_thread(other_receiver.wait_for_call)
    assert not running.done()
    release.set()
    await running
    assert len(receiver.heard) == 1


async def test_a_member_with_many_slow_endpoints_holds_up_no_other(
    coalition: Coalition,
    subscribe: Subscribe,
    worker: Worker,
    receiver: Receiver,
    other_receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They answer well, only late; and they have waited longer."""
    slow = [(await subscribe("shop"))[0] for _ in range(MOST_ENDPOINTS)]
    fine, _ = await subscribe("tickets", url=other_receiver.url)
    release = threading.Event()
    monkeypatch.setattr(delivery, "TIMEOUT_S", 600.0)  # none of them is given up

    def answer_late(heard: Heard) -> tuple[int, dict[str, str], bytes]:
        release.wait(600)
        return ok(heard)

    receiver.answer = answer_late
    for endpoint_id in (*slow, fine):
        await send_test(coalition, endpoint_id)
    running = asyncio.create_task(worker.deliver())
    try:
        await asyncio.to_thread(other_receiver.wait_for_call)
    finally:
        release.set()
        await running
    assert len(receiver.heard) == MOST_ENDPOINTS


async def test_many_messages_are_told_and_none_twice(
    coalition: Coalition, subscribe: Subscribe, worker: Worker, receiver: Receiver
) -> None:
    endpoint_id, _ = await subscribe("shop")
    ids = [await send_test(coalition, endpoint_id) for _ in range(70)]
    second = await asyncio.gather(worker.deliver(), worker.deliver())
    assert sum(second) == 70
    assert sorted(each.id for each in receiver.heard) == sorted(f"msg_{each}" for each in ids)


async def test_an_endpoint_that_fails_is_asked_less_and_less(
    coalition: Coalition,
    subscribe: Subscribe,
    worker: Worker,
    receiver: Receiver,
    owner: Database,
) -> None:
    endpoint_id, _ = await subscribe("shop")
    for _ in range(10):
        await send_test(coalition, endpoint_id)
    receiver.answer = failing(500)
    for _ in range(4):
        await worker.deliver()
    stands = await endpoint(coalition, endpoint_id)
    assert stands.failures >= 3
    assert stands.paused_until is not None
    asked = len(receiver.heard)
    await run_sql(owner, RETRY_NOW)
    assert await worker.deliver() == 0
    # When it is due again, one message asks how it is; when that is taken, the others follow.
    receiver.answer = ok
    await run_sql(owner, UNPAUSE)
    await worker.deliver()
    await worker.deliver()
    assert len(receiver.heard) == asked + 10


async def test_a_busy_endpoint_says_when(
    coalition: Coalition, subscribe: Subscribe, worker: Worker, receiver: Receiver
) -> None:
    endpoint_id, _ = await subscribe("shop")
    await send_test(coalition, endpoint_id)
    receiver.answer = failing(429, Retry_After="120")
    await worker.deliver()
    stands = await endpoint(coalition, endpoint_id)
    assert stands.paused_until is not None
    [attempt] = await attempts(coalition)
    assert stands.paused_until - attempt.created_at > timedelta(seconds=100)


async def test_gone_is_gone(
    coalition: Coalition, subscribe: Subscribe, worker: Worker, receiver: Receiver
) -> None:
    keeper = await make_person(coalition, Role.PARTNER, "shop")
    await make_person(coalition, Role.PARTNER, "tickets")
    endpoint_id, _ = await subscribe("shop")
    await send_test(coalition, endpoint_id)
    await send_test(coalition, endpoint_id)
    receiver.answer = failing(410)
    await worker.deliver()
    assert (await endpoint(coalition, endpoint_id)).status is EndpointStatus.GONE
    assert {each.status for each in await messages(coalition)} == {MessageStatus.FAILED}
    told = [each for each in await notices(coalition) if each.kind == "webhook_gone"]
    assert {each.person_id for each in told} == {keeper.id}
    words = words_of("webhook_gone", told[0].context, told[0].created_at)
    assert receiver.url in words.subject
    assert words.path == f"/partner/webhooks/{endpoint_id}"


async def test_after_three_days_messages_fail_and_the_endpoint_is_stopped(
    coalition: Coalition,
    subscribe: Subscribe,
    worker: Worker,
    receiver: Receiver,
    owner: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await make_person(coalition, Role.PARTNER, "shop")
    endpoint_id, _ = await subscribe("shop")
    await send_test(coalition, endpoint_id)
    receiver.answer = failing(503)
    await worker.deliver()
    await run_sql(owner, "update webhook_message set give_up_at = now()")
    await worker.deliver()
    # To look for what is given up takes long where much is due: not at every round.
    [message] = await messages(coalition)
    assert message.status is MessageStatus.DUE
    monkeypatch.setattr(delivery, "GIVE_UP_EVERY_S", 0.0)
    await worker.deliver()
    [message] = await messages(coalition)
    assert (message.status, message.due_at) == (MessageStatus.FAILED, None)
    await run_sql(owner, "update webhook_endpoint set failing_since = now() - interval '3 days'")
    await worker.deliver()
    assert (await endpoint(coalition, endpoint_id)).status is EndpointStatus.STOPPED
    assert [each.kind for each in await notices(coalition)] == ["webhook_stopped"]
    assert len(receiver.heard) == 1


async def test_a_name_that_leads_home_later_is_not_called(
    coalition: Coalition, subscribe: Subscribe, worker: Worker, receiver: Receiver
) -> None:
    endpoint_id, _ = await subscribe("shop")
    await send_test(coalition, endpoint_id)
    worker.work.deliverer._outbound = Outbound()  # the operator took the allowance back
    await worker.deliver()
    assert receiver.heard == []
    [attempt] = await attempts(coalition)
    assert attempt.status is None
    assert "does not call" in (attempt.error or "")


async def test_a_worker_that_dies_in_the_middle_loses_nothing(
    coalition: Coalition,
    subscribe: Subscribe,
    worker: Worker,
    receiver: Receiver,
    owner: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It called, and died before it wrote that down: the lease runs out and another calls again."""
    endpoint_id, _ = await subscribe("shop")
    await send_test(coalition, endpoint_id)

    async def die(*_: object) -> bool:
        raise ConnectionError("gone")

    with monkeypatch.context() as broken:
        broken.setattr(queue, "record", die)
        await worker.deliver()
    assert await worker.deliver() == 0  # the lease is its own
    await run_sql(owner, "update webhook_endpoint set leased_until = now()")
    assert await worker.deliver() == 1
    assert len(receiver.heard) == 2
    assert len({each.id for each in receiver.heard}) == 1


async def test_only_the_beginning_of_an_answer_is_kept(
    coalition: Coalition, subscribe: Subscribe, worker: Worker, receiver: Receiver
) -> None:
    endpoint_id, _ = await subscribe("shop")
    await send_test(coalition, endpoint_id)
    receiver.answer = lambda _: (200, {}, b"x" * 100_000)
    await worker.deliver()
    [attempt] = await attempts(coalition)
    assert len(attempt.answer) == ANSWER_KEPT_BYTES
    assert attempt.status == 200


async def test_what_is_old_is_forgotten_with_its_log(
    coalition: Coalition,
    subscribe: Subscribe,
    worker: Worker,
    owner: Database,
) -> None:
    endpoint_id, _ = await subscribe("shop")
    for _ in range(2):
        await send_test(coalition, endpoint_id)
    await worker.deliver()
    first = (await messages(coalition))[0]
    await run_sql(
        owner,
        f"update webhook_message set created_at = now() - interval '31 days' where id = {first.id}",
    )
    await asyncio.to_thread(worker.work.forget_webhooks)
    assert len(await messages(coalition)) == len(await attempts(coalition)) == 1


def test_waits_grow_and_end() -> None:
    waits = [retry_after(attempt).total_seconds() for attempt in range(1, 30)]
    assert waits[0] <= 11
    assert max(waits) <= 6 * 3600 * 1.1
    # All of three days is used, with some twenty tries.
    assert sum(waits[:12]) < timedelta(days=3).total_seconds() < sum(waits[:25])
    failed = Attempt(duration_ms=1, status=500, error=None, answer="")
    assert pause_after(2, failed) is None
    longest = pause_after(500, failed)
    assert longest is not None
    assert longest <= timedelta(minutes=33)
    assert timedelta(seconds=delivery.TURN_S) < delivery.LEASE
    assert EventType.TEST.value == "webhook.test"
