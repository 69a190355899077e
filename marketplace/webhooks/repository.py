"""SQL of endpoints, their messages and the delivery log, as their members see them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.coalition.models import Member
from marketplace.errors import NotFound
from marketplace.webhooks.domain import GIVE_UP_AFTER, MessageStatus
from marketplace.webhooks.models import WebhookAttempt, WebhookEndpoint, WebhookMessage


async def lock_member(session: AsyncSession, member_id: UUID) -> None:
    """Let one transaction at a time add endpoints of a member."""
    await session.execute(
        sa.select(Member.id).where(Member.id == member_id).with_for_update(key_share=True)
    )


async def count(session: AsyncSession, member_id: UUID) -> int:
    """How many endpoints a member has."""
    found = await session.scalar(
        sa.select(sa.func.count()).where(WebhookEndpoint.member_id == member_id)
    )
    return found or 0


async def endpoints(session: AsyncSession, member_id: UUID | None) -> Sequence[WebhookEndpoint]:
    """Endpoints of a member, or of all, oldest first."""
    query = sa.select(WebhookEndpoint).order_by(WebhookEndpoint.id)
    if member_id is not None:
        query = query.where(WebhookEndpoint.member_id == member_id)
    return (await session.scalars(query)).all()


async def counts(session: AsyncSession, ids: Sequence[UUID]) -> dict[UUID, dict[str, int]]:
    """Messages by endpoint and status."""
    rows = await session.execute(
        sa.select(WebhookMessage.endpoint_id, WebhookMessage.status, sa.func.count())
        .where(WebhookMessage.endpoint_id.in_(ids))
        .group_by(WebhookMessage.endpoint_id, WebhookMessage.status)
    )
    found: dict[UUID, dict[str, int]] = {each: dict.fromkeys(MessageStatus, 0) for each in ids}
    for endpoint_id, status, number in rows:
        found[endpoint_id][status.value] = number
    return found


async def remove(session: AsyncSession, endpoint_id: UUID) -> None:
    """Delete an endpoint, its messages and their log."""
    for table, column in (
        (WebhookEndpoint, WebhookEndpoint.id),
        (WebhookMessage, WebhookMessage.endpoint_id),
    ):
        await session.execute(
            sa.delete(table)
            .where(column == endpoint_id)
            .execution_options(synchronize_session=False)
        )


async def messages(
    session: AsyncSession,
    endpoint_id: UUID,
    *,
    status: MessageStatus | None,
    before: int | None,
    limit: int,
) -> Sequence[WebhookMessage]:
    """Messages of an endpoint, newest first; those before an id."""
    query = sa.select(WebhookMessage).where(WebhookMessage.endpoint_id == endpoint_id)
    if status is not None:
        query = query.where(WebhookMessage.status == status)
    if before is not None:
        query = query.where(WebhookMessage.id < before)
    return (await session.scalars(query.order_by(WebhookMessage.id.desc()).limit(limit))).all()


async def last_attempts(
    session: AsyncSession, endpoint_id: UUID, ids: Sequence[int]
) -> dict[int, WebhookAttempt]:
    """The newest call of each of these messages that was tried."""
    rows = await session.scalars(
        sa.select(WebhookAttempt)
        .where(WebhookAttempt.endpoint_id == endpoint_id, WebhookAttempt.message_id.in_(ids))
        .order_by(WebhookAttempt.message_id, WebhookAttempt.id.desc())
        .ext(distinct_on(WebhookAttempt.message_id))
    )
    return {row.message_id: row for row in rows}


async def message(session: AsyncSession, endpoint_id: UUID, message_id: int) -> WebhookMessage:
    """A message of an endpoint; NotFound."""
    found = await session.get(WebhookMessage, (endpoint_id, message_id))
    if found is None:
        raise NotFound(f"The endpoint has no message {message_id}.")
    return found


async def attempts(
    session: AsyncSession, endpoint_id: UUID, message_id: int
) -> Sequence[WebhookAttempt]:
    """Calls with a message, newest first."""
    query = (
        sa.select(WebhookAttempt)
        .where(WebhookAttempt.endpoint_id == endpoint_id, WebhookAttempt.message_id == message_id)
        .order_by(WebhookAttempt.id.desc())
    )
    return (await session.scalars(query)).all()


async def there(session: AsyncSession, endpoint_id: UUID, ids: Sequence[int]) -> set[int]:
    """Which of these messages the endpoint has."""
    found = await session.scalars(
        sa.select(WebhookMessage.id).where(
            WebhookMessage.endpoint_id == endpoint_id, WebhookMessage.id.in_(ids)
        )
    )
    return set(found)


async def replay(
    session: AsyncSession,
    endpoint_id: UUID,
    *,
    ids: Sequence[int] | None,
    since: datetime | None,
    until: datetime | None,
    status: MessageStatus | None,
) -> int:
    """Make those messages due that are not; returns how many. None: no matter which."""
    chosen = [WebhookMessage.endpoint_id == endpoint_id, WebhookMessage.due_at.is_(None)]
    if ids is not None:
        chosen.append(WebhookMessage.id.in_(ids))
    if since is not None:
        chosen.append(WebhookMessage.created_at >= since)
    if until is not None:
        chosen.append(WebhookMessage.created_at < until)
    if status is not None:
        chosen.append(WebhookMessage.status == status)
    done: Any = await session.execute(
        sa.update(WebhookMessage)
        .where(*chosen)
        .values(
            status=MessageStatus.DUE,
            due_at=sa.func.statement_timestamp(),
            give_up_at=sa.func.statement_timestamp() + GIVE_UP_AFTER,
            attempts=0,
            delivered_at=None,
        )
        .execution_options(synchronize_session=False)
    )
    return int(done.rowcount)
