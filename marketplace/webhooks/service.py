"""Endpoints of members: made, changed, tested, replayed. Works in the caller's transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.clock import NOW
from marketplace.errors import InvalidRequest, NotFound
from marketplace.identity.audit import audit
from marketplace.identity.domain import Principal
from marketplace.ids import uuid7
from marketplace.outbound import Outbound
from marketplace.secrets import Vault
from marketplace.signing import new_key
from marketplace.webhooks import queue, repository
from marketplace.webhooks.domain import (
    EXAMPLES,
    GIVE_UP_AFTER,
    MOST_ENDPOINTS,
    OLD_SECRET_LIVES,
    SUBSCRIBABLE,
    EndpointStatus,
    EventType,
    MessageStatus,
)
from marketplace.webhooks.errors import EndpointNotActive, TooManyEndpoints, UnknownEvent
from marketplace.webhooks.models import WebhookEndpoint, WebhookMessage

LONGEST_DESCRIPTION: Final = 200
SUBJECT: Final = "webhook_endpoint"


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What to change of an endpoint; None leaves it."""

    url: str | None = None
    events: Sequence[str] | None = None
    description: str | None = None
    active: bool | None = None


class Which(msgspec.Struct, frozen=True, kw_only=True):
    """Messages to replay: those named, or those of a span of time, or all that failed."""

    ids: Sequence[int] | None = None
    since: datetime | None = None
    until: datetime | None = None
    failed_only: bool = True


async def create(
    session: AsyncSession,
    actor: str,
    member_id: UUID,
    *,
    url: str,
    events: Sequence[str],
    description: str = "",
    outbound: Outbound,
    vault: Vault,
) -> tuple[WebhookEndpoint, str]:
    """A new endpoint and its secret, which is shown this once.

    Raises AddressRefused, Unreachable (no such host), UnknownEvent, TooManyEndpoints.
    """
    await _check_url(outbound, url)
    # Two at once must not both be the last one allowed.
    await repository.lock_member(session, member_id)
    if await repository.count(session, member_id) >= MOST_ENDPOINTS:
        raise TooManyEndpoints(f"A member has {MOST_ENDPOINTS} webhook endpoints at most.")
    secret = new_key()
    row = WebhookEndpoint(
        id=uuid7(),
        member_id=member_id,
        url=url,
        description=_described(description),
        events=_known(events),
        secret=vault.encrypt(secret),
    )
    session.add(row)
    await session.flush()
    await session.refresh(row)
    await audit(session, actor, "webhook.create", SUBJECT, row.id, url=url, events=row.events)
    return row, secret


async def find(session: AsyncSession, principal: Principal, endpoint_id: UUID) -> WebhookEndpoint:
    """The endpoint, where it is the caller's member's or the caller is the operator."""
    row = await session.get(WebhookEndpoint, endpoint_id)
    if row is None or not (principal.is_operator or row.member_id == principal.member_id):
        raise NotFound(f"There is no webhook endpoint {endpoint_id}, or it is not yours to see.")
    return row


async def change(
    session: AsyncSession, actor: str, row: WebhookEndpoint, asked: Change, outbound: Outbound
) -> None:
    """Change what is asked; activating begins afresh, with no failures counted."""
    if asked.url is not None and asked.url != row.url:
        await _check_url(outbound, asked.url)
    await session.refresh(row, with_for_update=True)
    if asked.url is not None:
        row.url = asked.url
    if asked.events is not None:
        row.events = _known(asked.events)
    if asked.description is not None:
        row.description = _described(asked.description)
    if asked.active is True and row.status is not EndpointStatus.ACTIVE:
        row.status = EndpointStatus.ACTIVE
        row.failures = 0
        row.failing_since = row.paused_until = None
    if asked.active is False and row.status is EndpointStatus.ACTIVE:
        row.status = EndpointStatus.STOPPED
        await queue.fail_all(session, row.id)
    await session.flush()
    details = {
        name: value for name, value in msgspec.to_builtins(asked).items() if value is not None
    }
    await audit(session, actor, "webhook.change", SUBJECT, row.id, **details)


async def remove(session: AsyncSession, actor: str, row: WebhookEndpoint) -> None:
    """Delete an endpoint with its messages and their log."""
    await audit(session, actor, "webhook.remove", SUBJECT, row.id, url=row.url)
    await repository.remove(session, row.id)


async def rotate(
    session: AsyncSession, actor: str, row: WebhookEndpoint, vault: Vault
) -> tuple[str, datetime]:
    """A new secret, shown this once; the one before signs too until the moment returned."""
    await session.refresh(row, with_for_update=True)
    secret = new_key()
    until = datetime.now(UTC) + OLD_SECRET_LIVES
    row.previous_secret, row.previous_until = row.secret, until
    row.secret = vault.encrypt(secret)
    await session.flush()
    await audit(session, actor, "webhook.rotate", SUBJECT, row.id)
    return secret, until


async def send_test(session: AsyncSession, actor: str, row: WebhookEndpoint) -> int:
    """Queue a test message; returns its id. EndpointNotActive where nothing is delivered."""
    if row.status is not EndpointStatus.ACTIVE:
        raise EndpointNotActive("Activate the endpoint first; nothing is sent to it now.")
    now = datetime.now(UTC)
    message = WebhookMessage(
        endpoint_id=row.id,
        type=EventType.TEST.value,
        subject_id=None,
        data=EXAMPLES[EventType.TEST],
        effective_at=(await session.execute(sa.select(NOW))).scalar_one(),
        due_at=now,
        give_up_at=now + GIVE_UP_AFTER,
    )
    session.add(message)
    await session.flush()
    await audit(session, actor, "webhook.test", SUBJECT, row.id)
    return message.id


async def replay(session: AsyncSession, actor: str, row: WebhookEndpoint, which: Which) -> int:
    """Make messages due again, under the same ids; returns how many. Those due already stay.

    Raises EndpointNotActive; NotFound where one that is named is not there.
    """
    if row.status is not EndpointStatus.ACTIVE:
        raise EndpointNotActive("Activate the endpoint first; nothing is sent to it now.")
    if which.ids is not None:
        there = await repository.there(session, row.id, which.ids)
        missing = sorted(set(which.ids) - there)
        if missing:
            raise NotFound(f"The endpoint has no message {missing[0]}.")
    elif not which.failed_only and which.since is None and which.until is None:
        raise InvalidRequest("Say from when: `since`, `until`, or both.")
    done = await repository.replay(
        session,
        row.id,
        ids=which.ids,
        since=which.since,
        until=which.until,
        status=MessageStatus.FAILED if which.failed_only and which.ids is None else None,
    )
    await audit(session, actor, "webhook.replay", SUBJECT, row.id, messages=done)
    return done


async def _check_url(outbound: Outbound, url: str) -> None:
    await asyncio.to_thread(outbound.check, url)


def _known(events: Sequence[str]) -> list[str]:
    unknown = [each for each in events if each not in SUBSCRIBABLE]
    if unknown or not events:
        told = ", ".join(SUBSCRIBABLE)
        raise UnknownEvent(f"Name one event at least, of these: {told}.")
    return [each.value for each in SUBSCRIBABLE if each in events]


def _described(text: str) -> str:
    if len(text) > LONGEST_DESCRIPTION:
        raise InvalidRequest(f"A description has {LONGEST_DESCRIPTION} characters at most.")
    return text.strip()
