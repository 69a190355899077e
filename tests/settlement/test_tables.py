"""The clearing house's own tables."""

from __future__ import annotations

import settlement.hooks  # noqa: F401  # knows all tables
from marketplace.db import Database
from marketplace.schema import differences
from settlement.base import SettlementBase


async def test_migrations_and_models_agree(owner: Database) -> None:
    async with owner.engine.connect() as connection:
        assert await connection.run_sync(lambda c: differences(c, SettlementBase.metadata)) == []
