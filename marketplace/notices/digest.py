"""Digests: one mail with what a person has not read, each day or each week.

Days begin at six in the morning, UTC, weeks on Monday then. What was told before the last such
moment and is still unread is due; the digest also takes what has come since.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.ids import take_keys
from marketplace.notices.domain import Email

HOUR: Final = 6
BATCH: Final = 500
"""People of one transaction."""
LIFE: Final = timedelta(days=2)
LOCK: Final = 7_219_004_521

# What was read meanwhile needs no mail.
FORGET_READ: Final = """
update notice set email = 'none'
where email = cast(:email as notice_email) and digest_id is null and read_at is not null
"""
READY: Final = """
select distinct person_id from notice
where email = cast(:email as notice_email) and email in ('daily', 'weekly') and digest_id is null
  and created_at < :boundary
order by person_id limit :limit
"""
MAKE: Final = """
with mails as (
    insert into mail (person_id, id, kind, give_up_at)
    select u.person_id, u.id, 'digest_' || :email, statement_timestamp() + cast(:life as interval)
    from unnest(cast(:people as uuid[]), cast(:ids as bigint[])) as u(person_id, id)
    returning person_id, id
)
update notice n set digest_id = mails.id
from mails
where n.person_id = mails.person_id and n.email = cast(:email as notice_email)
  and n.digest_id is null
"""


def boundary(email: Email, now: datetime) -> datetime:
    """The last moment at which a digest of this frequency was due, at or before `now` (UTC)."""
    begun = now.replace(hour=HOUR, minute=0, second=0, microsecond=0)
    if begun > now:
        begun -= timedelta(days=1)
    return begun - timedelta(days=begun.weekday()) if email is Email.WEEKLY else begun


async def make_digests(session: AsyncSession, email: Email, now: datetime) -> int:
    """Queue the digests of up to BATCH people; returns of how many. `now` by the real clock."""
    if not await session.scalar(sa.select(sa.func.pg_try_advisory_xact_lock(LOCK))):
        return 0  # another process is at it
    await session.execute(sa.text(FORGET_READ), {"email": email.value})
    people = await _ready(session, email, boundary(email, now))
    if people:
        given: dict[str, Any] = {
            "email": email.value,
            "life": LIFE,
            "people": people,
            "ids": take_keys(len(people)),
        }
        await session.execute(sa.text(MAKE), given)
    return len(people)


async def _ready(session: AsyncSession, email: Email, before: datetime) -> Sequence[UUID]:
    found = await session.scalars(
        sa.text(READY), {"email": email.value, "boundary": before, "limit": BATCH}
    )
    return found.all()
