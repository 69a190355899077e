"""Running totals, counted at random moments among transactions that take their time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.db import Database
from marketplace.ids import next_key, uuid7
from marketplace.ledger.checks.windows import CHECKS
from marketplace.ledger.totals import lag, roll
from marketplace.ledger.verify import run_check
from marketplace.ledger.windows import share_open
from settlement.windows import service
from settlement.windows.closing import finish_left
from settlement.windows.errors import WindowBusy
from tests.conftest import FreshDatabase
from tests.settlement.test_windows import sums_of, totals_of

STEPS = st.lists(
    st.sampled_from(
        [
            "write",
            "write",
            "write",
            "debt",
            "commit",
            "commit",
            "rollback",
            "roll",
            "roll",
            "close",
            "switch",
            "finish",
            "restore",
        ]
    ),
    min_size=5,
    max_size=25,
)

OBLIGATION = sa.text("""
insert into obligation (wallet_id, id, window_id, kind, funding, issuer_id, acceptor_id,
    contract_id, acceptor_contract_id, burn_id, lot_id, points, currency, funded_micros,
    cost_micros, effective_at)
values (:wallet, :id, :window, 'capture', 'redemption', :member, :other, :member, :contract, :burn,
        1, :points, :currency, :funded, :cost, now())
""")
DEBT = sa.text("""
insert into member_debt (id, plugin, reference, window_id, debtor_id, creditor_id, amount_micros,
    currency, reason, effective_at)
values (:id, 'till', :burn, :window, :member, :other, :funded, :currency, '', now())
""")
COUNTING = {"roll", "close", "switch", "finish", "restore"}
MEMBERS = [uuid7() for _ in range(3)]


class World:
    """Up to three transactions at once, each on its connection."""

    def __init__(self, database: Database, random: Random) -> None:
        self.database = database
        self.random = random
        self.open: list[tuple[AsyncExitStack, AsyncSession]] = []

    async def _writer(self) -> AsyncSession:
        if len(self.open) < 3 and (not self.open or self.random.random() < 0.5):
            stack = AsyncExitStack()
            session = await stack.enter_async_context(AsyncSession(self.database.engine))
            # The number is taken long before anything is written.
            await session.execute(sa.text("select pg_current_xact_id()"))
            self.open.append((stack, session))
        return self.random.choice(self.open)[1]

    async def write(self, statement: sa.TextClause = OBLIGATION) -> None:
        session = await self._writer()
        window = await share_open(session)
        member, other = self.random.sample(MEMBERS, 2)
        await session.execute(
            statement.columns(),
            {
                "wallet": uuid7(),
                "id": next_key(),
                "window": window.id,
                "member": member,
                "other": other,
                "contract": self.random.choice([None, MEMBERS[0]]),
                "burn": uuid7() if statement is OBLIGATION else str(uuid7()),
                "points": self.random.randint(-5, 5),
                "currency": self.random.choice(["EUR", "USD"]),
                "funded": self.random.randint(1, 10**18),
                "cost": self.random.randint(-(10**18), 10**18),
            },
        )

    async def debt(self) -> None:
        await self.write(DEBT)

    async def _end(self, how: str) -> None:
        if self.open:
            stack, session = self.open.pop(self.random.randrange(len(self.open)))
            await getattr(session, how)()
            await stack.aclose()

    async def commit(self) -> None:
        await self._end("commit")

    async def rollback(self) -> None:
        await self._end("rollback")

    async def roll(self) -> None:
        async with self.database.begin() as session:
            await roll(session)

    async def switch(self) -> None:
        """Nothing is closed, and nobody is harmed, while somebody writes into the window."""
        try:
            async with self.database.begin() as session:
                await service.switch(session, actor="test", patience_s=0)
        except WindowBusy:
            assert self.open

    async def finish(self) -> None:
        await finish_left(self.database.begin, lambda _: None)

    async def close(self) -> None:
        await self.switch()
        await self.finish()

    async def restore(self) -> None:
        """As after a restore into a cluster that numbers its transactions from the start."""
        while self.open:
            await self.commit()
        async with self.database.begin() as session:
            await session.execute(
                sa.text("update window_total_mark set system_identifier = 1, watermark = :most"),
                {"most": 2**50},
            )
        await self.roll()

    async def check(self) -> None:
        assert await totals_of(self.database, fresh=True) == await sums_of(self.database)
        async with self.database.begin() as session:
            for check in CHECKS:
                assert await run_check(session, check, 5) is None


@pytest.fixture(scope="module")
def url(fresh_database: FreshDatabase) -> Iterator[str]:
    with fresh_database() as made:
        yield made


@asynccontextmanager
async def world(url: str, seed: int) -> AsyncIterator[World]:
    database = Database(url, role="marketplace_app", pool_size=8)
    # Its own, which goes on after an example was cut short: what is open must be ended.
    made = World(database, Random(seed))  # noqa: S311 - no secret
    try:
        yield made
    finally:
        while made.open:
            await made.rollback()
        await database.close()


@hypothesis_settings(max_examples=25)
@given(STEPS, st.integers(0, 2**32))
def test_totals_are_exact_whenever_they_are_counted(url: str, steps: list[str], seed: int) -> None:
    async def story() -> None:
        async with world(url, seed) as made:
            for step in steps:
                await getattr(made, step)()
                if step in COUNTING:
                    await made.check()
            while made.open:
                await made.commit()
            await made.close()
            assert await totals_of(made.database) == await sums_of(made.database)
            await made.check()

    asyncio.run(story())


async def test_a_clock_that_was_ahead_while_all_was_counted_anew_loses_nothing(
    database_url: str,
) -> None:
    """What is written once the clock was set back has a time before that of the count."""
    async with world(database_url, 1) as made:
        await made.write()
        await made.commit()
        async with made.database.begin() as session:
            before = await session.scalar(sa.text("select extract(epoch from clock_timestamp())"))
        await made.restore()
        text = DEBT.text.replace("effective_at)", "effective_at, posted_at)")
        await made.write(sa.text(text.replace("now())", f"now(), to_timestamp({before}))")))
        await made.commit()
        await made.check()
        await made.close()
        assert await totals_of(made.database) == await sums_of(made.database)


async def test_a_transaction_that_runs_holds_back_only_what_is_not_closed(
    database_url: str,
) -> None:
    async with world(database_url, 1) as made:
        # Only takes a number, and long keeps it.
        async with AsyncSession(made.database.engine) as sitting:
            await sitting.execute(sa.text("select pg_current_xact_id()"))
            await made.write()
            while made.open:
                await made.commit()
            await made.roll()
            async with made.database.begin() as session:
                assert (await lag(session)).rows == 1
            await made.close()
            assert await totals_of(made.database) == await sums_of(made.database) != {}
            async with made.database.begin() as session:
                assert (await lag(session)).rows == 0
            await sitting.rollback()
        await made.roll()
        assert await totals_of(made.database) == await sums_of(made.database)
        await made.check()
