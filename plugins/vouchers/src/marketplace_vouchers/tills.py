"""Who stands at a till: the caller of a request as vouchers see it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec
from litestar import Request

from marketplace.api import NotAllowed, Principal

WEB = "web"
"""Name of the till in the browser."""


class Till(msgspec.Struct, frozen=True, kw_only=True):
    """A caller that accepts vouchers for its member."""

    subject: str
    """Whose wrong codes are counted: `key:<id>` or `person:<id>`."""
    caller_id: UUID
    """The member of a key, or the person: owns idempotency keys and locks."""
    member_id: UUID
    actor: str
    address: str
    """Of the connection."""
    name: str = ""
    """What the till calls itself: tells the tills of one member apart."""


def till_of(request: Request[Any, Any, Any], principal: Principal, name: str = "") -> Till:
    """The till of a request; NotAllowed for somebody who works for no member."""
    if principal.member_id is None:
        raise NotAllowed("Vouchers are accepted for a member; you work for none.")
    kind, number = (
        ("key", principal.credential_id)
        if principal.is_key
        else (
            "person",
            principal.caller_id,
        )
    )
    return Till(
        subject=f"{kind}:{number}",
        caller_id=principal.caller_id,
        member_id=principal.member_id,
        actor=principal.actor,
        address=request.client.host if request.client else "",
        name=name,
    )
