"""Locking periods over HTTP, for finance."""

from __future__ import annotations

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody
from litestar.status_codes import HTTP_200_OK
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.identity.domain import Principal, Role
from marketplace.ledger import periods
from marketplace.ledger.schemas import LockBody, PeriodsView, UnlockBody, periods_view
from marketplace.web.access import access

FINANCE = access(roles=[Role.FINANCE, Role.OPERATOR])
TAGS = ["ledger"]


@get("/v1/ledger/periods", opt=FINANCE, tags=TAGS, summary="Read what is locked")
async def read_periods(session: NamedDependency[AsyncSession]) -> PeriodsView:
    """The moment before which nothing may be dated, and every lock and unlock."""
    return periods_view(await periods.periods(session))


@post(
    "/v1/ledger/periods/lock",
    opt=FINANCE,
    tags=TAGS,
    status_code=HTTP_200_OK,
    summary="Lock periods",
)
async def lock_periods(
    data: JSONBody[LockBody],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> PeriodsView:
    """Lock everything before a moment; only what closed windows hold can be locked."""
    await periods.lock(session, data.until, principal.actor, data.reason)
    return periods_view(await periods.periods(session))


@post(
    "/v1/ledger/periods/unlock",
    opt=FINANCE,
    tags=TAGS,
    status_code=HTTP_200_OK,
    summary="Unlock periods",
)
async def unlock_periods(
    data: JSONBody[UnlockBody],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> PeriodsView:
    """Let locked periods be dated into again; who and why is on record for ever."""
    await periods.unlock(session, data.reason, principal.actor, data.until)
    return periods_view(await periods.periods(session))


routes = [read_periods, lock_periods, unlock_periods]
