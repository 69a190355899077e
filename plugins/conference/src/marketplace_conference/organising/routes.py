"""HTTP for organisers: what is kept for firms, and who waits."""

from __future__ import annotations

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath

from marketplace.api import Host, Principal, Role, Routes, Scope, access
from marketplace_conference.door.devices import own_event
from marketplace_conference.organising import reading
from marketplace_conference.organising.listing_pages import MOST_WAITING
from marketplace_conference.organising.reading import Allotted, Waits

ORGANISERS = access(roles=[Role.PARTNER, Role.OPERATOR], scope=Scope.STOCK_WRITE)
TAGS = ["conference"]


def make_routes(host: Host) -> Routes:
    """The handlers over a host."""

    @get(
        "/events/{slug:str}/allotments",
        opt=ORGANISERS,
        sync_to_thread=True,
        summary="What is kept for firms",
        tags=TAGS,
    )
    def list_allotments(
        slug: FromPath[str], principal: NamedDependency[Principal]
    ) -> list[Allotted]:
        """By category and firm, with what their people took of it."""
        with host.transaction() as session:
            event = own_event(session, principal, slug)
            return reading.allotted(session, event.id, host.now(session))

    @get(
        "/events/{slug:str}/waiting",
        opt=ORGANISERS,
        sync_to_thread=True,
        summary="Who waits",
        tags=TAGS,
    )
    def list_waiting(slug: FromPath[str], principal: NamedDependency[Principal]) -> list[Waits]:
        """In the order in which they are asked, the first five hundred."""
        with host.transaction() as session:
            return reading.waits(session, own_event(session, principal, slug).id, MOST_WAITING)

    return [list_allotments, list_waiting]
