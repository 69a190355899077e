"""The tickets of an order in the browser, at /conference/tickets/{order}."""

from __future__ import annotations

from uuid import UUID

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath

from marketplace.api import (
    Host,
    Html,
    NavEntry,
    Page,
    Principal,
    Role,
    Routes,
    access,
    lazy,
    qr_code,
)
from marketplace_conference.certificates import certifying
from marketplace_conference.tickets import paper, promising, showing, switching
from marketplace_conference.tickets.routes import file_routes
from marketplace_conference.wallets import pages as wallet_pages

LINK = NavEntry(key="tickets", label=lazy("Tickets"), path="/conference/tickets/{order}")
"""From the page of a reward."""


def make_pages(host: Host) -> Routes:
    """The pages over a host."""

    @get(
        "/tickets/{order:uuid}",
        opt=access(roles=[Role.PARTICIPANT], page=True),
        include_in_schema=False,
        sync_to_thread=True,
    )
    def show_tickets(
        order: FromPath[UUID],
        page: NamedDependency[Page],
        principal: NamedDependency[Principal],
    ) -> Html:
        """Each ticket with its QR code, and the ways to keep them."""
        found = showing.sheets_of(host, principal, str(order))
        page.active = "rewards"
        told = paper.tell(found, page._, page.locale)["sheets"]
        return page.render(
            "conference/tickets.html",
            order=order,
            certified=certifying.is_certified(host, [each.ticket.id for each in found]),
            wallets=wallet_pages.offered(host),
            open_to=switching.open_to(host, [each.ticket for each in found]),
            closed=promising.closed(host, [each.ticket for each in found]),
            sheets=told,
            # Made by us: a path of squares, not the text itself.
            drawings=[qr_code(each.code) for each in found],
        )

    return [show_tickets, *file_routes(host)]
