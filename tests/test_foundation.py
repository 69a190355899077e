"""The ground everything stands on: schema, roles, clock, settings."""

from __future__ import annotations

import asyncio
import base64
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from cryptography.fernet import Fernet

from marketplace import db, secrets
from marketplace.db import (
    FORGOTTEN,
    IDLE_S,
    INTERVAL_S,
    PROBES,
    UNACKNOWLEDGED_S,
    Database,
    parse_url,
    raw_connection,
)
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


def test_the_folder_of_files_stays_where_it_was_if_that_of_the_process_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = tmp_path / "release"
    release.mkdir()
    monkeypatch.chdir(release)
    found = load({})
    assert load({"MARKETPLACE_VAR_DIR": "own"}).var_dir == release / "own"
    release.rmdir()
    assert found.var_dir.resolve() == release / "var"
    # Nobody can say any more where that is; what needs no files starts all the same.
    assert load({}).var_dir == Path("var")
    assert load({"MARKETPLACE_VAR_DIR": str(tmp_path)}).var_dir == tmp_path


def test_secrets_survive_new_keys_and_a_lost_one_is_named() -> None:
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    token = Vault([old]).encrypt("XMAS-2026")
    assert Vault([new, old]).decrypt(token) == "XMAS-2026"
    with pytest.raises(SecretUnreadable, match="restore the key") as lost:
        Vault([new]).decrypt(token)
    assert lost.value.status == 500  # nothing the caller did


def test_secrets_of_fernet_are_read_by_each_key_and_none_is_made() -> None:
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    vault = Vault([new, old])
    assert vault.decrypt(Fernet(old).encrypt(b"XMAS-2019")) == "XMAS-2019"
    assert vault.decrypt(Fernet(new).encrypt(b"XMAS-2020")) == "XMAS-2020"
    assert vault.encrypt("XMAS-2026").startswith(secrets.MARK)


def test_a_secret_that_was_changed_anywhere_is_unreadable() -> None:
    vault = Vault([Fernet.generate_key().decode()])
    token = vault.encrypt("Grüße")
    assert vault.decrypt(token) == "Grüße"
    raw = base64.b64decode(token[len(secrets.MARK) :])
    flipped = [bytes([*raw[:at], raw[at] ^ 1, *raw[at + 1 :]]) for at in range(len(raw))]
    cut = [raw[:length] for length in range(len(raw))]
    changed = [secrets.MARK + base64.b64encode(each) for each in (*flipped, *cut)]
    for each in (*changed, token.replace(b"m1.", b"m2."), token + b"=", secrets.MARK + b"?", b""):
        with pytest.raises(SecretUnreadable):
            vault.decrypt(each)


def test_equal_secrets_differ_and_a_salt_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "SALT_LASTS", 3)
    key = Fernet.generate_key().decode()
    vault, another_process = Vault([key]), Vault([key])
    tokens = [vault.encrypt("XMAS") for _ in range(6)] + [another_process.encrypt("XMAS")]
    assert len(set(tokens)) == 7
    heads = [base64.b64decode(each[len(secrets.MARK) :])[: secrets.HEAD_BYTES] for each in tokens]
    assert [len(set(heads[:3])), len(set(heads[3:6])), len(set(heads))] == [1, 1, 3]
    assert {another_process.decrypt(each) for each in tokens} == {"XMAS"}


@asynccontextmanager
async def over_a_network(database_url: str, **limits: float) -> AsyncIterator[Database]:
    """The database, which listens on a socket of this machine, as one of another machine."""
    url = parse_url(database_url)
    proxy = Proxy(to_socket(Path(str(url.query["host"])) / ".s.PGSQL.5432"))
    await proxy.start()
    there = url.set(host="127.0.0.1", port=proxy.port, query={})
    database = Database(there.render_as_string(), role=None, pool_size=0, **limits)  # type: ignore[arg-type]
    try:
        yield database
    finally:
        await database.close()
        await proxy.close()


def assert_it_is_watched(ours: socket.socket) -> None:
    """The kernel of our side notices where the other one is gone."""
    assert ours.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    if sys.platform == "linux":
        assert ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == IDLE_S
        assert ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL) == INTERVAL_S
        assert ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT) == PROBES
        sent_ms = ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
        assert sent_ms == UNACKNOWLEDGED_S * 1000


async def test_a_server_that_is_gone_without_a_word_is_noticed(database_url: str) -> None:
    async with over_a_network(database_url) as database:
        connection = await database.connect_raw()
        assert_it_is_watched(connection._transport.get_extra_info("socket"))
        # And the other way round: what a process that stands still has locked is free again.
        assert await connection.fetchval("show idle_in_transaction_session_timeout") == "5min"
        await connection.close()


async def test_plugins_notice_it_too(database_url: str) -> None:
    def look(engine: sa.Engine) -> dict[str, str]:
        with engine.connect() as connection:
            ours: Any = connection.connection.driver_connection
            assert_it_is_watched(ours._usock)
            found = connection.execute(sa.text("select name, setting from pg_settings"))
            return {name: setting for name, setting in found if name in FORGOTTEN}

    async with over_a_network(database_url) as database:
        # The session of the server is on a socket, where it has no use for the settings of TCP.
        found = await asyncio.to_thread(look, database.sync_engine)
        assert found.keys() == FORGOTTEN.keys()
        assert found["idle_in_transaction_session_timeout"] == "300000"
        assert "tcp_user_timeout" in " ".join(database._session_statements())
    async with over_a_network(database_url, statement_s=60, idle_s=20) as database:
        found = await asyncio.to_thread(look, database.sync_engine)
        assert found["idle_in_transaction_session_timeout"] == "20000"


async def test_a_connection_that_the_server_has_ended_is_lent_to_nobody(
    database_url: str, owner: Database
) -> None:
    database = Database(database_url, role=None, pool_size=1)
    ending = await owner.connect_raw()
    try:
        for _ in range(3):
            async with database.begin() as session:
                pid = await session.scalar(sa.text("select pg_backend_pid()"))
                ended = asyncio.Event()
                connection = await raw_connection(session)
                connection.add_termination_listener(lambda _, ended=ended: ended.set())
            await ending.execute("select pg_terminate_backend($1)", pid)
            await asyncio.wait_for(ended.wait(), 60)
    finally:
        await ending.close()
        await database.close()


async def test_a_server_that_takes_connections_and_says_nothing_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(db, "CONNECT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"postgresql://somebody@127.0.0.1:{listening.getsockname()[1]}/nowhere"
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(Database(url, role=None).connect_raw(), 15)
