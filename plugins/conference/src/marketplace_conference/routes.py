"""HTTP under /v1/conference: events for everybody, reservations for buyers, organisers' work."""

from __future__ import annotations

from functools import partial
from typing import Annotated
from uuid import UUID

from litestar import delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import Body, FromPath, QueryParameter, RawBody

from marketplace.api import (
    Host,
    InvalidRequest,
    NotAllowed,
    Principal,
    Role,
    Routes,
    Scope,
    access,
    crowd_post,
)
from marketplace_conference import asking, events, plan, reserving, waiting
from marketplace_conference.organising import publishing
from marketplace_conference.plan import SeatView
from marketplace_conference.schemas import (
    Attendee,
    EventView,
    NewAllotment,
    NewEvent,
    NewReservation,
    NewWaiter,
    ReservationView,
    WaiterView,
)
from marketplace_conference.shared import Shared

TAGS = ["conference"]
PUBLIC = access(public=True)
BUYERS = access(roles=[Role.PARTICIPANT], scope=Scope.BURNS_WRITE)
ORGANISERS = access(roles=[Role.PARTNER, Role.OPERATOR], scope=Scope.STOCK_WRITE)
CHANGES = {"publish": publishing.publish, "withdraw": publishing.withdraw}
LARGEST_PLAN = 8_000_000
In = Annotated[str | None, QueryParameter(pattern=r"^[a-z]{2}(?!\n)$")]
"""The language of names, where there are such; without it the event's own."""
SHARED_S = 0.3
"""How old may be what everybody is shown."""


def make_routes(host: Host) -> Routes:
    """The handlers over a host."""
    return [*_public(host), *_buying(host), *_waiting(host), *_organising(host)]


def whose(principal: Principal) -> UUID | None:
    """Whose events the caller may change: None is anybody's, for the operator."""
    if principal.is_operator:
        return None
    if principal.member_id is None:
        raise NotAllowed("Events are organised by members; you work for none.")
    return principal.member_id


def _public(host: Host) -> Routes:
    def of_session(slug: str, code: str) -> list[SeatView]:
        events.read(host, slug)
        return plan.seats(host, slug, code)

    # Asked by everybody in the second in which seats go on sale; the truth is told who reserves.
    all_events = Shared(partial(events.listed, host), SHARED_S)
    one_event = Shared(partial(events.read, host), SHARED_S)
    seats = Shared(of_session, SHARED_S)

    @get("/events", opt=PUBLIC, summary="List events", tags=TAGS)
    async def list_events(language: In = None) -> list[EventView]:
        """Published events that are not over, with how each category stands."""
        return await all_events.ask(language)

    @get("/events/{slug:str}", opt=PUBLIC, summary="An event", tags=TAGS)
    async def get_event(slug: FromPath[str], language: In = None) -> EventView:
        """With how each category stands: sold, held, allotted, waited for, free."""
        return await one_event.ask(slug, language)

    @get(
        "/events/{slug:str}/sessions/{code:str}/seats",
        opt=PUBLIC,
        summary="The seats of a session",
        tags=TAGS,
    )
    async def list_seats(slug: FromPath[str], code: FromPath[str]) -> list[SeatView]:
        """In the order of the plan, with their place on it and whether they are free."""
        return await seats.ask(slug, code)

    return [list_events, get_event, list_seats]


def _buying(host: Host) -> Routes:
    make_reservation = crowd_post(
        "/reservations",
        asking.Reserver(host),
        takes=NewReservation,
        gives=ReservationView,
        opt=BUYERS,
        summary="Reserve places",
        description=(
            "These seats, or the best that are free, for some minutes at today's price.\n\n"
            "Then burn on `offer` with `selection` and `quantity`."
        ),
        tags=TAGS,
    )

    @get(
        "/reservations/{selection:str}",
        opt=BUYERS,
        sync_to_thread=True,
        summary="Read a reservation",
        tags=TAGS,
    )
    def get_reservation(
        selection: FromPath[str], principal: NamedDependency[Principal]
    ) -> ReservationView:
        """One of the caller's own."""
        return reserving.read(host, principal, selection)

    @put(
        "/reservations/{selection:str}/attendees",
        opt=BUYERS,
        sync_to_thread=True,
        summary="Say who comes",
        tags=TAGS,
    )
    def put_attendees(
        selection: FromPath[str],
        data: Annotated[list[Attendee], Body()],
        principal: NamedDependency[Principal],
    ) -> ReservationView:
        """One person for each place, in their order, with answers to the event's questions."""
        return reserving.name_attendees(host, principal, selection, data, complete=True)

    @delete(
        "/reservations/{selection:str}",
        opt=BUYERS,
        status_code=200,
        sync_to_thread=True,
        summary="Let a reservation go",
        tags=TAGS,
    )
    def delete_reservation(
        selection: FromPath[str], principal: NamedDependency[Principal]
    ) -> ReservationView:
        """Others can have the places at once; what is sold stays sold."""
        return reserving.release(host, principal, selection)

    return [make_reservation, get_reservation, put_attendees, delete_reservation]


def _waiting(host: Host) -> Routes:
    @post("/waiting", opt=BUYERS, sync_to_thread=True, summary="Join the waiting list", tags=TAGS)
    def join(
        data: Annotated[NewWaiter, Body()], principal: NamedDependency[Principal]
    ) -> WaiterView:
        """For what would be taken, dearest wish first. No points are held while one waits."""
        return waiting.join(host, principal, data)

    @get("/waiting/{token:str}", opt=BUYERS, sync_to_thread=True, summary="Why not yet", tags=TAGS)
    def get_waiter(token: FromPath[str], principal: NamedDependency[Principal]) -> WaiterView:
        """How the caller stands on the list, and the reservation once one is offered."""
        return waiting.read(host, principal, token)

    @post(
        "/waiting/{token:str}/decline",
        opt=BUYERS,
        status_code=200,
        sync_to_thread=True,
        summary="Decline, or leave the list",
        tags=TAGS,
    )
    def decline(token: FromPath[str], principal: NamedDependency[Principal]) -> WaiterView:
        """What was offered goes to the next at once."""
        return waiting.decline(host, principal, token)

    return [join, get_waiter, decline]


def _organising(host: Host) -> Routes:
    @put("/events", opt=ORGANISERS, sync_to_thread=True, summary="Put an event", tags=TAGS)
    def put_event(
        data: Annotated[NewEvent, Body()], principal: NamedDependency[Principal]
    ) -> EventView:
        """Make an event of the caller's member, or bring it up to date."""
        return events.put(host, data, whose(principal), actor=principal.actor)

    @post(
        "/events/{slug:str}/{change:str}",
        opt=ORGANISERS,
        status_code=200,
        sync_to_thread=True,
        summary="Publish or withdraw an event",
        tags=TAGS,
    )
    def change_event(
        slug: FromPath[str], change: FromPath[str], principal: NamedDependency[Principal]
    ) -> EventView:
        """`publish` or `withdraw`; what has a price gets an offer. See also `call-off`."""
        if change not in CHANGES:
            raise InvalidRequest(f"An event is changed by {', '.join(CHANGES)}.")
        CHANGES[change](host, slug, whose(principal), actor=principal.actor)
        return events.read(host, slug, drafts=True)

    @put(
        "/events/{slug:str}/sessions/{code:str}/plan",
        opt=ORGANISERS,
        summary="Import a plan of seats",
        tags=TAGS,
        request_max_body_size=LARGEST_PLAN,
        sync_to_thread=True,
    )
    def put_plan(
        slug: FromPath[str],
        code: FromPath[str],
        body: RawBody,
        principal: NamedDependency[Principal],
    ) -> dict[str, int]:
        """CSV or JSON, all or nothing; `made` is how many seats were new."""
        text, member_id = body.decode("utf-8", "replace"), whose(principal)
        made = plan.import_plan(host, slug, code, text, member_id, actor=principal.actor)
        return {"made": made}

    @put("/allotments", opt=ORGANISERS, sync_to_thread=True, summary="Allot places", tags=TAGS)
    def put_allotment(
        data: Annotated[NewAllotment, Body()], principal: NamedDependency[Principal]
    ) -> NewAllotment:
        """Keep places for the people of a firm until they are released."""
        events.allot(host, data, whose(principal), actor=principal.actor)
        return data

    return [put_event, change_event, put_plan, put_allotment]
