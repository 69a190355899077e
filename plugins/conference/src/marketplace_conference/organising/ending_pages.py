"""Pages: calling an event off, asked twice, and how far it has come."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, URLEncodedBody

from marketplace.api import Console, Host, Html, Lazy, Page, Principal, Routes, lazy
from marketplace_conference import events
from marketplace_conference.errors import EventOff
from marketplace_conference.organising import reading
from marketplace_conference.organising.pages import HOME, IN_CONSOLE
from marketplace_conference.tickets import cancelling
from marketplace_conference.tickets.changing_routes import LONGEST_REASON


class CallOffForm(msgspec.Struct):
    """Why, as typed; and the event's slug, typed too, so that nobody does it by mistake."""

    reason: str = ""
    slug: str = ""


def make_pages(host: Host) -> Routes:
    """The pages over a host."""

    @get(
        "/partner/events/{slug:str}/call-off",
        opt=IN_CONSOLE,
        include_in_schema=False,
        sync_to_thread=True,
    )
    def show(
        slug: FromPath[str], page: NamedDependency[Page], console: NamedDependency[Console]
    ) -> Html:
        """What calling it off would do; once it is called off, how far that has come."""
        return _page(host, page, console, slug)

    @post(
        "/partner/events/{slug:str}/call-off",
        opt=IN_CONSOLE,
        include_in_schema=False,
        status_code=303,
        sync_to_thread=True,
    )
    def call_off(
        slug: FromPath[str],
        data: URLEncodedBody[CallOffForm],
        page: NamedDependency[Page],
        console: NamedDependency[Console],
        principal: NamedDependency[Principal],
    ) -> Html:
        """Everybody gets all points back, in the background."""
        reason = " ".join(data.reason.split())
        problems: dict[str, Lazy] = {}
        if not 0 < len(reason) <= LONGEST_REASON or not reason.isprintable():
            problems["reason"] = lazy("Say why, in 200 characters at most: people read it.")
        if data.slug.strip() != slug:
            problems["slug"] = lazy(
                "Type %(slug)s, so that nothing is called off by mistake.", slug=slug
            )
        if problems:
            return _page(host, page, console, slug, typed=data, problems=problems)
        with host.transaction() as session:
            own = reading.own_event(session, console.member_id, slug)
        path = console.path(f"{HOME}/events/{slug}/call-off")
        try:
            cancelling.call_off(host, own, reason, actor=principal.actor)
        except EventOff as error:
            return page.redirect(path, notice=lazy(error.title), tone="warning")
        return page.redirect(path, notice=lazy("It is called off. Points go back by themselves."))

    return [show, call_off]


def _page(
    host: Host,
    page: Page,
    console: Console,
    slug: str,
    *,
    typed: CallOffForm | None = None,
    problems: dict[str, Lazy] | None = None,
) -> Html:
    with host.transaction() as session:
        own = reading.own_event(session, console.member_id, slug)
        is_off = own.status == "cancelled"
        tickets, orders = reading.good_tickets(session, own.id)
        progress = cancelling.progress(session, own) if is_off else None
    context: dict[str, Any] = {"progress": progress, "slug": slug}
    if page.is_htmx:
        return page.fragment("conference/_progress.html", **context)
    return page.render(
        "conference/own_call_off.html",
        status_code=422 if problems else 200,
        event=events.read(host, slug, drafts=True),
        tickets=tickets,
        orders=orders,
        typed=typed or CallOffForm(),
        problems=problems or {},
        **context,
    )
