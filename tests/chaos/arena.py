"""Everything a run needs, owned by it: database, broker, proxies, processes, points and codes."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import asyncpg
import marketplace_giftfund.service as giftfund
import msgspec

from bench.seed import seed
from bench.server import environment, execute, free_port, fresh_database
from marketplace.db import Database
from marketplace.host import PluginHost
from marketplace.identity.domain import Scope
from marketplace.runtime import Runtime, open_runtime
from marketplace.settings import Settings
from tests.chaos.broker import RabbitMQ, Redis, make_broker
from tests.chaos.clients import Crowd
from tests.chaos.failpoints import FOLDER, PLUGIN_FOLDER
from tests.chaos.house import House
from tests.chaos.postgres import Postgres
from tests.chaos.proxy import Proxy, to_port, to_socket

ROOT = Path(__file__).parents[2]
DATABASE = "chaos"
WALLETS, OFFERS, CODES = 60, 4, 15_000
SUPPLIER_TIMEOUT_S = 2.0


class Ground(msgspec.Struct):
    """What stands before any process of the product runs."""

    var_dir: Path
    postgres: Postgres
    broker: RabbitMQ | Redis | None
    settings: Settings
    token: str
    """An API key of the operator."""


@contextmanager
def prepare(var_dir: Path, broker_kind: str) -> Iterator[Ground]:
    """A server with a seeded database, and a broker, for the length of the block."""
    with ExitStack() as stack:
        var_dir.mkdir(parents=True, exist_ok=True)
        postgres = Postgres(var_dir)
        stack.callback(postgres.stop, "fast")
        broker = make_broker(var_dir, broker_kind)
        if broker is not None:
            stack.callback(broker.close)
            broker.wipe()
            broker.start()
        settings = stack.enter_context(fresh_database(postgres.url, DATABASE))
        assert settings.database_url is not None
        token = seed(settings.database_url, wallets=WALLETS, offers=OFFERS)
        more = f"scopes || array['{Scope.REFUNDS_WRITE}']"
        execute(settings.database_url, f"update api_key set scopes = {more}")
        _fill_pools(settings)
        yield Ground(var_dir, postgres, broker, settings, token)


def _fill_pools(settings: Settings) -> None:
    """Codes for every offer."""

    async def opened() -> Runtime:
        async with open_runtime(settings) as runtime:
            return runtime

    runtime = asyncio.run(opened())
    host = PluginHost("giftfund", lambda: runtime.database, lambda: runtime.vault)
    for number in range(1, OFFERS + 1):
        lines = ["code", *(secrets.token_hex(10) for _ in range(CODES))]
        giftfund.upload(host, f"offer-{number}", "\n".join(lines), actor="cli:chaos")
    runtime.database.sync_engine.dispose()


class Arena(msgspec.Struct):
    """What faults are done to, and how they are judged."""

    ground: Ground
    database_proxy: Proxy
    broker_proxy: Proxy | None
    house: House
    points: Path
    """Folder of failpoints."""
    runtime: Runtime
    """The judge's own, past the proxy."""
    crowd: Crowd
    """The clients of the fault in hand."""

    async def connect(self) -> asyncpg.Connection:
        """As the owner of the database, past the proxy."""
        return await self.ground.postgres.connect(DATABASE)


@asynccontextmanager
async def open_arena(ground: Ground) -> AsyncIterator[Arena]:
    """Proxies and processes on this ground, for the length of the block."""
    async with AsyncExitStack() as stack:
        database_proxy = await _proxy(stack, Proxy(to_socket(ground.postgres.socket)))
        broker_proxy = None
        if ground.broker is not None:
            broker_proxy = await _proxy(stack, Proxy(to_port(ground.broker.port)))
        points = ground.var_dir.resolve() / "failpoints"
        points.mkdir(exist_ok=True)
        for path in points.iterdir():
            path.unlink()
        environ = _environment(ground, points, database_proxy, broker_proxy)
        logs = ground.var_dir / "logs"
        house = House(logs, environ, free_port(), broker=ground.broker is not None)
        stack.push_async_callback(house.stop)
        await house.start()
        database = Database(ground.settings.database_url or "", role=None, pool_size=0)
        stack.push_async_callback(database.close)
        async with open_runtime(ground.settings) as runtime:
            runtime.database = database
            crowd = make_crowd(house, ground, "")
            yield Arena(ground, database_proxy, broker_proxy, house, points, runtime, crowd)


def make_crowd(house: House, ground: Ground, name: str) -> Crowd:
    """Clients of this house whose keys begin with `name`."""
    return Crowd(house.port, ground.token, name, wallets=WALLETS, offers=OFFERS)


async def _proxy(stack: AsyncExitStack, proxy: Proxy) -> Proxy:
    await proxy.start()
    stack.push_async_callback(proxy.close)
    return proxy


def _environment(
    ground: Ground, points: Path, database_proxy: Proxy, broker_proxy: Proxy | None
) -> dict[str, str]:
    """Of every process of the product: through the proxies, with failpoints put on."""
    more = {
        "MARKETPLACE_DATABASE_URL": (
            f"postgresql://postgres@127.0.0.1:{database_proxy.port}/{DATABASE}"
        ),
        "MARKETPLACE_DATABASE_POOL": "4",
        "MARKETPLACE_SUPPLIER_TIMEOUT_S": str(SUPPLIER_TIMEOUT_S),
        "MARKETPLACE_RELAY_CHUNK": "20",
        "MARKETPLACE_WORKER_THREADS": "1",
        "MARKETPLACE_PLUGIN_CALLS": "1",
        "MARKETPLACE_PLUGINS_OFF": "conference,remote,sepa,vouchers",
        FOLDER: str(points),
        PLUGIN_FOLDER: str(points),
        "PYTHONPATH": f"{ROOT / 'tests/chaos/startup'}:{ROOT}",
    }
    if ground.broker is not None and broker_proxy is not None:
        url = ground.broker.url.replace(f":{ground.broker.port}", f":{broker_proxy.port}")
        more["MARKETPLACE_BROKER_URL"] = url
    return environment(ground.settings, **more)
