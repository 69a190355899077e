"""SQL: tickets with their places, and the events and sessions they are for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session as Transaction

from marketplace_conference import models
from marketplace_conference.places import Event, Session
from marketplace_conference.tickets.domain import Ticket
from marketplace_conference.tickets.tables import change, ticket

place, category, seat = models.place, models.category, models.seat

TICKETS = (
    sa.select(
        ticket.c.id,
        place.c.order_reference,
        place.c.position,
        ticket.c.event_id,
        ticket.c.session_id,
        category.c.name.label("category"),
        category.c.names.label("category_names"),
        seat.c.label.label("seat_label"),
        place.c.attendee_name,
        ticket.c.locator,
        ticket.c.key,
        ticket.c.edition,
        ticket.c.revision,
        ticket.c.changed_at,
        sa.func.coalesce(ticket.c.cancelled_at, place.c.cancelled_at).label("cancelled_at"),
    )
    .join(place, place.c.id == ticket.c.id)
    .join(category, category.c.id == place.c.category_id)
    .outerjoin(seat, seat.c.id == place.c.seat_id)
)
"""A ticket is void where its place was given back, whoever did that."""


def of_orders(session: Transaction, references: Sequence[str]) -> list[Ticket]:
    """Tickets of these orders, by order and position."""
    return _read(session, TICKETS.where(place.c.order_reference.in_(references)))


def of_event(
    session: Transaction, event_id: UUID, ids: Sequence[int] | None = None
) -> list[Ticket]:
    """Tickets of an event, or those of them with these ids."""
    query = TICKETS.where(ticket.c.event_id == event_id)
    return _read(session, query if ids is None else query.where(ticket.c.id.in_(ids)))


def one(session: Transaction, reference: str, position: int) -> Ticket | None:
    """The ticket of one place."""
    found = _read(
        session,
        TICKETS.where(place.c.order_reference == reference, place.c.position == position),
    )
    return found[0] if found else None


def by_ids(session: Transaction, ids: Sequence[int]) -> list[Ticket]:
    """These tickets, of whatever event."""
    return _read(session, TICKETS.where(ticket.c.id.in_(ids)))


def after(session: Transaction, event_id: UUID, ticket_id: int, limit: int) -> list[Ticket]:
    """The next tickets of an event by id."""
    query = TICKETS.where(ticket.c.event_id == event_id, ticket.c.id > ticket_id)
    rows = session.execute(query.order_by(ticket.c.id).limit(limit))
    return [Ticket(**row) for row in rows.mappings()]


def sizes(session: Transaction, references: Sequence[str]) -> Mapping[str, int]:
    """How many places each of these orders was sold, given back ones too."""
    rows = session.execute(
        sa.select(place.c.order_reference, sa.func.count())
        .where(place.c.order_reference.in_(references))
        .group_by(place.c.order_reference)
    )
    return {reference: int(count) for reference, count in rows}


def _read(session: Transaction, query: sa.Select[Any]) -> list[Ticket]:
    rows = session.execute(query.order_by(place.c.order_reference, place.c.position))
    return [Ticket(**row) for row in rows.mappings()]


def place_ids(session: Transaction, named: Sequence[tuple[str, int]]) -> dict[tuple[str, int], int]:
    """Ids of places by order and position."""
    rows = session.execute(
        sa.select(place.c.order_reference, place.c.position, place.c.id).where(
            sa.tuple_(place.c.order_reference, place.c.position).in_(named)
        )
    )
    return {(row.order_reference, row.position): row.id for row in rows}


def sessions(session: Transaction, ids: Sequence[UUID]) -> Mapping[UUID, Session]:
    """Sessions by id."""
    return _sessions(session, models.session.c.id.in_(ids))


def sessions_of(session: Transaction, event_id: UUID) -> list[Session]:
    """Sessions of an event, as they begin."""
    found = _sessions(session, models.session.c.event_id == event_id)
    return sorted(found.values(), key=lambda each: (each.starts_at, each.name))


def _sessions(session: Transaction, where: sa.ColumnElement[bool]) -> dict[UUID, Session]:
    table, event = models.session, models.event
    before = sa.func.make_interval(0, 0, 0, 0, 0, event.c.doors_open_minutes)
    rows = session.execute(
        sa.select(
            table.c.id,
            table.c.event_id,
            table.c.name,
            table.c.names,
            table.c.starts_at,
            table.c.ends_at,
            (table.c.starts_at - before).label("opens_at"),
            table.c.room,
        )
        .join(event, event.c.id == table.c.event_id)
        .where(where)
    )
    return {row["id"]: Session(**row) for row in rows.mappings()}


def events(session: Transaction, ids: Sequence[UUID]) -> Mapping[UUID, Event]:
    """Events by id."""
    return _events(session, models.event.c.id.in_(ids))


def event_named(session: Transaction, slug: str) -> Event | None:
    """The event of a slug."""
    return next(iter(_events(session, models.event.c.slug == slug).values()), None)


def _events(session: Transaction, where: sa.ColumnElement[bool]) -> dict[UUID, Event]:
    table = models.event
    rows = session.execute(
        sa.select(
            table.c.id,
            table.c.slug,
            table.c.name,
            table.c.names,
            table.c.language,
            table.c.venue,
            table.c.address,
            table.c.time_zone,
            table.c.starts_at,
            table.c.ends_at,
            table.c.organiser_id.label("organiser_member_id"),
            table.c.status,
            table.c.doors_open_minutes,
        ).where(where)
    )
    return {row["id"]: Event(**row) for row in rows.mappings()}


def moves(session: Transaction, event_ids: Sequence[UUID]) -> Mapping[UUID, int]:
    """How often each of these events was moved or called off."""
    rows = session.execute(
        sa.select(change.c.event_id, sa.func.count())
        .where(change.c.event_id.in_(event_ids))
        .group_by(change.c.event_id)
    )
    return {event_id: int(count) for event_id, count in rows}


def see_to_again(session: Transaction, event_id: UUID, first_id: int, count: int) -> None:
    """Tickets that come after their event was called off, sold a moment before, are seen to too."""
    session.execute(
        sa.update(change)
        .where(change.c.event_id == event_id, change.c.kind == "cancelled")
        .values(
            total=change.c.total + count,
            after_id=sa.func.least(change.c.after_id, first_id - 1),
            finished_at=None,
        )
    )
