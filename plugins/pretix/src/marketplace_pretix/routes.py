"""HTTP: where a member's pretix tells of changes, under /v1/pretix."""

from __future__ import annotations

import hmac
from uuid import UUID

from litestar import post
from litestar.params import FromPath

from marketplace import api
from marketplace_pretix import sweeping
from marketplace_pretix.servers import settings_of

MOST_BYTES = 65_536


def make_routes(host: api.Host) -> api.Routes:
    """The handlers over a host."""

    @post(
        "/notices/{member:str}/{key:str}",
        opt=api.access(public=True),
        status_code=202,
        sync_to_thread=True,
        request_max_body_size=MOST_BYTES,
        summary="Say that orders changed at a pretix",
        tags=["pretix"],
    )
    def notice(member: FromPath[str], key: FromPath[str]) -> None:
        """Have the changes looked at soon; the body is not believed, so it is not read."""
        take(host, member, key)

    return [notice]


def take(host: api.Host, member: str, key: str) -> None:
    """Act on a notice to the address of a member (slug). BadSignature."""
    found = _member_id(host, member)
    settings = None if found is None else settings_of(host, found)
    ours = None if settings is None else settings.webhook_key
    if found is None or settings is None or ours is None:
        raise api.BadSignature("No such member, or its key does not fit.")
    if not hmac.compare_digest(ours.encode(), key.encode()):
        raise api.BadSignature("No such member, or its key does not fit.")
    sweeping.hint(host, found, settings)


def _member_id(host: api.Host, slug: str) -> UUID | None:
    try:
        with host.transaction() as session:
            return host.member_id(session, slug)
    except api.NotFound:
        return None
