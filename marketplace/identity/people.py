"""Use cases of people: add, list, disable, change the password."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.errors import InvalidRequest, NotFound
from marketplace.identity import repository
from marketplace.identity.audit import audit
from marketplace.identity.domain import Role
from marketplace.identity.errors import PersonExists
from marketplace.identity.models import Person
from marketplace.identity.passwords import hash_password
from marketplace.ids import uuid7

STAFF = frozenset({Role.PARTNER, Role.FINANCE, Role.OPERATOR})
OF_THE_OPERATOR = frozenset({Role.FINANCE, Role.OPERATOR})


class NewPerson(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody to add. Each role needs what it acts for, and nothing else may be named."""

    email: str
    name: str
    roles: frozenset[Role]
    participant: str | None = None
    """Reference, for role participant."""
    firm: str | None = None
    """Reference, for role firm_manager."""
    member: str | None = None
    """Slug, for partner, finance and operator; the last two work for the operator member."""


async def add_person(session: AsyncSession, actor: str, new: NewPerson, *, password: str) -> Person:
    """Add a person; PersonExists, NotFound or InvalidRequest says what does not fit."""
    _check_roles(new)
    if await repository.person_by_email(session, new.email) is not None:
        raise PersonExists(f"{new.email} exists already.")
    person = Person(
        id=uuid7(),
        email=new.email,
        name=new.name,
        password_hash=await hash_password(password),
        roles=sorted(role.value for role in new.roles),
        participant_id=await _participant(session, new.participant),
        firm_id=await _firm(session, new.firm),
        member_id=await _member(session, new),
    )
    session.add(person)
    await session.flush()
    await audit(session, actor, "person.added", "person", person.id, roles=person.roles)
    return person


async def list_people(session: AsyncSession) -> Sequence[Person]:
    """Everybody, by e-mail."""
    return await repository.people(session)


async def disable_person(session: AsyncSession, actor: str, email: str) -> None:
    """Shut a person out: no sign-in any more, and the present ones end. Again changes nothing."""
    person = await _known(session, email)
    if person.disabled_at is None:
        person.disabled_at = await repository.real_now(session)
        await repository.revoke_sign_ins(session, person.id)
        await audit(session, actor, "person.disabled", "person", person.id)


async def change_password(session: AsyncSession, actor: str, email: str, password: str) -> None:
    """Give a person a new password and end the present sessions."""
    person = await _known(session, email)
    person.password_hash = await hash_password(password)
    await repository.revoke_sign_ins(session, person.id)
    await audit(session, actor, "person.password_changed", "person", person.id)


async def _known(session: AsyncSession, email: str) -> Person:
    person = await repository.person_by_email(session, email)
    if person is None:
        raise NotFound(f"There is nobody with e-mail {email}.")
    return person


def _check_roles(new: NewPerson) -> None:
    if not new.roles:
        raise InvalidRequest("A person needs a role.")
    if new.roles & STAFF and new.roles - STAFF:
        # One sign-in must never be both a customer and the staff that decides about it.
        raise InvalidRequest("A customer's roles and staff roles are two people: use two e-mails.")
    for option, given, roles in (
        ("participant", new.participant, {Role.PARTICIPANT}),
        ("firm", new.firm, {Role.FIRM_MANAGER}),
        ("member", new.member, STAFF),
    ):
        if bool(given) != bool(new.roles & roles):
            verb = "needs no" if given else "needs a"
            whose = ", ".join(sorted(new.roles))
            raise InvalidRequest(f"Role {whose} {verb} {option}.")


async def _participant(session: AsyncSession, reference: str | None) -> UUID | None:
    if reference is None:
        return None
    found = await repository.participant_id(session, reference)
    if found is None:
        raise NotFound(f"There is no participant {reference!r}.")
    return found


async def _firm(session: AsyncSession, reference: str | None) -> UUID | None:
    if reference is None:
        return None
    found = await repository.firm_id(session, reference)
    if found is None:
        raise NotFound(f"There is no firm {reference!r}.")
    return found


async def _member(session: AsyncSession, new: NewPerson) -> UUID | None:
    if new.member is None:
        return None
    found = await repository.member_by_slug(session, new.member)
    if found is None:
        raise NotFound(f"There is no member {new.member!r}.")
    if new.roles & OF_THE_OPERATOR and not found.is_operator:
        raise InvalidRequest("Finance and operator people work for the operator member.")
    return found.id
