"""Tells the people of a member what became of its endpoint."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.identity.domain import Role
from marketplace.identity.models import Person
from marketplace.ids import next_key
from marketplace.notices.service import Telling, notify_many
from marketplace.webhooks import queue
from marketplace.webhooks.domain import Attempt, Claimed, EndpointStatus, Message
from marketplace.webhooks.models import WebhookEndpoint

LONGEST_URL = 100


async def record(
    session: AsyncSession, claimed: Claimed, message: Message, attempt: Attempt
) -> bool:
    """Write down how a call went; returns whether the endpoint may be called on at once.

    One that is gone gets nothing more, and its member is told.
    """
    may_go_on = await queue.record(session, claimed, message, attempt)
    if attempt.is_gone:
        await queue.fail_all(session, claimed.id)
        await _tell(session, claimed.id)
    return may_go_on


async def stop_failing(session: AsyncSession) -> int:
    """Stop the endpoints that have failed for too long and tell their members; how many."""
    stopped = await queue.stop_failing(session)
    for endpoint_id in stopped:
        await queue.fail_all(session, endpoint_id)
        await _tell(session, endpoint_id)
    return len(stopped)


async def _tell(session: AsyncSession, endpoint_id: UUID) -> None:
    endpoint = await session.get(WebhookEndpoint, endpoint_id, populate_existing=True)
    if endpoint is None:
        return
    people = await session.scalars(
        sa.select(Person.id).where(
            Person.member_id == endpoint.member_id,
            Person.roles.contains([Role.PARTNER.value]),
            Person.disabled_at.is_(None),
        )
    )
    kind = "webhook_gone" if endpoint.status is EndpointStatus.GONE else "webhook_stopped"
    url = endpoint.url.split("?")[0][:LONGEST_URL]
    occasion = next_key()  # it may be stopped again another day
    tellings = [
        Telling(
            once_key=f"webhook:{endpoint_id}:{occasion}",
            context={"url": url, "endpoint": str(endpoint_id)},
            person_id=person_id,
        )
        for person_id in people
    ]
    if tellings:
        await notify_many(session, kind, tellings)
