"""Disputes over HTTP, mounted under /v1/settlement: members see their own, finance sees all."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter
from litestar.status_codes import HTTP_200_OK
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.coalition.service import get_member
from marketplace.errors import InvalidRequest, NotAllowed
from marketplace.identity.domain import Principal, Role, Scope
from marketplace.web.access import access
from settlement.disputes import repository, service
from settlement.disputes.domain import DisputeStatus, line_id
from settlement.disputes.models import Dispute
from settlement.disputes.schemas import (
    DecideBody,
    DisputeBody,
    Disputes,
    DisputeView,
    WithdrawBody,
    views,
)

HOUSE = [Role.FINANCE, Role.OPERATOR]
READ = access(roles=[Role.PARTNER, *HOUSE], scope=Scope.SETTLEMENT_READ)
WRITE = access(roles=[Role.PARTNER, *HOUSE], scope=Scope.SETTLEMENT_WRITE)
DECIDE = access(roles=HOUSE)
TAGS = ["settlement"]
Slug = Annotated[
    str | None, QueryParameter(max_length=100, description="Of a member; only finance names one.")
]
Status = Annotated[DisputeStatus | None, QueryParameter(description="Only those in this status.")]


def _is_house(principal: Principal) -> bool:
    """Whether the caller looks after everybody's money."""
    return principal.is_operator or not principal.roles.isdisjoint(HOUSE)


async def _member_id(session: AsyncSession, principal: Principal, slug: str | None) -> UUID | None:
    """The member in question: one's own, or for finance the one named (None: all)."""
    if slug is None:
        return None if _is_house(principal) else _own(principal)
    member = await get_member(session, slug)
    if not _is_house(principal) and member.id != principal.member_id:
        raise NotAllowed("A member sees and opens its own disputes only.")
    return member.id


def _own(principal: Principal) -> UUID:
    if principal.member_id is None:
        raise NotAllowed("You work for no member.")
    return principal.member_id


def _seen_by(principal: Principal) -> UUID | None:
    """Whose disputes the caller sees; None: everybody's."""
    return None if _is_house(principal) else _own(principal)


async def _view(session: AsyncSession, principal: Principal, dispute: Dispute) -> DisputeView:
    return (await views(session, [dispute], member_id=_seen_by(principal)))[0]


@post("/disputes", opt=WRITE, tags=TAGS, summary="Dispute lines")
async def open_dispute(
    data: JSONBody[DisputeBody],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> DisputeView:
    """Dispute lines of one closed window; until it is decided, no settlement takes them up."""
    member_id = await _member_id(session, principal, data.member)
    if member_id is None:
        raise InvalidRequest("Name the member whose lines these are.")
    lines = [line_id(each) for each in data.lines]
    asked = service.NewDispute(member_id, lines, data.reason)
    dispute = await service.open_dispute(session, asked, actor=principal.actor)
    return await _view(session, principal, dispute)


@get("/disputes", opt=READ, tags=TAGS, summary="List disputes")
async def list_disputes(
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
    member: Slug = None,
    status: Status = None,
) -> Disputes:
    """Disputes, newest first."""
    member_id = await _member_id(session, principal, member)
    found = await repository.disputes(session, member_id, status)
    return Disputes(await views(session, found, member_id=_seen_by(principal)))


@get("/disputes/{dispute_id:uuid}", opt=READ, tags=TAGS, summary="Read a dispute")
async def read_dispute(
    dispute_id: FromPath[UUID],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> DisputeView:
    """A dispute with its lines and what came of it."""
    dispute = await service.get(session, dispute_id, member_id=_seen_by(principal))
    return await _view(session, principal, dispute)


@post(
    "/disputes/{dispute_id:uuid}/withdraw",
    opt=WRITE,
    tags=TAGS,
    status_code=HTTP_200_OK,
    summary="Withdraw a dispute",
)
async def withdraw_dispute(
    dispute_id: FromPath[UUID],
    data: JSONBody[WithdrawBody],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> DisputeView:
    """Take an open dispute back: its lines are settled as they are."""
    member_id = _seen_by(principal)
    dispute = await service.withdraw(
        session, dispute_id, member_id=member_id, actor=principal.actor, note=data.note
    )
    return await _view(session, principal, dispute)


@post(
    "/disputes/{dispute_id:uuid}/decide",
    opt=DECIDE,
    tags=TAGS,
    status_code=HTTP_200_OK,
    summary="Decide a dispute",
)
async def decide_dispute(
    dispute_id: FromPath[UUID],
    data: JSONBody[DecideBody],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> DisputeView:
    """Uphold it, which books adjustments into the open window, or reject it."""
    dispute = await service.decide(
        session,
        dispute_id,
        upheld=data.outcome == "upheld",
        actor=principal.actor,
        note=data.note,
    )
    return await _view(session, principal, dispute)


ROUTES = [open_dispute, list_disputes, read_dispute, withdraw_dispute, decide_dispute]
