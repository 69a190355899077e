"""HTTP: revealing what a burn delivered, and how the suppliers are doing."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from litestar import get, post
from litestar.datastructures import CacheControlHeader
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.errors import InvalidRequest
from marketplace.fulfilment import health
from marketplace.fulfilment.dead_letters import dead_letters, replay, whose
from marketplace.fulfilment.reveal import reveal
from marketplace.fulfilment.schemas import (
    DeadLetterPage,
    ReplayBody,
    Replayed,
    Revealed,
    SupplierState,
)
from marketplace.identity.domain import Principal, Role, Scope
from marketplace.runtime import Runtime
from marketplace.web.access import access
from marketplace.web.paging import DEFAULT_LIMIT, Cursor, Limit, cut_page, decode_cursor

Plugin = Annotated[str | None, QueryParameter(max_length=40, description="Only this plugin's.")]
UNCACHED = CacheControlHeader(no_store=True)


@post(
    "/v1/burns/{burn_id:uuid}/reveal",
    status_code=200,
    opt=access(roles=[Role.PARTICIPANT], scope=Scope.BURNS_WRITE),
    cache_control=UNCACHED,
    summary="Reveal what a burn delivered",
    tags=["burns"],
)
async def reveal_burn(
    *,
    burn_id: FromPath[UUID],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
    runtime: NamedDependency[Runtime],
) -> Revealed:
    """Show the codes, tickets or receipts of a burn in clear. Every call is audited.

    For the participant who owns the wallet, and for the member whose key made the burn.
    """
    return await reveal(session, principal, burn_id, runtime.vault)


@get(
    "/v1/suppliers",
    opt=access(roles=[Role.OPERATOR]),
    summary="How the suppliers are doing",
    tags=["operations"],
)
async def list_suppliers(
    *, session: NamedDependency[AsyncSession], runtime: NamedDependency[Runtime]
) -> list[SupplierState]:
    """Each plugin's state, circuit breaker, waiting and dead orders."""
    return await health.suppliers(session, runtime)


@get(
    "/v1/dead-letters",
    opt=access(roles=[Role.PARTNER, Role.OPERATOR]),
    summary="Orders given up",
    tags=["operations"],
)
async def list_dead_letters(
    *,
    plugin: Plugin = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> DeadLetterPage:
    """Why they failed, how often they were tried, what was last said, and how long they wait.

    The operator sees all; a partner those of its own member's offers.
    """
    found = await dead_letters(
        session,
        member_id=whose(principal),
        plugin=plugin,
        after=decode_cursor(cursor, UUID),
        limit=limit + 1,
    )
    page, following = cut_page(found, limit, lambda each: each.burn_id)
    return DeadLetterPage(items=page, next=following)


@post(
    "/v1/dead-letters/replay",
    status_code=200,
    opt=access(roles=[Role.PARTNER, Role.OPERATOR]),
    summary="Try dead orders again",
    tags=["operations"],
)
async def replay_dead_letters(
    *,
    data: JSONBody[ReplayBody],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> Replayed:
    """The supplier is asked what became of them; nothing is ordered twice. Each is audited."""
    if [data.burn_ids is not None, data.plugin is not None, data.all].count(True) != 1:
        raise InvalidRequest("Say one of burn_ids, plugin and all.")
    done = await replay(
        session,
        principal.actor,
        member_id=whose(principal),
        burn_ids=data.burn_ids,
        plugin=data.plugin,
    )
    return Replayed(done)


routes = [reveal_burn, list_suppliers, list_dead_letters, replay_dead_letters]
