"""What a person sees and chooses about themselves."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.errors import NotAuthenticated, NotFound
from marketplace.identity import queries, repository
from marketplace.identity.audit import audit
from marketplace.identity.domain import Principal
from marketplace.identity.models import Person


class OpenSession(msgspec.Struct, frozen=True, kw_only=True):
    """One session of a person."""

    id: UUID
    device: str | None
    created_at: datetime
    expires_at: datetime
    is_this: bool
    """The one that asks."""


class Me(msgspec.Struct, frozen=True, kw_only=True):
    """A person as they see themselves."""

    name: str
    email: str
    firm: str | None
    """Name of their firm, for participants and firm managers."""
    member: str | None
    """Name of the member they work for."""
    language: str | None
    theme: str
    time_zone: str | None
    """The zone they chose; None: that of their country."""
    country: str | None
    """Of their firm or member."""
    digest_hour: int
    sessions: list[OpenSession]


async def me(session: AsyncSession, principal: Principal) -> Me:
    """The signed-in person."""
    person = await _person(session, principal)
    firm, member = await queries.belongs_to(session, person)
    sessions = await queries.live_sign_ins(session, person.id)
    return Me(
        name=person.name,
        email=person.email,
        firm=firm,
        member=member,
        language=person.locale,
        theme=person.theme,
        time_zone=person.time_zone,
        country=await queries.country_of(session, person),
        digest_hour=person.digest_hour,
        sessions=[
            OpenSession(
                id=each.id,
                device=each.device,
                created_at=each.created_at,
                expires_at=each.expires_at,
                is_this=each.id == principal.credential_id,
            )
            for each in sessions
        ],
    )


async def set_look(
    session: AsyncSession, principal: Principal, *, language: str | None, theme: str
) -> None:
    """Choose the language (None: as the browser says) and the theme of all pages and mails."""
    person = await _person(session, principal)
    person.locale, person.theme = language, theme
    await session.flush()


async def set_digest_time(
    session: AsyncSession, principal: Principal, *, hour: int, time_zone: str | None
) -> None:
    """Choose at which hour of which zone (None: of one's country) digests come."""
    person = await _person(session, principal)
    person.digest_hour, person.time_zone = hour, time_zone
    await session.flush()


async def end_session(session: AsyncSession, principal: Principal, sign_in_id: UUID) -> None:
    """End one of one's own sessions; NotFound where it is none, or has ended."""
    if not await queries.revoke_own(session, principal.caller_id, sign_in_id):
        raise NotFound("There is no such session, or it has ended.")


async def sign_out_everywhere(session: AsyncSession, principal: Principal) -> None:
    """End every session of the person, this one too."""
    await repository.revoke_sign_ins(session, principal.caller_id)
    person = principal.caller_id
    await audit(session, principal.actor, "person.signed_out_everywhere", "person", person)


async def put_guide_away(session: AsyncSession, principal: Principal) -> None:
    """The guide is not shown again by itself."""
    await queries.mark_guide_seen(session, principal.caller_id)


async def _person(session: AsyncSession, principal: Principal) -> Person:
    person = await session.get(Person, principal.caller_id)
    if person is None:
        raise NotAuthenticated
    return person
