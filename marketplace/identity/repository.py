"""All SQL of identity. Credentials live by the real clock (`now()`), never by business time."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.clock import NOW
from marketplace.coalition.models import Firm, Member, Participant
from marketplace.identity.domain import Principal, Role
from marketplace.identity.models import ApiKey, Person, SignIn, SignInFailure
from marketplace.ids import next_key

# -- who is calling --------------------------------------------------------------------------------

OF_PERSON = (
    Person.id,
    Person.name,
    Person.roles,
    Person.member_id,
    Person.participant_id,
    Person.firm_id,
    Person.locale,
    Person.theme,
    Person.guide_seen_at,
)
"""What a principal says of a person; a whole Person takes several times as long to load."""


async def find_keys(session: AsyncSession, digests: Collection[bytes]) -> dict[bytes, Principal]:
    """The principals of live API keys, by digest."""
    rows = await session.execute(
        sa.select(ApiKey.digest, ApiKey.id, ApiKey.member_id, ApiKey.scopes, Member.is_operator)
        .join(Member, Member.id == ApiKey.member_id)
        .where(_is_one_of(ApiKey.digest, digests), ApiKey.revoked_at.is_(None))
    )
    return {
        row.digest: Principal(
            credential_id=row.id,
            caller_id=row.member_id,
            actor=f"key:{row.id}",
            member_id=row.member_id,
            is_operator=row.is_operator,
            scopes=frozenset(row.scopes),
        )
        for row in rows
    }


async def find_sign_ins(
    session: AsyncSession, digests: Collection[bytes]
) -> dict[bytes, Principal]:
    """The principals of live sessions, by digest: neither signed out nor expired, nor the person
    disabled.
    """
    rows = await session.execute(
        sa.select(SignIn.digest, SignIn.id.label("sign_in_id"), *OF_PERSON, NOW.label("seen_at"))
        .join(Person, Person.id == SignIn.person_id)
        .where(
            _is_one_of(SignIn.digest, digests),
            SignIn.revoked_at.is_(None),
            SignIn.expires_at > sa.func.now(),
            Person.disabled_at.is_(None),
        )
    )
    found = {row.digest: person_principal(row.sign_in_id, row, row.seen_at) for row in rows}
    return {digest: each for digest, each in found.items() if each is not None}


def _is_one_of(column: Any, digests: Collection[bytes]) -> sa.ColumnElement[bool]:
    """One statement, however many there are."""
    is_one: sa.ColumnElement[bool] = column == sa.any_(
        sa.literal(list(digests), ARRAY(sa.LargeBinary))
    )
    return is_one


def person_principal(
    sign_in_id: UUID, person: Person | Any, seen_at: datetime | None = None
) -> Principal | None:
    """The principal of a signed-in person; an id is carried only with the role it belongs to.

    `person` may be a row of OF_PERSON.
    """
    roles = frozenset(person.roles)
    if not roles:
        return None
    staff = roles & {Role.PARTNER, Role.FINANCE, Role.OPERATOR}
    return Principal(
        credential_id=sign_in_id,
        caller_id=person.id,
        actor=f"person:{person.id}",
        member_id=person.member_id if staff else None,
        is_operator=Role.OPERATOR in roles,
        roles=roles,
        participant_id=person.participant_id if Role.PARTICIPANT in roles else None,
        firm_id=person.firm_id if Role.FIRM_MANAGER in roles else None,
        name=person.name,
        language=person.locale,
        theme=None if person.theme == "auto" else person.theme,
        is_new=Role.PARTICIPANT in roles and person.guide_seen_at is None,
        seen_at=seen_at,
    )


async def write_last_used(session: AsyncSession, key_ids: Sequence[UUID]) -> None:
    """Set `last_used_at` of these keys to the present minute."""
    minute = sa.func.date_trunc("minute", sa.func.now())
    await session.execute(
        sa.update(ApiKey)
        .where(
            ApiKey.id.in_(key_ids),
            sa.or_(ApiKey.last_used_at.is_(None), ApiKey.last_used_at < minute),
        )
        .values(last_used_at=minute)
        .execution_options(synchronize_session=False)
    )


# -- API keys --------------------------------------------------------------------------------------


async def keys_page(
    session: AsyncSession, *, member_id: UUID | None, before: UUID | None, limit: int
) -> Sequence[Any]:
    """Keys with their member's slug, newest first, older than id `before`."""
    query = sa.select(ApiKey, Member.slug).join(Member, Member.id == ApiKey.member_id)
    if member_id is not None:
        query = query.where(ApiKey.member_id == member_id)
    if before is not None:
        query = query.where(ApiKey.id < before)
    return (await session.execute(query.order_by(ApiKey.id.desc()).limit(limit))).all()


async def get_key(session: AsyncSession, key_id: UUID) -> ApiKey | None:
    """A key, locked."""
    return await session.get(ApiKey, key_id, with_for_update=True)


async def member_by_slug(session: AsyncSession, slug: str) -> Member | None:
    """The member with this slug."""
    return await session.scalar(sa.select(Member).where(Member.slug == slug))


async def member_of(session: AsyncSession, member_id: UUID | None) -> Member | None:
    """The member with this id."""
    return None if member_id is None else await session.get(Member, member_id)


async def real_now(session: AsyncSession) -> datetime:
    """The database's own clock."""
    return (await session.execute(sa.select(sa.func.now()))).scalar_one()


# -- people ----------------------------------------------------------------------------------------


async def participant_id(session: AsyncSession, reference: str) -> UUID | None:
    """The participant with this reference."""
    return await session.scalar(sa.select(Participant.id).where(Participant.reference == reference))


async def firm_id(session: AsyncSession, reference: str) -> UUID | None:
    """The firm with this reference."""
    return await session.scalar(sa.select(Firm.id).where(Firm.reference == reference))


async def person_by_email(session: AsyncSession, email: str) -> Person | None:
    """The person with this e-mail, in any spelling of upper and lower case."""
    return await session.scalar(
        sa.select(Person).where(sa.func.lower(Person.email) == email.lower())
    )


async def people(session: AsyncSession) -> Sequence[Person]:
    """Everybody, by e-mail."""
    return (await session.scalars(sa.select(Person).order_by(sa.func.lower(Person.email)))).all()


async def revoke_sign_ins(
    session: AsyncSession, person_id: UUID, *, but: UUID | None = None
) -> None:
    """End every session of a person, `but` one where that is given."""
    query = sa.update(SignIn).where(SignIn.person_id == person_id, SignIn.revoked_at.is_(None))
    if but is not None:
        query = query.where(SignIn.id != but)
    await session.execute(query.values(revoked_at=sa.func.now()))


async def revoke_sign_in(session: AsyncSession, sign_in_id: UUID) -> None:
    """End one session."""
    await session.execute(
        sa.update(SignIn).where(SignIn.id == sign_in_id).values(revoked_at=sa.func.now())
    )


# -- guessing --------------------------------------------------------------------------------------


async def add_attempt(session: AsyncSession, email: str) -> int:
    """Count an attempt as failed until it succeeds; returns the id of its row."""
    key = next_key()
    session.add(SignInFailure(id=key, email=email))
    await session.flush()
    return key


async def attempts(session: AsyncSession, email: str, window: timedelta) -> tuple[int, int]:
    """(failures of this e-mail within the window, seconds until the oldest of them leaves it).

    Takes a lock on the e-mail until the transaction ends, so that guesses made at once count.
    """
    lowered = email.lower()
    await session.execute(
        sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(lowered, 0)))
    )
    leaves = sa.func.min(SignInFailure.at) + window - sa.func.now()
    row = (
        await session.execute(
            sa.select(sa.func.count(), sa.func.extract("epoch", leaves)).where(
                sa.func.lower(SignInFailure.email) == lowered,
                SignInFailure.at > sa.func.now() - window,
            )
        )
    ).one()
    return row[0], int(row[1] or 0) + 1


async def delete_attempt(session: AsyncSession, attempt_id: int) -> None:
    """The attempt succeeded: it is no failure."""
    await session.execute(sa.delete(SignInFailure).where(SignInFailure.id == attempt_id))


async def delete_stale(session: AsyncSession, window: timedelta, keep: timedelta) -> None:
    """Delete failures older than the window and sessions that ended longer ago than `keep`."""
    await session.execute(sa.delete(SignInFailure).where(SignInFailure.at < sa.func.now() - window))
    await session.execute(sa.delete(SignIn).where(SignIn.expires_at < sa.func.now() - keep))
