"""Burns waiting for delivery, a shop that delivers them, and a worker's body without its broker."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest_asyncio

from marketplace.api import EligibilityRule
from marketplace.db import Database
from marketplace.exchange.decide import BurnRequest
from marketplace.exchange.engine import BurnEngine
from marketplace.fulfilment.home import Home
from marketplace.fulfilment.relay import Relay
from marketplace.fulfilment.tasks import Work
from marketplace.identity.domain import Principal, Scope
from marketplace.ids import uuid7
from marketplace.ledger.verify import verify
from marketplace.runtime import Runtime
from marketplace.settings import Settings
from tests.factories import Coalition, make_key
from tests.fulfilment.shop import FakeShop

Pairs = list[tuple[str, str]]


class Counter:
    """Where people burn, and where one looks what became of it."""

    def __init__(
        self,
        coalition: Coalition,
        engine: BurnEngine,
        principal: Principal,
        rules: dict[str, EligibilityRule],
    ) -> None:
        self.coalition = coalition
        self.engine = engine
        self.principal = principal
        self.rules = rules

    async def burn(
        self, count: int = 1, *, offer: str = "gift", who: str = "ann", quantity: int = 1
    ) -> Pairs:
        """`count` burns at once; returns (burn id, wallet id) as messages carry them."""
        wallet_id = self.coalition.wallets[who]
        requests = [
            BurnRequest(
                uuid7(),
                self.principal,
                secrets.token_hex(8),
                secrets.token_bytes(16),
                wallet_id,
                self.coalition.offers[offer],
                quantity,
            )
            for _ in range(count)
        ]
        answers = await asyncio.gather(*(self.engine.submit(request) for request in requests))
        assert [answer.error for answer in answers] == [None] * count
        return [(str(request.burn_id), str(wallet_id)) for request in requests]

    async def rows(self, pairs: Pairs, columns: str) -> list[Any]:
        """Columns of burns, in the order of `pairs`."""
        connection = await self.coalition.runtime.database.connect_raw()
        try:
            found = await connection.fetch(
                f"select id, {columns} from burn where id = any($1::uuid[])",
                [UUID(burn_id) for burn_id, _ in pairs],
            )
        finally:
            await connection.close()
        by_id = {str(row["id"]): row for row in found}
        return [by_id[burn_id] for burn_id, _ in pairs]

    async def states(self, pairs: Pairs) -> list[tuple[str, str]]:
        """(status, fulfilment) of burns."""
        rows = await self.rows(pairs, "status::text, fulfilment::text")
        return [(row["status"], row["fulfilment"]) for row in rows]

    async def seconds_to_due(self, pairs: Pairs) -> list[float]:
        """How long until each burn is due again."""
        rows = await self.rows(
            pairs, "extract(epoch from due_at - clock_timestamp())::float8 as seconds"
        )
        return [row["seconds"] for row in rows]

    async def balance(self, who: str = "ann") -> tuple[int, int]:
        """(available, held) of a wallet."""
        connection = await self.coalition.runtime.database.connect_raw()
        try:
            row = await connection.fetchrow(
                "select available, held from wallet where id = $1", self.coalition.wallets[who]
            )
        finally:
            await connection.close()
        return row["available"], row["held"]

    async def verified(self) -> bool:
        """Whether every invariant of the ledger holds."""
        async with self.coalition.runtime.database.begin() as session:
            return await verify(session) == []


@pytest_asyncio.fixture
async def counter(coalition: Coalition) -> AsyncIterator[Counter]:
    """Ann has 100,000 points; an offer "gift" of the fake shop costs 1,000."""
    await coalition.issue("ann", 100_000)
    await coalition.add_offer("gift", acceptor="shop", plugin="fake")
    rules: dict[str, EligibilityRule] = {}
    engine = BurnEngine(
        coalition.runtime.database.connect_raw,
        queue_limit=1_000,
        batch_limit=64,
        hold_for=timedelta(minutes=30),
        rules=rules,
    )
    await engine.start()
    yield Counter(coalition, engine, await _principal(coalition), rules)
    await engine.stop()


async def _principal(coalition: Coalition) -> Principal:
    await make_key(coalition, "operator", Scope.BURNS_WRITE)
    async with coalition.runtime.database.begin() as session:
        connection = await session.connection()
        key_id = (await connection.exec_driver_sql("select id from api_key")).scalar_one()
    member_id = coalition.members["operator"]
    return Principal(
        credential_id=key_id,
        caller_id=member_id,
        actor=f"key:{key_id}",
        member_id=member_id,
        is_operator=True,
        scopes=frozenset({Scope.BURNS_WRITE}),
    )


class Worker:
    """A worker process without its broker: the bodies of the tasks, on their own loop thread."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.work = Work(home)

    async def fulfil(self, pairs: Pairs, plugin: str = "fake", *, probe: bool = False) -> int:
        """Deliver a message."""
        return await asyncio.to_thread(self.work.fulfil, plugin, pairs, probe)

    async def do(self, body: Callable[[], Any]) -> Any:
        """Run another body of `work`, off this loop."""
        return await asyncio.to_thread(body)


@pytest_asyncio.fixture
async def shop() -> FakeShop:
    """The supplier of plugin "fake"."""
    return FakeShop()


@pytest_asyncio.fixture
async def worker(settings: Settings, shop: FakeShop) -> AsyncIterator[Worker]:
    """A worker that knows the fake shop and gives it as long as a busy machine may need."""
    from msgspec.structs import replace

    home = Home(replace(settings, supplier_timeout_s=60.0))
    await asyncio.to_thread(home.open)
    home.runtime.suppliers[shop.slug] = shop
    yield Worker(home)
    await asyncio.to_thread(home.close)


class Mailbox:
    """What a relay published; `down` makes the broker refuse."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, Pairs]] = []
        self.probes: list[bool] = []
        self.down = False

    def publish(self, plugin: str, pairs: Any, probe: bool) -> None:
        if self.down:
            raise ConnectionError("the broker is away")
        self.messages.append((plugin, list(pairs)))
        self.probes.append(probe)

    def burns(self) -> list[str]:
        """Ids of all burns published."""
        return [burn_id for _, pairs in self.messages for burn_id, _ in pairs]


@pytest_asyncio.fixture
async def mailbox() -> Mailbox:
    """An empty mailbox."""
    return Mailbox()


@pytest_asyncio.fixture
async def relay(runtime: Runtime, shop: FakeShop, mailbox: Mailbox) -> Relay:
    """A relay that publishes into the mailbox."""
    runtime.suppliers[shop.slug] = shop
    return Relay(runtime, mailbox.publish)


async def make_due(owner: Database, *, hold_over: bool = False) -> None:
    """Let the time pass that burns wait for (and their holds run out, if asked)."""
    connection: asyncpg.Connection[Any] = await owner.connect_raw()
    try:
        await connection.execute(
            "update burn set due_at = clock_timestamp() where due_at < 'infinity'"
        )
        if hold_over:
            await connection.execute("update burn set hold_until = marketplace_now()")
    finally:
        await connection.close()
