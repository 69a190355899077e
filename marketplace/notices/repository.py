"""SQL of notices: making them, the inbox, preferences."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from marketplace.errors import NotFound
from marketplace.notices.domain import DIGESTS, Category, Email, Preference
from marketplace.notices.kind import Kind
from marketplace.notices.models import (
    Mail,
    Notice,
    NoticeDelivery,
    NoticePreference,
    NoticeSubscription,
)
from marketplace.notices.posting import TAIL, terms

MOST_COUNTED: Final = 100
KEEP_NOTICES: Final = timedelta(days=400)
KEEP_MAILS: Final = timedelta(days=90)

# People are found by two indexes; an `or` would read the whole table.
FROM_ROWS = """
with source as (
    select p.id as person_id, u.id, u.context, u.once_key, marketplace_now() as effective_at,
           decode(u.secret, 'hex') as secret, {terms}
    from jsonb_to_recordset(cast(:rows as jsonb))
           as u(id bigint, person_id uuid, participant_id uuid, context jsonb, once_key text,
                secret text)
    cross join lateral (
        select id from person where id = u.person_id and disabled_at is null
        union all
        select id from person
        where participant_id = u.participant_id and 'participant' = any(roles)
          and disabled_at is null
    ) p
)
"""


def _posting(kind: Kind, rows: Sequence[dict[str, Any]]) -> sa.TextClause:
    text = sa.text((FROM_ROWS + TAIL).replace("{terms}", terms(kind)))
    return text.bindparams(rows=msgspec.json.encode(rows).decode())


async def post(session: AsyncSession, kind: Kind, rows: Sequence[dict[str, Any]]) -> int:
    """Make notices of one kind; returns how many are new."""
    made: int = (await session.execute(_posting(kind, rows))).scalar_one()
    return made


def post_sync(session: Session, kind: Kind, rows: Sequence[dict[str, Any]]) -> int:
    """`post` in a synchronous session."""
    made: int = session.execute(_posting(kind, rows)).scalar_one()
    return made


# -- the inbox -------------------------------------------------------------------------------------


def _unread(person_id: UUID) -> sa.ColumnElement[bool]:
    return sa.and_(Notice.person_id == person_id, Notice.in_app, Notice.read_at.is_(None))


async def unread_count(session: AsyncSession, person_id: UUID) -> int:
    """Unread notices of a person, MOST_COUNTED at most."""
    some = sa.select(Notice.id).where(_unread(person_id)).limit(MOST_COUNTED).subquery()
    found: int = (await session.execute(sa.select(sa.func.count()).select_from(some))).scalar_one()
    return found


async def inbox(
    session: AsyncSession, person_id: UUID, *, after: tuple[bool, int] | None, limit: int
) -> Sequence[Notice]:
    """Notices of a person, unread first, then newest first; those after (is read, id)."""
    is_read = Notice.read_at.is_not(None)
    query = sa.select(Notice).where(Notice.person_id == person_id, Notice.in_app)
    if after is not None:
        was_read, last = after
        same = sa.and_(is_read == sa.literal(was_read), Notice.id < last)
        query = query.where(same if was_read else sa.or_(same, is_read))
    return (await session.scalars(query.order_by(is_read, Notice.id.desc()).limit(limit))).all()


async def find(session: AsyncSession, person_id: UUID, notice_id: int) -> Notice:
    """A notice in a person's inbox; NotFound where it is none of theirs."""
    found = await session.get(Notice, (person_id, notice_id))
    if found is None or not found.in_app:
        raise NotFound
    return found


async def mark_read(session: AsyncSession, person_id: UUID, ids: Sequence[int] | None) -> None:
    """Mark notices of a person as read; None is all of them."""
    query = sa.update(Notice).where(_unread(person_id))
    if ids is not None:
        query = query.where(Notice.id.in_(ids))
    await session.execute(
        query.values(read_at=sa.func.statement_timestamp()).execution_options(
            synchronize_session=False
        )
    )


async def mark_read_at(session: AsyncSession, person_id: UUID, path: str) -> None:
    """Mark as read what leads a person to this page of theirs: they are there."""
    leads_here = sa.or_(
        Notice.context["path"].astext == path,
        sa.literal("/rewards/") + Notice.context["burn"].astext == path,
    )
    await session.execute(
        sa.update(Notice)
        .where(_unread(person_id), leads_here)
        .values(read_at=sa.func.statement_timestamp())
        .execution_options(synchronize_session=False)
    )


# -- preferences -----------------------------------------------------------------------------------


async def preferences(session: AsyncSession, person_id: UUID) -> list[Preference]:
    """What a person has chosen."""
    rows = await session.scalars(
        sa.select(NoticePreference).where(NoticePreference.person_id == person_id)
    )
    return [
        Preference(category=Category(row.category), in_app=row.in_app, email=row.email)
        for row in rows
    ]


async def set_preference(session: AsyncSession, person_id: UUID, wanted: Preference) -> None:
    """Store a choice; what waits for a digest goes with the digest that is wanted now, or none."""
    values = {"in_app": wanted.in_app, "email": wanted.email}
    row = {"person_id": person_id, "category": wanted.category.value, **values}
    await session.execute(
        insert(NoticePreference)
        .values(row)
        .on_conflict_do_update(index_elements=["person_id", "category"], set_=values)
    )
    waiting = wanted.email if wanted.email in DIGESTS else Email.NONE
    await session.execute(
        sa.update(Notice)
        .where(
            Notice.person_id == person_id,
            Notice.category == wanted.category.value,
            Notice.email.in_(DIGESTS),
            Notice.digest_id.is_(None),
        )
        .values(email=waiting)
        .execution_options(synchronize_session=False)
    )


# -- forgetting ------------------------------------------------------------------------------------


async def forget(session: AsyncSession) -> None:
    """Delete notices and subscriptions after KEEP_NOTICES, mails and deliveries that are over
    after KEEP_MAILS.
    """
    now = sa.func.statement_timestamp()
    for old in (
        sa.delete(Mail).where(Mail.created_at < now - KEEP_MAILS, Mail.due_at.is_(None)),
        # Those of a channel that is no more are due for ever, for nobody is there to drop them.
        sa.delete(NoticeDelivery).where(
            NoticeDelivery.created_at < now - KEEP_MAILS, NoticeDelivery.give_up_at < now
        ),
        sa.delete(Notice).where(Notice.created_at < now - KEEP_NOTICES),
        sa.delete(NoticeSubscription).where(NoticeSubscription.created_at < now - KEEP_NOTICES),
    ):
        await session.execute(old.execution_options(synchronize_session=False))
