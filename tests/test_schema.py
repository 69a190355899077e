"""Upgrading: the core and each plugin have a history of their own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command

from marketplace import schema
from marketplace.db import Database
from marketplace.errors import UsageError
from marketplace.schema import alembic_config, histories, is_current, upgrade_all
from tests.conftest import make_settings


def test_upgrading_again_changes_nothing(database_url: str) -> None:
    asyncio.run(upgrade_all(make_settings(database_url)))


def test_a_plugin_out_of_force_stops_nobodys_upgrade(database_url: str) -> None:
    asyncio.run(upgrade_all(make_settings(database_url, plugins_off="giftfund")))


async def test_a_database_behind_the_code_is_not_current(owner: Database) -> None:
    async with owner.engine.begin() as connection:
        assert await connection.run_sync(lambda c: is_current(c, {}))
        await connection.execute(sa.text("update alembic_version set version_num = 'older'"))
        assert not await connection.run_sync(lambda c: is_current(c, {}))


def _old(connection: Any) -> None:
    command.upgrade(alembic_config(connection, histories({})[0]), "core_0011")


@asynccontextmanager
async def old(url: str) -> AsyncIterator[Database]:
    """An older schema, as its owner."""
    owner = Database(url, role=None, pool_size=0)
    try:
        async with owner.engine.begin() as connection:
            await connection.run_sync(_old)
        yield owner
    finally:
        await owner.close()


async def test_nobody_waits_behind_an_upgrade_that_waits_for_a_backup(
    bare_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "PAUSE_S", 0.2)
    async with old(bare_url) as owner:
        backup, burn = await owner.connect_raw(), await owner.connect_raw()
        await backup.execute("begin; select from burn")
        upgrading = asyncio.create_task(upgrade_all(make_settings(bare_url)))
        await burn.execute("set lock_timeout = '10s'")
        tried = 0
        while tried < 3 and not upgrading.done():
            waits = "select count(*) from pg_locks where not granted and database = ("
            mine = "select oid from pg_database where datname = current_database())"
            tried += await burn.fetchval(waits + mine)
            await burn.execute("select from burn")
        assert tried == 3
        await backup.close()
        await upgrading
        async with owner.engine.connect() as connection:
            assert await connection.run_sync(lambda c: is_current(c, {}))
        await burn.close()


async def test_an_upgrade_that_never_gets_its_tables_says_so_and_changes_nothing(
    bare_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "PATIENCE_S", 0.0)
    async with old(bare_url) as owner:
        backup = await owner.connect_raw()
        await backup.execute("begin; select from burn")
        with pytest.raises(UsageError, match="Nothing was changed"):
            await upgrade_all(make_settings(bare_url))
        version = await backup.fetchval("select version_num from alembic_version")
        assert version == "core_0011"
        await backup.close()
