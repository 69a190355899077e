"""Use cases of signing in and out, and how guessing is slowed down."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.db import Database
from marketplace.errors import NotAuthenticated
from marketplace.identity import queries, repository
from marketplace.identity.audit import audit
from marketplace.identity.credentials import SESSION_PREFIX, digest, new_token
from marketplace.identity.domain import Principal, Role
from marketplace.identity.errors import TooManyAttempts, WrongPassword
from marketplace.identity.models import Person, SignIn
from marketplace.identity.passwords import matches
from marketplace.identity.schemas import SignedIn, WhoAmI
from marketplace.ids import uuid7

FAILURES_ALLOWED = 10
WINDOW = timedelta(minutes=15)
KEEP_ENDED = timedelta(days=30)


async def sign_in(
    database: Database, email: str, password: str, *, days: int, device: str | None = None
) -> SignedIn:
    """Check the password and open a session of `days` days.

    Raises WrongPassword (the same for everything that is wrong) or TooManyAttempts. Works in
    transactions of its own: a failure must be kept although the request fails, and no connection
    may wait for the hash.
    """
    async with database.begin() as session:
        attempt, is_last = await count_attempt(session, email)
        person = await repository.person_by_email(session, email)
    fits = await matches(person.password_hash if person else None, password)
    async with database.begin() as session:
        if person is None or not fits or person.disabled_at is not None:
            if is_last:
                await audit(session, "system:sign-in", "sign_in.locked_out", "email", email)
        else:
            await repository.delete_attempt(session, attempt)
            return await open_session(session, person, days=days, device=device)
    raise WrongPassword


async def count_attempt(session: AsyncSession, email: str) -> tuple[int, bool]:
    """Count this attempt as a failure until it succeeds; (its id, whether it is the last one).

    Raises TooManyAttempts.
    """
    failures, retry_after_s = await repository.attempts(session, email, WINDOW)
    if failures >= FAILURES_ALLOWED:
        raise TooManyAttempts(retry_after_s)
    attempt = await repository.add_attempt(session, email)
    return attempt, failures + 1 == FAILURES_ALLOWED


async def open_session(
    session: AsyncSession, person: Person, *, days: int, device: str | None = None
) -> SignedIn:
    """A session for a person whose password or link was checked (or who a test signs in)."""
    token = new_token(SESSION_PREFIX)
    row = SignIn(
        id=uuid7(),
        digest=digest(token),
        person_id=person.id,
        device=device,
        expires_at=sa.func.now() + timedelta(days=days),
    )
    session.add(row)
    await session.flush()
    await session.refresh(row)
    return SignedIn(token=token, expires_at=row.expires_at)


async def sign_out(session: AsyncSession, principal: Principal) -> None:
    """End this session."""
    await repository.revoke_sign_in(session, principal.credential_id)


async def who_am_i(session: AsyncSession, principal: Principal) -> WhoAmI:
    """The person behind a session."""
    person = await session.get(Person, principal.caller_id)
    if person is None:
        raise NotAuthenticated
    return WhoAmI(
        person_id=person.id,
        name=person.name,
        email=person.email,
        roles=[Role(role) for role in person.roles],
        participant_id=principal.participant_id,
        firm_id=principal.firm_id,
        member_id=principal.member_id,
    )


async def forget_stale(session: AsyncSession) -> None:
    """Delete failures that no longer count, and sessions and links that ended a month ago."""
    await repository.delete_stale(session, WINDOW, KEEP_ENDED)
    await queries.delete_old_links(session, KEEP_ENDED)
