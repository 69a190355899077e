"""What goes in and out of the box office: events, reservations, who comes, the waiting list."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec

Slug = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?(?!\n)$")]
Sku = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._-]{1,64}(?!\n)$")]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Language = Annotated[str, msgspec.Meta(pattern=r"^[a-z]{2}(?!\n)$")]
Names = dict[Language, Name]
"""By language code, without the event's own. Where it may be None: as it is."""
Text = Annotated[str, msgspec.Meta(max_length=4_000)]
SessionName = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9-]{1,64}/[a-z0-9-]{1,64}(?!\n)$")]
Units = Annotated[int, msgspec.Meta(ge=1, le=1_000)]
Size = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
Line = Annotated[str, msgspec.Meta(max_length=200)]
Moment = Annotated[datetime, msgspec.Meta(tz=True)]
MOST_MINUTES = 10_080
"""Before a session its door may open: a week."""
Minutes = Annotated[int, msgspec.Meta(ge=0, le=MOST_MINUTES)]
FIRST_YEAR, LAST_YEAR = 2000, 3000
"""Of whatever is held: no zone and no calendar takes such a moment out of what time there is."""


def _require_possible(*moments: datetime) -> None:
    # A day more on either side: a year begins at another moment in each time zone.
    first = datetime(FIRST_YEAR - 1, 12, 31, tzinfo=UTC)
    last = datetime(LAST_YEAR + 1, 1, 2, tzinfo=UTC)
    for each in moments:
        if not first <= each < last:
            raise ValueError(f"{each:%Y-%m-%d} is not between {FIRST_YEAR} and {LAST_YEAR}")


class NewQuestion(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is asked about each person who comes."""

    code: Slug
    label: Name
    kind: Literal["text", "number", "choice", "yes_no"] = "text"
    options: list[Name] = []
    """Of a `choice`."""
    required: bool = False


class NewCategory(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Seats that are sold alike, by the offer of the exchange that has this sku."""

    sku: Sku
    name: Name
    names: Names | None = None
    """In other languages than the event's."""
    session: Slug
    quota: Slug | None = None
    """One of the event's quotas; categories that name the same share it."""
    numbered: bool = False
    """Its seats come from a plan; without a quota there are as many as the plan has."""
    must_choose: bool = False
    """A burn without a reservation is refused, where it would get the best free places."""
    most_at_once: Units = 10
    """Places that one person may have reserved at once."""
    points: Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000_000)] | None = None
    """What a place costs in the offer that is made of it once the event is published. None: none
    is made. Of an offer that is there already the price stays."""
    cost_micros: Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000_000_000)] | None = None
    """What the organiser is paid for a place, in micros of its contract's currency; with points."""


class NewSession(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of an event that seats are sold for."""

    code: Slug
    name: Name
    names: Names | None = None
    """In other languages than the event's."""
    starts_at: Moment
    ends_at: Moment
    room: Line = ""
    certified: bool = False
    """Who was let in gets a certificate of attendance once it is over."""
    requires: Annotated[list[SessionName], msgspec.Meta(max_length=20)] = []
    """Sessions that whoever comes has to have attended before, as `event/session`."""

    def __post_init__(self) -> None:
        _require_possible(self.starts_at, self.ends_at)


class NewEvent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An event with all that is sold of it. Given again, it is brought up to date."""

    slug: Slug
    name: Name
    names: Names | None = None
    """In other languages than its own."""
    organiser: str
    """Slug of the member that is paid."""
    language: Language
    """Its own, which `name` and all other words about it are in."""
    venue: Name
    time_zone: str
    starts_at: Moment
    ends_at: Moment
    sessions: Annotated[list[NewSession], msgspec.Meta(min_length=1, max_length=500)]
    categories: Annotated[list[NewCategory], msgspec.Meta(max_length=500)] = []
    quotas: dict[Slug, Size] = {}
    questions: Annotated[list[NewQuestion], msgspec.Meta(max_length=50)] = []
    description: Text = ""
    address: Line = ""
    hold_minutes: Annotated[int, msgspec.Meta(ge=1, le=1_440)] = 10
    doors_open_minutes: Minutes | None = None
    """So long before each session its door opens. None: as it is, 180 of a new event."""

    def __post_init__(self) -> None:
        _require_possible(self.starts_at, self.ends_at)


class NewAllotment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Places kept for the people of one firm; of size 0 none are."""

    sku: Sku
    firm: Name
    """Its reference."""
    size: Size
    releases_at: Moment

    def __post_init__(self) -> None:
        _require_possible(self.releases_at)


class CategoryView(msgspec.Struct, frozen=True, kw_only=True):
    """How a category stands: `sold + held + allotted + waiting + free` is `places`.

    In a shared quota, what others took of it counts as `elsewhere`, and belongs to the sum.
    """

    sku: str
    name: str
    name_language: str
    names: dict[str, str]
    """In other languages than the event's."""
    session: str
    numbered: bool
    must_choose: bool
    places: int
    sold: int
    held: int
    """In reservations that have not ended."""
    allotted: int
    """Kept for firms, not taken yet."""
    waiting: int
    """Free, and the waiting list comes first."""
    elsewhere: int
    free: int
    """For anybody, now."""


class SessionView(msgspec.Struct, frozen=True, kw_only=True):
    """A session and what is sold of it."""

    code: str
    name: str
    name_language: str
    names: dict[str, str]
    """In other languages than the event's."""
    starts_at: datetime
    ends_at: datetime
    room: str
    certified: bool
    requires: list[str]
    """What whoever comes has to have attended before, by name."""
    categories: list[CategoryView]


class EventView(msgspec.Struct, frozen=True, kw_only=True):
    """An event as the public sees it."""

    slug: str
    name: str
    name_language: str
    """Which of its languages `name` is in: of all names, the one asked for where there is one."""
    names: dict[str, str]
    """In other languages than its own."""
    description: str
    language: str
    venue: str
    address: str
    time_zone: str
    starts_at: datetime
    ends_at: datetime
    status: str
    doors_open_minutes: int
    """So long before each session its door opens; it closes at the session's end."""
    sessions: list[SessionView]
    questions: list[NewQuestion]


class Attendee(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who comes on one place."""

    name: Annotated[str, msgspec.Meta(max_length=200)] = ""
    email: Annotated[str, msgspec.Meta(max_length=254)] = ""
    answers: dict[str, Annotated[str, msgspec.Meta(max_length=500)]] = {}


class NewReservation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Places asked for: these seats, or so many of the best that are free."""

    sku: Sku
    quantity: Units | None = None
    seats: Annotated[list[str], msgspec.Meta(max_length=1_000)] = []
    """Labels of numbered seats."""
    attendees: list[Attendee] = []
    """In the order of the places; they can be given later, until the burn is delivered."""
    buyer: Annotated[str, msgspec.Meta(min_length=1, max_length=64)] | None = None
    """Only from an API key: whom it reserves for, in words of its own. `most_at_once` counts for
    each of them; a key that names nobody counts as one person."""


class ReservationView(msgspec.Struct, frozen=True, kw_only=True):
    """A reservation of the caller. Burn with `selection` and `quantity` before it ends."""

    selection: str
    sku: str
    offer: str
    """Reference of the offer to burn on; empty while the sku is not on offer."""
    quantity: int
    seats: list[str]
    points: int
    """For all of it. The price is kept until the end."""
    state: str
    """`held`, `sold` or `ended`."""
    made_at: datetime
    ends_at: datetime
    attendees: list[Attendee]


class NewWaiter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody would take when it becomes free, dearest wish first."""

    skus: Annotated[list[Sku], msgspec.Meta(min_length=1, max_length=50)]
    quantity: Units = 1


class WaiterView(msgspec.Struct, frozen=True, kw_only=True):
    """How somebody on the waiting list stands."""

    token: str
    event: str
    """Its slug."""
    skus: list[str]
    quantity: int
    state: str
    """`waiting`, `offered`, `taken`, `declined`, `lapsed` or `left`."""
    ahead: int
    """Who joined earlier, waits still, and would take one of the same."""
    free: int
    """Of what one would take, in the category that has most of it; who is ahead is asked first."""
    why: str
    """Why not yet, in plain words."""
    selection: str | None
    """Of the reservation that is offered."""
    offer_ends_at: datetime | None


class NewTime(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When, and where, a session is instead."""

    code: Slug
    starts_at: Moment
    ends_at: Moment
    room: Line | None = None
    """None: the same as before."""

    def __post_init__(self) -> None:
        _require_possible(self.starts_at, self.ends_at)


class Move(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An event that is at another time or place; what is left out stays."""

    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    """Everybody who has a ticket reads it."""
    refund_until: Moment
    """Until then a ticket that was sold before gives all its points back."""
    venue: Name | None = None
    address: Name | None = None
    sessions: Annotated[list[NewTime], msgspec.Meta(max_length=500)] = []

    def __post_init__(self) -> None:
        _require_possible(self.refund_until)


class MoveProgress(msgspec.Struct, frozen=True, kw_only=True):
    """How far telling of a move has come."""

    reason: str
    tickets: int
    seen_to: int
    """Tickets whose holders have been told where it is about them."""
    refund_until: datetime


class SwitchOption(msgspec.Struct, frozen=True, kw_only=True):
    """Something else that the event of a ticket sells."""

    sku: str
    category: str
    category_language: str
    session: str
    session_name: str
    session_language: str
    starts_at: datetime
    ends_at: datetime
    numbered: bool
    why_not: str
    """Empty where the ticket can be changed to it; else `not_allowed`, `over`, `off_sale`,
    `other_price`, `not_attended` or `sold_out`."""
