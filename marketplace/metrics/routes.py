"""HTTP: the figures that monitoring collects."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import litestar
from litestar import Response, get
from litestar.di import NamedDependency
from prometheus_client import CONTENT_TYPE_LATEST
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.errors import NotAllowed
from marketplace.identity.domain import Principal, Role, Scope
from marketplace.metrics.exposition import exposition
from marketplace.metrics.tally import keep_flushing
from marketplace.runtime import Runtime
from marketplace.web.access import access


@get(
    "/metrics",
    opt=access(roles=[Role.OPERATOR], scope=Scope.METRICS_READ),
    summary="Figures for Prometheus",
    tags=["operations"],
    media_type="text/plain",
)
async def metrics(
    *,
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
    runtime: NamedDependency[Runtime],
) -> Response[bytes]:
    """Plugins, burns and queues, over all processes; give Prometheus a key as bearer token.

    Figures of all members: a key of another member than the operator is refused.
    """
    if not principal.is_operator:
        raise NotAllowed("These are figures of every member; the key must be the operator's.")
    return Response(await exposition(session, runtime), media_type=CONTENT_TYPE_LATEST)


@asynccontextmanager
async def lifespan(app: litestar.Litestar) -> AsyncIterator[None]:
    """Write down now and then what this API process counted."""
    runtime: Runtime = app.state.runtime
    ended = False
    keeping = asyncio.create_task(
        keep_flushing(runtime.tally, runtime.database, lambda: ended), name="tally"
    )
    try:
        yield
    finally:
        ended = True
        await keeping


routes = [metrics]
