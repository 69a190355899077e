"""SQL of the mail queue. Real clock only: what is due is due by this machine's time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.notices.domain import (
    DIGEST_KINDS,
    Category,
    Claimed,
    Email,
    MailStatus,
    Told,
)
from marketplace.notices.kinds import KINDS
from marketplace.notices.models import Mail, Notice

RETRY_FOR: Final = timedelta(days=1)
NO_SERVER: Final = "no mail server configured"
UNWANTED: Final = "the person wants no such mail any more"

# Nobody waits for another's mails; a lease that runs out (a crash) makes a mail due again.
CLAIM: Final = """
with due as (
    select person_id, id from mail
    where due_at <= statement_timestamp() and give_up_at > statement_timestamp()
    order by due_at limit :limit for update skip locked
)
update mail m
set attempts = m.attempts + 1, due_at = statement_timestamp() + cast(:lease as interval)
from due, person p left join participant t on t.id = p.participant_id
where m.person_id = due.person_id and m.id = due.id and p.id = m.person_id
returning m.person_id, m.id, m.kind, m.attempts as attempt, m.created_at, m.secret, p.email,
          p.name, p.locale as own_locale, t.locale as firm_locale
"""
TOLD: Final = """
select n.person_id, coalesce(n.digest_id, n.id) as mail_id, n.kind, n.context, n.effective_at,
       n.created_at
from unnest(cast(:people as uuid[]), cast(:ids as bigint[])) as u(person_id, id)
join notice n on n.person_id = u.person_id and (n.id = u.id or n.digest_id = u.id)
order by n.id desc
"""
# Of no use any more, or to somebody who is shut out.
DROP: Final = """
update mail m
set status = 'expired', due_at = null, secret = null,
    error = case when p.disabled_at is not null then 'the person is shut out'
                 else coalesce(m.error, cast(:why as text)) end
from person p
where p.id = m.person_id and m.due_at <= statement_timestamp()
  and (m.give_up_at <= statement_timestamp() or p.disabled_at is not null)
"""


async def drop_useless(session: AsyncSession, why: str) -> int:
    """Drop mails nobody needs any more; returns how many. `why`: where no try has failed yet."""
    done: Any = await session.execute(sa.text(DROP), {"why": why})
    return int(done.rowcount)


async def claim(session: AsyncSession, *, limit: int, lease: timedelta) -> list[Claimed]:
    """Take up to `limit` due mails that nobody else is sending, with what they are about."""
    rows = (
        (await session.execute(sa.text(CLAIM), {"limit": limit, "lease": lease})).mappings().all()
    )
    if not rows:
        return []
    keys = {"people": [row["person_id"] for row in rows], "ids": [row["id"] for row in rows]}
    told: dict[tuple[UUID, int], list[Told]] = {}
    for person_id, mail_id, *notice in await session.execute(sa.text(TOLD), keys):
        told.setdefault((person_id, mail_id), []).append(Told(*notice))
    return [
        Claimed(
            person_id=row["person_id"],
            id=row["id"],
            kind=row["kind"],
            attempt=row["attempt"],
            created_at=row["created_at"],
            secret=row["secret"],
            email=row["email"],
            name=row["name"],
            locales=(row["own_locale"], row["firm_locale"]),
            notices=told.get((row["person_id"], row["id"]), ()),
        )
        for row in rows
    ]


def _mine(mail: Claimed) -> sa.Update:
    return sa.update(Mail).where(
        Mail.person_id == mail.person_id, Mail.id == mail.id, Mail.attempts == mail.attempt
    )


async def mark_sent(session: AsyncSession, mail: Claimed) -> None:
    """The server has it."""
    await session.execute(
        _mine(mail).values(
            status=MailStatus.SENT,
            due_at=None,
            sent_at=sa.func.statement_timestamp(),
            secret=None,
            address=mail.email,
            error=None,
        )
    )


async def mark_failed(session: AsyncSession, mail: Claimed, error: str) -> None:
    """The server will never take it."""
    await session.execute(
        _mine(mail).values(
            status=MailStatus.FAILED, due_at=None, secret=None, address=mail.email, error=error
        )
    )


async def mark_later(session: AsyncSession, mail: Claimed, error: str, after: timedelta) -> None:
    """Try it again after a while."""
    await session.execute(
        _mine(mail)
        .where(Mail.due_at.is_not(None))
        .values(due_at=sa.func.statement_timestamp() + after, address=mail.email, error=error)
    )


async def release(
    session: AsyncSession, mails: Sequence[Claimed], error: str | None, after: timedelta
) -> None:
    """Give mails back that could not be tried: it was no attempt of theirs."""
    for mail in mails:
        await session.execute(
            _mine(mail)
            .where(Mail.due_at.is_not(None))
            .values(
                due_at=sa.func.statement_timestamp() + after,
                attempts=Mail.attempts - 1,
                error=error,
            )
        )


async def drop_unwanted(session: AsyncSession, person_id: UUID, category: Category) -> None:
    """Drop mails of a category that a person wants no more, unless one is just being sent.

    Digests that wait lose what is of the category; those that have nothing left are dropped too.
    """
    due = sa.and_(Mail.person_id == person_id, Mail.due_at.is_not(None))
    of_category = sa.and_(Notice.person_id == person_id, Notice.category == category.value)
    in_digest = sa.select(Notice.id).where(
        Notice.person_id == person_id, Notice.digest_id == Mail.id
    )
    taken_out = (
        sa.update(Notice)
        .where(of_category, Notice.digest_id.in_(sa.select(Mail.id).where(due)))
        .values(digest_id=None, email=Email.NONE)
    )
    dropped = (
        sa.update(Mail)
        .where(
            due,
            sa.or_(
                Mail.id.in_(sa.select(Notice.id).where(of_category)),
                sa.and_(Mail.kind.in_(DIGEST_KINDS), ~in_digest.exists()),
            ),
        )
        .values(status=MailStatus.EXPIRED, due_at=None, secret=None, error=UNWANTED)
    )
    for each in (taken_out, dropped):
        await session.execute(each.execution_options(synchronize_session=False))


async def retry(session: AsyncSession, ids: Sequence[int]) -> set[int]:
    """Make refused and dropped mails due again; returns which. Their secrets are gone for good."""
    found = await session.scalars(
        sa.update(Mail)
        .where(
            Mail.id.in_(ids),
            Mail.status.in_((MailStatus.FAILED, MailStatus.EXPIRED)),
            Mail.kind.not_in([kind.slug for kind in KINDS.values() if kind.secret]),
        )
        .values(
            status=MailStatus.DUE,
            due_at=sa.func.statement_timestamp(),
            give_up_at=sa.func.statement_timestamp() + RETRY_FOR,
            error=None,
        )
        .returning(Mail.id)
        .execution_options(synchronize_session=False)
    )
    return set(found)


async def newest(
    session: AsyncSession, *, status: MailStatus | None, limit: int
) -> Sequence[sa.Row[Any]]:
    """Mails, newest first, with the address of their person."""
    query = sa.text(
        "select m.id, m.kind, m.status::text, m.due_at, m.attempts, m.error, m.created_at, "
        "m.sent_at, coalesce(m.address, p.email) as address "
        "from mail m join person p on p.id = m.person_id "
        "where cast(:status as text) is null or m.status::text = :status "
        "order by m.created_at desc, m.id desc limit :limit"
    )
    return (await session.execute(query, {"status": status, "limit": limit})).all()
