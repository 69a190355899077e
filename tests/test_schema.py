"""Upgrading: the core and each plugin have a history of their own."""

from __future__ import annotations

import asyncio

import sqlalchemy as sa

from marketplace.db import Database
from marketplace.schema import is_current, upgrade_all
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
