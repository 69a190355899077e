"""The one database: how the program reaches PostgreSQL, and who it is there.

`Database.begin()` is the transaction of a request or task; services never commit. The burn engine
uses raw asyncpg (`connect_raw`); plugins, which are synchronous, get `sync_engine`.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.pool import NullPool

from marketplace.errors import UsageError
from marketplace.settings import Settings

DRIVERS = (
    "postgresql",
    "postgres",
    "postgresql+asyncpg",
    "postgresql+psycopg",
    "postgresql+pg8000",
)


IDLE_S, INTERVAL_S, PROBES, UNACKNOWLEDGED_S = 10, 5, 3, 25
"""A peer that is gone without a word is noticed after `IDLE_S + INTERVAL_S * PROBES` seconds of
silence, or `UNACKNOWLEDGED_S` after something was sent to it; by default it would take hours."""
CONNECT_S = 20.0
"""How long a new connection may take: a postmaster that stands still takes it and says nothing."""
STANDS_STILL_S = 300
"""Of a transaction: five minutes is longer than any of ours thinks."""
LOCK_S = 5.0
"""How long a request or a task of a worker waits for a row that somebody else has locked: whoever
holds it longer, or has forgotten it, holds up those who need it and no others."""
QUERY_CANCELED = "57014"
DRIVER_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""All that the asynchronous driver raises besides OSError; the last of them where the server ends a
connection at the very moment at which something is sent."""
ISOLATION = {"default_transaction_isolation": "read committed"}
"""What all our statements are written for, whatever the server or the database says."""
FORGOTTEN = {
    # The server's side of the same, so that what a dead process has locked is free again.
    "tcp_keepalives_idle": str(IDLE_S),
    "tcp_keepalives_interval": str(INTERVAL_S),
    "tcp_keepalives_count": str(PROBES),
    "tcp_user_timeout": str(UNACKNOWLEDGED_S * 1000),
    "idle_in_transaction_session_timeout": str(STANDS_STILL_S * 1000),
}


def parse_url(text: str) -> URL:
    """A PostgreSQL URL without driver; UsageError where it is none."""
    try:
        url = make_url(text)
    except sa.exc.ArgumentError:
        raise UsageError("MARKETPLACE_DATABASE_URL is no postgresql://user@host/name") from None
    if url.drivername not in DRIVERS:
        raise UsageError(f"MARKETPLACE_DATABASE_URL must be PostgreSQL, not {url.drivername}.")
    return url.set(drivername="postgresql")


def _socket_dir(url: URL) -> str | None:
    """The Unix socket folder of a `?host=/path` URL."""
    host = url.query.get("host")
    return host if isinstance(host, str) and host.startswith("/") else None


def raw_arguments(url: URL, role: str | None, lock_s: float | None = None) -> dict[str, Any]:
    """Arguments of `asyncpg.connect` for this URL; the session acts as `role` if given, and waits
    `lock_s` for a lock, or as long as it takes.
    """
    settings = {"application_name": "marketplace", "timezone": "UTC", **ISOLATION, **FORGOTTEN}
    if role:
        settings["role"] = role
    if lock_s is not None:
        settings["lock_timeout"] = str(int(lock_s * 1000))
    return {
        "host": _socket_dir(url) or url.host,
        "port": url.port or int(str(url.query.get("port", 5432))),
        "user": url.username,
        "password": url.password,
        "database": url.database,
        "timeout": CONNECT_S,
        "server_settings": settings,
    }


class Database:
    """Connections of one process. `role` None connects as the URL's own user (migrations)."""

    def __init__(
        self,
        url: str,
        *,
        role: str | None,
        pool_size: int = 10,
        name: str = "marketplace",
        statement_s: float | None = None,
        idle_s: float | None = None,
        lock_s: float | None = None,
    ) -> None:
        """`lock_s`: how long connections wait for a lock, those of `sync_engine` excepted. All else
        but the pool is for these: what the server calls them, and the longest that a statement, or
        a transaction that does nothing (as long), may take.
        """
        self.url = parse_url(url)
        self.role = role
        self._name = name
        self._statement_s = statement_s
        self._idle_s = statement_s if idle_s is None else idle_s
        self._lock_s = lock_s
        self._pool_size = pool_size
        self.engine = self._async_engine(pool_size)
        self._sync: sa.Engine | None = None
        self._sync_lock = threading.Lock()

    def _async_engine(self, pool_size: int) -> AsyncEngine:
        async def connect(*_: Any, **__: Any) -> Any:
            return await self.connect_raw()

        pool: dict[str, Any] = (
            {"pool_size": pool_size, "max_overflow": 0} if pool_size else {"poolclass": NullPool}
        )
        engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, **pool)
        sa.event.listen(engine.sync_engine, "checkout", _replace_an_ended_one)
        return engine

    async def connect_raw(self) -> asyncpg.Connection[Any]:
        """A new asyncpg connection; the caller closes it."""
        connection = await asyncpg.connect(**raw_arguments(self.url, self.role, self._lock_s))
        wrapped = connection._transport.get_extra_info("socket")  # the driver offers no other way
        # The loop's own object refuses options; a second handle on the same socket takes them.
        with socket.socket(fileno=os.dup(wrapped.fileno())) as same:
            notice_a_dead_server(same)
        return connection

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncSession]:
        """One transaction: committed when the block ends, rolled back when it raises."""
        async with AsyncSession(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    @property
    def sync_engine(self) -> sa.Engine:
        """The synchronous engine lent to plugins, one for all their threads."""
        with self._sync_lock:
            if self._sync is None:
                self._sync = _sync_engine(self.url, self._session_statements(), self._pool_size)
            return self._sync

    def _session_statements(self) -> list[str]:
        name = self._name.replace("'", "")
        statements = ["SET TIME ZONE 'UTC'", f"SET application_name = '{name}'"]
        statements += [f"SET {setting} = '{value}'" for setting, value in ISOLATION.items()]
        limits = {
            "statement_timeout": self._statement_s,
            "idle_in_transaction_session_timeout": self._idle_s,
        }
        settings = dict(FORGOTTEN)
        for setting, most_s in limits.items():
            if most_s is not None:
                settings[setting] = str(int(most_s * 1000))
        each = [f"set_config('{setting}', '{value}', false)" for setting, value in settings.items()]
        statements.append("SELECT " + ", ".join(each))
        return [*statements, f'SET ROLE "{self.role}"'] if self.role else statements

    async def close(self) -> None:
        """Close every connection of this process."""
        await self.engine.dispose()
        if self._sync is not None:
            self._sync.dispose()


def _replace_an_ended_one(connection: Any, *_: Any) -> None:
    """Have the pool open a new connection where the server, restarted or out of patience with one
    that does nothing, has ended this one: the loop has seen that already, so to look is free.
    """
    if connection.driver_connection.is_closed():
        raise sa.exc.DisconnectionError("the server has ended this connection")


def _sync_engine(url: URL, statements: Sequence[str], pool_size: int) -> sa.Engine:
    socket = _socket_dir(url)
    port = url.port or int(str(url.query.get("port", 5432)))
    arguments: dict[str, Any] = {}
    if socket:
        # No server offers TLS there, yet the driver would read all certificates of the machine.
        arguments = {"unix_sock": f"{socket}/.s.PGSQL.{port}", "ssl_context": False}
    engine = sa.create_engine(
        url.set(drivername="postgresql+pg8000", query={}),
        connect_args=arguments,
        pool_size=max(pool_size, 1),
        max_overflow=5,
        pool_pre_ping=True,
    )

    @sa.event.listens_for(engine, "connect")
    def _prepare(connection: Any, _: Any) -> None:
        notice_a_dead_server(connection._usock)  # the driver offers no other way
        cursor = connection.cursor()
        for statement in statements:
            cursor.execute(statement)
        cursor.close()
        connection.commit()

    return engine


def notice_a_dead_server(connected: socket.socket) -> None:
    """Have the kernel end a connection whose server is gone without a word."""
    if connected.family not in (socket.AF_INET, socket.AF_INET6):
        return
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (
        ("TCP_KEEPIDLE", IDLE_S),
        ("TCP_KEEPINTVL", INTERVAL_S),
        ("TCP_KEEPCNT", PROBES),
        ("TCP_USER_TIMEOUT", UNACKNOWLEDGED_S * 1000),
    ):
        if hasattr(socket, name):  # not everywhere
            connected.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


async def wait_for_locks(session: AsyncSession) -> None:
    """Wait for locks as long as it takes, until this transaction ends."""
    await session.execute(sa.text("select set_config('lock_timeout', '0', true)"))


_LOOK_UP_IN_ORDER = "select " + ", ".join(
    f"set_config('enable_{way}', 'off', true)" for way in ("seqscan", "hashjoin", "mergejoin")
)


async def look_up_in_order(connection: Any) -> None:
    """Have the statements of this transaction look rows up one by one, in the order given.

    `connection` is asyncpg's, in a transaction. An update of the rows of an array that is sorted
    then locks them in that order, and so waits for others instead of deadlocking with them; left to
    itself the planner reads small tables whole and changes them as they lie.
    """
    await connection.execute(_LOOK_UP_IN_ORDER)


async def raw_connection(session: AsyncSession) -> Any:
    """The asyncpg connection under a session's transaction, for set-wise statements.

    The dialect begins its transaction with the first statement, so one is sent where none was:
    without it the raw statements would commit by themselves.
    """
    connection = await session.connection()
    driver: Any = (await connection.get_raw_connection()).driver_connection
    if not driver.is_in_transaction():
        await session.execute(sa.select(1))
    return driver


def took_too_long(error: BaseException) -> bool:
    """Whether the server ended a statement of a lent connection for the time it took."""
    said = getattr(error, "orig", None)
    details = said.args[0] if isinstance(said, Exception) and said.args else None
    return isinstance(details, dict) and details.get("C") == QUERY_CANCELED


def open_database(
    settings: Settings, *, as_owner: bool = False, serving: bool = False, working: bool = False
) -> Database:
    """The database of these settings; starts the embedded server where no URL is set.

    `serving`: in an API process, where statements of plugins end after a while. There and in a
    worker (`working`) locks are waited for `LOCK_S`; commands wait as long as it takes.
    """
    if settings.database_url:
        url = settings.database_url
    else:
        from marketplace.embedded import embedded_url

        url = embedded_url(settings.var_dir)
    role = None if as_owner else settings.database_role
    return Database(
        url,
        role=role,
        pool_size=settings.database_pool,
        statement_s=settings.plugin_query_s if serving else None,
        # A handler may stream what it reads to somebody slow: that is no statement that hangs.
        idle_s=STANDS_STILL_S if serving else None,
        lock_s=LOCK_S if serving or working else None,
    )
