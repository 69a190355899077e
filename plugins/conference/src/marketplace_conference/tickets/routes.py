"""HTTP of tickets: /v1/conference/tickets/{order}, as data, on paper and for calendars."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from marketplace.api import Host, Page, Principal, Role, Routes, Scope, access
from marketplace_conference.tickets import calendars, paper, showing

HOLDERS = access(roles=[Role.PARTICIPANT], scope=Scope.BURNS_READ)
TAGS = ["conference"]
CALENDAR = "text/calendar"
"""The house says the charset of every text, once."""


class TicketView(msgspec.Struct, frozen=True, kw_only=True):
    """A ticket as its holder sees it."""

    position: int
    event: str
    session: UUID
    session_name: str
    category: str
    seat: str | None
    attendee: str
    locator: str
    code: str
    """What its QR code says."""
    cancelled: bool


def make_routes(host: Host) -> Routes:
    """The handlers over a host."""

    @get(
        "/tickets/{order:uuid}",
        opt=HOLDERS,
        sync_to_thread=True,
        summary="Tickets of an order",
        tags=TAGS,
    )
    def read_tickets(
        order: FromPath[UUID], principal: NamedDependency[Principal]
    ) -> list[TicketView]:
        """For whoever may look at the reward; each look is audited."""
        return [
            TicketView(
                position=each.ticket.position,
                event=each.event.slug,
                session=each.session.id,
                session_name=each.session.name,
                category=each.ticket.category,
                seat=each.ticket.seat_label,
                attendee=each.ticket.attendee_name,
                locator=each.ticket.locator,
                code=each.code,
                cancelled=each.is_cancelled,
            )
            for each in showing.sheets_of(host, principal, str(order))
        ]

    @get(
        "/tickets/{order:uuid}/tickets.pdf",
        opt=HOLDERS,
        summary="Tickets of an order on paper",
        tags=TAGS,
        media_type="application/pdf",
    )
    async def read_paper(
        order: FromPath[UUID],
        principal: NamedDependency[Principal],
        page: NamedDependency[Page],
    ) -> Response[bytes]:
        """A page for each attendee, in the language that is asked for."""
        return await paper_of(host, principal, page, order)

    @get(
        "/tickets/{order:uuid}/tickets.ics",
        opt=HOLDERS,
        sync_to_thread=True,
        summary="Tickets of an order for a calendar",
        tags=TAGS,
        media_type=CALENDAR,
    )
    def read_calendar(
        order: FromPath[UUID],
        principal: NamedDependency[Principal],
        page: NamedDependency[Page],
    ) -> Response[bytes]:
        """Importing it again after a change changes the entries, and takes cancelled ones away."""
        return calendar_of(host, principal, page, order)

    return [read_tickets, read_paper, read_calendar]


async def paper_of(host: Host, principal: Principal, page: Page, order: UUID) -> Response[bytes]:
    """The tickets of an order as PDF."""
    found = await asyncio.to_thread(showing.sheets_of, host, principal, str(order))
    made = await paper.pages(found, page._, page.locale)
    return file(made, "application/pdf", f"tickets-{found[0].event.slug}.pdf")


def calendar_of(host: Host, principal: Principal, page: Page, order: UUID) -> Response[bytes]:
    """The tickets of an order as calendar entries, with names in the reader's language."""
    found = showing.sheets_of(host, principal, str(order))
    made = calendars.calendar([each.in_language(page.locale) for each in found])
    return file(made, CALENDAR, f"tickets-{found[0].event.slug}.ics")


def file(made: bytes, media_type: str, name: str) -> Response[bytes]:
    """A file that only its holder keeps."""
    headers = {
        "Content-Disposition": f'inline; filename="{name}"',
        "Cache-Control": "private, no-store",
    }
    return Response(made, media_type=media_type, headers=headers)


def file_routes(host: Host) -> Routes:
    """The same files for a browser, beside the page of the tickets."""
    holders: dict[str, Any] = access(roles=[Role.PARTICIPANT], page=True)

    @get("/tickets/{order:uuid}/tickets.pdf", opt=holders, include_in_schema=False)
    async def show_paper(
        order: FromPath[UUID],
        principal: NamedDependency[Principal],
        page: NamedDependency[Page],
    ) -> Response[bytes]:
        """On paper."""
        return await paper_of(host, principal, page, order)

    @get(
        "/tickets/{order:uuid}/tickets.ics",
        opt=holders,
        include_in_schema=False,
        sync_to_thread=True,
    )
    def show_calendar(
        order: FromPath[UUID],
        principal: NamedDependency[Principal],
        page: NamedDependency[Page],
    ) -> Response[bytes]:
        """For a calendar."""
        return calendar_of(host, principal, page, order)

    return [show_paper, show_calendar]
