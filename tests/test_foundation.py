"""The ground everything stands on: schema, roles, clock, settings."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from cryptography.fernet import Fernet

from marketplace.db import IDLE_S, UNACKNOWLEDGED_S, Database, parse_url
from marketplace.errors import SecretUnreadable, UsageError
from marketplace.models import insert_only_tables
from marketplace.runtime import Runtime
from marketplace.schema import differences
from marketplace.secrets import Vault
from marketplace.settings import load
from marketplace.tables import METADATA
from tests.chaos.proxy import Proxy, to_socket


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


async def test_a_server_that_is_gone_without_a_word_is_noticed(database_url: str) -> None:
    url = parse_url(database_url)
    proxy = Proxy(to_socket(Path(str(url.query["host"])) / ".s.PGSQL.5432"))
    await proxy.start()
    over_network = url.set(host="127.0.0.1", port=proxy.port, query={})
    database = Database(over_network.render_as_string(), role=None, pool_size=0)
    connection = await database.connect_raw()
    ours = connection._transport.get_extra_info("socket")
    assert ours.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    if sys.platform == "linux":
        assert ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == IDLE_S
        sent_ms = ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
        assert sent_ms == UNACKNOWLEDGED_S * 1000
    # And the other way round: what a process that stands still has locked is free again.
    assert await connection.fetchval("show idle_in_transaction_session_timeout") == "5min"
    await connection.close()
    await database.close()
    await proxy.close()
