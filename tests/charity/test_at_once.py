"""Two people take the same name at the same moment."""

from __future__ import annotations

import asyncio

import pytest
import sqlalchemy as sa

from charity import campaigns, drafts, registry
from charity.domain import Surplus
from marketplace.coalition.domain import ContractRole
from marketplace.errors import Conflict
from tests.charity.conftest import IBAN, Cause

NEW = campaigns.NewCampaign(
    slug="trees",
    charity="aqua",
    currency="EUR",
    rate_micros=5_000,
    goal_micros=1_000_000_000,
    surplus=Surplus.GENERAL_FUND,
    texts={"en": campaigns.Text(title="Trees", story="A wood.")},
)
WAITING = sa.text("select count(*) from pg_locks where not granted")


async def test_the_slower_of_two_charities_is_told(cause: Cause) -> None:
    for name in ("terra", "luna"):
        await cause.coalition.add_member(name, role=ContractRole.ACCEPTOR)
    new = registry.NewCharity(
        slug="same", member="terra", legal_name="E", country="DE", number="VR 1", iban=IBAN
    )
    async with cause.runtime.database.begin() as session:
        await registry.register(session, new, actor="test")
        slower = asyncio.create_task(cause.register("same", member="luna"))
        for _ in range(1_000):
            if slower.done() or await session.scalar(WAITING):
                break
            await asyncio.sleep(0.01)
        assert not slower.done()
    with pytest.raises(Conflict):
        await slower


async def test_the_slower_of_two_drafts_is_told(cause: Cause) -> None:
    async def save() -> None:
        async with cause.runtime.database.begin() as session:
            await drafts.save(session, NEW, actor="slower")

    async with cause.runtime.database.begin() as session:
        await drafts.save(session, NEW, actor="test")
        slower = asyncio.create_task(save())
        for _ in range(1_000):
            if slower.done() or await session.scalar(WAITING):
                break
            await asyncio.sleep(0.01)
        assert not slower.done()
    with pytest.raises(Conflict):
        await slower
