"""Pages: moving an event, looked at before it is done, and how far telling people has come."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, URLEncodedBody

from marketplace.api import Console, Host, Html, NotFound, Page, Principal, Routes, lazy
from marketplace_conference import events
from marketplace_conference.errors import EventOff
from marketplace_conference.organising import moves, reading
from marketplace_conference.organising.pages import HOME, IN_CONSOLE
from marketplace_conference.schemas import EventView, Move
from marketplace_conference.tickets import moving


def make_pages(host: Host) -> Routes:
    """The pages over a host."""

    @get(
        "/partner/events/{slug:str}/move",
        opt=IN_CONSOLE,
        include_in_schema=False,
        sync_to_thread=True,
    )
    def show_move(
        slug: FromPath[str], page: NamedDependency[Page], console: NamedDependency[Console]
    ) -> Html:
        """When and where it is; of the last move, how far telling people has come."""
        return _page(host, page, console, slug, {})

    @post(
        "/partner/events/{slug:str}/move",
        opt=IN_CONSOLE,
        include_in_schema=False,
        status_code=303,
        sync_to_thread=True,
    )
    def move(
        slug: FromPath[str],
        data: URLEncodedBody[dict[str, Any]],
        page: NamedDependency[Page],
        console: NamedDependency[Console],
        principal: NamedDependency[Principal],
    ) -> Html:
        """Show whom it would concern; once that is confirmed, move it."""
        typed = {name: str(words) for name, words in data.items()}
        if typed.get("do") != "move":
            return _page(host, page, console, slug, typed, sent=True)
        path = console.path(f"{HOME}/events/{slug}/move")
        try:
            moved = _move(host, console, slug, typed, principal.actor)
        except EventOff as error:
            return page.redirect(path, notice=lazy(error.title), tone="warning")
        if not moved:
            return _page(host, page, console, slug, typed, sent=True)
        notice = lazy("It is moved. Everybody who has a ticket for it is told.")
        return page.redirect(path, notice=notice)

    return [show_move, move]


def _move(host: Host, console: Console, slug: str, typed: Mapping[str, str], actor: str) -> bool:
    """False where the form cannot be read, or asks for what is so already."""
    with host.transaction() as session:
        own = reading.own_event(session, console.member_id, slug)
        now = host.now(session)
    asked, _ = moves.read(events.read(host, slug, drafts=True), typed, now)
    if asked is not None:
        moving.move(host, own, asked, actor=actor)
    return asked is not None


def _page(
    host: Host,
    page: Page,
    console: Console,
    slug: str,
    typed: Mapping[str, str],
    *,
    sent: bool = False,
) -> Html:
    with host.transaction() as session:
        own = reading.own_event(session, console.member_id, slug)
        now = host.now(session)
        try:
            progress = moving.progress(session, own)
        except NotFound:
            progress = None
    if page.is_htmx:
        return page.fragment("conference/_moving.html", progress=progress, slug=slug)
    event = events.read(host, slug, drafts=True)
    asked, problems = moves.read(event, typed, now) if sent else (None, {})
    return page.render(
        "conference/own_move.html",
        status_code=422 if problems else 200,
        event=event,
        fields={"reason": "", "refund_until": "", **moves.shown(event), **typed},
        problems=problems,
        progress=progress,
        slug=slug,
        **(_preview(host, event, asked, typed) if asked else {"preview": False}),
    )


def _preview(host: Host, event: EventView, asked: Move, typed: Mapping[str, str]) -> dict[str, Any]:
    """What would be otherwise, and for how many; only that is sent on when it is confirmed."""
    parts = moves.concerned(event, asked)
    with host.transaction() as session:
        own = reading.event_of(session, event.slug)
        tickets, orders = reading.good_tickets(session, own.id, [each.code for each in parts])
    before = moves.shown(event)
    wanted = moves.changed(event, typed)
    kept = {name: typed.get(name, "") for name in ("reason", "refund_until")}
    return {
        "preview": True,
        "parts": parts,
        "tickets": tickets,
        "orders": orders,
        "asked": asked,
        "changes": [
            (*_part_of(event, name), before[name], words) for name, words in wanted.items()
        ],
        "confirmed": {**kept, **wanted},
    }


def _part_of(event: EventView, field: str) -> tuple[str, str]:
    """Which part of a session a field is of, and the session's name; empty for the event's."""
    kind, _, code = field.partition("-")
    return kind, next((each.name for each in event.sessions if code and each.code == code), "")
