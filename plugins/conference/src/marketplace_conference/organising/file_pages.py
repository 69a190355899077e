"""Pages that take files: an event as a whole, and the plan of a session's seats."""

from __future__ import annotations

from typing import Any, Final

from litestar import get, post
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency
from litestar.params import FromPath, MultipartBody

from marketplace.api import Console, Host, Html, Lazy, Page, Principal, Routes, lazy
from marketplace_conference import documents, events, plan
from marketplace_conference.choosing import CELL
from marketplace_conference.errors import BadFile, EventExists, UnknownEvent
from marketplace_conference.organising import reading
from marketplace_conference.organising.pages import HOME, IN_CONSOLE, STYLE, Code
from marketplace_conference.schemas import NewEvent

LARGEST_FILE: Final = 8_000_000


def make_pages(host: Host) -> Routes:
    """The pages over a host."""
    return [*_event(host), *_plan(host)]


def _event(host: Host) -> Routes:
    @get("/partner/new/file", opt=IN_CONSOLE, include_in_schema=False, sync_to_thread=False)
    def ask_file(page: NamedDependency[Page], console: NamedDependency[Console]) -> Html:
        """Where the file of an event is chosen."""
        return _file_page(page)

    @post(
        "/partner/new/file",
        opt=IN_CONSOLE,
        include_in_schema=False,
        status_code=303,
        request_max_body_size=LARGEST_FILE,
        sync_to_thread=True,
    )
    def put_event(
        data: MultipartBody[dict[str, Any]],
        page: NamedDependency[Page],
        console: NamedDependency[Console],
        principal: NamedDependency[Principal],
    ) -> Html:
        """Check the file of an event, or make the event of it, or bring it up to date."""
        body, check = _sent(data)
        if not body:
            return _file_page(page, problem=lazy("Choose a file."))
        try:
            new = _read(body, console)
            if check:
                return _file_page(page, checked=new)
            made = events.put(host, new, console.member_id, actor=principal.actor)
        except BadFile as error:
            return _file_page(page, bad=error)
        except EventExists as error:
            return _file_page(page, bad=BadFile([(1, error.detail)]))
        notice = lazy("Taken. Nothing is sold before you publish it.")
        if made.status != "draft":
            notice = lazy("Taken.")
        return page.redirect(console.path(f"{HOME}/events/{made.slug}"), notice=notice)

    return [ask_file, put_event]


def _sent(data: dict[str, Any]) -> tuple[bytes, bool]:
    """The file of a form, and whether it is only to be checked."""
    sent = data.get("file")
    body = sent.file.read() if isinstance(sent, UploadFile) else b""
    return body, data.get("do") == "check"


def _read(body: bytes, console: Console) -> NewEvent:
    """The event of a file; BadFile also where it is another member's."""
    new = documents.read(body)
    if new.organiser != console.slug:
        line = documents.line_of(body.decode("utf-8-sig"), ("organiser",))
        raise BadFile([(line, f"the organiser is {console.slug!r}, for whom you work")])
    return new


def _file_page(
    page: Page,
    *,
    problem: Lazy | None = None,
    bad: BadFile | None = None,
    checked: NewEvent | None = None,
) -> Html:
    status = 422 if problem or bad else 200
    return page.render(
        "conference/own_file.html", status_code=status, problem=problem, bad=bad, checked=checked
    )


def _plan(host: Host) -> Routes:
    @get(
        "/partner/events/{slug:str}/plan",
        opt=IN_CONSOLE,
        include_in_schema=False,
        sync_to_thread=True,
    )
    def show_plan(
        slug: FromPath[str],
        page: NamedDependency[Page],
        console: NamedDependency[Console],
        part: Code = "",
    ) -> Html:
        """The seats of a session as they stand, and where a plan is uploaded."""
        return _plan_page(host, page, console, slug, part)

    @post(
        "/partner/events/{slug:str}/plan",
        opt=IN_CONSOLE,
        include_in_schema=False,
        status_code=303,
        request_max_body_size=LARGEST_FILE,
        sync_to_thread=True,
    )
    def add_seats(
        slug: FromPath[str],
        data: MultipartBody[dict[str, Any]],
        page: NamedDependency[Page],
        console: NamedDependency[Console],
        principal: NamedDependency[Principal],
        part: Code = "",
    ) -> Html:
        """Check a plan, or add its seats: all of it or nothing."""
        body, check = _sent(data)
        if not body:
            problem = lazy("Choose a file.")
            return _plan_page(host, page, console, slug, part, problem=problem)
        text, actor = body.decode("utf-8", "replace"), principal.actor
        try:
            made = plan.import_plan(
                host, slug, part, text, console.member_id, actor=actor, dry_run=check
            )
        except BadFile as error:
            return _plan_page(host, page, console, slug, part, bad=error)
        if check:
            return _plan_page(host, page, console, slug, part, checked=made)
        notice = page.ngettext("%(count)s new seat.", "%(count)s new seats.", made)
        path = console.path(f"{HOME}/events/{slug}/plan", part=part)
        return page.redirect(path, notice=notice)

    return [show_plan, add_seats]


def _plan_page(
    host: Host,
    page: Page,
    console: Console,
    slug: str,
    code: str,
    *,
    problem: Lazy | None = None,
    bad: BadFile | None = None,
    checked: int | None = None,
) -> Html:
    with host.transaction() as session:
        reading.own_event(session, console.member_id, slug)
    event = events.read(host, slug, drafts=True)
    parts = [each for each in event.sessions if any(of.numbered for of in each.categories)]
    found = [each for each in parts if each.code == code]
    if code and not found:
        raise UnknownEvent(f"There is no session {code!r} with numbered seats.")
    part = next(iter(found or parts), None)
    seats = plan.seats(host, slug, part.code) if part else []
    return page.render(
        "conference/own_plan.html",
        status_code=422 if problem or bad else 200,
        event=event,
        parts=parts,
        part=part,
        seats=seats,
        states={
            state: sum(each.state == state for each in seats) for state in ("free", "held", "sold")
        },
        width=max((each.x for each in seats), default=0) * CELL + CELL,
        height=max((each.y for each in seats), default=0) * CELL + CELL,
        cell=CELL,
        problem=problem,
        bad=bad,
        checked=checked,
        style=STYLE,
    )
