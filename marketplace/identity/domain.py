"""Who is calling: roles, scopes and the principal every route sees. No I/O."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec


class Role(StrEnum):
    """What a person is to the marketplace."""

    PARTICIPANT = "participant"
    FIRM_MANAGER = "firm_manager"
    PARTNER = "partner"
    FINANCE = "finance"
    OPERATOR = "operator"


class Scope(StrEnum):
    """What an API key of a member may do."""

    BURNS_WRITE = "burns:write"
    BURNS_READ = "burns:read"
    WALLETS_READ = "wallets:read"
    ISSUANCES_WRITE = "issuances:write"
    REFUNDS_WRITE = "refunds:write"
    OFFERS_READ = "offers:read"
    OFFERS_WRITE = "offers:write"
    STOCK_WRITE = "stock:write"
    VOUCHERS_REDEEM = "vouchers:redeem"
    METRICS_READ = "metrics:read"
    WEBHOOKS_READ = "webhooks:read"
    WEBHOOKS_WRITE = "webhooks:write"
    SETTLEMENT_READ = "settlement:read"
    SETTLEMENT_WRITE = "settlement:write"


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """The caller of a request: an API key of a member, or a signed-in person.

    `caller_id` (the member or the person) owns idempotency keys, so a key rotation between two
    tries changes nothing.
    """

    credential_id: UUID
    """The API key or sign-in."""
    caller_id: UUID
    actor: str
    """For the audit trail."""
    member_id: UUID | None = None
    """The member an API key belongs to, or a partner, finance or operator person works for."""
    is_operator: bool = False
    """An operator person, or an API key of the operator member."""
    standing: bool = False
    """Our own part of the house carries out what somebody ordered earlier and no longer has to be
    signed in for; it has looked whether they may. No request ever has it."""
    scopes: frozenset[str] = frozenset()
    """Of an API key; empty for persons."""
    roles: frozenset[str] = frozenset()
    """Of a person; empty for API keys."""
    participant_id: UUID | None = None
    firm_id: UUID | None = None
    """The firm a firm manager manages."""
    name: str = ""
    """Of a person, for the pages."""
    language: str | None = None
    theme: str | None = None
    """What a person prefers on pages, and only there; None: not said."""
    is_new: bool = False
    """A participant who has not put the first-visit guide away."""
    seen_at: datetime | None = None
    """Business time when the session was checked."""

    @property
    def is_key(self) -> bool:
        return not self.roles
