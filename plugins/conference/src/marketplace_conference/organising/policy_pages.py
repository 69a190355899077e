"""Pages: what comes back for tickets, until when they may be changed, when the doors open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, URLEncodedBody

from marketplace.api import Console, Host, Html, Lazy, Page, Principal, Routes, lazy
from marketplace_conference import events
from marketplace_conference.door import hours
from marketplace_conference.errors import EventOff
from marketplace_conference.organising import reading, terms
from marketplace_conference.organising.pages import HOME, IN_CONSOLE
from marketplace_conference.schemas import MOST_MINUTES
from marketplace_conference.tickets import cancelling, switching

SAVED: Final = lazy("Saved. It holds for what is sold from now on.")
SAVED_DOORS: Final = lazy("Saved. It holds at once, for every ticket.")
FEWEST_ROWS: Final = 4
SPARE_ROWS: Final = 2


def make_pages(host: Host) -> Routes:
    """The pages over a host."""

    @get(
        "/partner/events/{slug:str}/policy",
        opt=IN_CONSOLE,
        include_in_schema=False,
        sync_to_thread=True,
    )
    def show_policy(
        slug: FromPath[str], page: NamedDependency[Page], console: NamedDependency[Console]
    ) -> Html:
        """What holds for what is sold now."""
        return _page(host, page, console, slug)

    @post(
        "/partner/events/{slug:str}/policy",
        opt=IN_CONSOLE,
        include_in_schema=False,
        status_code=303,
        sync_to_thread=True,
    )
    def set_policy(
        slug: FromPath[str],
        data: URLEncodedBody[dict[str, Any]],
        page: NamedDependency[Page],
        console: NamedDependency[Console],
        principal: NamedDependency[Principal],
    ) -> Html:
        """For what is sold from now on; what was sold keeps what was promised."""
        typed = {name: str(words) for name, words in data.items()}
        path = console.path(f"{HOME}/events/{slug}/policy")
        try:
            problems = _save(host, console, slug, typed, principal.actor)
        except EventOff as error:
            return page.redirect(path, notice=lazy(error.title), tone="warning")
        if problems:
            return _page(host, page, console, slug, typed=typed, problems=problems)
        notice = SAVED_DOORS if typed.get("do") == "doors" else SAVED
        return page.redirect(path, notice=notice)

    return [show_policy, set_policy]


def _save(
    host: Host, console: Console, slug: str, typed: Mapping[str, str], actor: str
) -> dict[str, Lazy]:
    """Set what one of the forms asks for; returns what is wrong with it, by field."""
    with host.transaction() as session:
        own = reading.own_event(session, console.member_id, slug)
        if own.status == "cancelled":
            raise EventOff
        if typed.get("do") == "changes":
            days = terms.whole(typed.get("days", ""), terms.MOST_DAYS)
            if days is None:
                return {"days": terms.NO_DAYS}
            switching.set_policy(host, session, own, days, actor=actor)
            return {}
        if typed.get("do") == "doors":
            minutes = terms.whole(typed.get("minutes", ""), MOST_MINUTES)
            if minutes is None:
                return {"minutes": terms.NO_MINUTES}
            hours.set_opening(host, session, own, minutes, actor=actor)
            return {}
        wanted, problems = terms.read(_rows(typed))
        if not problems:
            cancelling.set_policy(host, session, own, wanted, actor=actor)
        return problems


def _rows(typed: Mapping[str, str]) -> list[tuple[str, str]]:
    return [
        (typed.get(f"days-{number}", ""), typed.get(f"percent-{number}", ""))
        for number in range(1, terms.MOST_TERMS + 1)
    ]


def _page(
    host: Host,
    page: Page,
    console: Console,
    slug: str,
    *,
    typed: Mapping[str, str] | None = None,
    problems: dict[str, Lazy] | None = None,
) -> Html:
    with host.transaction() as session:
        own = reading.own_event(session, console.member_id, slug)
        now = host.now(session)
        promised = reading.promised(session, own.id, now)
        changeable = reading.changeable(session, own.id, now)
        tickets, _ = reading.good_tickets(session, own.id)
    rows = [(str(each.days_before), str(each.percent)) for each in promised]
    if typed and typed.get("do") not in ("changes", "doors"):
        rows = _rows(typed)
        while rows and rows[-1] == ("", ""):
            rows.pop()
    wanted = min(max(len(rows) + SPARE_ROWS, FEWEST_ROWS), terms.MOST_TERMS)
    rows += [("", "")] * (wanted - len(rows))
    days = "" if changeable is None else str(changeable)
    return page.render(
        "conference/own_policy.html",
        status_code=422 if problems else 200,
        event=events.read(host, slug, drafts=True),
        promised=promised,
        changeable=changeable,
        tickets=tickets,
        rows=rows,
        days=(typed or {}).get("days", days),
        minutes=(typed or {}).get("minutes", str(own.doors_open_minutes)),
        problems=problems or {},
    )
