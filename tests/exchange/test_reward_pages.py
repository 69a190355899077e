"""What became of a reward, in a browser without scripts, and its news as they come."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa
from litestar import Litestar

from marketplace import api
from marketplace.exchange.domain import FulfilmentState
from marketplace.exchange.models import Burn
from marketplace.exchange.resolution import Delivery, VoidRequest, capture, void
from marketplace.exchange.watching import BurnState, BurnWatch
from marketplace.fulfilment.domain import REVEALED
from marketplace.identity.domain import Role, Scope
from marketplace.identity.models import AuditEntry
from tests.conftest import Headers
from tests.exchange.browsing import Browser
from tests.exchange.test_http import deliver
from tests.factories import Coalition, days

Make = Callable[..., Awaitable[Headers]]
CODE = "XMAS-2026"


class Desk:
    """Ann's and Bob's browsers, and what partners do meanwhile."""

    def __init__(self, coalition: Coalition, ann: Browser, bob: Browser) -> None:
        self.coalition = coalition
        self.ann = ann
        self.bob = bob

    async def burn(self, offer: str = "card") -> str:
        """Ann burns; returns the address of her reward."""
        await self.ann.open(f"/burn/{offer}")
        await self.ann.send(f"/burn/{offer}")
        return self.ann.address

    async def deliver(self, reward: str, *artefacts: api.Artefact) -> None:
        """The partner delivers a code, or what is given."""
        if not artefacts:
            await deliver(self.coalition.runtime, id_of(reward))
            return
        done = Delivery(
            UUID(id_of(reward)), self.coalition.wallets["ann"], "giftfund", "order", artefacts
        )
        async with self.coalition.runtime.database.begin() as session:
            await capture(session, [done], vault=self.coalition.runtime.vault)

    async def delivered(self) -> str:
        reward = await self.burn()
        await self.deliver(reward)
        return reward

    async def void(self, reward: str, reason: str) -> None:
        """The partner refuses for good."""
        asked = VoidRequest(UUID(id_of(reward)), self.coalition.wallets["ann"], reason)
        async with self.coalition.runtime.database.begin() as session:
            await void(session, [asked], grace=days(30))

    async def order(self, reward: str, state: FulfilmentState) -> None:
        """A worker has taken the order, and it is at `state`."""
        async with self.coalition.runtime.database.begin() as session:
            await session.execute(
                sa.update(Burn)
                .where(Burn.id == UUID(id_of(reward)))
                .values(fulfilment=state, attempts=1)
            )

    async def looks(self, reward: str) -> int:
        """How often the reward was looked at."""
        async with self.coalition.runtime.database.begin() as session:
            entries = sa.select(AuditEntry).where(
                AuditEntry.action == REVEALED, AuditEntry.subject_id == id_of(reward)
            )
            return len((await session.scalars(entries)).all())


def id_of(reward: str) -> str:
    """The burn of a reward's address."""
    return reward.removeprefix("/rewards/")


@pytest.fixture
async def desk(client: httpx.AsyncClient, coalition: Coalition, sign_in: Make) -> Desk:
    await coalition.issue("ann", 9_000)
    return Desk(
        coalition,
        Browser(client, await sign_in(Role.PARTICIPANT)),
        Browser(client, await sign_in(Role.PARTICIPANT, "bob")),
    )


async def test_who_opens_a_reward_by_whichever_way_has_read_its_notice(desk: Desk) -> None:
    other = await desk.delivered()
    reward = await desk.delivered()
    assert "2 unread notices" in await desk.ann.open("/notices")
    await desk.bob.open(reward, status=404)
    await desk.ann.open(reward)
    assert "1 unread notice" in await desk.ann.open("/notices")
    await desk.ann.open(other)
    assert "You have read everything." in await desk.ann.open("/notices")


async def test_a_code_is_shown_when_asked_for_and_never_before(desk: Desk) -> None:
    reward = await desk.delivered()
    said = await desk.ann.open(reward)
    assert "Ready for you" in said
    assert CODE not in desk.ann.html
    assert await desk.looks(reward) == 0
    said = await desk.ann.send(f"{reward}/reveal", status=200)
    assert CODE in said
    assert desk.ann.page is not None
    assert desk.ann.page.headers["cache-control"] == "no-store"
    assert "<svg" in desk.ann.html.split('class="qr"')[1][:200]
    assert "style=" not in desk.ann.html
    assert await desk.looks(reward) == 1
    said = await desk.ann.send(f"{reward}/print", status=200)
    assert CODE in said
    assert await desk.looks(reward) == 2
    said = await desk.ann.open(reward)
    assert CODE not in desk.ann.html
    assert "First looked at on" in said
    assert "cannot be given" not in said


async def test_honest_words_for_every_state_of_an_order(desk: Desk) -> None:
    reward = await desk.burn()
    assert "Waiting for the partner" in await desk.ann.open(reward)
    assert '<noscript><meta http-equiv="refresh"' in desk.ann.html
    for state, words in (
        (FulfilmentState.ORDERING, "is being asked"),
        (FulfilmentState.UNKNOWN, "The partner has not confirmed yet: your points are held"),
        (FulfilmentState.PENDING, "has not delivered yet"),
        (FulfilmentState.DEAD, "our people look into it"),
    ):
        await desk.order(reward, state)
        said = await desk.ann.open(reward)
        assert words in said
        assert "held, not spent" in said
        assert not desk.ann.has(f"{reward}/cancel")
    await desk.deliver(reward)
    said = await desk.ann.open(reward)
    assert "held" not in said
    assert "http-equiv" not in desk.ann.html


async def test_cancelling_gives_the_points_back(desk: Desk) -> None:
    reward = await desk.burn()
    await desk.ann.open(reward)
    said = await desk.ann.send(f"{reward}/cancel")
    assert "1,000 points are back" in said
    assert "you cancelled it" in said
    assert "To burn 9,000 points" in await desk.ann.open("/wallet")


async def test_cancelling_too_late_is_told(desk: Desk) -> None:
    reward = await desk.burn()
    await desk.ann.open(reward)
    await desk.order(reward, FulfilmentState.ORDERING)
    said = await desk.ann.send(f"{reward}/cancel")
    assert "It is too late to cancel" in said
    assert "Waiting for the partner" in said


async def test_what_did_not_come_says_why(desk: Desk) -> None:
    reward = await desk.burn()
    await desk.void(reward, "out of codes until Monday")
    said = await desk.ann.open(reward)
    assert "Points are back" in said
    assert "out of codes until Monday" in said
    assert not desk.ann.has(f"{reward}/reveal")


async def test_a_refund_is_part_of_the_story(
    desk: Desk, client: httpx.AsyncClient, api_key: Make
) -> None:
    reward = await desk.delivered()
    shop = {**await api_key("shop", Scope.REFUNDS_WRITE), "Idempotency-Key": "r"}
    path = f"/v1/burns/{id_of(reward)}/refunds"
    await client.post(path, json={"reason": "half broken", "points": 400}, headers=shop)
    said = await desk.ann.open(reward)
    assert "400 points refunded" in said
    assert "half broken" in said
    assert desk.ann.has(f"{reward}/reveal")
    await client.post(path, json={"reason": "all"}, headers={**shop, "Idempotency-Key": "r2"})
    assert "Refunded" in await desk.ann.open(reward)
    assert not desk.ann.has(f"{reward}/reveal")


async def test_a_link_a_long_text_and_several_codes(desk: Desk) -> None:
    reward = await desk.burn()
    await desk.deliver(
        reward,
        api.Artefact(kind="link", label="Ticket", secret="https://tickets.example/<b>&x=1"),
        api.Artefact(kind="code", label="Long", secret="long " * 900),
        api.Artefact(kind="receipt", label="Receipt", secret="No. 5"),
    )
    assert "Show the codes" in await desk.ann.open(reward)
    await desk.ann.send(f"{reward}/reveal", status=200)
    assert desk.ann.html.count('class="qr"') == 1
    assert 'href="https://tickets.example/&lt;b&gt;&amp;x=1"' in desk.ann.html


async def test_rewards_are_listed_where_they_stand(desk: Desk) -> None:
    await desk.burn()
    ready = await desk.delivered()
    past = await desk.burn()
    await desk.void(past, "no")
    said = await desk.ann.open("/rewards")
    assert "On their way (1)" in said
    assert "Ready (1)" in said
    assert "Past (1)" in said
    await desk.ann.open("/rewards?section=ready")
    assert ready in desk.ann.html
    await desk.ann.open("/rewards?section=past")
    assert past in desk.ann.html
    assert "No reward is ready" in await desk.bob.open("/rewards")


async def test_a_long_list_is_paged(desk: Desk) -> None:
    await desk.coalition.add_offer("pen", acceptor="shop", points=1)
    for _ in range(23):
        await desk.burn("pen")
    await desk.ann.open("/rewards?section=open")
    assert desk.ann.html.count('href="/rewards/') == 20
    older = desk.ann.html.split("cursor=")[1].split('"')[0]
    await desk.ann.open(f"/rewards?section=open&cursor={older}")
    assert desk.ann.html.count('href="/rewards/') == 3


async def test_other_peoples_rewards_do_not_exist(desk: Desk, sign_in: Make) -> None:
    reward = await desk.delivered()
    for suffix in ("", "/events", "/gift"):
        await desk.bob.open(reward + suffix, status=404)
    for suffix in ("/reveal", "/print", "/cancel", "/gift/undo", "/gift/accept"):
        answer = await desk.bob.post(reward + suffix)
        assert answer.status_code == 404, suffix
    manager = Browser(desk.ann.client, await sign_in(Role.FIRM_MANAGER))
    await manager.open(reward, status=403)


async def test_ann_gives_a_reward_to_bob_and_takes_it_back(desk: Desk) -> None:
    reward = await desk.delivered()
    await desk.ann.open(f"{reward}/gift?who=bo")
    said = await desk.ann.send(f"{reward}/gift", message="Well done!")
    assert "It is for Bob now." in said
    assert not desk.ann.has(f"{reward}/reveal")
    assert (await desk.ann.post(f"{reward}/reveal")).status_code == 409
    said = await desk.bob.open("/rewards")
    assert "from your colleague Ann" in said
    assert "Well done!" in await desk.bob.open(reward)
    assert "Ann sent you a gift" in await desk.bob.open("/notices")

    await desk.ann.open(reward)
    assert "It is yours again." in await desk.ann.send(f"{reward}/gift/undo")
    await desk.bob.open(reward, status=404)

    await desk.ann.open(f"{reward}/gift?who=bob@acme.example")
    await desk.ann.send(f"{reward}/gift")
    await desk.bob.open(reward)
    assert CODE in await desk.bob.send(f"{reward}/reveal", status=200)
    late = await desk.ann.post(f"{reward}/gift/undo")
    assert late.status_code == 303
    assert "stays with your colleague" in await desk.ann.open(reward)
    assert "They have accepted it." in await desk.ann.open(reward)


async def test_bob_accepts_or_gives_back(desk: Desk) -> None:
    first, second = await desk.delivered(), await desk.delivered()
    for reward in (first, second):
        await desk.ann.open(f"{reward}/gift?who=bob")
        await desk.ann.send(f"{reward}/gift")
    await desk.bob.open(first)
    await desk.bob.send(f"{first}/gift/accept")
    assert not desk.bob.has(f"{first}/gift/decline")
    await desk.bob.open(second)
    assert "It went back to your colleague." in await desk.bob.send(f"{second}/gift/decline")
    await desk.bob.open(second, status=404)
    await desk.ann.open(second)
    assert desk.ann.has(f"{second}/reveal")


async def test_what_stops_a_gift_is_said_in_the_readers_language(desk: Desk) -> None:
    reward = await desk.delivered()
    await desk.ann.open(f"{reward}/gift?who=bo")
    form = desk.ann.form(f"{reward}/gift")
    await desk.ann.open(reward)
    await desk.ann.send(f"{reward}/reveal", status=200)
    desk.ann.who = {**desk.ann.who, "Accept-Language": "it"}
    answer = await desk.ann.post(f"{reward}/gift", **form)
    assert answer.status_code == 303
    assert "Lo hai già guardato, quindi resta tuo." in await desk.ann.open(reward)


async def test_the_way_of_a_gift_is_told_in_the_order_it_happened(desk: Desk) -> None:
    reward = await desk.delivered()
    await desk.ann.open(f"{reward}/gift?who=bo")
    said = await desk.ann.send(f"{reward}/gift")
    way = said.split("How it stands")[1]
    assert way.index("Delivered") < way.index("Given to Bob")
    assert "Looking at it accepts the gift." in await desk.bob.open(reward)
    said = await desk.bob.send(f"{reward}/gift/accept")
    assert "Looking at it accepts the gift." not in said
    assert "it cannot be given to a colleague" not in said
    assert "Each look is written down." in said
    await desk.bob.send(f"{reward}/reveal", status=200)
    way = (await desk.bob.open(reward)).split("How it stands")[1]
    assert way.index("Delivered") < way.index("Given to you") < way.index("Looked at")
    way = (await desk.ann.open(reward)).split("How it stands")[1]
    assert way.index("Given to Bob") < way.index("Bob accepted it")


async def test_a_gift_needs_a_colleague_of_the_firm(desk: Desk, sign_in: Make) -> None:
    await desk.coalition.add_firm("zeta", sponsor="beta")
    await desk.coalition.add_participant("eve", firm="zeta")
    eve = Browser(desk.ann.client, await sign_in(Role.PARTICIPANT, "eve"))
    reward = await desk.delivered()
    assert "Nobody in your firm fits" in await desk.ann.open(f"{reward}/gift?who=eve")
    assert "Choose the colleague" in await desk.ann.send(f"{reward}/gift", status=422)
    stranger = str(desk.coalition.participants["eve"])
    said = await desk.ann.send(f"{reward}/gift", status=422, colleague=stranger)
    assert "no such colleague" in said
    await eve.open(reward, status=404)
    part = await desk.ann.client.get("/colleagues?who=eve", headers=desk.ann.who)
    assert "Eve" not in part.text
    part = await desk.ann.client.get("/colleagues?who=bob", headers=desk.ann.who)
    assert "Bob" in part.text
    assert "bob@" not in part.text


def looked_at(watch: BurnWatch) -> Callable[[int], Awaitable[None]]:
    """`await looks(2)`: until the watch has looked two times more."""
    states, looks = watch._states, asyncio.Semaphore(0)

    async def look() -> dict[UUID, BurnState]:
        found = await states()
        looks.release()
        return found

    async def wait(times: int) -> None:
        while not looks.locked():
            await looks.acquire()
        for _ in range(times):
            await asyncio.wait_for(looks.acquire(), 60)

    watch._states = look  # type: ignore[method-assign]
    return wait


async def test_news_come_as_they_happen_and_the_stream_ends_with_the_order(
    desk: Desk, app: Litestar
) -> None:
    fast = BurnWatch(desk.coalition.runtime.database, every_s=0.02)
    looks = looked_at(fast)
    app.state.burn_watch = fast
    reward = await desk.burn()
    listening = asyncio.create_task(
        desk.ann.client.get(f"{reward}/events?seen=held.queued", headers=desk.ann.who)
    )
    await looks(2)
    assert not listening.done()
    await desk.order(reward, FulfilmentState.UNKNOWN)
    await looks(2)  # one may have begun before
    await desk.deliver(reward)
    stream = await asyncio.wait_for(listening, 60)
    assert stream.headers["content-type"].startswith("text/event-stream")
    assert stream.headers["cache-control"] == "no-store"
    events = [part.splitlines() for part in stream.text.strip().split("\n\n")]
    assert events[0] == ["retry: 3000"]
    assert [event[0] for event in events[1:]] == [
        "event: changed",
        "event: changed",
        "event: closed",
    ]
    assert '"unknown"' in events[1][1]
    assert '"captured"' in events[2][1]
    assert CODE not in stream.text
    await fast.stop()


async def test_htmx_gets_the_part_that_changed(desk: Desk) -> None:
    reward = await desk.delivered()
    part = await desk.ann.client.get(reward, headers={**desk.ann.who, "HX-Request": "true"})
    assert part.status_code == 200
    assert "<html" not in part.text
    assert "Ready for you" in part.text
    assert CODE not in part.text
