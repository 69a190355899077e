"""Whoever ends burns locks rows in the order of their ids, wherever on disk these rows are.

Small tables are where a planner likes to read all rows and to change them as they lie; two who
change the same rows then wait for each other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from marketplace.coalition.domain import ContractRole
from marketplace.db import Database
from marketplace.exchange.engine import BurnEngine
from marketplace.exchange.resolution import Delivery, VoidRequest, capture, void
from marketplace.ledger.models import Exposure
from marketplace.runtime import Runtime
from tests.exchange.conftest import Ask
from tests.factories import Coalition

PEOPLE = ("ann", "bob")
ISSUERS = ("careful", "cautious")
OFFERS = ("few", "fewer")
PATIENCE_S = 60
WAITS = """
select exists(select from pg_stat_activity
              where datname = current_database() and wait_event_type = 'Lock')
"""

CROWD = """
insert into participant (id, reference, firm_id, name, role, locale)
select gen_random_uuid(), 'P-' || n, (select id from firm limit 1), 'P' || n, 'buyer', 'en'
from generate_series(1, 300) n;
insert into wallet (id, participant_id)
select gen_random_uuid(), id from participant where reference ~ '^P-[0-9]+$';
insert into offer (id, reference, acceptor_id, kind, name, plugin, sku, points, cost_micros,
                   currency, status, eligibility)
select gen_random_uuid(), 'O-' || n, acceptor_id, kind, name, plugin, sku, points, cost_micros,
       currency, status, eligibility
from generate_series(1, 300) n, (select * from offer limit 1) o;
insert into offer_stock (offer_id, remaining) select id, 5 from offer where reference like 'O-%';
insert into member (id, slug, name, country)
select gen_random_uuid(), 'm-' || n, 'M' || n, 'DE' from generate_series(1, 300) n;
insert into exposure (member_id, used_micros) select id, 0 from member where slug like 'm-%';
analyze wallet, offer_stock, exposure
"""
"""As many others as make a look at all rows cheaper than two look-ups."""

Held = list[tuple[UUID, UUID]]
End = Callable[[AsyncSession, Runtime, Held], Awaitable[Any]]


@pytest.fixture
async def held(coalition: Coalition, engine: BurnEngine, ask: Ask) -> Held:
    """Two burns that share nothing: Ann's and Bob's, of issuers with caps, of offers with stock."""
    for issuer in ISSUERS:
        await coalition.add_member(issuer, role=ContractRole.BOTH, exposure_cap_micros=10**9)
    async with coalition.runtime.database.begin() as session:
        for issuer in ISSUERS:
            session.add(Exposure(member_id=coalition.members[issuer], used_micros=0))
    for offer in OFFERS:
        await coalition.add_offer(offer, acceptor="shop", stock=5)
    burns: Held = []
    for who, issuer, offer in zip(PEOPLE, ISSUERS, OFFERS, strict=True):
        await coalition.issue(who, 1_000, issuer=issuer)
        answer = await engine.submit(ask(who, offer))
        assert answer.held is not None
        burns.append((answer.held.id, coalition.wallets[who]))
    return burns


async def deliver(session: AsyncSession, runtime: Runtime, burns: Held) -> None:
    """Their supplier delivers both."""
    deliveries = [Delivery(*each, "giftfund", str(each[0])) for each in burns]
    assert len(await capture(session, deliveries, vault=runtime.vault)) == len(burns)


async def give_up(session: AsyncSession, _: Runtime, burns: Held) -> None:
    """Their supplier refuses both."""
    requests = [VoidRequest(*each, "out of codes") for each in burns]
    assert len(await void(session, requests, grace=timedelta(days=30))) == len(burns)


@pytest.mark.parametrize(
    ("table", "end"),
    [
        ("wallet", deliver),
        ("wallet", give_up),
        ("offer_stock", give_up),
        ("exposure", give_up),
    ],
)
async def test_rows_are_locked_in_the_order_of_their_ids(
    held: Held, coalition: Coalition, owner: Database, table: str, end: End
) -> None:
    key, names, ids = {
        "wallet": ("id", PEOPLE, coalition.wallets),
        "offer_stock": ("offer_id", OFFERS, coalition.offers),
        "exposure": ("member_id", ISSUERS, coalition.members),
    }[table]
    first, second = sorted(ids[name] for name in names)
    await _crowd(owner)
    await _put_behind(owner, table, key, first, second)
    runtime = coalition.runtime

    async def ending() -> None:
        async with runtime.database.begin() as session:
            await end(session, runtime, held)

    row = sa.text(f"select 1 from {table} where {key} = :key for update nowait")
    async with owner.engine.connect() as somebody, owner.engine.connect() as another:
        await somebody.execute(row, {"key": first})
        task = asyncio.create_task(ending())
        await _until_somebody_waits(another)
        await another.execute(row, {"key": second})
        await another.rollback()
        await somebody.rollback()
        await task


async def _crowd(owner: Database) -> None:
    connection = await owner.connect_raw()
    try:
        await connection.execute(CROWD)
    finally:
        await connection.close()


async def _put_behind(owner: Database, table: str, key: str, first: UUID, second: UUID) -> None:
    """Have the first row lie behind the second."""
    again = sa.text(f"update {table} set {key} = {key} where {key} = :first")
    behind = sa.text(f"""
        select (select ctid from {table} where {key} = :first)
             > (select ctid from {table} where {key} = :second)
    """)
    async with owner.engine.connect() as connection:
        while True:
            await connection.execute(again, {"first": first})
            await connection.commit()
            values = {"first": first, "second": second}
            if (await connection.execute(behind, values)).scalar_one():
                return


async def _until_somebody_waits(eye: AsyncConnection) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            found = (await eye.execute(sa.text(WAITS))).scalar_one()
            await eye.rollback()  # what a transaction saw of the others stays so to its end
            if found:
                return
            await asyncio.sleep(0.01)
