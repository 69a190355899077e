"""Changing a ticket to another session in the browser."""

from __future__ import annotations

from uuid import UUID

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, URLEncodedBody

from marketplace.api import Host, Html, Page, Principal, Role, Routes, access, lazy
from marketplace_conference.tickets import showing, switching
from marketplace_conference.tickets.errors import ChangeRefused

HOLDERS = access(roles=[Role.PARTICIPANT], page=True)


class SwitchForm(msgspec.Struct):
    """What was chosen."""

    sku: str = ""


def make_pages(host: Host) -> Routes:
    """The pages over a host."""

    @get(
        "/tickets/{order:uuid}/{position:int}/session",
        opt=HOLDERS,
        include_in_schema=False,
        sync_to_thread=True,
    )
    def show_options(
        order: FromPath[UUID],
        position: FromPath[int],
        page: NamedDependency[Page],
        principal: NamedDependency[Principal],
    ) -> Html:
        """What it may become, and why not what it may not."""
        return _options(host, page, principal, order, position)

    @post(
        "/tickets/{order:uuid}/{position:int}/session",
        opt=HOLDERS,
        include_in_schema=False,
        status_code=303,
        sync_to_thread=True,
    )
    def switch(
        order: FromPath[UUID],
        position: FromPath[int],
        data: URLEncodedBody[SwitchForm],
        page: NamedDependency[Page],
        principal: NamedDependency[Principal],
    ) -> Html:
        """Change it; why that cannot be is said above the list as it is now."""
        try:
            switching.change(host, principal, str(order), position, sku=data.sku)
        except ChangeRefused as error:
            return _options(host, page, principal, order, position, error)
        return page.redirect(
            f"/conference/tickets/{order}",
            notice=lazy("The ticket is changed. Its code is a new one."),
        )

    return [show_options, switch]


def _options(
    host: Host,
    page: Page,
    principal: Principal,
    order: UUID,
    position: int,
    error: ChangeRefused | None = None,
) -> Html:
    sheets = {each.ticket.position: each for each in showing.sheets_of(host, principal, str(order))}
    found = switching.options(host, principal, str(order), position, page.locale)
    page.active = "rewards"
    return page.render(
        "conference/switch.html",
        status_code=200 if error is None else error.status,
        order=order,
        position=position,
        sheet=sheets[position],
        called=sheets[position].called(page.locale),
        options=found,
        reasons=switching.REASONS,
        error=error and switching.REASONS[error.extra["reason"]],
    )
