"""Pages at /conference/choose: the plan of the seats, or how many places, and what reserves them.

Who is about to burn for a seat and has chosen nothing is led here (`page_before`).
Thousands of browsers send that form in one second: they wait in the queue of `POST reservations`,
and whoever is too late gets a page that costs next to nothing.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated
from urllib.parse import quote

import sqlalchemy as sa
from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from marketplace.api import (
    Fields,
    Host,
    Html,
    InvalidRequest,
    MarketplaceError,
    NotFound,
    Page,
    Role,
    Routes,
    access,
    crowd_form,
    lazy,
)
from marketplace_conference import asking, events, models, plan, statics
from marketplace_conference.access import standings
from marketplace_conference.schemas import (
    CategoryView,
    EventView,
    NewReservation,
    ReservationView,
)
from marketplace_conference.shared import Shared

BUYERS = access(roles=[Role.PARTICIPANT], page=True)
ROOT = "/conference"
OWN_ERRORS = "conference_"
STYLE = f"{statics.AT}/conference.css"
CELL = 44
"""Side of a seat on the plan, in pixels: a thumb hits it."""
SHARED_S = 0.5
"""How old may be what is said of an event to those who are too late."""
MOST_SEATS = 1_000
LONGEST = 64

Quantity = Annotated[int, QueryParameter(ge=1, le=MOST_SEATS)]


def page_before(host: Host, reference: str, quantity: int) -> str | None:
    """Where the places of an offer are chosen; None where its event is not to be seen."""
    category, part, event = models.category, models.session, models.event
    with host.transaction() as session:
        offer = next(iter(host.offers(session, reference=reference)), None)
        if offer is None:
            return None
        slug = session.scalar(
            sa.select(event.c.slug)
            .join(part, part.c.event_id == event.c.id)
            .join(category, category.c.session_id == part.c.id)
            .where(
                category.c.sku == offer.sku,
                event.c.organiser_id == offer.member_id,
                event.c.status == "published",
            )
        )
    if slug is None:
        return None
    path = f"{ROOT}/choose/{quote(slug)}/{quote(offer.sku)}"
    return path if quantity == 1 else f"{path}?quantity={min(quantity, MOST_SEATS)}"


def make_pages(host: Host) -> Routes:
    """The pages over a host."""
    about = Shared(partial(_about, host), SHARED_S)

    @get("/choose", opt=BUYERS, include_in_schema=False, sync_to_thread=False)
    def show_form(page: NamedDependency[Page]) -> Html:
        """Where the form is sent; who loads that address again chooses anew."""
        return page.redirect(f"{ROOT}/events")

    @get("/choose/{slug:str}/{sku:str}", opt=BUYERS, include_in_schema=False, sync_to_thread=True)
    def show_choice(
        slug: FromPath[str],
        sku: FromPath[str],
        page: NamedDependency[Page],
        quantity: Quantity = 1,
    ) -> Html:
        """The plan of the seats, or how many places."""
        return _choice(host, page, slug, sku, quantity)

    def show(page: Page, asked: NewReservation, told: ReservationView | MarketplaceError) -> Html:
        if isinstance(told, MarketplaceError):
            return _refused(page, asked, told, about)
        return page.redirect(f"{ROOT}/reservations/{told.selection}")

    choose = crowd_form(
        "/choose",
        asking.Reserver(host),
        reads=read_wish,
        gives=ReservationView,
        shows=show,
        opt=BUYERS,
    )
    return [show_form, show_choice, choose]


def read_wish(fields: Fields) -> NewReservation:
    """What the form asks for: the seats that are ticked, else so many of the best."""
    sku = "".join(fields.get("sku", [])[:1])
    seats = list(dict.fromkeys(each for each in fields.get("seats", []) if each))[:MOST_SEATS]
    if any(len(each) > LONGEST or not each.isprintable() for each in (sku, *seats)):
        raise InvalidRequest("There are no such seats.")
    number = "".join(fields.get("quantity", [])[:1]).strip()
    known = number.isascii() and number.isdecimal() and len(number) < LONGEST
    quantity = min(int(number), MOST_SEATS) if known else 0
    return NewReservation(sku=sku, seats=seats, quantity=None if seats else quantity or None)


def _refused(
    page: Page,
    asked: NewReservation,
    error: MarketplaceError,
    about: Shared[tuple[EventView, CategoryView]],
) -> Html:
    """What is not free any more, and what is: seats to tick, other categories, the waiting list."""
    is_own = error.code.startswith(OWN_ERRORS) and error.status == 409
    if not is_own and error.code != InvalidRequest.code:
        raise error
    event, category = about.get(asked.sku, page.locale)
    back = f"{ROOT}/choose/{event.slug}/{category.sku}"
    if not is_own:
        words = lazy("Choose seats.") if category.numbered else lazy("Say how many places.")
        return page.redirect(back, notice=words, tone="warning")
    page.active = "conference"
    others = error.extra.get("others", {})
    return page.render(
        "conference/gone.html",
        status_code=error.status,
        event=event,
        category=category,
        title=lazy(error.title),
        is_short="free" in error.extra,
        free=error.extra.get("free", 0),
        asked=asked.quantity or len(asked.seats),
        gone=error.extra.get("seats", []),
        instead=error.extra.get("free_seats", []),
        others=[
            (of, part, others[of.sku])
            for part in event.sessions
            for of in part.categories
            if of.sku in others
        ],
        back=back,
    )


def _about(host: Host, sku: str, language: str) -> tuple[EventView, CategoryView]:
    """The event that sells a category, and the category."""
    category, part, event = models.category, models.session, models.event
    with host.transaction() as session:
        slug = session.scalar(
            sa.select(event.c.slug)
            .join(part, part.c.event_id == event.c.id)
            .join(category, category.c.session_id == part.c.id)
            .where(category.c.sku == sku)
        )
    if slug is None:
        raise NotFound
    found = events.read(host, slug, language)
    return found, find(found, sku)


def _choice(host: Host, page: Page, slug: str, sku: str, quantity: int) -> Html:
    page.active = "conference"
    event = events.read(host, slug, page.locale)
    category = find(event, sku)
    seats = plan.seats(host, slug, category.session, sku) if category.numbered else []
    with host.transaction() as session:
        mine = standings(host, session, slug, page.principal)[sku]
    return page.render(
        "conference/choose.html",
        event=event,
        category=category,
        mine=mine,
        seats=seats,
        quantity=quantity,
        width=max((each.x for each in seats), default=0) * CELL + CELL,
        height=max((each.y for each in seats), default=0) * CELL + CELL,
        cell=CELL,
        style=STYLE,
    )


def find(event: EventView, sku: str) -> CategoryView:
    """One of an event's categories; NotFound where it has none of this sku."""
    for each in (of for part in event.sessions for of in part.categories):
        if each.sku == sku:
            return each
    raise NotFound
