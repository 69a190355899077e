"""Issuing points over HTTP."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Response, post
from litestar.background_tasks import BackgroundTask
from litestar.di import NamedDependency
from litestar.params import JSONBody
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace import api
from marketplace.coalition.service import get_member
from marketplace.errors import InvalidRequest, NotAllowed
from marketplace.identity.audit import audit
from marketplace.identity.domain import Principal, Role, Scope
from marketplace.ledger.domain import Issuance, Issued
from marketplace.ledger.errors import MAX_REFERENCE
from marketplace.ledger.issuing import issue
from marketplace.money import MAX_POINTS
from marketplace.runtime import Runtime
from marketplace.web.access import access

MOST_ISSUANCES = 1_000
"""Most issuances of one request; larger loads are files (docs/concepts/imports.md)."""


class IssuanceBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One issuance. What is wrong with its values is told per item, not as a malformed request."""

    reference: Annotated[
        str,
        msgspec.Meta(
            description=f"Your own reference, 1 to {MAX_REFERENCE} characters, unique for ever"
        ),
    ]
    wallet_id: UUID
    points: Annotated[int, msgspec.Meta(description=f"1 to {MAX_POINTS:,}")]
    effective_at: Annotated[
        datetime | None,
        msgspec.Meta(description="When they were earned, with an offset from UTC; now if absent"),
    ] = None
    expires_at: Annotated[
        datetime | None,
        msgspec.Meta(description="By your contract if absent"),
    ] = None


class IssuancesBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Issuances of one member: all are made, or none."""

    issuances: Annotated[list[IssuanceBody], msgspec.Meta(min_length=1, max_length=MOST_ISSUANCES)]
    issuer: Annotated[
        str | None,
        msgspec.Meta(description="Slug of the issuer; only the operator names another member"),
    ] = None


@post(
    "/v1/issuances",
    opt=access(roles=[Role.PARTNER, Role.OPERATOR], scope=Scope.ISSUANCES_WRITE),
    tags=["issuances"],
    summary="Issue points",
)
async def post_issuances(
    *,
    data: JSONBody[IssuancesBody],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
    runtime: NamedDependency[Runtime],
) -> Response[Issued]:
    """Give points to wallets; safe to repeat, for each reference issues once.

    Where items are wrong nothing is issued, and `errors` lists `index`, `code` and `detail` of
    each.
    """
    issuer_id = await _issuer(session, principal, data.issuer)
    items = [msgspec.convert(each, Issuance, from_attributes=True) for each in data.issuances]
    done = await issue(session, issuer_id, items)
    if not done.issued:
        return Response(done)
    counts = {"issued": done.issued, "points": done.points, "already": done.already}
    await audit(session, principal.actor, "issuances.issue", "member", issuer_id, **counts)
    fact = api.IssueFact(issuer_id=issuer_id, issuances=done.issued, points=done.points)
    tell = BackgroundTask(runtime.plugins.tell, "marketplace_after_points_issued", fact)
    return Response(done, background=tell)


async def _issuer(session: AsyncSession, principal: Principal, slug: str | None) -> UUID:
    """Whose points these are: the caller's own member's, or the one an operator names."""
    if slug is not None:
        if principal.is_operator:
            return (await get_member(session, slug)).id
        own = principal.member_id and (await get_member(session, slug)).id == principal.member_id
        if not own:
            raise NotAllowed("A member issues its own points only.")
    if principal.member_id is None:
        raise InvalidRequest("Name the issuer: you work for no member.")
    return principal.member_id


routes = [post_issuances]
