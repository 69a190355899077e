"""Pages of one event in the partner console: what firms have, who waits, who comes."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter, URLEncodedBody

from marketplace.api import (
    Conflict,
    Console,
    Host,
    Html,
    InvalidRequest,
    Lazy,
    Page,
    Principal,
    Routes,
    lazy,
    spreadsheet_safe,
)
from marketplace_conference import attendees, events
from marketplace_conference.errors import UnknownCategory
from marketplace_conference.organising import reading
from marketplace_conference.organising.pages import HOME, IN_CONSOLE
from marketplace_conference.organising.reading import LATEST, Person
from marketplace_conference.places import Event
from marketplace_conference.schemas import NewAllotment

MOST_WAITING: Final = 500
ON_A_PAGE: Final = 50
AT_ONCE: Final = 2_000
"""People read at a time for a file."""
MOST_PLACES: Final = 1_000_000
LONGEST_FIRM: Final = 200
COLUMNS: Final = (
    "ticket", "name", "email", "session", "category", "seat", "order", "sold_at", "cancelled_at",
    "came_at",
)  # fmt: skip

Words = Annotated[str, QueryParameter(max_length=100)]
Before = Annotated[int, QueryParameter(ge=1, le=LATEST)]


class AllotmentForm(msgspec.Struct):
    """Places for a firm, as typed."""

    sku: str = ""
    firm: str = ""
    size: str = ""
    until: str = ""
    """The last day that they are kept, at the event."""


def make_pages(host: Host) -> Routes:
    """The pages over a host."""
    return [*_allotments(host), *_waiting(host), *_people(host)]


def _allotments(host: Host) -> Routes:
    @get(
        "/partner/events/{slug:str}/allotments",
        opt=IN_CONSOLE,
        include_in_schema=False,
        sync_to_thread=True,
    )
    def show_allotments(
        slug: FromPath[str], page: NamedDependency[Page], console: NamedDependency[Console]
    ) -> Html:
        """What is kept for firms, until when, and what they took of it."""
        return _allotments_page(host, page, console, slug)

    @post(
        "/partner/events/{slug:str}/allotments",
        opt=IN_CONSOLE,
        include_in_schema=False,
        status_code=303,
        sync_to_thread=True,
    )
    def allot(
        slug: FromPath[str],
        data: URLEncodedBody[AllotmentForm],
        page: NamedDependency[Page],
        console: NamedDependency[Console],
        principal: NamedDependency[Principal],
    ) -> Html:
        """Keep places for a firm, or more, fewer or for longer; 0 releases them."""
        new, problems = _allotment(data, _own(host, console, slug))
        if new is not None:
            problems = _keep(host, console, new, principal.actor)
        if new is None or problems:
            return _allotments_page(host, page, console, slug, typed=data, problems=problems)
        notice = lazy("Saved.") if new.size else lazy("Released: they are everybody's now.")
        return page.redirect(console.path(f"{HOME}/events/{slug}/allotments"), notice=notice)

    return [show_allotments, allot]


def _keep(host: Host, console: Console, new: NewAllotment, actor: str) -> dict[str, Lazy]:
    """Keep the places; returns what is wrong, by field."""
    try:
        events.allot(host, new, console.member_id, actor=actor)
    except UnknownCategory:
        return {"sku": lazy("Choose what is kept.")}
    except InvalidRequest:
        return {"until": lazy("A day that is not over yet.")}
    except Conflict:
        return {"size": lazy("So many places are not free: others have them, or wait for them.")}
    return {}


def _own(host: Host, console: Console, slug: str) -> Event:
    with host.transaction() as session:
        return reading.own_event(session, console.member_id, slug)


def _allotment(form: AllotmentForm, of: Event) -> tuple[NewAllotment | None, dict[str, Lazy]]:
    """What the form asks for, or what is wrong with it by field. Days end as at the event."""
    problems: dict[str, Lazy] = {}
    firm, digits = form.firm.strip(), form.size.strip()
    if not 0 < len(firm) <= LONGEST_FIRM or not firm.isprintable():
        problems["firm"] = lazy("The reference of a firm, 200 characters at most.")
    good = digits.isascii() and digits.isdigit() and len(digits) <= 7
    if not good or int(digits) > MOST_PLACES:
        problems["size"] = lazy("A whole number, 0 or more.")
    try:
        last = date.fromisoformat(form.until.strip())
        ends = datetime.combine(last + timedelta(days=1), time(), ZoneInfo(of.time_zone))
        releases_at = ends.astimezone(UTC)
    except (ValueError, OverflowError):
        problems["until"] = lazy("A day, like 2027-03-01.")
    if problems:
        return None, problems
    try:
        asked = {"sku": form.sku, "firm": firm, "size": int(digits), "releases_at": releases_at}
        return msgspec.convert(asked, NewAllotment), {}
    except msgspec.ValidationError:  # of a list that we gave, it is no sku
        return None, {"sku": lazy("Choose what is kept.")}


def _allotments_page(
    host: Host,
    page: Page,
    console: Console,
    slug: str,
    *,
    typed: AllotmentForm | None = None,
    problems: Mapping[str, Lazy] | None = None,
) -> Html:
    with host.transaction() as session:
        own = reading.own_event(session, console.member_id, slug)
        found = reading.allotted(session, own.id, host.now(session))
        names = host.firm_names(session, member_id=console.member_id)
        used = {each.firm for each in found}
        names = {**names, **host.firm_names(session, used, member_id=console.member_id)}
    view = events.read(host, slug, drafts=True)
    return page.render(
        "conference/own_allotments.html",
        status_code=422 if problems else 200,
        event=view,
        allotments=found,
        firms=dict(sorted(names.items(), key=lambda each: each[1].casefold())),
        last_days={each.releases_at: _last_day(each.releases_at, own) for each in found},
        sold=[
            (each.sku, f"{part.name}: {each.name}")
            for part in view.sessions
            for each in part.categories
        ],
        typed=typed or AllotmentForm(),
        problems=problems or {},
    )


def _last_day(releases_at: datetime, of: Event) -> date:
    return (releases_at - timedelta(microseconds=1)).astimezone(ZoneInfo(of.time_zone)).date()


def _waiting(host: Host) -> Routes:
    @get(
        "/partner/events/{slug:str}/waiting",
        opt=IN_CONSOLE,
        include_in_schema=False,
        sync_to_thread=True,
    )
    def show_waiting(
        slug: FromPath[str], page: NamedDependency[Page], console: NamedDependency[Console]
    ) -> Html:
        """Who waits, in the order in which they are asked."""
        found = _list(host, console, slug)
        event = events.read(host, slug, drafts=True)
        return page.render("conference/own_waiting.html", event=event, waits=found)

    return [show_waiting]


def _list(host: Host, console: Console, slug: str) -> list[reading.Waits]:
    with host.transaction() as session:
        own = reading.own_event(session, console.member_id, slug)
        return reading.waits(session, own.id, MOST_WAITING)


def _people(host: Host) -> Routes:
    @get(
        "/partner/events/{slug:str}/people",
        opt=IN_CONSOLE,
        include_in_schema=False,
        sync_to_thread=True,
    )
    def show_people(
        slug: FromPath[str],
        page: NamedDependency[Page],
        console: NamedDependency[Console],
        q: Words = "",
        before: Before = LATEST,
    ) -> Html:
        """Who comes, latest sold first; found by name, e-mail, ticket number or seat."""
        words = "".join(each for each in q if each.isprintable())
        found = _found(host, console, slug, before, words)
        return page.render(
            "conference/own_people.html",
            event=events.read(host, slug, drafts=True),
            people=found[:ON_A_PAGE],
            following=found[ON_A_PAGE - 1].id if len(found) > ON_A_PAGE else None,
            is_first=before == LATEST,
            q=words,
        )

    @get(
        "/partner/events/{slug:str}/people.csv",
        opt=IN_CONSOLE,
        include_in_schema=False,
        sync_to_thread=True,
    )
    def export_people(
        slug: FromPath[str],
        console: NamedDependency[Console],
        principal: NamedDependency[Principal],
    ) -> Response[bytes]:
        """All of them as CSV, with their answers; that it was taken is written down."""
        made = _export(host, console, principal, slug)
        headers = {
            "Content-Disposition": f'attachment; filename="people-{slug}.csv"',
            "Cache-Control": "private, no-store",
        }
        return Response(made, media_type="text/csv", headers=headers)

    return [show_people, export_people]


def _found(host: Host, console: Console, slug: str, before: int, words: str) -> list[Person]:
    with host.transaction() as session:
        own = reading.own_event(session, console.member_id, slug)
        return reading.people(session, own.id, before=before, words=words, limit=ON_A_PAGE + 1)


def _export(host: Host, console: Console, principal: Principal, slug: str) -> bytes:
    written = io.StringIO("\ufeff")
    written.seek(0, io.SEEK_END)
    lines, count, before = csv.writer(written, lineterminator="\r\n"), 0, LATEST
    with host.transaction() as session:
        own = reading.own_event(session, console.member_id, slug)
        asked = [each.code for each in attendees.questions(session, own.id)]
        lines.writerow([*COLUMNS, *(f"answer:{code}" for code in asked)])
        while found := reading.people(session, own.id, before=before, limit=AT_ONCE):
            lines.writerows(_cells(each, asked) for each in found)
            count, before = count + len(found), found[-1].id
        host.audit(
            session, actor=principal.actor, action="people_exported", subject=slug, people=count
        )
    return written.getvalue().encode()


def _cells(each: Person, asked: list[str]) -> list[Any]:
    moments = (each.sold_at, each.cancelled_at, each.came_at)
    cells = [
        *(each.locator, each.name, each.email, each.session, each.category, each.seat, each.order),
        *("" if moment is None else moment.astimezone(UTC).isoformat() for moment in moments),
        *(each.answers.get(code, "") for code in asked),
    ]
    return ["" if cell is None else spreadsheet_safe(cell) for cell in cells]
