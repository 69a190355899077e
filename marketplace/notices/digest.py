"""Digests: one mail with what a person has not read, each day or each week.

Each person's day begins at the hour they chose, in their own time zone or that of the country of
their firm or member; weeks begin on Monday then. What was told before the last such moment and is
still unread is due; the digest also takes what has come since.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.ids import take_keys
from marketplace.notices.domain import Email
from marketplace.notices.zones import zones_by_country

BATCH: Final = 500
"""People of one transaction."""
LIFE: Final = timedelta(days=2)
LOCK: Final = 7_219_004_521

# What was read meanwhile needs no mail.
FORGET_READ: Final = """
update notice set email = 'none'
where email = cast(:email as notice_email) and digest_id is null and read_at is not null
"""
# A day of people begins at their hour: shifted by it, days and weeks begin at midnight.
READY: Final = """
select distinct n.person_id
from notice n
join person p on p.id = n.person_id
left join participant t on t.id = p.participant_id
left join firm f on f.id = coalesce(t.firm_id, p.firm_id)
left join member m on m.id = p.member_id
cross join lateral (
    select coalesce(p.time_zone, cast(:zones as jsonb) ->> coalesce(f.country, m.country),
                    'UTC') as zone, make_interval(hours => p.digest_hour) as hour
) z
where n.email = cast(:email as notice_email) and n.email in ('daily', 'weekly')
  and n.digest_id is null
  and n.created_at <
      (date_trunc(:unit, cast(:now as timestamptz) at time zone z.zone - z.hour) + z.hour)
      at time zone z.zone
order by n.person_id limit :limit
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


async def make_digests(session: AsyncSession, email: Email, now: datetime) -> int:
    """Queue the digests of up to BATCH people; returns of how many. `now` by the real clock."""
    if not await session.scalar(sa.select(sa.func.pg_try_advisory_xact_lock(LOCK))):
        return 0  # another process is at it
    await session.execute(sa.text(FORGET_READ), {"email": email.value})
    people = await _ready(session, email, now)
    if people:
        given: dict[str, Any] = {
            "email": email.value,
            "life": LIFE,
            "people": people,
            "ids": take_keys(len(people)),
        }
        await session.execute(sa.text(MAKE), given)
    return len(people)


async def _ready(session: AsyncSession, email: Email, now: datetime) -> Sequence[UUID]:
    given = {
        "email": email.value,
        "unit": "week" if email is Email.WEEKLY else "day",
        "now": now,
        "zones": msgspec.json.encode(zones_by_country()).decode(),
        "limit": BATCH,
    }
    return (await session.scalars(sa.text(READY), given)).all()
