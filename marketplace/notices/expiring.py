"""Warns people of points that expire: 30 and 7 days ahead, in few words.

Many lots that expire one after the other would make many warnings. So one names everything that
expires within the days ahead and the days of `group` after them, and the next comes when something
else is due: at least `group` later. No lot is announced later than it should be.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.ids import take_keys
from marketplace.notices.kind import Kind
from marketplace.notices.kinds import POINTS_EXPIRE_7, POINTS_EXPIRE_30
from marketplace.notices.posting import TAIL, terms


class Level(msgspec.Struct, frozen=True):
    """How long ahead points are announced, and as what."""

    kind: Kind
    days: int
    sooner: int
    """What expires within so many days is the next level's."""
    group: timedelta


LEVELS: Final = (
    Level(POINTS_EXPIRE_30, 30, 7, timedelta(days=6)),
    Level(POINTS_EXPIRE_7, 7, 0, timedelta(days=2)),
)
BATCH: Final = 1_000
"""People of one transaction."""

PEOPLE: Final = """
select id from person
where id > :after and participant_id is not null and 'participant' = any(roles)
  and disabled_at is null
order by id limit :limit
"""


def _statement(kind: Kind) -> str:
    return f"""
with clock as (select marketplace_now() as now),
due as (
    -- `first` is what must be announced now; `until` is the last of what is announced with it.
    select p.id as person_id, u.key, min(l.expires_at) as first, max(l.expires_at) as until,
           sum(l.remaining)::bigint as points
    from unnest(cast(:people as uuid[]), cast(:keys as bigint[])) as u(person_id, key)
    join person p on p.id = u.person_id
    join wallet w on w.participant_id = p.participant_id
    cross join clock
    left join expiry_warning e on e.person_id = p.id and e.days = :days
    join lot l on l.wallet_id = w.id and l.open
      and l.expires_at > clock.now
      and l.expires_at <= clock.now + make_interval(days => :days) + cast(:group as interval)
    group by p.id, u.key, e.warned_until, clock.now
    having bool_or(l.expires_at > coalesce(e.warned_until, clock.now)
                   and l.expires_at > clock.now + make_interval(days => :sooner)
                   and l.expires_at <= clock.now + make_interval(days => :days))
), warned as (
    insert into expiry_warning (person_id, days, warned_until)
    select person_id, :days, until from due order by person_id
    on conflict (person_id, days) do update set warned_until = excluded.warned_until
), source as (
    select due.person_id, due.key as id, 'expire_' || :days || ':' || due.until as once_key,
           jsonb_build_object('points', due.points, 'until',
                              to_char(due.until at time zone 'UTC', 'YYYY-MM-DD')) as context,
           clock.now as effective_at, null::bytea as secret, {terms(kind)}
    from due cross join clock
)
{TAIL}"""


async def next_people(session: AsyncSession, after: UUID) -> list[UUID]:
    """The next BATCH people who may have points, by id."""
    found = await session.scalars(sa.text(PEOPLE), {"after": after, "limit": BATCH})
    return list(found)


async def warn(session: AsyncSession, people: list[UUID]) -> int:
    """Tell these people what of theirs expires soon, once; returns how many warnings are new."""
    made = 0
    for level in LEVELS:
        given: dict[str, Any] = {
            "people": people,
            "keys": take_keys(len(people)),
            "days": level.days,
            "sooner": level.sooner,
            "group": level.group,
        }
        made += (await session.execute(sa.text(_statement(level.kind)), given)).scalar_one()
    return made
