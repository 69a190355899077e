"""What identity's routes take and give."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec

from marketplace.identity.domain import Role, Scope

Label = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]


class SignInRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """E-mail and password."""

    email: Annotated[str, msgspec.Meta(min_length=1, max_length=254)]
    password: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class NewPassword(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A password to change to."""

    new: str
    """10 to 200 characters."""
    present: Annotated[str, msgspec.Meta(max_length=200)] | None = None
    """May be left out within 15 minutes after signing in by a mailed link."""


class SignedIn(msgspec.Struct, frozen=True, kw_only=True):
    """A new session. Browsers keep the cookie; other clients send `token` as Bearer."""

    token: str
    expires_at: datetime


class LinkRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whom to mail a link to, and the page to show once they are in."""

    email: Annotated[str, msgspec.Meta(min_length=1, max_length=254)]
    next: Annotated[str, msgspec.Meta(max_length=2_000)] | None = None
    """A path of ours; anything else leads to the first page."""


class LinkAsked(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to every request for a link."""

    works_for_s: int


class WhoAmI(msgspec.Struct, frozen=True, kw_only=True):
    """The signed-in person."""

    person_id: UUID
    name: str
    email: str
    roles: list[Role]
    participant_id: UUID | None
    firm_id: UUID | None
    member_id: UUID | None


class NewKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key to make."""

    label: Label
    scopes: Annotated[list[Scope], msgspec.Meta(min_length=1, max_length=len(Scope))]
    member: str | None = None
    """Slug of the member; may be left out by a partner, whose own member it is."""


class KeyOut(msgspec.Struct, frozen=True, kw_only=True):
    """A key as it can be seen again; the key itself cannot."""

    id: UUID
    member: str
    label: str
    hint: str
    """Its first characters."""
    scopes: list[Scope]
    created_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None
    """To the minute."""


class KeyMade(msgspec.Struct, frozen=True, kw_only=True):
    """A new key: `key` is shown this once."""

    key: str
    details: KeyOut


class KeyPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of keys, newest first."""

    items: list[KeyOut]
    next: str | None
