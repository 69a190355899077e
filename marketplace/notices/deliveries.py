"""SQL of notices on their way over channels: a queue per channel. Real clock only."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.notices.domain import Claimed, MailStatus, Told
from marketplace.notices.models import Notice, NoticeDelivery

# Of no use any more, to somebody who is shut out, or not wanted on the channel any more.
DROP: Final = """
update notice_delivery d
set status = 'expired', due_at = null,
    error = coalesce(d.error, case when c.channel is null then 'not wanted any more'
                                   when p.disabled_at is not null then 'the person is shut out'
                                   else 'too late' end)
from person p
left join notice_channel c on c.person_id = p.id and c.channel = :channel
where p.id = d.person_id and d.channel = :channel and d.due_at <= statement_timestamp()
  and (d.give_up_at <= statement_timestamp() or p.disabled_at is not null or c.channel is null)
"""
# Nobody waits for another's notices; a lease that runs out (a crash) makes one due again. What is
# due waits while the address, which may have been changed meanwhile, is not confirmed.
CLAIM: Final = """
with due as (
    select d.person_id, d.id from notice_delivery d
    join notice_channel c on c.person_id = d.person_id and c.channel = d.channel
    where d.channel = :channel and d.due_at <= statement_timestamp()
      and d.give_up_at > statement_timestamp() and (d.asks or c.confirmed_at is not null)
    order by d.due_at limit :limit for update of d skip locked
)
update notice_delivery d
set attempts = d.attempts + 1, due_at = statement_timestamp() + cast(:lease as interval)
from due, notice_channel c, person p left join participant t on t.id = p.participant_id
where d.person_id = due.person_id and d.id = due.id and d.channel = :channel
  and p.id = d.person_id and c.person_id = d.person_id and c.channel = d.channel
  and (d.asks or c.confirmed_at is not null)
returning d.person_id, d.id, d.asks, d.attempts, d.created_at, c.address, p.name,
          p.locale as own_locale, t.locale as firm_locale
"""


class Carried(msgspec.Struct, frozen=True, kw_only=True):
    """A notice this process is sending; `mail.attempt` proves it when the outcome is written."""

    mail: Claimed
    """With the address on the channel in place of the e-mail address."""
    asks: bool

    @property
    def reference(self) -> str:
        """As in `marketplace.api.Notice.reference`."""
        return f"{self.mail.id}-{self.mail.person_id.hex[-12:]}"


class Fate(msgspec.Struct, frozen=True):
    """What became of a try: sent (no error), refused for good, or to be tried `after` a while."""

    error: str | None = None
    after: timedelta | None = None


async def drop_useless(session: AsyncSession, channel: str) -> None:
    """Drop what nobody needs any more."""
    await session.execute(sa.text(DROP), {"channel": channel})


async def claim(
    session: AsyncSession, channel: str, *, limit: int, lease: timedelta
) -> list[Carried]:
    """Take up to `limit` due notices of a channel that nobody else is sending."""
    given = {"channel": channel, "limit": limit, "lease": lease}
    rows = (await session.execute(sa.text(CLAIM), given)).mappings().all()
    keys = [(row["person_id"], row["id"]) for row in rows if not row["asks"]]
    told = await _told(session, keys) if keys else {}
    return [
        Carried(mail=_claimed(row, told.get((row["person_id"], row["id"]))), asks=row["asks"])
        for row in rows
    ]


async def _told(
    session: AsyncSession, keys: Sequence[tuple[UUID, int]]
) -> dict[tuple[UUID, int], Told]:
    found = await session.scalars(
        sa.select(Notice).where(sa.tuple_(Notice.person_id, Notice.id).in_(keys))
    )
    return {
        (each.person_id, each.id): Told(each.kind, each.context, each.effective_at, each.created_at)
        for each in found
    }


def _claimed(row: Any, told: Told | None) -> Claimed:
    return Claimed(
        person_id=row["person_id"],
        id=row["id"],
        kind=told.kind if told else "",
        attempt=row["attempts"],
        created_at=row["created_at"],
        secret=None,
        email=row["address"],
        name=row["name"],
        locales=(row["own_locale"], row["firm_locale"]),
        notices=(told,) if told else (),
    )


async def write(session: AsyncSession, channel: str, fates: Sequence[tuple[Carried, Fate]]) -> None:
    """Keep what became of tries that are still ours."""
    now = sa.func.statement_timestamp()
    for carried, fate in fates:
        if fate.after is not None:
            values = {"due_at": now + fate.after, "error": fate.error}
        elif fate.error is not None:
            values = {"status": MailStatus.FAILED, "due_at": None, "error": fate.error}
        else:
            values = {"status": MailStatus.SENT, "due_at": None, "sent_at": now, "error": None}
        await session.execute(
            sa.update(NoticeDelivery)
            .where(
                NoticeDelivery.person_id == carried.mail.person_id,
                NoticeDelivery.id == carried.mail.id,
                NoticeDelivery.channel == channel,
                NoticeDelivery.attempts == carried.mail.attempt,
                NoticeDelivery.due_at.is_not(None),
            )
            .values(values)
        )


async def newest(
    session: AsyncSession, *, status: MailStatus | None, limit: int
) -> Sequence[sa.Row[Any]]:
    """Deliveries over channels, newest first, with what they carry."""
    query = sa.text(
        "select d.id, d.channel, d.status::text, d.attempts, d.error, d.created_at, d.sent_at, "
        "case when d.asks then 'confirm_address' else n.kind end as kind, p.email "
        "from notice_delivery d join person p on p.id = d.person_id "
        "left join notice n on n.person_id = d.person_id and n.id = d.id "
        "where cast(:status as text) is null or d.status::text = :status "
        "order by d.created_at desc, d.id desc limit :limit"
    )
    return (await session.execute(query, {"status": status, "limit": limit})).all()
