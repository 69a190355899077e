"""Pages: the inbox at `/notices`, and `/unsubscribe/...`, where a link in a mail leads."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, URLEncodedBody
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.errors import InvalidRequest
from marketplace.identity.domain import Principal, Role
from marketplace.notices import inbox
from marketplace.notices.addresses import read_token
from marketplace.notices.compose import stop_title
from marketplace.notices.stopping import address_hint, stop_mails
from marketplace.runtime import Runtime
from marketplace.web.access import access
from marketplace.web.i18n import lazy as _l
from marketplace.web.i18n import speak
from marketplace.web.nav import NavEntry
from marketplace.web.page import Html, Page
from marketplace.web.paging import Cursor

ONES_OWN = access(roles=list(Role), page=True)
FROM_A_MAIL = access(public=True, page=True)
ON_A_PAGE = 20
MANY = 100
EVERYTHING = "everything"


class NoticeForm(msgspec.Struct):
    """Which notice a button belongs to; empty: all of them."""

    id: str = ""

    @property
    def number(self) -> int:
        """The id; InvalidRequest where it is none."""
        if not (self.id.isascii() and self.id.isdigit() and len(self.id) <= 18):
            raise InvalidRequest("There is no such notice.")
        return int(self.id)


@get("/notices", opt=ONES_OWN, include_in_schema=False)
async def show_inbox(
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
    runtime: NamedDependency[Runtime],
    cursor: Cursor = None,
) -> Html:
    """The inbox: unread first, then newest first."""
    page.active = "notices"
    items, following = await inbox.read_inbox(
        session, principal, page.language, runtime.faces, limit=ON_A_PAGE, cursor=cursor
    )
    unread = await inbox.unread_count(session, principal)
    return page.render(
        "notices/inbox.html", items=items, next=following, unread=unread, first=cursor is None
    )


@get("/notices/count", opt=ONES_OWN, include_in_schema=False)
async def show_count(
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> Html:
    """How many are unread, for the header: a number, or nothing."""
    unread = await inbox.unread_count(session, principal)
    return page.fragment("notices/_count.html", unread=unread, many=MANY)


@post("/notices/open", opt=ONES_OWN, include_in_schema=False, status_code=303)
async def open_notice(
    data: URLEncodedBody[NoticeForm],
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
    runtime: NamedDependency[Runtime],
) -> Html:
    """Mark a notice as read and go where it leads."""
    found = await inbox.find(session, principal, data.number, page.language, runtime.faces)
    await inbox.mark_read(session, principal, [data.number])
    return page.redirect(found.path)


@post("/notices/read", opt=ONES_OWN, include_in_schema=False, status_code=303)
async def mark_read(
    data: URLEncodedBody[NoticeForm],
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
    runtime: NamedDependency[Runtime],
) -> Html:
    """Mark one notice as read, or all, and stay."""
    if not data.id:
        await inbox.mark_read(session, principal, None)
        return page.redirect("/notices", notice=_l("All notices are marked as read."))
    await inbox.mark_read(session, principal, [data.number])
    if page.is_htmx:
        found = await inbox.find(session, principal, data.number, page.language, runtime.faces)
        return page.fragment("notices/_notice.html", status_code=200, item=found)
    return page.redirect("/notices")


@get("/unsubscribe/{token:str}", opt=FROM_A_MAIL, include_in_schema=False)
async def show_unsubscribe(
    token: FromPath[str],
    page: NamedDependency[Page],
    session: NamedDependency[AsyncSession],
    runtime: NamedDependency[Runtime],
) -> Html:
    """What the link ends. Looking ends nothing: mail scanners look at every link."""
    return await _unsubscribe(page, session, runtime, token, done=False)


@post("/unsubscribe/{token:str}", opt=FROM_A_MAIL, include_in_schema=False, status_code=200)
async def unsubscribe(
    token: FromPath[str],
    request: Request[Any, Any, Any],
    page: NamedDependency[Page],
    session: NamedDependency[AsyncSession],
    runtime: NamedDependency[Runtime],
) -> Html:
    """End the mails: asked for on the page, or by a mail program (RFC 8058)."""
    # A mail program sends a form of either kind, whose only field says nothing to us.
    form = await request.form()
    everything = form.get("what") == EVERYTHING
    await stop_mails(session, read_token(runtime.vault, token), everything=everything)
    return await _unsubscribe(page, session, runtime, token, done=True, everything=everything)


async def _unsubscribe(
    page: Page,
    session: AsyncSession,
    runtime: Runtime,
    token: str,
    *,
    done: bool,
    everything: bool = False,
) -> Html:
    stop = read_token(runtime.vault, token)
    with speak(page.language):
        title = stop_title(stop.what)
    return page.render(
        "notices/unsubscribe.html",
        title=title,
        address=await address_hint(session, stop),
        done=done,
        everything=everything,
        everything_value=EVERYTHING,
        token=token,
    )


nav = [
    NavEntry(
        key="notices",
        label=_l("Notices"),
        path="/notices",
        order=80,
        symbol="bell",
        count_path="/notices/count",
    )
]
routes = [show_inbox, show_count, open_notice, mark_read, show_unsubscribe, unsubscribe]
