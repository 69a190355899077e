"""Fixtures every test can use: a real PostgreSQL, one fresh database per test."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from pathlib import Path

import asyncpg
import httpx
import pytest
import pytest_asyncio
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from litestar import Litestar
from sqlalchemy.engine import make_url

from marketplace.containment.starting import template as process_template
from marketplace.db import Database, parse_url, raw_arguments
from marketplace.embedded import embedded_url
from marketplace.identity.domain import Role, Scope
from marketplace.runtime import Runtime, open_runtime
from marketplace.schema import upgrade_all
from marketplace.settings import Settings
from tests.factories import Coalition, make_key, make_session
from tests.swift import use_less_time
from tests.wire import connect  # noqa: F401 - a fixture

ROOT = Path(__file__).parent.parent
IN_MEMORY = Path("/dev/shm")  # noqa: S108 - Linux keeps it in memory; others lack it
ROOM_BYTES = 2 * 1024**3
FAST = (
    "alter system set fsync = off",
    "alter system set full_page_writes = off",
    "alter system set max_wal_size = '256MB'",
    "select pg_reload_conf()",
)
"""A power cut is not survived, and the log takes little memory."""
PATIENCE_S = 120.0
COPY = "strategy file_copy"
"""Half the time of copying through the write-ahead log, where files are in memory."""
SECRET_KEY = "0Yd1t2rJx0r3g0GmVQk8q8bT3Vw5iN0m4k1lZk2c9eE="

# No test takes a time: a busy machine makes examples slow, not wrong.
hypothesis_settings.register_profile(
    "house", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.load_profile("house")


def pytest_collection_finish() -> None:
    """Once per process, when all modules of tests are there."""
    use_less_time()


def with_database(url: str, name: str) -> str:
    """The same server, another database."""
    return make_url(url).set(database=name).render_as_string(hide_password=False)


async def execute(url: str, *statements: str) -> None:
    """Run statements outside a transaction."""
    connection = await asyncpg.connect(**raw_arguments(parse_url(url), None))
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


def make_settings(url: str, **more: object) -> Settings:
    """Settings for a test database."""
    given: dict[str, object] = {"clock_travel": True, "log_level": "WARNING", **more}
    return Settings(database_url=url, secret_keys=SECRET_KEY, **given)  # type: ignore[arg-type]


def template_name() -> str:
    """A template per schema, so that two runs at once, or of two branches, never share one."""
    digest = hashlib.sha256()
    for folder in ("marketplace", "catalog", "charity", "settlement", "plugins"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            if "migrations" in path.parts or path.name in ("models.py", "schema.py"):
                digest.update(path.read_bytes())
    return f"template_{digest.hexdigest()[:16]}"


async def _ensure_template(url: str, template: str) -> None:
    """Make the template unless it is there; a lock lets one run make it and the others wait."""
    connection = await asyncpg.connect(**raw_arguments(parse_url(url), None))
    try:
        await connection.execute("select pg_advisory_lock(hashtext($1))", template)
        if await connection.fetchval("select 1 from pg_database where datname = $1", template):
            return
        draft = f"{template}_draft"
        await connection.execute(f"drop database if exists {draft} with (force)")
        await connection.execute(f"create database {draft}")
        await upgrade_all(make_settings(with_database(url, draft)))
        await connection.execute(f"alter database {draft} rename to {template}")
    finally:
        await connection.close()


def server_folder() -> Path:
    """Where the server of the tests lives: in memory where there is room, for it copies a database
    of ten megabytes for each test.
    """
    if os.access(IN_MEMORY, os.W_OK) and shutil.disk_usage(IN_MEMORY).free > ROOM_BYTES:
        ours = hashlib.sha256(f"{os.getuid()} {ROOT}".encode()).hexdigest()[:10]
        return IN_MEMORY / f"marketplace-test-{ours}"
    return ROOT / "var" / "test"


@pytest.fixture(scope="session")
def postgres_url() -> str:
    """A PostgreSQL server; MARKETPLACE_TEST_DATABASE_URL, or embedded without fsync."""
    given = os.environ.get("MARKETPLACE_TEST_DATABASE_URL")
    if given:
        return given
    url = embedded_url(server_folder())
    asyncio.run(execute(url, *FAST))
    return url


@pytest.fixture(scope="session")
def template(postgres_url: str) -> str:
    """The name of a migrated, empty database to copy."""
    name = template_name()
    asyncio.run(_ensure_template(postgres_url, name))
    return name


@pytest.fixture(scope="session", autouse=True)
def one_template_of_plugin_processes() -> Iterator[None]:
    """Each process of tests forks those of plugins from one template, which knows no test."""
    with process_template.kept():
        yield


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Code of plugins in this process has all the time it needs: a busy machine makes good code
    slow. Tests of a limit set it themselves.
    """
    monkeypatch.setattr("marketplace.containment.routes.STEP_S", PATIENCE_S)
    for module in ("faces", "exchange.beforehand", "exchange.reward_notes"):
        monkeypatch.setattr(f"marketplace.{module}.ANSWER_S", PATIENCE_S)
    monkeypatch.setattr("marketplace.containment.rules.LIMIT_S", PATIENCE_S)
    monkeypatch.setattr("marketplace.containment.rules.SHARE_S", PATIENCE_S)


FreshDatabase = Callable[[], AbstractContextManager[str]]


@pytest.fixture(scope="session")
def fresh_database(postgres_url: str, template: str) -> FreshDatabase:
    """`with fresh_database() as url`: a migrated, empty database for the block."""

    @contextmanager
    def make() -> Iterator[str]:
        name = f"test_{uuid.uuid4().hex}"
        asyncio.run(execute(postgres_url, f"create database {name} template {template} {COPY}"))
        try:
            yield with_database(postgres_url, name)
        finally:
            asyncio.run(execute(postgres_url, f"drop database if exists {name} with (force)"))

    return make


@pytest.fixture
def bare_url(postgres_url: str) -> Iterator[str]:
    """An empty database."""
    name = f"test_{uuid.uuid4().hex}"
    asyncio.run(execute(postgres_url, f"create database {name}"))
    yield with_database(postgres_url, name)
    asyncio.run(execute(postgres_url, f"drop database {name} with (force)"))


@pytest.fixture
def database_url(fresh_database: FreshDatabase) -> Iterator[str]:
    """The URL of a fresh, migrated, empty database."""
    with fresh_database() as url:
        yield url


@pytest.fixture
def settings(database_url: str) -> Settings:
    """Settings for the test's own database."""
    return make_settings(database_url)


@pytest_asyncio.fixture
async def runtime(settings: Settings) -> AsyncIterator[Runtime]:
    """The runtime of a process on the test's own database."""
    async with open_runtime(settings) as opened:
        yield opened


@pytest_asyncio.fixture
async def owner(settings: Settings) -> AsyncIterator[Database]:
    """The database as its owner, who may corrupt rows behind the program's back."""
    assert settings.database_url
    database = Database(settings.database_url, role=None, pool_size=0)
    yield database
    await database.close()


@pytest_asyncio.fixture
async def coalition(runtime: Runtime) -> Coalition:
    """A small coalition: operator, two issuers, two acceptors, a firm, two participants."""
    return await Coalition.make(runtime)


@asynccontextmanager
async def run_lifespan(app: Litestar) -> AsyncIterator[None]:
    """Start and stop an application in one task, as a server does (fixtures change tasks)."""
    started, stop = asyncio.Event(), asyncio.Event()

    async def live() -> None:
        async with app.lifespan():
            started.set()
            await stop.wait()

    task = asyncio.create_task(live())
    waiting = asyncio.create_task(started.wait())
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    try:
        if not task.done():
            yield
    finally:
        stop.set()
        await task


@pytest_asyncio.fixture
async def app(runtime: Runtime) -> AsyncIterator[Litestar]:
    """The running application on the test's own database."""
    from marketplace.app import create_app  # only tests that speak HTTP need every room

    made = create_app(runtime)
    async with run_lifespan(made):
        yield made


@pytest_asyncio.fixture
async def client(app: Litestar) -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP client of the application, without a credential."""
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://marketplace.test") as opened:
        yield opened


Headers = dict[str, str]


@pytest.fixture
def api_key(coalition: Coalition) -> Callable[..., Awaitable[Headers]]:
    """`await api_key("alpha", Scope.BURNS_WRITE, ...)`: headers of a new key of that member."""

    async def make(member: str, *scopes: Scope) -> Headers:
        return bearer(await make_key(coalition, member, *scopes))

    return make


@pytest.fixture
def sign_in(coalition: Coalition) -> Callable[..., Awaitable[Headers]]:
    """`await sign_in(Role.PARTNER)`: headers of a new person with that role, signed in.

    A participant is ann, a firm manager manages acme, a partner works for shop, finance and
    operator for the operator; `of=` names another participant, firm or member.
    """

    async def make(role: Role, of: str | None = None) -> Headers:
        return bearer(await make_session(coalition, role, of))

    return make


def bearer(token: str) -> Headers:
    """The header that carries a key or session token."""
    return {"Authorization": f"Bearer {token}"}
