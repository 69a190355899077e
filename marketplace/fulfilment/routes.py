"""HTTP: revealing what a burn delivered, and how the suppliers are doing."""

from __future__ import annotations

from uuid import UUID

from litestar import get, post
from litestar.datastructures import CacheControlHeader
from litestar.di import NamedDependency
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.fulfilment import health
from marketplace.fulfilment.reveal import reveal
from marketplace.fulfilment.schemas import Revealed, SupplierState
from marketplace.identity.domain import Principal, Role, Scope
from marketplace.runtime import Runtime
from marketplace.web.access import access

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


routes = [reveal_burn, list_suppliers]
