"""Certificates in the browser: on paper for their holders, to verify for everybody."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from marketplace.api import Host, Html, Page, Principal, Role, Routes, Scope, access
from marketplace_conference.certificates import certifying, paper
from marketplace_conference.tickets import repository
from marketplace_conference.tickets.routes import TAGS, file

AnyRequest = Request[Any, Any, Any]


def make_pages(host: Host) -> Routes:
    """The pages over a host."""

    @get(
        "/certificates/{order:uuid}/certificates.pdf",
        opt=access(roles=[Role.PARTICIPANT], page=True),
        include_in_schema=False,
    )
    async def show_certificates(
        order: FromPath[UUID],
        page: NamedDependency[Page],
        principal: NamedDependency[Principal],
        request: AnyRequest,
    ) -> Response[bytes]:
        """A page for each of an order that was let in."""
        return await certificates_of(host, principal, page, request, order)

    @get(
        "/verify/{code:str}",
        opt=access(public=True, page=True),
        include_in_schema=False,
        sync_to_thread=True,
    )
    def show_verified(code: FromPath[str], page: NamedDependency[Page]) -> Html:
        """Whether a certificate is genuine, and what it says."""
        found = certifying.verify(host, code)
        told = None
        if found is not None:
            told = paper.rows(found, _zone_of(host, found.event_id), page._, page.locale)
        return page.render(
            "conference/verify.html", status_code=404 if told is None else 200, told=told
        )

    return [show_certificates, show_verified]


def make_routes(host: Host) -> Routes:
    """The same over HTTP."""

    @get(
        "/certificates/{order:uuid}/certificates.pdf",
        opt=access(roles=[Role.PARTICIPANT], scope=Scope.BURNS_READ),
        summary="Certificates of attendance of an order",
        tags=TAGS,
        media_type="application/pdf",
    )
    async def read_certificates(
        order: FromPath[UUID],
        page: NamedDependency[Page],
        principal: NamedDependency[Principal],
        request: AnyRequest,
    ) -> Response[bytes]:
        """A page for each place whose holder was let in; not_found where nobody was."""
        return await certificates_of(host, principal, page, request, order)

    return [read_certificates]


async def certificates_of(
    host: Host, principal: Principal, page: Page, request: AnyRequest, order: UUID
) -> Response[bytes]:
    """The certificates of an order as PDF."""
    signed = await asyncio.to_thread(certifying.of_order, host, principal, str(order))
    zone = await asyncio.to_thread(_zone_of, host, signed[0][0].event_id)
    origin = str(request.base_url).rstrip("/")
    made = await paper.pages(signed, zone, origin, page._, page.locale)
    return file(made, "application/pdf", "certificates.pdf")


def _zone_of(host: Host, event_id: UUID) -> str:
    with host.transaction() as session:
        return repository.events(session, [event_id])[event_id].time_zone
