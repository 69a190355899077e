"""Whether this process lives, and whether it can serve."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeVar

import asyncpg
import msgspec
import sqlalchemy as sa
from litestar import Request, get
from litestar.datastructures import State
from litestar.di import NamedDependency

from marketplace.errors import MarketplaceError
from marketplace.runtime import Runtime
from marketplace.schema import is_current, plugin_tables
from marketplace.web.access import access

log = logging.getLogger(__name__)

NOT_MIGRATED = "The database schema is not current: run `marketplace db upgrade`."


SCHEMA_SEEN = "schema_seen"
"""Key of `app.state`: this process has seen the schema current."""

T = TypeVar("T")


class NotReady(MarketplaceError):
    code = "not_ready"
    title = "This process cannot serve yet"
    status = 503


class Alive(msgspec.Struct, frozen=True):
    """The process answers."""

    status: str = "ok"


async def check_schema(runtime: Runtime) -> None:
    """Raise NotReady unless the database answers and every migration has run."""
    tables = plugin_tables(runtime.plugins)
    if not await _ask(runtime, lambda connection: is_current(connection, tables)):
        raise NotReady(NOT_MIGRATED)


async def check_database(runtime: Runtime) -> None:
    """Raise NotReady unless the database answers."""
    await _ask(runtime, lambda connection: connection.exec_driver_sql("select 1").scalar())


async def _ask(runtime: Runtime, question: Callable[[sa.Connection], T]) -> T:
    try:
        async with runtime.database.engine.connect() as connection:
            return await connection.run_sync(question)
    except (OSError, sa.exc.SQLAlchemyError, asyncpg.PostgresError) as error:
        log.warning("the database does not answer: %s", error)
        if f'role "{runtime.database.role}"' in str(error):
            raise NotReady(NOT_MIGRATED) from None  # the role is made by the first migration
        raise NotReady("The database does not answer; the log says why.") from None


@get("/health/live", opt=access(public=True), tags=["health"], summary="Is the process alive?")
async def live() -> Alive:
    """Answers as long as the process runs; says nothing about the database."""
    return Alive()


@get("/health/ready", opt=access(public=True), tags=["health"], summary="Can it serve?")
async def ready(request: Request[Any, Any, State], runtime: NamedDependency[Runtime]) -> Alive:
    """200 where the database answers and its schema is current, else 503."""
    if request.app.state.get(SCHEMA_SEEN):
        await check_database(runtime)
    else:
        # Reads every migration file: too slow for each probe, and once current it stays so.
        await check_schema(runtime)
        request.app.state[SCHEMA_SEEN] = True
    return Alive()


routes = [live, ready]
