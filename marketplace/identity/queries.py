"""SQL of links to sign in with, of a person's sessions and of what they prefer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.clock import NOW
from marketplace.coalition.models import Firm, Member, Participant
from marketplace.identity.models import Person, SignIn, SignInLink

# -- links -----------------------------------------------------------------------------------------


async def lock_person(session: AsyncSession, email: str) -> Person | None:
    """The person with this e-mail who may sign in, locked, so that links asked at once count."""
    return await session.scalar(
        sa.select(Person)
        .where(sa.func.lower(Person.email) == email.lower(), Person.disabled_at.is_(None))
        .with_for_update(key_share=True)
    )


async def links_made(session: AsyncSession, person_id: UUID, windows: Sequence[timedelta]) -> Any:
    """How many links a person asked for within each window, in one row."""
    made = SignInLink.created_at
    counts = [sa.func.count().filter(made > sa.func.now() - window) for window in windows]
    query = sa.select(*counts).where(
        SignInLink.person_id == person_id, made > sa.func.now() - max(windows)
    )
    return (await session.execute(query)).one()


def _usable(digest: bytes) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        SignInLink.digest == digest,
        SignInLink.used_at.is_(None),
        SignInLink.expires_at > sa.func.now(),
    )


async def link_is_usable(session: AsyncSession, digest: bytes) -> bool:
    """Whether a link would open a session now."""
    return await session.scalar(sa.select(SignInLink.id).where(*_usable(digest))) is not None


async def use_link(session: AsyncSession, digest: bytes) -> tuple[UUID, str] | None:
    """Use a link up: (person, page to show next). None where it was used, expired or never was."""
    query = (
        sa.update(SignInLink)
        .where(*_usable(digest))
        .values(used_at=sa.func.now())
        .returning(SignInLink.person_id, SignInLink.next_path)
    )
    row = (await session.execute(query)).first()
    return None if row is None else (row[0], row[1])


async def came_by_link(session: AsyncSession, sign_in_id: UUID, within: timedelta) -> bool:
    """Whether a session was opened by a link, no longer ago than `within`."""
    # Both times are of the one transaction that used the link up and opened the session.
    query = (
        sa.select(SignInLink.id)
        .join(SignIn, SignIn.person_id == SignInLink.person_id)
        .where(
            SignIn.id == sign_in_id,
            SignIn.created_at > sa.func.now() - within,
            SignInLink.used_at == SignIn.created_at,
        )
    )
    return await session.scalar(query.limit(1)) is not None


async def delete_old_links(session: AsyncSession, keep: timedelta) -> None:
    """Forget links that ended longer ago than `keep`."""
    await session.execute(sa.delete(SignInLink).where(SignInLink.expires_at < sa.func.now() - keep))


# -- the person's own page -------------------------------------------------------------------------


async def belongs_to(session: AsyncSession, person: Person) -> tuple[str | None, str | None]:
    """(name of the person's firm, name of the member they work for)."""
    firm = (
        sa.select(Firm.name)
        .outerjoin(Participant, Participant.firm_id == Firm.id)
        .where(sa.or_(Participant.id == person.participant_id, Firm.id == person.firm_id))
        .limit(1)
    )
    member = sa.select(Member.name).where(Member.id == person.member_id)
    return await session.scalar(firm), await session.scalar(member)


async def country_of(session: AsyncSession, person: Person) -> str | None:
    """The country of the person's firm, else of the member they work for."""
    firm = (
        sa.select(Firm.country)
        .outerjoin(Participant, Participant.firm_id == Firm.id)
        .where(sa.or_(Participant.id == person.participant_id, Firm.id == person.firm_id))
        .limit(1)
    )
    member = sa.select(Member.country).where(Member.id == person.member_id)
    return await session.scalar(firm) or await session.scalar(member)


async def live_sign_ins(session: AsyncSession, person_id: UUID) -> Sequence[SignIn]:
    """Sessions of a person that are open, newest first."""
    found = await session.scalars(
        sa.select(SignIn)
        .where(
            SignIn.person_id == person_id,
            SignIn.revoked_at.is_(None),
            SignIn.expires_at > sa.func.now(),
        )
        .order_by(SignIn.created_at.desc())
    )
    return found.all()


async def revoke_own(session: AsyncSession, person_id: UUID, sign_in_id: UUID) -> bool:
    """End one session of a person; False where it is not theirs or has ended."""
    query = (
        sa.update(SignIn)
        .where(SignIn.id == sign_in_id, SignIn.person_id == person_id, SignIn.revoked_at.is_(None))
        .values(revoked_at=sa.func.now())
        .returning(SignIn.id)
    )
    return (await session.execute(query)).first() is not None


async def mark_guide_seen(session: AsyncSession, person_id: UUID) -> None:
    """The guide was put away; again changes nothing."""
    await session.execute(
        sa.update(Person)
        .where(Person.id == person_id, Person.guide_seen_at.is_(None))
        .values(guide_seen_at=NOW)
    )
