"""An organizer cancels at its pretix what was bought with points: these come back by themselves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

import httpx
import msgspec
import pytest
import pytest_asyncio
import sqlalchemy as sa
from marketplace_pretix import cancelling, domain, giving_back, models, repository, sweeping
from marketplace_pretix.double.server import Double, Mischief
from marketplace_pretix.plugin import marketplace_register_settings
from marketplace_pretix.rehearsal import settings_of

from marketplace.fulfilment.home import Home
from marketplace.host import PluginHost
from marketplace.identity.domain import Role
from marketplace.registry import service as registry
from marketplace.runtime import Runtime
from marketplace.settings import Settings
from tests.factories import Coalition
from tests.fulfilment.conftest import Counter, Worker, counter

__all__ = ["counter"]

POINTS = 1_000


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """The partner's pretix is on this machine."""
    return msgspec.structs.replace(settings, outbound_allow="127.0.0.1")


@pytest.fixture
def double() -> Iterator[Double]:
    """The pretix of the member `shop`."""
    made = Double(slow_s=0.2).start()
    yield made
    made.stop()


class Killed(BaseException):
    """As a process is, at any line."""


@dataclass
class Bought:
    """One seat of Ann's, delivered by the pretix of shop."""

    host: PluginHost
    double: Double
    counter: Counter
    reference: str
    before: int
    """Ann's points before she bought it."""

    @property
    def code(self) -> str:
        """Of the order, at pretix."""
        return domain.order_code(self.reference)

    def status(self) -> str:
        """Of the order, at pretix."""
        return str(self.double.world.orders[self.code]["status"])

    def reactivate(self) -> None:
        """The organizer makes the order valid again."""
        self.double.world.reactivate(self.code)

    async def note(self) -> repository.Sent:
        """What we know of the order."""

        def read() -> repository.Sent:
            with self.host.transaction() as session:
                return repository.sent(session, [self.reference])[self.reference]

        return await asyncio.to_thread(read)

    async def points(self) -> int:
        """What Ann has of what she had before."""
        return (await self.counter.balance())[0] - self.before

    async def look(self) -> None:
        """What the worker does every few seconds, all at once."""

        def run() -> None:
            sweeping.run(self.host, now=True)
            giving_back.run(self.host)
            cancelling.run(self.host)

        await asyncio.to_thread(run)

    async def later(self, hours: float) -> None:
        """So much time goes by."""
        columns = ("cancelled_at", "gone_at", "give_back_due_at")
        moved = {each: models.order.c[each] - timedelta(hours=hours) for each in columns}

        def move() -> None:
            with self.host.transaction() as session:
                session.execute(sa.update(models.order).values(moved))

        await asyncio.to_thread(move)


@pytest_asyncio.fixture
async def bought(
    settings: Settings,
    double: Double,
    coalition: Coalition,
    counter: Counter,
    request: pytest.FixtureRequest,
) -> AsyncIterator[Bought]:
    runtime: Runtime = coalition.runtime
    sku = f"summit/{double.world.add(10)}"
    async with runtime.database.begin() as session:
        await registry.configure(
            session,
            runtime,
            "pretix",
            msgspec.to_builtins(settings_of(double)),
            actor="test",
            member_id=coalition.members["shop"],
        )
    await coalition.activate("pretix", "shop")
    await coalition.add_offer("seat", acceptor="shop", kind="seat", plugin="pretix", sku=sku)
    home = Home(settings)
    await asyncio.to_thread(home.open)
    before, _ = await counter.balance()
    ((reference, _),) = pairs = await counter.burn(
        offer="seat", quantity=getattr(request, "param", 1)
    )
    await Worker(home).fulfil(pairs, "pretix")
    assert await counter.states(pairs) == [("captured", "done")]
    host = PluginHost(
        "pretix",
        lambda: runtime.database,
        lambda: runtime.vault,
        asked=marketplace_register_settings,
        outbound=lambda: runtime.outbound,
    )
    yield Bought(host, double, counter, reference, before)
    await asyncio.to_thread(home.close)


async def test_points_come_back_a_day_after_the_organizer_cancelled(bought: Bought) -> None:
    bought.double.world.cancel(bought.code)
    await bought.look()
    await bought.later(23.9)
    await bought.look()
    assert await bought.points() == -POINTS
    await bought.later(0.2)
    await asyncio.gather(bought.look(), bought.look())
    assert await bought.points() == 0
    await bought.later(24)
    await bought.look()
    assert await bought.points() == 0
    assert await bought.counter.verified()


async def test_an_order_made_valid_again_in_time_stays_paid(bought: Bought) -> None:
    """Between two looks even: pretix is asked before anything is given back."""
    bought.double.world.cancel(bought.code)
    await bought.look()
    await bought.later(25)
    bought.reactivate()
    await asyncio.to_thread(giving_back.run, bought.host)
    assert (await bought.points(), (await bought.note()).cancelled_by) == (-POINTS, None)
    bought.double.world.cancel(bought.code)
    await bought.look()
    assert await bought.points() == -POINTS  # a day from now, not from the first time


async def test_an_order_made_valid_again_too_late_is_cancelled(bought: Bought) -> None:
    bought.double.world.cancel(bought.code)
    await bought.look()
    await bought.later(25)
    await bought.look()
    bought.reactivate()
    await bought.look()
    assert (bought.status(), await bought.points()) == ("c", 0)
    assert (await bought.note()).cancelled_by == "us"


@pytest.mark.parametrize(
    "mischief",
    [
        *(Mischief.DOWN, Mischief.BROKEN, Mischief.MALFORMED, Mischief.LOST, Mischief.BUSY),
        *(Mischief.MAINTENANCE, Mischief.MOVED, Mischief.BLIND, Mischief.GONE),
    ],
)
async def test_nothing_is_given_back_while_pretix_does_not_say(
    bought: Bought, mischief: Mischief
) -> None:
    bought.double.world.cancel(bought.code)
    await bought.look()
    await bought.later(25)
    bought.double.mischief = mischief
    await asyncio.to_thread(giving_back.run, bought.host)
    assert await bought.points() == -POINTS
    bought.double.mischief = Mischief.NONE
    await bought.later(1)
    await bought.look()
    assert await bought.points() == 0


async def test_what_staff_gave_back_in_part_is_made_whole(bought: Bought) -> None:
    await asyncio.to_thread(
        bought.host.refund, bought.reference, points=300, reason="goodwill", key="goodwill"
    )
    bought.double.world.cancel(bought.code)
    await bought.look()
    await bought.later(25)
    await bought.look()
    assert await bought.points() == 0


async def test_who_was_killed_after_the_refund_gives_nothing_back_twice(
    bought: Bought, monkeypatch: pytest.MonkeyPatch
) -> None:
    bought.double.world.cancel(bought.code)
    await bought.look()
    await bought.later(25)

    def killed(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(repository, "given_back", killed)
        with pytest.raises(Killed):
            await asyncio.to_thread(giving_back.refund, bought.host, bought.reference)
    assert (await bought.points(), (await bought.note()).given_back_at) == (0, None)
    await bought.later(1)
    await bought.look()
    assert await bought.points() == 0
    assert (await bought.note()).given_back_at is not None


@pytest.mark.parametrize("bought", [3], indirect=True)
async def test_points_of_tickets_that_were_taken_out_come_back_one_by_one(
    bought: Bought, sign_in: Callable[..., Awaitable[dict[str, str]]], client: httpx.AsyncClient
) -> None:
    """The second a day after it was taken out; in the end all of them, and not one more."""
    world, ann = bought.double.world, await sign_in(Role.PARTICIPANT, "ann")
    for number in (1, 2):
        world.take_out(bought.code, number)
        await bought.look()
        assert await bought.points() == -POINTS * (4 - number)
        await bought.later(25)
        await asyncio.gather(bought.look(), bought.look())
        assert await bought.points() == -POINTS * (3 - number)
    told = await client.get("/notices", headers=ann)
    assert "Some tickets were cancelled by the organizer" in told.text
    assert (await bought.note()).gone_given_back == 2
    assert bought.status() == "p"
    world.cancel(bought.code)
    await bought.look()
    await bought.later(25)
    await bought.look()
    assert await bought.points() == 0
    assert await bought.counter.verified()


@pytest.mark.parametrize("bought", [2], indirect=True)
async def test_a_ticket_that_was_split_off_keeps_its_points_until_it_is_cancelled(
    bought: Bought,
) -> None:
    split = bought.double.world.split(bought.code, 2)
    bought.double.world.cancel(bought.code)
    await bought.look()
    await bought.later(25)
    await bought.look()
    assert await bought.points() == -POINTS
    assert bought.double.world.orders[split]["status"] == "p"
    bought.double.world.cancel(split)
    await bought.look()
    await bought.later(25)
    await bought.look()
    assert await bought.points() == 0
    assert await bought.counter.verified()


async def test_pretix_tells_of_a_change_over_http(
    bought: Bought, client: httpx.AsyncClient, coalition: Coalition
) -> None:
    """With the body that pretix sends, which is not read; forged or unknown, it changes nothing."""
    key = "a-word-of-our-own-choice-1"
    runtime = coalition.runtime
    async with runtime.database.begin() as session:
        await registry.configure(
            session,
            runtime,
            "pretix",
            {**msgspec.to_builtins(settings_of(bought.double)), "webhook_key": key},
            actor="test",
            member_id=coalition.members["shop"],
        )
    await asyncio.to_thread(sweeping.run, bought.host)
    bought.double.world.cancel(bought.code)
    told = {
        "notification_id": 7,
        "organizer": "meridian",
        "event": "summit",
        "code": bought.code,
        "action": "pretix.event.order.canceled",
    }
    for path, status in (
        (f"shop/{key}x", 401),
        (f"operator/{key}", 401),
        (f"shop/{key}", 202),
        (f"shop/{key}", 202),
    ):
        answer = await client.post(f"/v1/pretix/notices/{path}", json=told)
        assert answer.status_code == status, answer.text
        await asyncio.to_thread(sweeping.run, bought.host)
        assert (await bought.note()).cancelled_by == (None if status == 401 else "them")
