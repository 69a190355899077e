"""Tickets for the wallets of phones, from the page of the tickets."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect

from marketplace.api import Host, NotFound, Page, Principal, Role, Routes, access
from marketplace_conference.tickets import showing
from marketplace_conference.tickets.domain import Sheet
from marketplace_conference.tickets.routes import file
from marketplace_conference.wallets import apple, google, knowing, registering, updating

HOLDERS: dict[str, Any] = access(roles=[Role.PARTICIPANT], page=True)


def offered(host: Host) -> dict[str, bool]:
    """Which wallets the operator has set up."""
    settings = host.settings()
    return {"apple": apple.is_set_up(settings), "google": google.is_set_up(settings)}


def make_pages(host: Host) -> Routes:
    """The handlers over a host; not found where the operator has no keys."""

    @get(
        "/tickets/{order:uuid}/{position:int}/ticket.pkpass",
        opt=HOLDERS,
        include_in_schema=False,
        sync_to_thread=True,
    )
    def show_pass(
        order: FromPath[UUID],
        position: FromPath[int],
        principal: NamedDependency[Principal],
        page: NamedDependency[Page],
    ) -> Response[bytes]:
        """For Apple Wallet."""
        settings = host.settings()
        if not apple.is_set_up(settings):
            raise NotFound
        found = _sheet(host, principal, order, position)
        updates = registering.updates_of(host, found.ticket, settings)
        if updates is not None:
            with host.transaction() as session:
                knowing.remember(session, found.ticket.id, host.now(session), page.locale)
        made = apple.make(found.in_language(page.locale), settings, updates)
        return file(made, apple.MEDIA_TYPE, "ticket.pkpass")

    @get(
        "/tickets/{order:uuid}/{position:int}/google-wallet",
        opt=HOLDERS,
        include_in_schema=False,
        sync_to_thread=True,
    )
    def save(
        order: FromPath[UUID], position: FromPath[int], principal: NamedDependency[Principal]
    ) -> Redirect:
        """On to Google Wallet, which saves it."""
        settings = host.settings()
        if not google.is_set_up(settings):
            raise NotFound
        found = _sheet(host, principal, order, position)
        with host.transaction() as session:
            now = host.now(session)
            updating.saved_at_google(session, found.ticket.id, now)
        headers = {"Cache-Control": "private, no-store", "Referrer-Policy": "no-referrer"}
        return Redirect(google.link(found, settings, now), status_code=303, headers=headers)

    return [show_pass, save]


def _sheet(host: Host, principal: Principal, order: UUID, position: int) -> Sheet:
    for each in showing.sheets_of(host, principal, str(order)):
        if each.ticket.position == position:
            return each
    raise NotFound
