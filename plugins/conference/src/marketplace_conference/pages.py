"""Pages at /conference: events for everybody; choosing seats and saying who comes, for buyers.

Each step is a form of its own and works without scripts: the seats of a plan are checkboxes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, URLEncodedBody

from marketplace.api import (
    Host,
    Html,
    Lazy,
    MarketplaceError,
    NavEntry,
    Page,
    Pages,
    Principal,
    Role,
    Routes,
    access,
    lazy,
)
from marketplace_conference import choosing, events, reserving, statics, waiting, waiting_pages
from marketplace_conference.access import standings
from marketplace_conference.choosing import BUYERS, OWN_ERRORS, ROOT, STYLE, find
from marketplace_conference.errors import BadAttendees
from marketplace_conference.schemas import Attendee

HERE = Path(__file__).parent
PUBLIC = access(public=True, page=True)
MOST_IN_A_FORM = 100


def make_pages(host: Host) -> Pages:
    """The pages over a host."""
    return Pages(
        routes=[
            *_events(host),
            *choosing.make_pages(host),
            *_reservations(host),
            *waiting_pages.make_pages(host),
            statics.static_file,
        ],
        nav=[NavEntry(key="conference", label=lazy("Events"), path=f"{ROOT}/events", order=35)],
        templates=HERE / "templates",
        translations=HERE / "locale",
        before_burn=partial(choosing.page_before, host),
    )


def _events(host: Host) -> Routes:
    @get("/events", opt=PUBLIC, include_in_schema=False, sync_to_thread=True)
    def show_events(page: NamedDependency[Page]) -> Html:
        """What is on."""
        page.active = "conference"
        return page.render("conference/events.html", events=events.listed(host, page.locale))

    @get("/events/{slug:str}", opt=PUBLIC, include_in_schema=False, sync_to_thread=True)
    def show_event(slug: FromPath[str], page: NamedDependency[Page]) -> Html:
        """One event, and what is free of it."""
        page.active = "conference"
        # Others would be told that they may not: those who work for members have no wallet.
        buys = page.principal is None or Role.PARTICIPANT in page.principal.roles
        event = events.read(host, slug, page.locale)
        with host.transaction() as session:
            may = standings(host, session, slug, page.principal)
            waits = waiting.tokens(session, slug, page.principal)
        return page.render(
            "conference/event.html", event=event, buys=buys, may=may, waits=waits, style=STYLE
        )

    return [show_events, show_event]


def _reservations(host: Host) -> Routes:
    @get("/reservations/{selection:str}", opt=BUYERS, include_in_schema=False, sync_to_thread=True)
    def show_reservation(
        selection: FromPath[str],
        page: NamedDependency[Page],
        principal: NamedDependency[Principal],
    ) -> Html:
        """What is reserved, until when, and who comes."""
        return _reservation(host, page, principal, selection)

    @post(
        "/reservations/{selection:str}",
        opt=BUYERS,
        include_in_schema=False,
        status_code=303,
        sync_to_thread=True,
    )
    def name_people(
        selection: FromPath[str],
        data: URLEncodedBody[dict[str, Any]],
        page: NamedDependency[Page],
        principal: NamedDependency[Principal],
    ) -> Html:
        """Say who comes, then on to the burn."""
        form = {key: str(value) for key, value in data.items()}
        try:
            seen = _name(host, principal, selection, form)
        except MarketplaceError as error:
            if not error.code.startswith(OWN_ERRORS) or error.status == 404:
                raise
            return _reservation(host, page, principal, selection, error, form)
        query = f"quantity={seen.quantity}&selection={seen.selection}"
        return page.redirect(f"/burn/{quote(seen.offer)}?{query}")

    @post(
        "/reservations/{selection:str}/release",
        opt=BUYERS,
        include_in_schema=False,
        status_code=303,
        sync_to_thread=True,
    )
    def let_go(
        selection: FromPath[str],
        page: NamedDependency[Page],
        principal: NamedDependency[Principal],
    ) -> Html:
        """Others can have the places at once."""
        reserving.release(host, principal, selection)
        return page.redirect(f"{ROOT}/events", notice=lazy("The places are free for others."))

    return [show_reservation, name_people, let_go]


def _name(host: Host, principal: Principal, selection: str, form: Mapping[str, str]) -> Any:
    seen = reserving.read(host, principal, selection)
    codes = [each.code for each in reserving.event_of(host, selection).questions]
    people = [
        Attendee(
            name=form.get(f"name-{number}", "").strip()[:200],
            email=form.get(f"email-{number}", "").strip()[:254],
            answers={
                code: answer[:500]
                for code in codes
                if (answer := form.get(f"{code}-{number}", "").strip())
            },
        )
        for number in range(1, min(seen.quantity, MOST_IN_A_FORM) + 1)
    ]
    return reserving.name_attendees(host, principal, selection, people, complete=True)


def _reservation(
    host: Host,
    page: Page,
    principal: Principal,
    selection: str,
    error: MarketplaceError | None = None,
    typed: Mapping[str, str] | None = None,
) -> Html:
    page.active = "conference"
    mine = reserving.read(host, principal, selection)
    event = reserving.event_of(host, selection, page.locale)
    return page.render(
        "conference/reservation.html",
        status_code=200 if error is None else error.status,
        mine=mine,
        event=event,
        category=find(event, mine.sku),
        error=error and lazy(error.title),
        wrong=_wrong(error),
        minutes=math.ceil((mine.ends_at - page.now).total_seconds() / 60),
        typed=typed or _typed(mine.attendees),
        style=STYLE,
    )


def _wrong(error: MarketplaceError | None) -> dict[str, Lazy]:
    """What is wrong by field; the first thing about each."""
    found: dict[str, Lazy] = {}
    for each in error.wrong if isinstance(error, BadAttendees) else ():
        found.setdefault(f"{each.field}-{each.position}", each.words)
    return found


def _typed(people: list[Attendee]) -> dict[str, str]:
    """As the form has it."""
    typed: dict[str, str] = {}
    for number, each in enumerate(people, start=1):
        typed |= {f"name-{number}": each.name, f"email-{number}": each.email}
        typed |= {f"{code}-{number}": answer for code, answer in each.answers.items()}
    return typed
