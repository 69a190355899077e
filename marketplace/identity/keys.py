"""Use cases of API keys: make, list, revoke."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.coalition.models import Member
from marketplace.errors import InvalidRequest, NotAllowed, NotFound
from marketplace.identity import repository
from marketplace.identity.audit import audit
from marketplace.identity.credentials import HINT_LENGTH, KEY_PREFIX, digest, new_token
from marketplace.identity.domain import Principal, Scope
from marketplace.identity.models import ApiKey
from marketplace.identity.schemas import KeyMade, KeyOut
from marketplace.ids import uuid7


async def create_key(
    session: AsyncSession, actor: str, *, member: str, label: str, scopes: Iterable[Scope]
) -> KeyMade:
    """Make a key for the member with slug `member`; NotFound where there is none."""
    wanted = sorted(set(scopes))
    if not wanted:
        raise InvalidRequest("A key needs at least one scope.")
    owner = await repository.member_by_slug(session, member)
    if owner is None:
        raise NotFound(f"There is no member {member!r}.")
    token = new_token(KEY_PREFIX)
    row = ApiKey(
        id=uuid7(),
        member_id=owner.id,
        label=label,
        digest=digest(token),
        hint=token[:HINT_LENGTH],
        scopes=[scope.value for scope in wanted],
    )
    session.add(row)
    await session.flush()
    await session.refresh(row)
    await audit(session, actor, "key.created", "api_key", row.id, member=member, scopes=row.scopes)
    return KeyMade(key=token, details=key_out(row, member))


async def create_key_for(
    session: AsyncSession,
    principal: Principal,
    *,
    member: str | None,
    label: str,
    scopes: Iterable[Scope],
) -> KeyMade:
    """Make a key as this person may: the operator for any member, a partner for its own.

    Keys of the operator member act for the whole coalition, so only the operator makes them.
    """
    if principal.is_operator:
        if member is None:
            raise InvalidRequest("Name the member the key is for.")
        return await create_key(session, principal.actor, member=member, label=label, scopes=scopes)
    own = await repository.member_of(session, principal.member_id)
    if own is None or own.is_operator or member not in (None, own.slug):
        raise NotAllowed("A partner makes keys for its own member only.")
    return await create_key(session, principal.actor, member=own.slug, label=label, scopes=scopes)


async def list_keys(
    session: AsyncSession, *, member_id: UUID | None, before: UUID | None, limit: int
) -> list[KeyOut]:
    """Keys, newest first; of one member, or of all with None."""
    rows = await repository.keys_page(session, member_id=member_id, before=before, limit=limit)
    return [key_out(row.ApiKey, row.slug) for row in rows]


async def find_key(session: AsyncSession, key_id: UUID, *, member_id: UUID) -> KeyOut | None:
    """A key of this member; None where it is another's or there is none."""
    row = await repository.get_key(session, key_id)
    if row is None or row.member_id != member_id:
        return None
    owner = await session.get_one(Member, member_id)
    return key_out(row, owner.slug)


async def revoke_key(
    session: AsyncSession, actor: str, key_id: UUID, *, member_id: UUID | None
) -> None:
    """Revoke a key for good; again changes nothing. NotFound unless it is `member_id`'s.

    `member_id` None may revoke any.
    """
    row = await repository.get_key(session, key_id)
    if row is None or member_id not in (None, row.member_id):
        raise NotFound("There is no such key.")
    if row.revoked_at is None:
        row.revoked_at = await repository.real_now(session)
        await session.flush()
        await audit(session, actor, "key.revoked", "api_key", row.id)


def key_out(row: ApiKey, member: str) -> KeyOut:
    """A key's row as routes show it."""
    return KeyOut(
        id=row.id,
        member=member,
        label=row.label,
        hint=row.hint,
        scopes=[Scope(scope) for scope in row.scopes],
        created_at=row.created_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
    )
