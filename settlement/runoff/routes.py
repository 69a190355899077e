"""Liability and run-off over HTTP, mounted under /v1/settlement, for finance."""

from __future__ import annotations

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.identity.domain import Role
from marketplace.web.access import access
from settlement.runoff import service
from settlement.runoff.domain import Liability, RunOff

FINANCE = access(roles=[Role.FINANCE, Role.OPERATOR])
TAGS = ["settlement"]


@get("/liability", opt=FINANCE, tags=TAGS, summary="Read the liability for points")
async def read_liability(session: NamedDependency[AsyncSession]) -> Liability:
    """What outstanding points are worth, by issuer, by age and by month of expiry."""
    return await service.liability(session)


@get("/runoff/{member:str}", opt=FINANCE, tags=TAGS, summary="Read a member's run-off")
async def read_run_off(member: FromPath[str], session: NamedDependency[AsyncSession]) -> RunOff:
    """What is left of a member's points, what covers it, and its last figures."""
    return await service.run_off(session, member)


ROUTES = [read_liability, read_run_off]
