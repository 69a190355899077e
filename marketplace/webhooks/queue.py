"""SQL of the queue: who is called next, with what, and how that went.

One thread calls an endpoint at a time, so an endpoint that is slow holds up nobody but itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.ids import next_key
from marketplace.webhooks.domain import (
    KEEP,
    STOP_AFTER,
    Attempt,
    Claimed,
    EndpointStatus,
    Message,
    MessageStatus,
    pause_after,
    retry_after,
)
from marketplace.webhooks.models import WebhookAttempt, WebhookEndpoint, WebhookMessage

# A message waits while an earlier one of its burn is due.
READY: Final = """
select m.endpoint_id, m.id, m.type, m.subject_id, m.data, m.effective_at, m.attempts
from webhook_message m
where m.endpoint_id = {endpoint} and m.due_at <= statement_timestamp()
  and not exists (
    select 1 from webhook_message earlier
    where earlier.endpoint_id = m.endpoint_id and earlier.subject_id = m.subject_id
      and earlier.id < m.id and earlier.due_at is not null
  )
order by m.id limit {limit}
"""
# A member gets so many slots, however many of its endpoints wait; of those, the ones that fail get
# what is left for them. Calls may each take the whole time.
CLAIM: Final = f"""
with ready as (
    select e.id, e.member_id, e.failures > 0 as failing, e.leased_until
    from webhook_endpoint e
    where e.status = 'active' and e.leased_until <= statement_timestamp()
      and (e.paused_until is null or e.paused_until <= statement_timestamp())
      and exists ({READY.format(endpoint="e.id", limit="1")})
), fair as (
    select ready.*, row_number() over (partition by member_id order by leased_until) + (
        select count(*) from webhook_endpoint busy
        where busy.member_id = ready.member_id and busy.leased_until > statement_timestamp()
    ) as place
    from ready
), ranked as (
    select id, failing, row_number() over (partition by failing order by leased_until) as place,
           leased_until
    from fair where place <= :of_member
), chosen as (
    select e.id from webhook_endpoint e join ranked on ranked.id = e.id
    where not ranked.failing or ranked.place <= :failing
    order by ranked.failing, ranked.leased_until limit :limit
    for update of e skip locked
)
update webhook_endpoint e
set leased_until = statement_timestamp() + cast(:lease as interval), lease = e.lease + 1
from chosen where e.id = chosen.id and e.leased_until <= statement_timestamp()
returning e.id, e.member_id, e.url, e.secret,
          case when e.previous_until > statement_timestamp() then e.previous_secret end
              as previous_secret,
          e.failures, e.lease
"""
EXPIRE: Final = """
update webhook_message set status = 'failed', due_at = null
where due_at is not null and give_up_at <= statement_timestamp()
"""
STOP: Final = """
update webhook_endpoint set status = 'stopped', paused_until = null
where status = 'active' and failing_since <= statement_timestamp() - cast(:after as interval)
returning id
"""


async def claim(
    session: AsyncSession, *, limit: int, failing: int, of_member: int, lease: timedelta
) -> list[Claimed]:
    """Up to `limit` endpoints that have something to be told, of them `failing` that fail.

    No member has more than `of_member` that are being called, these among them.
    """
    given = {"limit": limit, "failing": failing, "of_member": of_member, "lease": lease}
    rows = await session.execute(sa.text(CLAIM), given)
    return [Claimed(**row) for row in rows.mappings()]


async def ready(session: AsyncSession, claimed: Claimed, limit: int) -> list[Message]:
    """The next messages of an endpoint, in their order; of each burn only the first that waits."""
    rows = await session.execute(
        sa.text(READY.format(endpoint=":endpoint", limit=":limit")),
        {"endpoint": claimed.id, "limit": limit},
    )
    return [Message(**row) for row in rows.mappings()]


async def record(
    session: AsyncSession, claimed: Claimed, message: Message, attempt: Attempt
) -> bool:
    """Write down how a call went; returns whether the endpoint may be called on at once."""
    endpoint = await session.scalar(
        sa.select(WebhookEndpoint).where(WebhookEndpoint.id == claimed.id).with_for_update()
    )
    if endpoint is None:
        return False
    row = await session.get(WebhookMessage, (message.endpoint_id, message.id))
    if row is None:
        return False
    session.add(
        WebhookAttempt(
            endpoint_id=message.endpoint_id,
            message_id=message.id,
            id=next_key(),
            duration_ms=attempt.duration_ms,
            status=attempt.status,
            error=attempt.error,
            answer=attempt.answer,
        )
    )
    if row.status is MessageStatus.DUE:
        _move(row, attempt)
    return _judge(endpoint, claimed, attempt)


def _move(row: WebhookMessage, attempt: Attempt) -> None:
    row.attempts += 1
    if attempt.succeeded:
        row.status = MessageStatus.DELIVERED
        row.due_at = None
        row.delivered_at = sa.func.statement_timestamp()
    else:
        row.due_at = sa.func.statement_timestamp() + retry_after(row.attempts)


def _judge(endpoint: WebhookEndpoint, claimed: Claimed, attempt: Attempt) -> bool:
    """What a call says about the endpoint; whether it may be called on at once."""
    if attempt.succeeded:
        endpoint.failures = 0
        endpoint.failing_since = endpoint.paused_until = None
        return endpoint.lease == claimed.lease and endpoint.status is EndpointStatus.ACTIVE
    if attempt.is_gone:
        endpoint.status = EndpointStatus.GONE
        return False
    endpoint.failures += 1
    if endpoint.failing_since is None:
        endpoint.failing_since = sa.func.statement_timestamp()
    pause = pause_after(endpoint.failures, attempt)
    if pause is not None:
        endpoint.paused_until = sa.func.statement_timestamp() + pause
    return pause is None and endpoint.lease == claimed.lease


async def fail_all(session: AsyncSession, endpoint_id: UUID) -> None:
    """Nothing is due to this endpoint any more; what was can be replayed."""
    await session.execute(
        sa.update(WebhookMessage)
        .where(WebhookMessage.endpoint_id == endpoint_id, WebhookMessage.due_at.is_not(None))
        .values(status=MessageStatus.FAILED, due_at=None)
        .execution_options(synchronize_session=False)
    )


async def release(session: AsyncSession, claimed: Claimed) -> None:
    """Let others call the endpoint, unless they do already."""
    await session.execute(
        sa.update(WebhookEndpoint)
        .where(WebhookEndpoint.id == claimed.id, WebhookEndpoint.lease == claimed.lease)
        .values(leased_until=sa.func.statement_timestamp())
        .execution_options(synchronize_session=False)
    )


async def expire(session: AsyncSession) -> None:
    """Give up what has been tried for long enough."""
    await session.execute(sa.text(EXPIRE))


async def stop_failing(session: AsyncSession) -> Sequence[UUID]:
    """Stop the endpoints that have taken nothing for STOP_AFTER; returns which."""
    return (await session.scalars(sa.text(STOP), {"after": STOP_AFTER})).all()


async def forget(session: AsyncSession) -> None:
    """Delete messages, and with them the log of their deliveries, after KEEP."""
    await session.execute(
        sa.delete(WebhookMessage)
        .where(
            WebhookMessage.created_at < sa.func.statement_timestamp() - KEEP,
            WebhookMessage.due_at.is_(None),
        )
        .execution_options(synchronize_session=False)
    )
