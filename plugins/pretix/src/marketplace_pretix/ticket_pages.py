"""The tickets of a burn in the browser, at /pretix/tickets/{order}: as pretix has them now."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from marketplace.api import (
    Conflict,
    Host,
    Html,
    NavEntry,
    NotFound,
    Page,
    Principal,
    Role,
    Routes,
    access,
    lazy,
    qr_code,
)
from marketplace_pretix import calendars, printing, showing

LINK: Final = NavEntry(key="tickets", label=lazy("Tickets"), path="/pretix/tickets/{order}")
"""From the page of a reward."""
HOLDERS: Final = access(roles=[Role.PARTICIPANT], page=True)
PRINTED_WITHIN_S: Final = 8


def make_pages(host: Host) -> Routes:
    """The pages over a host; each look is audited, as that at a code is."""

    # All of them ask pretix, so they run on threads of this plugin's and on no other.
    @get("/tickets/{order:uuid}", opt=HOLDERS, include_in_schema=False, sync_to_thread=True)
    def show_tickets(
        order: FromPath[UUID],
        page: NamedDependency[Page],
        principal: NamedDependency[Principal],
    ) -> Html:
        """Each ticket with how it stands at pretix, and the ways to keep it."""
        shown = showing.show(host, principal, str(order), page.locale)
        page.active = "rewards"
        drawings = [each.secret and qr_code(each.secret) for each in shown.tickets]
        return page.render(
            "pretix/tickets.html",
            order=order,
            shown=shown,
            drawings=drawings,
            has_calendar=shown.is_live and bool(shown.tickets),
        )

    @get(
        "/tickets/{order:uuid}/tickets.ics",
        opt=HOLDERS,
        include_in_schema=False,
        sync_to_thread=True,
    )
    def show_calendar(
        order: FromPath[UUID],
        page: NamedDependency[Page],
        principal: NamedDependency[Principal],
    ) -> Response[bytes]:
        """For a calendar."""
        found = showing.when(host, principal, str(order), page.locale)
        made = calendars.calendar(found, page.now)
        return _file(made, "text/calendar", "tickets.ics")

    @get(
        "/tickets/{order:uuid}/{code:str}/tickets.pdf",
        opt=HOLDERS,
        include_in_schema=False,
        sync_to_thread=True,
    )
    def show_paper(
        order: FromPath[UUID], code: FromPath[str], principal: NamedDependency[Principal]
    ) -> Response[bytes]:
        """On paper, as its organizer prints them; pretix needs a moment the first time."""
        if code not in showing.show(host, principal, str(order)).printable:
            raise NotFound("The organizer prints no ticket of this.")
        try:
            made = printing.fetch(host, str(order), code, tries=PRINTED_WITHIN_S)
        except printing.NotYet:
            words = "The organizer's server is still printing: try again in a moment."
            raise Conflict(words) from None
        return _file(made, "application/pdf", f"tickets-{code}.pdf")

    return [show_tickets, show_calendar, show_paper]


def _file(made: bytes, media_type: str, name: str) -> Response[bytes]:
    """A file that only its holder keeps."""
    headers = {
        "Content-Disposition": f'inline; filename="{name}"',
        "Cache-Control": "private, no-store",
    }
    return Response(made, media_type=media_type, headers=headers)
