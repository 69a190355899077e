"""Signing in with a link that is mailed: asked for by anybody, of use to its reader only."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.identity import queries
from marketplace.identity.audit import audit
from marketplace.identity.credentials import digest, new_token
from marketplace.identity.errors import LinkNotUsable
from marketplace.identity.models import Person, SignInLink
from marketplace.identity.schemas import SignedIn
from marketplace.identity.sessions import open_session
from marketplace.ids import uuid7
from marketplace.notices.kinds import LANGUAGE
from marketplace.notices.service import notify
from marketplace.runtime import Runtime

log = logging.getLogger(__name__)

PREFIX: Final = "ml_"
LIFE: Final = timedelta(minutes=15)
MOST: Final = {timedelta(minutes=15): 3, timedelta(days=1): 12}
"""Links for one person within each time; more are not sent, and nobody is told so."""
PATH: Final = "/sign-in/link/"


async def send_link(
    runtime: Runtime, email: str, next_path: str, language: str | None = None
) -> None:
    """Mail a link to whoever has this e-mail. Runs after the answer, which is always the same:
    neither its words nor the time it takes may tell who is known here.

    `language` is the one it was asked for in, where known, for people who have chosen none.
    """
    try:
        async with runtime.database.begin() as session:
            await _send(session, runtime, email, next_path, language)
    except Exception:
        log.exception("a link to sign in with could not be sent")


async def _send(
    session: AsyncSession, runtime: Runtime, email: str, next_path: str, language: str | None
) -> None:
    person = await queries.lock_person(session, email)
    if person is None:
        return
    made = await queries.links_made(session, person.id, list(MOST))
    if any(count >= most for count, most in zip(made, MOST.values(), strict=True)):
        log.warning("person %s asks for too many links to sign in with", person.id)
        return
    token = new_token(PREFIX)
    link = SignInLink(
        id=uuid7(),
        digest=digest(token),
        person_id=person.id,
        next_path=next_path,
        expires_at=sa.func.now() + LIFE,
    )
    session.add(link)
    await session.flush()
    context: dict[str, Any] = {"minutes": int(LIFE.total_seconds()) // 60}
    if language is not None:
        context[LANGUAGE] = language
    await notify(
        session,
        kind="sign_in_link",
        once_key=f"sign_in_link:{link.id}",
        person_id=person.id,
        context=context,
        secret=PATH + token,
        vault=runtime.vault,
    )


async def is_usable(session: AsyncSession, token: str) -> bool:
    """Whether the link would open a session; looking does not use it up."""
    return await queries.link_is_usable(session, digest(token))


async def sign_in_by_link(
    session: AsyncSession, token: str, *, days: int, device: str | None
) -> tuple[SignedIn, str]:
    """Use the link up and open a session; also returns the page that was wanted.

    Raises LinkNotUsable: used, expired, never sent, or the person is disabled.
    """
    used = await queries.use_link(session, digest(token))
    person = None if used is None else await session.get(Person, used[0])
    if used is None or person is None or person.disabled_at is not None:
        raise LinkNotUsable
    signed_in = await open_session(session, person, days=days, device=device)
    await audit(session, f"person:{person.id}", "sign_in.by_link", "person", person.id)
    return signed_in, used[1]
