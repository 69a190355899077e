"""The ground everything stands on: schema, roles, clock, settings."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from cryptography.fernet import Fernet

from marketplace.db import Database
from marketplace.errors import SecretUnreadable, UsageError
from marketplace.models import insert_only_tables
from marketplace.runtime import Runtime
from marketplace.schema import differences
from marketplace.secrets import Vault
from marketplace.settings import load
from marketplace.tables import METADATA


async def test_migrations_and_models_agree(owner: Database) -> None:
    async with owner.engine.connect() as connection:
        assert await connection.run_sync(lambda c: differences(c, METADATA)) == []


@pytest.mark.parametrize("table", insert_only_tables(METADATA))
async def test_insert_only_tables_refuse_change_by_grant_and_trigger(
    table: str, runtime: Runtime, owner: Database
) -> None:
    for database, refusal in ((runtime.database, "permission denied"), (owner, "insert-only")):
        with pytest.raises(sa.exc.DBAPIError, match=refusal):
            async with database.begin() as session:
                await session.execute(sa.text(f"truncate {table}"))


def test_a_wrong_setting_is_named() -> None:
    with pytest.raises(UsageError, match="port"):
        load({"MARKETPLACE_PORT": "many"})
    assert load({"MARKETPLACE_PORT": "8123"}).port == 8123


def test_secrets_survive_new_keys_and_a_lost_one_is_named() -> None:
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    token = Vault([old]).encrypt("XMAS-2026")
    assert Vault([new, old]).decrypt(token) == "XMAS-2026"
    with pytest.raises(SecretUnreadable, match="restore the key") as lost:
        Vault([new]).decrypt(token)
    assert lost.value.status == 500  # nothing the caller did
