"""Pages of the partner console: `/partner/webhooks`, endpoints and how messages to them fare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.addresses import LONGEST_URL, AddressRefused
from marketplace.errors import MarketplaceError, NotFound
from marketplace.identity.domain import Principal
from marketplace.outbound import Unreachable
from marketplace.runtime import Runtime
from marketplace.web.access import access
from marketplace.web.console import CONSOLE_ROLES, Console
from marketplace.web.i18n import Lazy
from marketplace.web.i18n import lazy as _l
from marketplace.web.nav import NavEntry
from marketplace.web.page import Html, Page
from marketplace.web.paging import Cursor, cut_page, decode_cursor
from marketplace.webhooks import repository, service, views
from marketplace.webhooks.domain import (
    ABOUT,
    SUBSCRIBABLE,
    EndpointStatus,
    MessageStatus,
    public_id,
)
from marketplace.webhooks.errors import TooManyEndpoints, UnknownEvent
from marketplace.webhooks.models import WebhookEndpoint, WebhookMessage

HOME = "/partner/webhooks"
KEEPERS = access(roles=CONSOLE_ROLES, page=True)
PAGE_ROWS = 25
STATUS_WORDS = {
    EndpointStatus.ACTIVE: (_l("Active"), "good"),
    EndpointStatus.STOPPED: (_l("Stopped"), "care"),
    EndpointStatus.GONE: (_l("Gone"), "bad"),
}
MESSAGE_WORDS = {
    MessageStatus.DUE: (_l("Waiting"), "care"),
    MessageStatus.DELIVERED: (_l("Delivered"), "good"),
    MessageStatus.FAILED: (_l("Failed"), "bad"),
}
AnyRequest = Request[Any, Any, Any]


class EndpointForm(msgspec.Struct, frozen=True, kw_only=True):
    """What is typed for an endpoint."""

    url: str = ""
    description: str = ""
    events: Sequence[str] = tuple(each.value for each in SUBSCRIBABLE)


async def _read_form(request: AnyRequest) -> EndpointForm:
    form = await request.form()
    return EndpointForm(
        url=str(form.get("url", "")).strip(),
        description=str(form.get("description", "")),
        events=[str(each) for each in form.getall("events", [])],
    )


async def _find(session: AsyncSession, console: Console, endpoint_id: UUID) -> WebhookEndpoint:
    row = await session.get(WebhookEndpoint, endpoint_id)
    if row is None or row.member_id != console.member_id:
        raise NotFound("There is no such webhook endpoint.")
    return row


@get(HOME, opt=KEEPERS, include_in_schema=False)
async def show_endpoints(
    page: NamedDependency[Page],
    console: NamedDependency[Console],
    session: NamedDependency[AsyncSession],
) -> Html:
    """Every endpoint of the member."""
    rows = await repository.endpoints(session, console.member_id)
    return page.render(
        "webhooks/endpoints.html",
        endpoints=rows,
        counts=await repository.counts(session, [row.id for row in rows]),
        words=STATUS_WORDS,
    )


@get(f"{HOME}/new", opt=KEEPERS, include_in_schema=False)
async def show_new(page: NamedDependency[Page], console: NamedDependency[Console]) -> Html:
    """The form of a new endpoint."""
    return _form(page, EndpointForm(), console.path(HOME))


@post(HOME, opt=KEEPERS, include_in_schema=False, status_code=HTTPStatus.OK)
async def create(
    request: AnyRequest,
    page: NamedDependency[Page],
    console: NamedDependency[Console],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
    runtime: NamedDependency[Runtime],
) -> Html:
    """Make an endpoint and show its secret, this once; or the form again."""
    asked = await _read_form(request)
    try:
        row, secret = await service.create(
            session,
            principal.actor,
            console.member_id,
            url=asked.url,
            events=asked.events,
            description=asked.description,
            outbound=runtime.outbound,
            vault=runtime.vault,
        )
    except MarketplaceError as error:
        return _form(page, asked, console.path(HOME), _problems(error))
    return page.render("webhooks/secret.html", endpoint=row, secret=secret, until=None)


@get(f"{HOME}/{{endpoint_id:uuid}}/edit", opt=KEEPERS, include_in_schema=False)
async def show_edit(
    endpoint_id: FromPath[UUID],
    page: NamedDependency[Page],
    console: NamedDependency[Console],
    session: NamedDependency[AsyncSession],
) -> Html:
    """The form of an endpoint."""
    row = await _find(session, console, endpoint_id)
    known = EndpointForm(url=row.url, description=row.description, events=row.events)
    return _form(page, known, console.path(f"{HOME}/{row.id}/edit"), endpoint=row)


@post(f"{HOME}/{{endpoint_id:uuid}}/edit", opt=KEEPERS, include_in_schema=False, status_code=200)
async def edit(
    endpoint_id: FromPath[UUID],
    request: AnyRequest,
    page: NamedDependency[Page],
    console: NamedDependency[Console],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
    runtime: NamedDependency[Runtime],
) -> Html:
    """Change address, events and description."""
    row = await _find(session, console, endpoint_id)
    asked = await _read_form(request)
    change = service.Change(url=asked.url, events=asked.events, description=asked.description)
    try:
        await service.change(session, principal.actor, row, change, runtime.outbound)
    except MarketplaceError as error:
        path = console.path(f"{HOME}/{endpoint_id}/edit")
        return _form(page, asked, path, _problems(error), row)
    return page.redirect(console.path(f"{HOME}/{row.id}"), notice=_l("Saved."))


def _problems(error: MarketplaceError) -> Mapping[str, object]:
    """What is wrong, beside the field it is about; raises again what no field is about."""
    if isinstance(error, AddressRefused):
        return {"url": error.detail}
    if isinstance(error, Unreachable):
        return {"url": _l("This host is not known. Is the address right?")}
    if isinstance(error, UnknownEvent):
        return {"events": _l("Choose one event at least.")}
    if isinstance(error, TooManyEndpoints):
        return {"url": error.detail}
    raise error


def _form(
    page: Page,
    asked: EndpointForm,
    action: str,
    problems: Mapping[str, object] | None = None,
    endpoint: WebhookEndpoint | None = None,
) -> Html:
    return page.render(
        "webhooks/form.html",
        status_code=HTTPStatus.UNPROCESSABLE_ENTITY if problems else HTTPStatus.OK,
        asked=asked,
        action=action,
        problems=problems or {},
        endpoint=endpoint,
        events=[(each.value, ABOUT[each]) for each in SUBSCRIBABLE],
        longest_url=LONGEST_URL,
        longest_description=service.LONGEST_DESCRIPTION,
    )


@get(f"{HOME}/{{endpoint_id:uuid}}", opt=KEEPERS, include_in_schema=False)
async def show_endpoint(
    endpoint_id: FromPath[UUID],
    page: NamedDependency[Page],
    console: NamedDependency[Console],
    session: NamedDependency[AsyncSession],
    status: Annotated[MessageStatus | None, QueryParameter()] = None,
    cursor: Cursor = None,
) -> Html:
    """An endpoint, what can be done with it, and its messages, newest first."""
    row = await _find(session, console, endpoint_id)
    found = await repository.messages(
        session, row.id, status=status, before=decode_cursor(cursor, int), limit=PAGE_ROWS + 1
    )
    messages, following = cut_page(found, PAGE_ROWS, lambda each: each.id)
    return page.render(
        "webhooks/endpoint.html",
        endpoint=row,
        paused_until=_still(row.paused_until),
        messages=messages,
        calls=await repository.last_attempts(session, row.id, [each.id for each in messages]),
        counts=(await repository.counts(session, [row.id]))[row.id],
        status=status,
        next=following,
        first=cursor is None,
        words=STATUS_WORDS,
        message_words=MESSAGE_WORDS,
        public_id=public_id,
    )


def _still(moment: datetime | None) -> datetime | None:
    """The moment, where it is to come; real clock, as all of deliveries."""
    return moment if moment is not None and moment > datetime.now(UTC) else None


@get(
    f"{HOME}/{{endpoint_id:uuid}}/messages/{{message_id:str}}", opt=KEEPERS, include_in_schema=False
)
async def show_message(
    endpoint_id: FromPath[UUID],
    message_id: FromPath[str],
    page: NamedDependency[Page],
    console: NamedDependency[Console],
    session: NamedDependency[AsyncSession],
) -> Html:
    """A message, what it says, and every call with it."""
    row = await _find(session, console, endpoint_id)
    message: WebhookMessage = await repository.message(
        session, row.id, views.message_id(message_id)
    )
    payload = msgspec.json.format(msgspec.json.encode(views.payload_of(message)), indent=2)
    return page.render(
        "webhooks/message.html",
        endpoint=row,
        message=message,
        payload=payload.decode(),
        calls=await repository.attempts(session, row.id, message.id),
        message_words=MESSAGE_WORDS,
        public_id=public_id,
    )


@post(f"{HOME}/{{endpoint_id:uuid}}/secret", opt=KEEPERS, include_in_schema=False, status_code=200)
async def rotate(
    endpoint_id: FromPath[UUID],
    page: NamedDependency[Page],
    console: NamedDependency[Console],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
    runtime: NamedDependency[Runtime],
) -> Html:
    """A new secret, shown this once."""
    row = await _find(session, console, endpoint_id)
    secret, until = await service.rotate(session, principal.actor, row, runtime.vault)
    return page.render("webhooks/secret.html", endpoint=row, secret=secret, until=until)


@post(
    f"{HOME}/{{endpoint_id:uuid}}/{{deed:str}}",
    opt=KEEPERS,
    include_in_schema=False,
    status_code=303,
)
async def act(
    endpoint_id: FromPath[UUID],
    deed: FromPath[str],
    request: AnyRequest,
    page: NamedDependency[Page],
    console: NamedDependency[Console],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
    runtime: NamedDependency[Runtime],
) -> Html:
    """Test, stop, activate, replay or remove."""
    row = await _find(session, console, endpoint_id)
    back = console.path(f"{HOME}/{row.id}")
    match deed:
        case "test":
            await service.send_test(session, principal.actor, row)
            notice: Lazy | str = _l("A test message is on its way.")
        case "stop" | "activate":
            change = service.Change(active=deed == "activate")
            await service.change(session, principal.actor, row, change, runtime.outbound)
            notice = _l("Saved.")
        case "replay":
            named = (await request.form()).get("message")
            ids = None if named is None else [views.message_id(str(named))]
            which = service.Which(ids=ids)
            count = await service.replay(session, principal.actor, row, which)
            notice = page.ngettext(
                "%(count)s message is delivered again.",
                "%(count)s messages are delivered again.",
                count,
            )
        case "remove":
            await service.remove(session, principal.actor, row)
            back, notice = console.path(HOME), _l("Removed.")
        case _:
            raise NotFound
    return page.redirect(back, notice=notice)


routes = [
    show_endpoints,
    show_new,
    create,
    show_edit,
    edit,
    show_endpoint,
    show_message,
    rotate,
    act,
]
nav = [
    NavEntry(
        key="console-webhooks",
        label=_l("Webhooks"),
        path=HOME,
        roles=CONSOLE_ROLES,
        order=80,
        symbol="bell",
        console=True,
    )
]
