"""A probe asks whether the process lives and whether it can serve."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import httpx
import sqlalchemy as sa

from marketplace.db import Database
from marketplace.identity.domain import Scope
from marketplace.runtime import Runtime
from tests.conftest import Headers
from tests.web.problems import problem


async def test_a_sound_process_is_alive_and_ready(client: httpx.AsyncClient) -> None:
    for path in ("/health/live", "/health/ready", "/health/ready"):
        assert (await client.get(path)).json() == {"status": "ok"}


async def test_without_the_schema_it_lives_but_is_not_ready(
    client: httpx.AsyncClient, owner: Database
) -> None:
    async with owner.begin() as session:
        await session.execute(sa.text("delete from alembic_version"))
    body = problem(await client.get("/health/ready"), 503, "not_ready")
    assert "marketplace db upgrade" in body["detail"]
    assert (await client.get("/health/live")).status_code == 200


async def test_while_the_database_is_away_callers_are_told_to_try_again(
    client: httpx.AsyncClient, runtime: Runtime, api_key: Callable[..., Awaitable[Headers]]
) -> None:
    headers = await api_key("alpha", Scope.OFFERS_READ)
    assert (await client.get("/health/ready")).status_code == 200
    runtime.database.url = runtime.database.url.set(query={}, host="127.0.0.1", port=9)
    await runtime.database.engine.dispose()
    body = problem(await client.get("/health/ready"), 503, "not_ready")
    assert "127.0.0.1" not in body["detail"]
    answer = await client.get("/v1/offers", headers=headers)
    problem(answer, 503, "busy")
    assert answer.headers["retry-after"] == "1"
