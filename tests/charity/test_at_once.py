"""Two people take the same name at the same moment."""

from __future__ import annotations

import asyncio

import pytest
import sqlalchemy as sa

from charity import registry
from marketplace.coalition.domain import ContractRole
from marketplace.errors import Conflict
from tests.charity.conftest import IBAN, Cause

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
