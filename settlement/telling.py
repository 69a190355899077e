"""Tells people of members and of finance what happens to money, in the transaction of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.identity.domain import Role
from marketplace.identity.models import Person
from marketplace.money import decimal_from_micros
from marketplace.notices.service import Telling, notify_many

LONGEST_WORDS: Final = 300
"""Characters of a reason or a note that a notice holds; its page has the whole."""


async def members(
    session: AsyncSession, kind: str, once_key: str, contexts: Mapping[UUID, Mapping[str, Any]]
) -> int:
    """Tell the people of members, each member its own; returns how many people were told."""
    rows = await session.execute(
        sa.select(Person.id, Person.member_id).where(
            _has(Role.PARTNER), Person.member_id.in_(contexts)
        )
    )
    tellings = [
        Telling(once_key=once_key, person_id=person_id, context=contexts[member_id])
        for person_id, member_id in rows
        if member_id is not None
    ]
    return await notify_many(session, kind, tellings)


async def member(
    session: AsyncSession, member_id: UUID, kind: str, once_key: str, context: Mapping[str, Any]
) -> int:
    """Tell the people of one member."""
    return await members(session, kind, once_key, {member_id: context})


async def finance(
    session: AsyncSession, kind: str, once_key: str, context: Mapping[str, Any]
) -> int:
    """Tell the people of finance."""
    rows = await session.scalars(sa.select(Person.id).where(_has(Role.FINANCE)))
    tellings = [
        Telling(once_key=once_key, person_id=person_id, context=context) for person_id in rows
    ]
    return await notify_many(session, kind, tellings)


def _has(role: Role) -> sa.ColumnElement[bool]:
    """Whether a person has a role and may sign in."""
    return sa.and_(Person.disabled_at.is_(None), Person.roles.contains([role.value]))


def words(text: str) -> str:
    """What somebody wrote, as it fits into a notice."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_WORDS else f"{line[: LONGEST_WORDS - 1]}…"


def money(micros: int, currency: str) -> str:
    """An amount in words of no language."""
    return f"{decimal_from_micros(micros)} {currency}"
