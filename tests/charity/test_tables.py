"""Charity's tables are what its migrations make."""

from __future__ import annotations

from charity.models import CharityBase
from marketplace.db import Database
from marketplace.schema import differences


async def test_the_migrations_make_the_tables_of_the_models(owner: Database) -> None:
    async with owner.engine.begin() as connection:
        assert await connection.run_sync(lambda c: differences(c, CharityBase.metadata)) == []
