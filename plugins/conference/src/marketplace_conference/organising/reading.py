"""SQL: events of a member, what firms have, who waits, who comes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import Session

from marketplace.api import Host
from marketplace_conference.door.tables import admission
from marketplace_conference.errors import UnknownEvent
from marketplace_conference.models import (
    allotment,
    category,
    event,
    place,
    quota,
    reservation,
    seat,
    waiter,
    waiter_category,
)
from marketplace_conference.models import session as sessions
from marketplace_conference.places import Event
from marketplace_conference.tickets import policies, repository
from marketplace_conference.tickets.policies import Rule
from marketplace_conference.tickets.tables import policy, switch_policy, ticket

LATEST: Final = 2**62
"""After the id of every place."""
MOST_REQUIRABLE: Final = 100
"""Sessions that a form offers to require."""


def own_event(session: Session, member_id: UUID, slug: str) -> Event:
    """An event of this member; UnknownEvent for any other."""
    found = repository.event_named(session, slug)
    if found is None or found.organiser_member_id != member_id:
        raise UnknownEvent(f"There is no event {slug!r} of yours.")
    return found


def event_of(session: Session, slug: str) -> Event:
    """An event of any member, for who has the command line; UnknownEvent where there is none."""
    found = repository.event_named(session, slug)
    if found is None:
        raise UnknownEvent(f"There is no event {slug!r}.")
    return found


class OwnEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event in the list of its organiser."""

    slug: str
    name: str
    language: str
    venue: str
    time_zone: str
    starts_at: datetime
    ends_at: datetime
    status: str
    sold: int
    came: int


OWN = sa.text("""
select e.slug, e.name, e.language, e.venue, e.time_zone, e.starts_at, e.ends_at, e.status,
       (select count(*) from conference_place p join conference_session s on s.id = p.session_id
        where s.event_id = e.id and p.cancelled_at is null) as sold,
       (select count(*) from conference_admission a join conference_session s on s.id = a.session_id
        where s.event_id = e.id) as came
from conference_event e where e.organiser_id = :member
order by e.ends_at < :now, e.starts_at, e.slug
""")


def own_events(host: Host, member_id: UUID) -> list[OwnEvent]:
    """Events of a member: those that are not over first, by when they begin."""
    with host.transaction() as session:
        rows = session.execute(OWN, {"member": member_id, "now": host.now(session)}).mappings()
        return [OwnEvent(**row) for row in rows]


def requirable(session: Session, member_id: UUID, slug: str, code: str) -> Mapping[str, str]:
    """Sessions of a member's events but this one, by `event/session`: what people could have
    attended before it, latest first."""
    rows = session.execute(
        sa.select(event.c.slug, sessions.c.code, event.c.name.label("event"), sessions.c.name)
        .join(event, event.c.id == sessions.c.event_id)
        .where(
            event.c.organiser_id == member_id,
            sa.or_(event.c.slug != slug, sessions.c.code != code),
        )
        .order_by(sessions.c.starts_at.desc(), event.c.slug, sessions.c.code)
        .limit(MOST_REQUIRABLE)
    )
    return {
        f"{row.slug}/{row.code}": ": ".join(dict.fromkeys((row.event, row.name))) for row in rows
    }


def quotas(session: Session, event_id: UUID) -> Mapping[str, tuple[str, int]]:
    """Code and size of the quota of each category, by sku; those without one are left out."""
    rows = session.execute(
        sa.select(category.c.sku, quota.c.code, quota.c.size)
        .join(quota, quota.c.id == category.c.quota_id)
        .where(quota.c.event_id == event_id)
    )
    return {row.sku: (row.code, row.size) for row in rows}


def promised(session: Session, event_id: UUID, now: datetime) -> list[Rule]:
    """The refund policy for what is sold now, earliest days first."""
    rows = session.execute(
        sa.select(policy.c.valid_from, policy.c.days_before, policy.c.percent).where(
            policy.c.event_id == event_id
        )
    )
    return policies.in_force([Rule(**row) for row in rows.mappings()], now)


def changeable(session: Session, event_id: UUID, now: datetime) -> int | None:
    """Until how many days before what is sold now may be changed; None: never."""
    return session.scalar(
        sa.select(switch_policy.c.days_before)
        .where(switch_policy.c.event_id == event_id, switch_policy.c.valid_from <= now)
        .order_by(switch_policy.c.valid_from.desc())
        .limit(1)
    )


class Allotted(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept for a firm, and what its people took of it."""

    sku: str
    category: str
    firm: str
    size: int
    sold: int
    held: int
    releases_at: datetime
    is_over: bool

    @property
    def left(self) -> int:
        """Kept still."""
        return 0 if self.is_over else max(self.size - self.sold - self.held, 0)


def allotted(session: Session, event_id: UUID, now: datetime) -> list[Allotted]:
    """Allotments of an event by category and firm; those of size 0 that nobody used are none."""
    own = place.c.category_id == category.c.id, place.c.allotment_id == allotment.c.id
    sold = sa.select(sa.func.count()).where(*own, place.c.cancelled_at.is_(None))
    held = sa.select(sa.func.coalesce(sa.func.sum(reservation.c.quantity), 0)).where(
        reservation.c.category_id == category.c.id,
        reservation.c.allotment_id == allotment.c.id,
        reservation.c.state == "held",
        reservation.c.ends_at > now,
    )
    rows = session.execute(
        sa.select(
            category.c.sku,
            category.c.name.label("category"),
            allotment.c.firm_reference.label("firm"),
            allotment.c.size,
            sold.scalar_subquery().label("sold"),
            held.scalar_subquery().label("held"),
            allotment.c.releases_at,
            (allotment.c.releases_at <= now).label("is_over"),
        )
        .join(category, category.c.id == allotment.c.category_id)
        .join(sessions, sessions.c.id == category.c.session_id)
        .where(sessions.c.event_id == event_id)
        .order_by(category.c.position, category.c.sku, allotment.c.firm_reference)
    ).mappings()
    found = [Allotted(**{**row, "held": int(row["held"])}) for row in rows]
    return [each for each in found if each.size or each.sold or each.held]


class Waits(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody on the waiting list."""

    number: int
    """1 is asked first."""
    joined_at: datetime
    quantity: int
    state: str
    """`waiting` or `offered`."""
    offer_ends_at: datetime | None
    wishes: Sequence[str]
    """Names of the categories, dearest first."""


def waits(session: Session, event_id: UUID, limit: int) -> list[Waits]:
    """The waiting list in the order of joining, those who were offered places too."""
    wishes = sa.func.array_agg(aggregate_order_by(category.c.name, waiter_category.c.position))
    rows = session.execute(
        sa.select(
            sa.func.row_number().over(order_by=waiter.c.id).label("number"),
            waiter.c.joined_at,
            waiter.c.quantity,
            waiter.c.state,
            waiter.c.offer_ends_at,
            wishes.label("wishes"),
        )
        .join(waiter_category, waiter_category.c.waiter_id == waiter.c.id)
        .join(category, category.c.id == waiter_category.c.category_id)
        .where(waiter.c.event_id == event_id, waiter.c.state.in_(("waiting", "offered")))
        .group_by(waiter.c.id)
        .order_by(waiter.c.id)
        .limit(limit)
    )
    return [Waits(**row) for row in rows.mappings()]


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who comes, by the place that was sold for them."""

    id: int
    session: str
    category: str
    seat: str | None
    name: str
    email: str
    answers: Mapping[str, str]
    locator: str | None
    order: str
    sold_at: datetime
    cancelled_at: datetime | None
    came_at: datetime | None


def people(
    session: Session, event_id: UUID, *, before: int = LATEST, words: str = "", limit: int
) -> list[Person]:
    """Places of an event, latest sold first, cancelled ones too: below an id, by name or number."""
    of = sessions.c.event_id == event_id
    query = (
        sa.select(
            place.c.id,
            sessions.c.name.label("session"),
            category.c.name.label("category"),
            seat.c.label.label("seat"),
            place.c.attendee_name.label("name"),
            place.c.attendee_email.label("email"),
            place.c.answers,
            ticket.c.locator,
            place.c.order_reference.label("order"),
            place.c.sold_at,
            sa.func.coalesce(ticket.c.cancelled_at, place.c.cancelled_at).label("cancelled_at"),
            admission.c.scanned_at.label("came_at"),
        )
        .join(sessions, sessions.c.id == place.c.session_id)
        .join(category, category.c.id == place.c.category_id)
        .outerjoin(seat, seat.c.id == place.c.seat_id)
        .outerjoin(ticket, ticket.c.id == place.c.id)
        .outerjoin(admission, admission.c.ticket_id == place.c.id)
        .where(of, place.c.id < before, *_holding(words))
        .order_by(place.c.id.desc())
        .limit(limit)
    )
    return [Person(**row) for row in session.execute(query).mappings()]


def _holding(words: str) -> Sequence[sa.ColumnElement[bool]]:
    columns = (place.c.attendee_name, place.c.attendee_email, ticket.c.locator, seat.c.label)
    return [
        sa.or_(*(column.icontains(each, autoescape=True) for column in columns))
        for each in words.split()
    ]


def good_tickets(
    session: Session, event_id: UUID, codes: Sequence[str] | None = None
) -> tuple[int, int]:
    """How many tickets admit somebody, and of how many orders; of all sessions, or of these."""
    good: Any = (
        sa.select(sa.func.count(), sa.func.count(sa.distinct(place.c.order_reference)))
        .select_from(ticket.join(place, place.c.id == ticket.c.id))
        .where(
            ticket.c.event_id == event_id,
            ticket.c.cancelled_at.is_(None),
            place.c.cancelled_at.is_(None),
        )
    )
    if codes is not None:
        of = sa.select(sessions.c.id).where(
            sessions.c.event_id == event_id, sessions.c.code.in_(codes)
        )
        good = good.where(ticket.c.session_id.in_(of))
    tickets, orders = session.execute(good).one()
    return int(tickets), int(orders)
