"""One ticket in the browser: another person comes, or it is given back for what is promised."""

from __future__ import annotations

from uuid import UUID

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, URLEncodedBody

from marketplace.api import (
    Host,
    Html,
    Lazy,
    MarketplaceError,
    NotFound,
    Page,
    Principal,
    Role,
    Routes,
    access,
    lazy,
)
from marketplace_conference.tickets import cancelling, paper, promising, showing
from marketplace_conference.tickets.errors import RefundChanged, TicketOver, TicketUsed, TicketVoid

HOLDERS = access(roles=[Role.PARTICIPANT], page=True)
LONGEST_NAME = 120
OWN = (RefundChanged, TicketOver, TicketUsed, TicketVoid)


class NameForm(msgspec.Struct):
    """Who comes, as typed."""

    name: str = ""


class GiveBackForm(msgspec.Struct):
    """The points that the page told of."""

    points: str = ""

    @property
    def told(self) -> int:
        """-1 where that is no number: then other points come back than were told."""
        good = self.points.isascii() and self.points.isdigit() and len(self.points) <= 15
        return int(self.points) if good else -1


def make_pages(host: Host) -> Routes:
    """The pages over a host."""

    @get(
        "/tickets/{order:uuid}/{position:int}",
        opt=HOLDERS,
        include_in_schema=False,
        sync_to_thread=True,
    )
    def show_ticket(
        order: FromPath[UUID],
        position: FromPath[int],
        page: NamedDependency[Page],
        principal: NamedDependency[Principal],
    ) -> Html:
        """What can be changed about a ticket, and what comes back for it until when."""
        return _ticket_page(host, page, principal, order, position)

    @post(
        "/tickets/{order:uuid}/{position:int}/name",
        opt=HOLDERS,
        include_in_schema=False,
        status_code=303,
        sync_to_thread=True,
    )
    def name_person(
        order: FromPath[UUID],
        position: FromPath[int],
        data: URLEncodedBody[NameForm],
        page: NamedDependency[Page],
        principal: NamedDependency[Principal],
    ) -> Html:
        """Somebody else comes."""
        name = " ".join(data.name.split())
        if not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
            wrong = lazy("Say who comes, in 120 characters at most.")
            return _ticket_page(host, page, principal, order, position, wrong=wrong, typed=name)
        try:
            cancelling.rename(host, principal, str(order), position, name=name)
        except (TicketOver, TicketVoid) as error:
            return _ticket_page(host, page, principal, order, position, error=error)
        notice = lazy("The ticket is for %(name)s now. Its code stays the same.", name=name)
        return page.redirect(f"/conference/tickets/{order}", notice=notice)

    @post(
        "/tickets/{order:uuid}/{position:int}/give-back",
        opt=HOLDERS,
        include_in_schema=False,
        status_code=303,
        sync_to_thread=True,
    )
    def give_back(
        order: FromPath[UUID],
        position: FromPath[int],
        data: URLEncodedBody[GiveBackForm],
        page: NamedDependency[Page],
        principal: NamedDependency[Principal],
    ) -> Html:
        """For as many points as the page told of; where others come back by now, it is shown."""
        try:
            points = cancelling.give_up(host, principal, str(order), position, points=data.told)
        except OWN as error:
            return _ticket_page(host, page, principal, order, position, error=error)
        notice = page.ngettext(
            "The ticket is given back: %(count)s point is yours again.",
            "The ticket is given back: %(count)s points are yours again.",
            points,
        )
        # Of an order that is refunded whole there are no tickets to show.
        return page.redirect(f"/rewards/{order}", notice=notice)

    return [show_ticket, name_person, give_back]


def _ticket_page(
    host: Host,
    page: Page,
    principal: Principal,
    order: UUID,
    position: int,
    *,
    error: MarketplaceError | None = None,
    wrong: Lazy | None = None,
    typed: str | None = None,
) -> Html:
    found = [
        each
        for each in showing.sheets_of(host, principal, str(order))
        if each.ticket.position == position
    ]
    if not found:
        raise NotFound
    (sheet,) = found
    with host.transaction() as session:
        promise = promising.promise_of(host, session, sheet.ticket)
    page.active = "rewards"
    return page.render(
        "conference/ticket.html",
        status_code=422 if wrong else 200 if error is None else error.status,
        order=order,
        sheet=sheet,
        told=paper.tell(found, page._, page.locale)["sheets"],
        promise=promise,
        error=error and lazy(error.title),
        wrong=wrong,
        typed=sheet.ticket.attendee_name if typed is None else typed,
    )
