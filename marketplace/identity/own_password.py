"""Changing one's own password; whoever has just come in by a mailed link may set one."""

from __future__ import annotations

from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.db import Database
from marketplace.errors import NotAuthenticated
from marketplace.identity import queries, repository
from marketplace.identity.audit import audit
from marketplace.identity.domain import Principal
from marketplace.identity.errors import WrongPresentPassword
from marketplace.identity.links import LIFE
from marketplace.identity.models import Person
from marketplace.identity.passwords import check_length, hash_password, matches
from marketplace.identity.sessions import count_attempt

FRESH: Final = LIFE
"""How long after signing in by a link the present password is not asked for."""


async def needs_present(session: AsyncSession, principal: Principal) -> bool:
    """Whether the present password is asked for: not in a session just opened by a link."""
    return not await queries.came_by_link(session, principal.credential_id, FRESH)


async def change_own(
    database: Database, principal: Principal, *, present: str | None, new: str
) -> None:
    """Change the caller's password and end all their other sessions.

    Raises InvalidRequest (too short, too long), WrongPresentPassword, or TooManyAttempts: tries
    count together with failed sign-ins. Works in transactions of its own: a failure must be kept
    although the request fails, and no connection may wait for the hash.
    """
    check_length(new)
    async with database.begin() as session:
        person = await _person(session, principal)
        is_asked = await needs_present(session, principal)
        if is_asked:
            attempt, is_last = await count_attempt(session, person.email)
    if is_asked and not await matches(person.password_hash, present or ""):
        if is_last:
            async with database.begin() as session:
                await audit(session, principal.actor, "sign_in.locked_out", "email", person.email)
        raise WrongPresentPassword("Or sign in by a mailed link, and set a password then.")
    new_hash = await hash_password(new)
    async with database.begin() as session:
        (await _person(session, principal)).password_hash = new_hash
        await repository.revoke_sign_ins(session, person.id, but=principal.credential_id)
        if is_asked:
            await repository.delete_attempt(session, attempt)
        by_link = not is_asked
        await audit(
            session,
            principal.actor,
            "person.password_changed",
            "person",
            person.id,
            by_link=by_link,
        )


async def _person(session: AsyncSession, principal: Principal) -> Person:
    person = await session.get(Person, principal.caller_id)
    if person is None or person.disabled_at is not None:
        raise NotAuthenticated
    return person
