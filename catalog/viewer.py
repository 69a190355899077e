"""Who looks at the catalog: what of a caller matters to it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec
from litestar import Request
from sqlalchemy.ext.asyncio import AsyncSession

from catalog import repository
from marketplace.errors import NotAuthenticated
from marketplace.identity.authenticator import Authenticator
from marketplace.identity.credentials import COOKIE
from marketplace.identity.domain import Principal

_COOKIE = COOKIE.encode()


class Viewer(msgspec.Struct, frozen=True, kw_only=True):
    """A participant who looks at the catalog."""

    principal: Principal
    participant_id: UUID
    wallet_id: UUID
    firm_id: UUID
    role: str
    """In the firm."""
    country: str
    locale: str


async def viewer_of(session: AsyncSession, principal: Principal | None) -> Viewer | None:
    """The participant behind a principal; None for strangers, staff and keys."""
    if principal is None or principal.participant_id is None:
        return None
    row = await repository.participant(session, principal.participant_id)
    if row is None:
        return None
    return Viewer(
        principal=principal,
        participant_id=principal.participant_id,
        wallet_id=row.wallet_id,
        firm_id=row.firm_id,
        role=row.role,
        country=row.country,
        locale=row.locale,
    )


def is_personal(headers: list[tuple[bytes, bytes]]) -> bool:
    """Whether a request comes with a credential, so that its answer is for one person alone."""
    return any(
        name == b"authorization" or (name == b"cookie" and _COOKIE in value)
        for name, value in headers
    )


async def caller_of(request: Request[Any, Any, Any]) -> Principal | None:
    """Who asks on a public route of JSON: None for strangers and ended sessions.

    Raises NotAuthenticated where a Bearer token is sent that is none.
    """
    headers = list(request.scope["headers"])
    if not is_personal(headers):
        return None
    authenticator: Authenticator = request.app.state.authenticator
    try:
        return await authenticator.verify(headers, request.method)
    except NotAuthenticated:
        if any(name == b"authorization" for name, _ in headers):
            raise
        return None
