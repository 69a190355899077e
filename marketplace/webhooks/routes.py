"""Webhooks over HTTP."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from litestar import delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.coalition.service import get_member
from marketplace.errors import InvalidRequest, NotAllowed
from marketplace.identity.domain import Principal, Role, Scope
from marketplace.runtime import Runtime
from marketplace.web.access import access
from marketplace.web.paging import DEFAULT_LIMIT, Cursor, Limit, cut_page, decode_cursor
from marketplace.webhooks import repository, service, views
from marketplace.webhooks.domain import MessageStatus, public_id
from marketplace.webhooks.schemas import (
    EndpointChange,
    EndpointMade,
    Endpoints,
    EndpointView,
    EventTypes,
    MessageDetail,
    MessagePage,
    NewEndpoint,
    Queued,
    ReplayBody,
    Replayed,
    SecretMade,
)

KEEPERS = [Role.PARTNER, Role.OPERATOR]
READ = access(roles=KEEPERS, scope=Scope.WEBHOOKS_READ)
WRITE = access(roles=KEEPERS, scope=Scope.WEBHOOKS_WRITE)
TAGS = ["webhooks"]
MemberSlug = Annotated[
    str | None,
    QueryParameter(
        max_length=100, description="Slug of a member; only the operator names another."
    ),
]


async def _member_id(session: AsyncSession, principal: Principal, slug: str | None) -> UUID | None:
    """The member in question: the caller's own, or the one an operator names (None: none named)."""
    if slug is None:
        return None if principal.is_operator else principal.member_id
    member = await get_member(session, slug)
    if not principal.is_operator and member.id != principal.member_id:
        raise NotAllowed("A member sees its own webhooks only.")
    return member.id


@post("/v1/webhooks", opt=WRITE, tags=TAGS, summary="Make a webhook endpoint")
async def create_endpoint(
    data: JSONBody[NewEndpoint],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
    runtime: NamedDependency[Runtime],
) -> EndpointMade:
    """Subscribe an address to events. The secret that verifies them is in this answer only."""
    member_id = await _member_id(session, principal, data.member) or principal.member_id
    if member_id is None:
        raise InvalidRequest("Name the member: you work for none.")
    row, secret = await service.create(
        session,
        principal.actor,
        member_id,
        url=data.url,
        events=data.events,
        description=data.description,
        outbound=runtime.outbound,
        vault=runtime.vault,
    )
    return EndpointMade(views.endpoint_view(row), secret)


@get("/v1/webhooks", opt=READ, tags=TAGS, summary="List webhook endpoints")
async def list_endpoints(
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
    member: MemberSlug = None,
) -> Endpoints:
    """Endpoints of one's member; for an operator of the one named, or of all."""
    rows = await repository.endpoints(session, await _member_id(session, principal, member))
    return Endpoints([views.endpoint_view(row) for row in rows])


@get("/v1/webhook-events", opt=READ, tags=TAGS, summary="List types of events")
async def list_events() -> EventTypes:
    """What can be subscribed to, each with an example."""
    return EventTypes(views.event_views())


@get("/v1/webhooks/{endpoint_id:uuid}", opt=READ, tags=TAGS, summary="Read a webhook endpoint")
async def read_endpoint(
    endpoint_id: FromPath[UUID],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> EndpointView:
    """An endpoint without its secret."""
    return views.endpoint_view(await service.find(session, principal, endpoint_id))


@patch("/v1/webhooks/{endpoint_id:uuid}", opt=WRITE, tags=TAGS, summary="Change an endpoint")
async def change_endpoint(
    endpoint_id: FromPath[UUID],
    data: JSONBody[EndpointChange],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
    runtime: NamedDependency[Runtime],
) -> EndpointView:
    """Change address, events or description, stop an endpoint or activate it again."""
    row = await service.find(session, principal, endpoint_id)
    asked = service.Change(
        url=data.url, events=data.events, description=data.description, active=data.active
    )
    await service.change(session, principal.actor, row, asked, runtime.outbound)
    return views.endpoint_view(row)


@delete("/v1/webhooks/{endpoint_id:uuid}", opt=WRITE, tags=TAGS, summary="Remove an endpoint")
async def remove_endpoint(
    endpoint_id: FromPath[UUID],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> None:
    """Remove an endpoint, its messages and their log."""
    row = await service.find(session, principal, endpoint_id)
    await service.remove(session, principal.actor, row)


@post("/v1/webhooks/{endpoint_id:uuid}/secret", opt=WRITE, tags=TAGS, summary="Change the secret")
async def rotate_secret(
    endpoint_id: FromPath[UUID],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
    runtime: NamedDependency[Runtime],
) -> SecretMade:
    """A new secret, in this answer only; the one before signs too for 24 hours."""
    row = await service.find(session, principal, endpoint_id)
    secret, until = await service.rotate(session, principal.actor, row, runtime.vault)
    return SecretMade(secret, until)


@post(
    "/v1/webhooks/{endpoint_id:uuid}/test",
    opt=WRITE,
    tags=TAGS,
    summary="Send a test message",
    status_code=202,
)
async def send_test_message(
    endpoint_id: FromPath[UUID],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> Queued:
    """Queue a `webhook.test`; its delivery is in the log within seconds."""
    row = await service.find(session, principal, endpoint_id)
    return Queued(public_id(await service.send_test(session, principal.actor, row)))


@post(
    "/v1/webhooks/{endpoint_id:uuid}/replay",
    opt=WRITE,
    tags=TAGS,
    summary="Deliver messages again",
    status_code=202,
)
async def replay(
    endpoint_id: FromPath[UUID],
    data: JSONBody[ReplayBody],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> Replayed:
    """Deliver messages again under the ids they had; without `ids` and times, all that failed."""
    row = await service.find(session, principal, endpoint_id)
    which = service.Which(
        ids=None if data.ids is None else [views.message_id(each) for each in data.ids],
        since=data.since,
        until=data.until,
        failed_only=data.failed_only,
    )
    return Replayed(await service.replay(session, principal.actor, row, which))


@get("/v1/webhooks/{endpoint_id:uuid}/messages", opt=READ, tags=TAGS, summary="List messages")
async def list_messages(
    endpoint_id: FromPath[UUID],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
    status: Annotated[
        MessageStatus | None, QueryParameter(description="Only those that fare so.")
    ] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> MessagePage:
    """Messages of the last 30 days, newest first."""
    row = await service.find(session, principal, endpoint_id)
    before = decode_cursor(cursor, int)
    found = await repository.messages(
        session, row.id, status=status, before=before, limit=limit + 1
    )
    page, following = cut_page(found, limit, lambda each: each.id)
    return MessagePage([views.message_view(each) for each in page], following)


@get(
    "/v1/webhooks/{endpoint_id:uuid}/messages/{message_id:str}",
    opt=READ,
    tags=TAGS,
    summary="Read a message and its deliveries",
)
async def read_message(
    endpoint_id: FromPath[UUID],
    message_id: FromPath[str],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> MessageDetail:
    """What is sent, and how every call went."""
    row = await service.find(session, principal, endpoint_id)
    found = await repository.message(session, row.id, views.message_id(message_id))
    calls = await repository.attempts(session, row.id, found.id)
    return MessageDetail(
        message=views.message_view(found),
        payload=views.payload_of(found),
        attempts=[views.attempt_view(each) for each in calls],
    )


routes = [
    create_endpoint,
    list_endpoints,
    list_events,
    read_endpoint,
    change_endpoint,
    remove_endpoint,
    rotate_secret,
    send_test_message,
    replay,
    list_messages,
    read_message,
]
