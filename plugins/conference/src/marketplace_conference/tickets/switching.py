"""Changes a ticket to another session or category of its event, at the same price.

The ticket gets another edition of its code: the one before is void at the door, also on a list that
was downloaded. The place it had goes to who waits for it, before anybody else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.orm import Session as Transaction

from marketplace.api import Host, Lazy, Principal, lazy
from marketplace_conference import (
    counting,
    models,
    prerequisites,
    selling,
    stock,
    taking,
    telling,
    waiting,
)
from marketplace_conference.door.tables import admission
from marketplace_conference.names import said
from marketplace_conference.places import Event
from marketplace_conference.schemas import SwitchOption
from marketplace_conference.tickets import cancelling, issuing, keys, policies, repository
from marketplace_conference.tickets.codes import MOST_EDITIONS, Stub
from marketplace_conference.tickets.domain import Ticket
from marketplace_conference.tickets.errors import ChangeRefused, TicketUsed, TicketVoid
from marketplace_conference.tickets.tables import switch_policy, ticket

place, category, part, seat = models.place, models.category, models.session, models.seat

REASONS: Final[Mapping[str, Lazy]] = {
    "not_allowed": lazy("Tickets of this event are not changed, or not any more."),
    "same": lazy("The ticket is for that already."),
    "over": lazy("That session has begun."),
    "off_sale": lazy("Nothing is sold of it at present."),
    "other_price": lazy(
        "It costs another number of points. Give the ticket up, and burn for the other one."
    ),
    "not_attended": lazy("It is for those who attended something else before."),
    "sold_out": lazy("Nothing is free there, or others wait for it."),
    "seats_taken": lazy("Somebody else has that seat."),
}
"""Why a ticket is not changed, by what JSON says."""


def set_policy(
    host: Host, session: Transaction, event: Event, days_before: int, *, actor: str
) -> None:
    """Tickets sold from now on may be changed until so many days before their session."""
    values = {"event_id": event.id, "valid_from": host.now(session), "days_before": days_before}
    session.execute(sa.insert(switch_policy).values(values))
    host.audit(
        session,
        actor=actor,
        action="event.switch_policy",
        subject=event.slug,
        days_before=str(days_before),
    )


def options(
    host: Host, principal: Principal, reference: str, position: int, language: str | None = None
) -> list[SwitchOption]:
    """Everything else that the event sells, and why the ticket cannot be changed to some of it.

    Named in `language` where there are such names.
    """
    _let_in(host, principal, reference)
    with host.transaction() as session:
        of = cancelling.found(session, reference, position)
        now = host.now(session)
        counts = counting.of_event(session, of.event_id, now)
        shut = None if _is_allowed(session, of, now) else "not_allowed"
        own = _category_of(session, of)
        return [
            _option(
                row,
                language,
                shut or _why_not(host, session, of, row, now, _free(row, counts)),
            )
            for row in _rows(session, of)
            if row.id != own
        ]


def _option(row: Any, language: str | None, why_not: str) -> SwitchOption:
    category = said(row.name, row.names, row.language, language)
    part = said(row.session_name, row.session_names, row.language, language)
    zone = ZoneInfo(row.time_zone)
    return SwitchOption(
        sku=row.sku,
        category=category.text,
        category_language=category.language,
        session=row.code,
        session_name=part.text,
        session_language=part.language,
        starts_at=row.starts_at.astimezone(zone),
        ends_at=row.ends_at.astimezone(zone),
        numbered=row.numbered,
        why_not=why_not,
    )


def open_to(host: Host, tickets: Sequence[Ticket]) -> set[int]:
    """Positions of those of an order's tickets that their policy lets change now."""
    with host.transaction() as session:
        now = host.now(session)
        # Tickets of one order were sold together: they differ by their sessions only.
        firsts = {each.session_id: each for each in reversed(tickets)}
        allowed = {key for key, each in firsts.items() if _is_allowed(session, each, now)}
    return {
        each.position
        for each in tickets
        if each.cancelled_at is None and each.session_id in allowed
    }


def change(
    host: Host,
    principal: Principal,
    reference: str,
    position: int,
    *,
    sku: str,
    label: str | None = None,
) -> None:
    """Change it, to the best free seat or the one labelled so.

    Raises NotFound, ChangeRefused, TicketUsed, TicketVoid; then nothing has changed.
    """
    _let_in(host, principal, reference)
    with host.transaction() as session:
        of = cancelling.locked(session, reference, position)
        if of.cancelled_at is not None:
            raise TicketVoid
        if session.scalar(sa.select(admission.c.ticket_id).where(admission.c.ticket_id == of.id)):
            raise TicketUsed
        now = host.now(session)
        old = _category_of(session, of)
        to = next((row for row in _rows(session, of) if row.sku == sku), None)
        if to is None or not _is_allowed(session, of, now) or of.edition >= MOST_EDITIONS:
            raise _refused("not_allowed" if to is not None else "off_sale")
        if to.id == old:
            raise _refused("same")
        selling.lock_pools(session, {old, to.id}, alone=True)
        _free_place(session, of, now)
        free = _free(to, counting.of_pool(session, to.id, now))
        reason = _why_not(host, session, of, to, now, free)
        if reason:
            raise _refused(reason)
        _take(session, of, to, label, now)
        _reissue(host, session, of, to, now)
        stock.align(host, session, {old, to.id})
        _note(host, session, principal, of, to)
    waiting.try_to_serve(host, of.event_id)


def _let_in(host: Host, principal: Principal, reference: str) -> None:
    """Who may look at the reward, or manages the firm of who burnt for it; else NotFound."""
    with host.transaction() as session:
        manages = host.manages(session, principal, reference)
    if not manages:
        host.reveal(principal, reference)


def _rows(session: Transaction, of: Ticket) -> Sequence[Any]:
    """Categories of the ticket's event with their sessions."""
    return session.execute(
        sa.select(
            category.c.id,
            category.c.sku,
            category.c.name,
            category.c.names,
            category.c.numbered,
            part.c.id.label("session_id"),
            part.c.code,
            part.c.name.label("session_name"),
            part.c.names.label("session_names"),
            part.c.starts_at,
            part.c.ends_at,
            models.event.c.status,
            models.event.c.time_zone,
            models.event.c.language,
        )
        .join(part, part.c.id == category.c.session_id)
        .join(models.event, models.event.c.id == part.c.event_id)
        .where(part.c.event_id == of.event_id)
        .order_by(part.c.starts_at, category.c.position, category.c.sku)
    ).all()


def _category_of(session: Transaction, of: Ticket) -> UUID:
    found: UUID = session.execute(
        sa.select(place.c.category_id).where(place.c.id == of.id)
    ).scalar_one()
    return found


def _is_allowed(session: Transaction, of: Ticket, now: datetime) -> bool:
    """By the policy in force when the ticket was sold; without one nothing is changed."""
    sold_at = sa.select(ticket.c.issued_at).where(ticket.c.id == of.id).scalar_subquery()
    days = session.scalar(
        sa.select(switch_policy.c.days_before)
        .where(switch_policy.c.event_id == of.event_id, switch_policy.c.valid_from <= sold_at)
        .order_by(switch_policy.c.valid_from.desc())
        .limit(1)
    )
    starts_at = repository.sessions(session, [of.session_id])[of.session_id].starts_at
    return days is not None and now <= starts_at - timedelta(days=days)


def _paid(host: Host, session: Transaction, of: Ticket) -> int:
    """Points that were burnt for this place."""
    burn = host.placed_orders(session, [of.order_reference])[of.order_reference]
    size = repository.sizes(session, [of.order_reference])[of.order_reference]
    return policies.share(burn.points, of.position, size)


def _free(row: Any, counts: Sequence[counting.Count]) -> int:
    return counting.standing(row.id, counts).free


def _why_not(
    host: Host, session: Transaction, of: Ticket, row: Any, now: datetime, free: int
) -> str:
    """A key of REASONS; empty where it can be had."""
    offers = host.offers(session, sku=row.sku)
    if row.status != "published" or not offers:
        return "off_sale"
    if row.starts_at <= now:
        return "over"
    needs = prerequisites.required(session, [row.session_id]).get(row.session_id, [])
    email = session.scalar(sa.select(place.c.attendee_email).where(place.c.id == of.id))
    if needs and prerequisites.lacking(session, needs, str(email)):
        return "not_attended"
    if _paid(host, session, of) not in {each.points for each in offers}:
        return "other_price"
    return "" if free >= 1 else "sold_out"


def _refused(reason: str) -> ChangeRefused:
    return ChangeRefused(reason, str(REASONS[reason]))


def _free_place(session: Transaction, of: Ticket, now: datetime) -> None:
    """Give the place back for as long as this transaction looks for another."""
    had = session.execute(
        sa.update(place)
        .where(place.c.id == of.id, place.c.cancelled_at.is_(None))
        .values(cancelled_at=now)
        .returning(place.c.seat_id)
    ).one_or_none()
    if had is None:
        raise TicketVoid
    if had.seat_id is not None:
        gone = {"sold": False, "held_by": None, "held_until": None}
        session.execute(sa.update(seat).where(seat.c.id == had.seat_id).values(gone))


def _take(session: Transaction, of: Ticket, to: Any, label: str | None, now: datetime) -> None:
    """The place is one of the other category from now on."""
    seat_id = None
    if to.numbered:
        if label is None:
            found = taking.sell_seats(session, to.id, 1, now)
        else:
            found = taking.sell_chosen(session, to.id, [label], now)
        if found is None:
            raise _refused("sold_out" if label is None else "seats_taken")
        seat_id = found[0]
    values = {
        "session_id": to.session_id,
        "category_id": to.id,
        "seat_id": seat_id,
        "allotment_id": None,
        "cancelled_at": None,
    }
    session.execute(sa.update(place).where(place.c.id == of.id).values(values))


def _reissue(host: Host, session: Transaction, of: Ticket, to: Any, now: datetime) -> None:
    number, private = keys.signer(host, session, of.event_id)
    edition = of.edition + 1
    stub = Stub(of.event_id, to.session_id, of.id, edition, number)
    session.execute(
        sa.update(ticket)
        .where(ticket.c.id == of.id)
        .values(
            session_id=to.session_id,
            key=number,
            edition=edition,
            tail=issuing.tail_of(private, stub),
            revision=ticket.c.revision + 1,
            changed_at=now,
            switched_at=now,
        )
    )


def _note(host: Host, session: Transaction, principal: Principal, of: Ticket, to: Any) -> None:
    host.audit(
        session,
        actor=principal.actor,
        action="ticket.switched",
        subject=str(of.id),
        order=of.order_reference,
        to=to.sku,
    )
    telling.switched(
        host,
        session,
        repository.events(session, [of.event_id])[of.event_id],
        repository.sessions(session, [to.session_id])[to.session_id],
        of.order_reference,
        f"switched-{of.id}-{of.edition + 1}",
    )
