"""Pages on which an event is drafted by form: its frame, its sessions, its questions.

Each form changes one part of the event's document (`drafts.edit`). What was typed stays in the
fields until it can be taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, URLEncodedBody

from marketplace.api import Console, Host, Html, Page, Principal, Routes, lazy
from marketplace_conference import events
from marketplace_conference.documents import zones
from marketplace_conference.errors import (
    EventExists,
    EventOff,
    EventSold,
    PartTaken,
    UnknownEvent,
)
from marketplace_conference.organising import drafting, drafts, reading
from marketplace_conference.organising.forms import LANGUAGES, Form, other_languages
from marketplace_conference.organising.pages import HOME, IN_CONSOLE, Code, whole
from marketplace_conference.schemas import NewEvent

SAVED = lazy("Saved.")
SOLD = lazy("People have tickets for it: move it on its page “Move”, and they are told.")


def make_pages(host: Host) -> Routes:
    """The pages over a host."""
    return [*_new(host), *_event(host), *_sessions(host), *_questions(host)]


def document(host: Host, console: Console, slug: str) -> NewEvent:
    """The event as its forms read it."""
    with host.transaction() as session:
        return drafts.document(session, slug, console.member_id, console.slug)


def edit_path(console: Console, slug: str) -> str:
    """The page with all parts of a draft."""
    return console.path(f"{HOME}/events/{slug}/edit")


def called_off(page: Page, console: Console, slug: str) -> Html:
    """Of what was called off nothing is changed."""
    words = lazy("The event was called off, and stays so")
    return page.redirect(console.path(f"{HOME}/events/{slug}"), notice=words, tone="warning")


def _new(host: Host) -> Routes:
    @get("/partner/new", opt=IN_CONSOLE, include_in_schema=False, sync_to_thread=True)
    def ask_event(page: NamedDependency[Page], console: NamedDependency[Console]) -> Html:
        """The form of a new event, where and in whose language the last one was."""
        before = reading.own_events(host, console.member_id)
        last = max(before, key=lambda each: each.starts_at, default=None)
        typed = {"language": page.locale, "hold": "10"}
        if last is not None:
            typed |= {"language": last.language, "time_zone": last.time_zone}
        return _event_page(page, Form(typed), None)

    @post(
        "/partner/new",
        opt=IN_CONSOLE,
        include_in_schema=False,
        status_code=303,
        sync_to_thread=True,
    )
    def make_event(
        data: URLEncodedBody[dict[str, Any]],
        page: NamedDependency[Page],
        console: NamedDependency[Console],
        principal: NamedDependency[Principal],
    ) -> Html:
        """A draft with one session, which lasts as long as the event."""
        form = Form(data)
        new = drafting.read_event(form, console.slug, None)
        if new is None:
            return _event_page(page, form, None)
        if _is_taken(host, new.slug):
            form.wrong("slug", lazy("There is an event with this address already."))
            return _event_page(page, form, None)
        events.put(host, new, console.member_id, actor=principal.actor)
        notice = lazy("The draft is made. Nobody else sees it before you publish it.")
        return page.redirect(edit_path(console, new.slug), notice=notice)

    return [ask_event, make_event]


def _is_taken(host: Host, slug: str) -> bool:
    try:
        events.read(host, slug, drafts=True)
    except UnknownEvent:
        return False
    return True


def _event_page(page: Page, form: Form, event: NewEvent | None, **more: Any) -> Html:
    return page.render(
        "conference/own_edit_event.html",
        status_code=422 if form.problems else 200,
        form=form,
        languages=_languages(form["language"]),
        zones=sorted(zones()),
        others=other_languages(event.language if event else ""),
        event=event,
        **more,
    )


def _languages(chosen: str) -> list[tuple[str, str]]:
    """What may be chosen; what a file has said stays so."""
    kept = {chosen: chosen} if chosen and chosen not in LANGUAGES else {}
    return [*(LANGUAGES | kept).items()]


def _event(host: Host) -> Routes:
    @get(
        "/partner/events/{slug:str}/edit",
        opt=IN_CONSOLE,
        include_in_schema=False,
        sync_to_thread=True,
    )
    def show_parts(
        slug: FromPath[str], page: NamedDependency[Page], console: NamedDependency[Console]
    ) -> Html:
        """All parts of the event with a way to each form, and what is missing still."""
        return page.render("conference/own_edit.html", **whole(host, console, slug))

    @get(
        "/partner/events/{slug:str}/edit/event",
        opt=IN_CONSOLE,
        include_in_schema=False,
        sync_to_thread=True,
    )
    def ask_frame(
        slug: FromPath[str], page: NamedDependency[Page], console: NamedDependency[Console]
    ) -> Html:
        """Name, place, time and words."""
        of = document(host, console, slug)
        return _event_page(page, Form(drafting.event_fields(of)), of, **_head(host, slug))

    @post(
        "/partner/events/{slug:str}/edit/event",
        opt=IN_CONSOLE,
        include_in_schema=False,
        status_code=303,
        sync_to_thread=True,
    )
    def save_frame(
        slug: FromPath[str],
        data: URLEncodedBody[dict[str, Any]],
        page: NamedDependency[Page],
        console: NamedDependency[Console],
        principal: NamedDependency[Principal],
    ) -> Html:
        """The same, as typed."""
        form = Form(data)

        def change(of: NewEvent) -> NewEvent | None:
            return drafting.read_event(form, console.slug, of)

        if (done := _edit(host, page, console, principal, slug, form, change)) is not None:
            return done
        of = document(host, console, slug)
        return _event_page(page, form, of, **_head(host, slug))

    @post(
        "/partner/events/{slug:str}/edit/discard",
        opt=IN_CONSOLE,
        include_in_schema=False,
        status_code=303,
        sync_to_thread=True,
    )
    def throw_away(
        slug: FromPath[str],
        page: NamedDependency[Page],
        console: NamedDependency[Console],
        principal: NamedDependency[Principal],
    ) -> Html:
        """Forget a draft that nobody has anything of."""
        try:
            drafts.discard(host, slug, console.member_id, actor=principal.actor)
        except EventOff:
            return called_off(page, console, slug)
        except PartTaken:
            words = lazy("It stays: terms were set for it, or somebody has, or had, some of it.")
            return page.redirect(edit_path(console, slug), notice=words, tone="warning")
        return page.redirect(console.path(HOME), notice=lazy("The draft is thrown away."))

    return [show_parts, ask_frame, save_frame, throw_away]


def _head(host: Host, slug: str) -> dict[str, Any]:
    return {"view": events.read(host, slug, drafts=True)}


def _edit(
    host: Host,
    page: Page,
    console: Console,
    principal: Principal,
    slug: str,
    form: Form,
    change: drafts.Change,
) -> Html | None:
    """Save what a form says and go back to the parts; None where the form says what is wrong."""
    try:
        saved = drafts.edit(
            host, slug, console.member_id, console.slug, change, actor=principal.actor
        )
    except EventOff:
        return called_off(page, console, slug)
    except EventSold:
        form.wrong("form", SOLD)
        return None
    except EventExists:
        form.wrong("form", lazy("Somebody else has just made one like it: look at it first."))
        return None
    return page.redirect(edit_path(console, slug), notice=SAVED) if saved else None


def _sessions(host: Host) -> Routes:
    @get(
        "/partner/events/{slug:str}/edit/session",
        opt=IN_CONSOLE,
        include_in_schema=False,
        sync_to_thread=True,
    )
    def ask_session(
        slug: FromPath[str],
        page: NamedDependency[Page],
        console: NamedDependency[Console],
        code: Code = "",
    ) -> Html:
        """A session, or where `code` is empty a new one."""
        of = document(host, console, slug)
        part = next((each for each in of.sessions if each.code == code), None)
        return _session_page(host, page, console, of, code, Form(drafting.session_fields(of, part)))

    @post(
        "/partner/events/{slug:str}/edit/session",
        opt=IN_CONSOLE,
        include_in_schema=False,
        status_code=303,
        sync_to_thread=True,
    )
    def save_session(
        slug: FromPath[str],
        data: URLEncodedBody[dict[str, Any]],
        page: NamedDependency[Page],
        console: NamedDependency[Console],
        principal: NamedDependency[Principal],
        code: Code = "",
    ) -> Html:
        """As typed; or it is taken out, which nothing is sold of."""
        form = Form(data)
        of = document(host, console, slug)
        if form["do"] == "out":
            return _take_out(host, page, console, principal, of, code)
        known = _requirable(host, console, of, code)

        def change(now: NewEvent) -> NewEvent | None:
            return drafting.read_session(form, now, code, known)

        if (done := _edit(host, page, console, principal, slug, form, change)) is not None:
            return done
        return _session_page(host, page, console, of, code, form)

    return [ask_session, save_session]


def _take_out(
    host: Host, page: Page, console: Console, principal: Principal, of: NewEvent, code: str
) -> Html:
    try:
        drafts.take_out_session(host, of.slug, console.member_id, code, actor=principal.actor)
    except EventOff:
        return called_off(page, console, of.slug)
    except PartTaken:
        words = lazy(
            "It stays: it is the only one, something is sold of it, or another requires it."
        )
        return page.redirect(edit_path(console, of.slug), notice=words, tone="warning")
    return page.redirect(edit_path(console, of.slug), notice=lazy("Taken out."))


def _requirable(host: Host, console: Console, of: NewEvent, code: str) -> Mapping[str, str]:
    """Sessions that may have to be attended before this one, by `event/session`."""
    with host.transaction() as session:
        return reading.requirable(session, console.member_id, of.slug, code)


def _session_page(
    host: Host, page: Page, console: Console, of: NewEvent, code: str, form: Form
) -> Html:
    if code and code not in {each.code for each in of.sessions}:
        raise UnknownEvent(f"{of.slug!r} has no session {code!r}.")
    return page.render(
        "conference/own_edit_session.html",
        status_code=422 if form.problems else 200,
        event=of,
        code=code,
        form=form,
        known=_requirable(host, console, of, code),
        needs=drafting.NEEDS,
        others=other_languages(of.language),
        is_only=len(of.sessions) == 1,
        **_head(host, of.slug),
    )


def _questions(host: Host) -> Routes:
    @get(
        "/partner/events/{slug:str}/edit/questions",
        opt=IN_CONSOLE,
        include_in_schema=False,
        sync_to_thread=True,
    )
    def ask_questions(
        slug: FromPath[str], page: NamedDependency[Page], console: NamedDependency[Console]
    ) -> Html:
        """What is asked about each person who comes."""
        of = document(host, console, slug)
        return _questions_page(host, page, of, Form(drafting.question_fields(of)))

    @post(
        "/partner/events/{slug:str}/edit/questions",
        opt=IN_CONSOLE,
        include_in_schema=False,
        status_code=303,
        sync_to_thread=True,
    )
    def save_questions(
        slug: FromPath[str],
        data: URLEncodedBody[dict[str, Any]],
        page: NamedDependency[Page],
        console: NamedDependency[Console],
        principal: NamedDependency[Principal],
    ) -> Html:
        """All of them as typed; a row without words is left out."""
        form = Form(data)

        def change(of: NewEvent) -> NewEvent | None:
            return drafting.read_questions(form, of)

        if (done := _edit(host, page, console, principal, slug, form, change)) is not None:
            return done
        return _questions_page(host, page, document(host, console, slug), form)

    return [ask_questions, save_questions]


def _questions_page(host: Host, page: Page, of: NewEvent, form: Form) -> Html:
    return page.render(
        "conference/own_edit_questions.html",
        status_code=422 if form.problems else 200,
        event=of,
        form=form,
        rows=drafting.question_rows(form),
        kinds=[(kind, page._(words)) for kind, words in drafting.KINDS.items()],
        **_head(host, of.slug),
    )
