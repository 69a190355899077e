"""Pages at /conference/partner: a member's events in the partner console, one of them whole."""

from __future__ import annotations

from asyncio import to_thread
from functools import partial
from typing import Annotated, Any, Final

from litestar import Request, get, post
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from marketplace.api import (
    Console,
    Host,
    Html,
    Lazy,
    NavEntry,
    Page,
    PluginOffer,
    Principal,
    Role,
    Routes,
    access,
    lazy,
)
from marketplace_conference import documents, events, plan, statics
from marketplace_conference.choosing import CELL
from marketplace_conference.errors import BadFile, EventExists, UnknownEvent
from marketplace_conference.organising import reading

HOME: Final = "/conference/partner"
ROLES: Final = frozenset({Role.PARTNER, Role.OPERATOR})
IN_CONSOLE: Final = access(roles=ROLES, page=True)
LARGEST_FILE: Final = 8_000_000
STATUSES: Final = {"publish": "published", "withdraw": "draft"}
STYLE: Final = f"{statics.AT}/conference.css"
SECTION: Final = NavEntry(
    key="console-events",
    label=lazy("Events"),
    path=HOME,
    roles=ROLES,
    order=42,
    symbol="ticket",
    console=True,
)

AnyRequest = Request[Any, Any, Any]
Code = Annotated[str, QueryParameter(max_length=64, pattern=r"^[a-z0-9-]*$")]


def make_pages(host: Host) -> Routes:
    """The pages over a host."""
    return [*_all(host), *_one(host), *_plan(host)]


def _all(host: Host) -> Routes:
    @get("/partner", opt=IN_CONSOLE, include_in_schema=False)
    async def show_own(page: NamedDependency[Page], console: NamedDependency[Console]) -> Html:
        """Every event of the member."""
        found = await to_thread(reading.own_events, host, console.member_id)
        return page.render("conference/own_events.html", events=found)

    @get("/partner/new", opt=IN_CONSOLE, include_in_schema=False)
    async def ask_event(page: NamedDependency[Page], console: NamedDependency[Console]) -> Html:
        """Where the file of an event is chosen."""
        return _new_page(page)

    @post(
        "/partner/new",
        opt=IN_CONSOLE,
        include_in_schema=False,
        status_code=303,
        request_max_body_size=LARGEST_FILE,
    )
    async def put_event(
        request: AnyRequest,
        page: NamedDependency[Page],
        console: NamedDependency[Console],
        principal: NamedDependency[Principal],
    ) -> Html:
        """Check the file of an event, or make the event of it, or bring it up to date."""
        body, check = await _sent(request)
        if not body:
            return _new_page(page, problem=lazy("Choose a file."))
        try:
            new = await to_thread(documents.read, body)
        except BadFile as error:
            return _new_page(page, bad=error)
        if new.organiser != console.slug:
            line = documents.line_of(body.decode("utf-8-sig"), ("organiser",))
            reason = f"the organiser is {console.slug!r}, for whom you work"
            return _new_page(page, bad=BadFile([(line, reason)]))
        if check:
            return _new_page(page, checked=new)
        put = partial(events.put, host, new, console.member_id, actor=principal.actor)
        try:
            made = await to_thread(put)
        except EventExists as error:
            return _new_page(page, bad=BadFile([(1, error.detail)]))
        notice = lazy("Taken. Nothing is sold before you publish it.")
        if made.status != "draft":
            notice = lazy("Taken.")
        return page.redirect(console.path(f"{HOME}/events/{made.slug}"), notice=notice)

    return [show_own, ask_event, put_event]


async def _sent(request: AnyRequest) -> tuple[bytes, bool]:
    """The file of a form, and whether it is only to be checked."""
    form = await request.form()
    sent = form.get("file")
    body = await sent.read() if isinstance(sent, UploadFile) else b""
    return body, form.get("do") == "check"


def _new_page(
    page: Page, *, problem: Lazy | None = None, bad: BadFile | None = None, checked: Any = None
) -> Html:
    status = 422 if problem or bad else 200
    return page.render(
        "conference/own_new.html", status_code=status, problem=problem, bad=bad, checked=checked
    )


def _one(host: Host) -> Routes:
    @get("/partner/events/{slug:str}", opt=IN_CONSOLE, include_in_schema=False)
    async def show_one(
        slug: FromPath[str], page: NamedDependency[Page], console: NamedDependency[Console]
    ) -> Html:
        """Sessions, categories, quotas and prices, and how all of it stands."""
        return page.render(
            "conference/own_event.html", **await to_thread(_whole, host, console, slug)
        )

    @post(
        "/partner/events/{slug:str}/status",
        opt=IN_CONSOLE,
        include_in_schema=False,
        status_code=303,
    )
    async def change(
        slug: FromPath[str],
        request: AnyRequest,
        page: NamedDependency[Page],
        console: NamedDependency[Console],
        principal: NamedDependency[Principal],
    ) -> Html:
        """Publish the event, or make it a draft again."""
        status = STATUSES.get(str((await request.form()).get("change", "")))
        path = console.path(f"{HOME}/events/{slug}")
        if status is None:
            return page.redirect(path)
        set_status = partial(
            events.set_status, host, slug, console.member_id, status, actor=principal.actor
        )
        await to_thread(set_status)
        shown = lazy("It is published: everybody sees it, and its places are sold.")
        hidden = lazy("It is hidden again. What was sold stays sold.")
        return page.redirect(path, notice=shown if status == "published" else hidden)

    return [show_one, change]


def _whole(host: Host, console: Console, slug: str) -> dict[str, Any]:
    """All that the page of an event shows."""
    with host.transaction() as session:
        own = reading.own_event(session, console.member_id, slug)
        quotas = reading.quotas(session, own.id)
        promised = reading.promised(session, own.id, host.now(session))
        prices: dict[str, list[PluginOffer]] = {}
        for each in host.offers(session, member_id=console.member_id):
            prices.setdefault(each.sku, []).append(each)
    return {
        "event": events.read(host, slug, drafts=True),
        "quotas": quotas,
        "prices": prices,
        "promised": promised,
    }


def _plan(host: Host) -> Routes:
    @get("/partner/events/{slug:str}/plan", opt=IN_CONSOLE, include_in_schema=False)
    async def show_plan(
        slug: FromPath[str],
        page: NamedDependency[Page],
        console: NamedDependency[Console],
        part: Code = "",
    ) -> Html:
        """The seats of a session as they stand, and where a plan is uploaded."""
        return await to_thread(_plan_page, host, page, console, slug, part)

    @post(
        "/partner/events/{slug:str}/plan",
        opt=IN_CONSOLE,
        include_in_schema=False,
        status_code=303,
        request_max_body_size=LARGEST_FILE,
    )
    async def add_seats(
        slug: FromPath[str],
        request: AnyRequest,
        page: NamedDependency[Page],
        console: NamedDependency[Console],
        principal: NamedDependency[Principal],
        part: Code = "",
    ) -> Html:
        """Check a plan, or add its seats: all of it or nothing."""
        body, check = await _sent(request)
        show = partial(_plan_page, host, page, console, slug, part)
        if not body:
            return await to_thread(partial(show, problem=lazy("Choose a file.")))
        add = partial(plan.import_plan, actor=principal.actor, dry_run=check)
        text = body.decode("utf-8", "replace")
        try:
            made = await to_thread(add, host, slug, part, text, console.member_id)
        except BadFile as error:
            return await to_thread(partial(show, bad=error))
        if check:
            return await to_thread(partial(show, checked=made))
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
