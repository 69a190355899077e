"""A wallet's transfers are found: holds one from the other, all else by an index."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from catalog.repository import offers_taken
from marketplace.clock import now
from marketplace.db import Database
from marketplace.exchange.rewards import count_rewards
from marketplace.ids import KeyMaker
from marketplace.ledger.domain import POINTS
from marketplace.ledger.models import Transfer, Wallet
from marketplace.ledger.repository import history
from marketplace.ledger.story import CODES, Topic, balance_before, page_of_story
from marketplace.ledger.verify import verify
from tests.factories import Coalition
from tests.ledger.driver import Driver

FORGET = (
    "set local session_replication_role = replica",  # no trigger fires for a replica
    "update transfer set previous_hold_id = null",
    "update wallet set last_hold_id = null",
)
"""Makes a ledger as it was before holds led to each other."""


@pytest.fixture
async def ann(coalition: Coalition, drive: Driver, owner: Database) -> UUID:
    """A wallet with burns from before holds led to each other, and from after."""
    for name in ("ann", "bob"):
        await coalition.issue(name, 20_000)
    await coalition.add_offer("lamp", acceptor="shop", points=300)
    delivered = await drive.burn("ann", "card")
    await drive.capture("ann", delivered)
    await drive.burn("ann", "lamp")
    async with owner.begin() as session:
        for statement in FORGET:
            await session.execute(sa.text(statement))
    # One batch, so that two holds of a wallet are written together.
    await asyncio.gather(*(drive.burn(name, "card") for name in ("ann", "bob", "ann", "ann")))
    await drive.void("ann", await drive.burn("ann", "lamp"))
    await drive.refund("ann", delivered, 10)
    return coalition.wallets["ann"]


async def everything(session: AsyncSession, wallet_id: UUID) -> list[Transfer]:
    query = sa.select(Transfer).where(Transfer.wallet_id == wallet_id, Transfer.unit == POINTS)
    return list((await session.scalars(query.order_by(Transfer.id.desc()))).all())


async def test_a_history_in_pages_misses_nothing(coalition: Coalition, ann: UUID) -> None:
    async with coalition.runtime.database.begin() as session:
        expected = [each.id for each in await everything(session, ann)]
        assert len(expected) == 1 + 6 + 1 + 1 + 1
        found: list[int] = []
        while page := await history(session, ann, before=found[-1] if found else None, limit=3):
            found += [row.id for row in page]
        assert found == expected


@pytest.mark.parametrize("topic", Topic)
async def test_a_topic_in_pages_misses_nothing(
    coalition: Coalition, ann: UUID, topic: Topic
) -> None:
    async with coalition.runtime.database.begin() as session:
        every = await everything(session, ann)
        expected = [each.id for each in every if each.code in CODES[topic]]
        found: list[int] = []
        while page := await page_of_story(
            session, ann, topic=topic, before=found[-1] if found else None, limit=2
        ):
            found += [line.id for line in page]
        assert found == expected


async def test_whatever_is_counted_by_wallet_counts_old_and_new(
    coalition: Coalition, ann: UUID
) -> None:
    async with coalition.runtime.database.begin() as session:
        wallet = await session.get_one(Wallet, ann)
        moment = await now(session) + timedelta(days=1)
        assert await balance_before(session, ann, moment) == (wallet.available, wallet.held)
        assert wallet.participant_id is not None
        assert sum((await count_rewards(session, wallet.participant_id)).values()) == 6
        assert len(await offers_taken(session, ann)) >= 1
    async with coalition.runtime.database.begin() as session:
        assert await verify(session) == []


async def test_a_hold_is_younger_than_the_one_before_whichever_clock_made_it(
    coalition: Coalition, drive: Driver
) -> None:
    await coalition.issue("ann", 20_000)
    await drive.burn("ann", "card")
    ahead = KeyMaker().next() + (3_600_000 << 22)  # another server, an hour ahead
    async with coalition.runtime.database.begin() as session:
        (hold,) = (await session.scalars(sa.select(Transfer).where(Transfer.code == "hold"))).all()
        values = {column.name: getattr(hold, column.name) for column in Transfer.__table__.c}
        await session.execute(
            sa.insert(Transfer).values(values | {"id": ahead, "previous_hold_id": hold.id})
        )
        (await session.get_one(Wallet, hold.wallet_id)).last_hold_id = ahead
    await drive.burn("ann", "card")
    async with coalition.runtime.database.begin() as session:
        ids = [row.id for row in await history(session, hold.wallet_id, before=None, limit=2)]
        assert ids[1] == ahead
        assert ids[0] > ahead
