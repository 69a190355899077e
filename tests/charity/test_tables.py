"""Charity's own tables."""

from __future__ import annotations

from charity.models import CharityBase
from marketplace.db import Database
from marketplace.schema import differences


async def test_migrations_and_models_agree(owner: Database) -> None:
    async with owner.engine.connect() as connection:
        assert await connection.run_sync(lambda c: differences(c, CharityBase.metadata)) == []
