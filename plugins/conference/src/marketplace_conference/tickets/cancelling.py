"""Gives tickets up, one or all of an event, and pays back what is owed for them.

What is owed is written down in the transaction that cancels; it is paid after it, by a refund of
the exchange whose key is the ticket's. So a process that dies between the two leaves a debt that
the next run pays, and a refund that was made and not noted is found by its key: never paid twice.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID, uuid4

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session as Transaction

from marketplace.api import Host, MarketplaceError, NotFound, Principal
from marketplace_conference import models, selling, telling
from marketplace_conference.door.tables import admission
from marketplace_conference.errors import EventOff
from marketplace_conference.models import MOMENT
from marketplace_conference.places import Event
from marketplace_conference.tickets import moving, policies, promising, repository
from marketplace_conference.tickets.domain import Ticket
from marketplace_conference.tickets.errors import RefundChanged, TicketOver, TicketUsed, TicketVoid
from marketplace_conference.tickets.tables import change, policy, refund, ticket

log = logging.getLogger(__name__)

AT_ONCE: Final = 200
"""Tickets of a called-off event that one transaction sees to; refunds that one run pays."""
GIVEN_UP: Final = "ticket given up"
NOT_REFUNDABLE: Final = "not_refundable"


def quote(host: Host, principal: Principal, reference: str, position: int) -> tuple[int, int]:
    """(percent, points) that come back if the holder gives the ticket up now."""
    host.reveal(principal, reference)
    with host.transaction() as session:
        promised = promising.promise_of(host, session, found(session, reference, position))
        return promised.percent, promised.points


def give_up(host: Host, principal: Principal, reference: str, position: int, *, points: int) -> int:
    """Cancel a ticket for `points`, which the holder was told; again changes nothing.

    Raises NotFound, RefundChanged, TicketOver, TicketUsed, TicketVoid (cancelled by somebody else).
    """
    host.reveal(principal, reference)
    with host.transaction() as session:
        of = locked(session, reference, position)
        owed = session.scalar(sa.select(refund.c.points).where(refund.c.ticket_id == of.id))
        if owed is not None:
            return int(owed)
        if of.cancelled_at is not None:
            raise TicketVoid
        if session.scalar(sa.select(admission.c.ticket_id).where(admission.c.ticket_id == of.id)):
            raise TicketUsed
        promised = promising.promise_of(host, session, of)
        if not promised.is_open:
            raise TicketOver
        if promised.points != points:
            raise RefundChanged(promised.points)
        rate = promised.percent
        _owe(host, session, of, rate, points, GIVEN_UP, principal.actor)
        selling.release(host, session, reference, [position])
        host.audit(
            session,
            actor=principal.actor,
            action="ticket.given_up",
            subject=str(of.id),
            order=reference,
            percent=rate,
            points=points,
        )
    pay(host, of.id)
    return points


def rename(host: Host, principal: Principal, reference: str, position: int, *, name: str) -> None:
    """Somebody else comes: the ticket keeps its code, doors learn the name with their next list.

    The e-mail address was of who came before; by it nobody else attends.
    """
    host.reveal(principal, reference)
    with host.transaction() as session:
        of = locked(session, reference, position)
        if of.cancelled_at is not None:
            raise TicketVoid
        part = repository.sessions(session, [of.session_id])[of.session_id]
        if part.ends_at <= host.now(session):
            raise TicketOver
        session.execute(
            sa.update(models.place)
            .where(models.place.c.id == of.id)
            .values(attendee_name=name, attendee_email="")
        )
        session.execute(
            sa.update(ticket)
            .where(ticket.c.id == of.id)
            .values(revision=ticket.c.revision + 1, changed_at=host.now(session))
        )
        host.audit(session, actor=principal.actor, action="ticket.renamed", subject=str(of.id))


def set_policy(
    host: Host, session: Transaction, event: Event, terms: Mapping[int, int], *, actor: str
) -> None:
    """Percent by days before, for what is sold from now on."""
    now = host.now(session)
    session.execute(
        sa.insert(policy),
        [
            {"event_id": event.id, "valid_from": now, "days_before": days, "percent": rate}
            for days, rate in terms.items()
        ],
    )
    words = ", ".join(f"{rate} % until {days} days before" for days, rate in terms.items())
    host.audit(session, actor=actor, action="event.refund_policy", subject=event.slug, terms=words)


def call_off(host: Host, event: Event, reason: str, *, actor: str) -> UUID:
    """Nobody is let in from now on; everybody gets everything back, by and by (`see_to`)."""
    with host.transaction() as session:
        status = session.scalar(
            sa.select(models.event.c.status).where(models.event.c.id == event.id).with_for_update()
        )
        if status == "cancelled":
            raise EventOff
        made, now = uuid4(), host.now(session)
        session.execute(
            sa.update(models.event).where(models.event.c.id == event.id).values(status="cancelled")
        )
        total = sa.select(sa.func.count()).where(ticket.c.event_id == event.id)
        session.execute(
            sa.insert(change).values(
                id=made,
                event_id=event.id,
                kind="cancelled",
                reason=reason,
                actor=actor,
                made_at=now,
                total=total.scalar_subquery(),
            )
        )
        waits = sa.select(models.waiter.c.token).where(
            models.waiter.c.event_id == event.id,
            models.waiter.c.state.in_(("waiting", "offered")),
        )
        tokens = session.scalars(waits).all()
        telling.called_off(host, session, telling.name_of(event), reason, tokens=tokens)
        host.audit(
            session,
            actor=actor,
            action="event.called_off",
            subject=event.slug,
            reason=reason,
        )
    return made


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far calling an event off has come."""

    reason: str
    tickets: int
    cancelled: int
    """Tickets that were seen to: of each it is written down what is owed for it."""
    owed: int
    """Refunds that are still to be paid."""


def progress(session: Transaction, event: Event) -> Progress:
    """How far it has come; NotFound where the event was not called off."""
    row = session.execute(
        sa.select(change.c.reason, change.c.total, change.c.done).where(
            change.c.event_id == event.id, change.c.kind == "cancelled"
        )
    ).first()
    if row is None:
        raise NotFound("The event was not called off.")
    owed = (
        sa.select(sa.func.count())
        .select_from(refund)
        .join(ticket, ticket.c.id == refund.c.ticket_id)
        .where(ticket.c.event_id == event.id, refund.c.paid_at.is_(None))
    )
    return Progress(
        reason=row.reason,
        tickets=row.total,
        cancelled=row.done,
        owed=session.scalar(owed) or 0,
    )


def see_to(host: Host, passed_over: set[UUID] | None = None) -> bool:
    """See to the next tickets of an event that was called off or moved; False where none is left.

    Whoever was killed is gone on from where the last commit left the row. What fails is added to
    those that are `passed_over`, so that the others have their turn.
    """
    passed_over = set() if passed_over is None else passed_over
    row: Any = None
    try:
        with host.transaction() as session:
            row = session.execute(
                sa.select(change)
                .where(change.c.finished_at.is_(None), change.c.id.not_in(passed_over))
                .order_by(change.c.made_at)
                .limit(1)
                .with_for_update(skip_locked=True)
            ).one_or_none()
            if row is None:
                return False
            _see_to_some(host, session, row)
    except Exception:
        if row is None:
            raise
        log.exception("conference: tickets of event %s could not be seen to", row.event_id)
        passed_over.add(row.id)
    return True


def _see_to_some(host: Host, session: Transaction, row: Any) -> None:
    some = repository.after(session, row.event_id, row.after_id, AT_ONCE)
    good = [each for each in some if each.cancelled_at is None]
    (_give_all_back if row.kind == "cancelled" else moving.tell)(host, session, row, good)
    now = host.now(session)
    session.execute(
        sa.update(change)
        .where(change.c.id == row.id)
        .values(
            done=change.c.done + len(some),
            after_id=some[-1].id if some else change.c.after_id,
            finished_at=None if len(some) == AT_ONCE else now,
        )
    )


def _give_all_back(host: Host, session: Transaction, row: Any, void: Sequence[Ticket]) -> None:
    """What was burnt for these tickets is owed. Who gets nothing back is told as well: no refund
    says it to them."""
    if not void:
        return
    placed = host.placed_orders(session, [each.order_reference for each in void])
    sizes = repository.sizes(session, list(placed))
    for each in void:
        burn = placed.get(each.order_reference)
        if burn is not None:
            whole = policies.share(burn.points, each.position, sizes[each.order_reference])
            _owe(host, session, each, 100, whole, row.reason, row.actor)
    name = telling.name_of(repository.events(session, [row.event_id])[row.event_id])
    orders = dict.fromkeys(each.order_reference for each in void)
    telling.called_off(host, session, name, row.reason, orders=list(orders))


def pay_all(host: Host) -> int:
    """See to events that were called off or moved, then pay what is owed, some at once; how many
    refunds were paid.

    What cannot be paid now is passed over, with all else of its order: the others are.
    """
    passed_over: set[UUID] = set()
    while see_to(host, passed_over):
        pass
    paid, orders, after = 0, set[str](), None
    while paid < AT_ONCE:
        owed = _owed(host, after)
        for row in owed:
            if row.order_reference in orders:
                continue
            try:
                paid += pay(host, row.ticket_id)
            except Exception:
                log.exception("conference: ticket %d could not be paid for", row.ticket_id)
                orders.add(row.order_reference)
        if len(owed) < AT_ONCE:
            break
        after = owed[-1]
    return paid


def _owed(host: Host, after: Any) -> Sequence[Any]:
    """The next refunds that are owed, oldest first, behind one of them."""
    query = sa.select(refund.c.owed_at, refund.c.ticket_id, refund.c.order_reference).where(
        refund.c.paid_at.is_(None)
    )
    if after is not None:
        behind = sa.tuple_(sa.literal(after.owed_at, MOMENT), sa.literal(after.ticket_id))
        query = query.where(sa.tuple_(refund.c.owed_at, refund.c.ticket_id) > behind)
    with host.transaction() as session:
        return session.execute(
            query.order_by(refund.c.owed_at, refund.c.ticket_id).limit(AT_ONCE)
        ).all()


def pay(host: Host, ticket_id: int) -> bool:
    """Pay what is owed for a ticket, once; what cannot be paid any more is noted and let be.

    Whether it is done with.
    """
    with host.transaction() as session:
        row = session.execute(
            sa.select(refund).where(refund.c.ticket_id == ticket_id, refund.c.paid_at.is_(None))
        ).one_or_none()
    if row is None:
        return False
    trouble = ""
    if row.points:
        try:
            host.refund(
                row.order_reference,
                points=row.points,
                reason=row.reason,
                key=f"ticket-{ticket_id}",
            )
        except MarketplaceError as error:
            if error.code != NOT_REFUNDABLE:
                raise
            if _is_left(host, row.order_reference, row.points):
                return False  # not captured yet: a later run pays
            # Somebody refunded the burn by hand: nothing is left to give back.
            trouble = error.detail
            log.warning("conference: ticket %d: %s", ticket_id, trouble)
    with host.transaction() as session:
        session.execute(
            sa.update(refund)
            .where(refund.c.ticket_id == ticket_id)
            .values(paid_at=host.now(session), trouble=trouble)
        )
    return True


def _is_left(host: Host, reference: str, points: int) -> bool:
    with host.transaction() as session:
        burn = host.placed_orders(session, [reference]).get(reference)
    return burn is not None and burn.points - burn.refunded_points >= points


def _owe(
    host: Host,
    session: Transaction,
    of: Ticket,
    rate: int,
    points: int,
    reason: str,
    actor: str,
) -> None:
    now = host.now(session)
    session.execute(
        insert(refund)
        .values(
            ticket_id=of.id,
            order_reference=of.order_reference,
            percent=rate,
            points=points,
            reason=reason,
            actor=actor,
            owed_at=now,
        )
        .on_conflict_do_nothing()
    )
    session.execute(
        sa.update(ticket)
        .where(ticket.c.id == of.id, ticket.c.cancelled_at.is_(None))
        .values(cancelled_at=now, changed_at=now, revision=ticket.c.revision + 1)
    )


def locked(session: Transaction, reference: str, position: int) -> Ticket:
    """The ticket of a place, locked; NotFound where there is none."""
    first = found(session, reference, position)
    session.execute(sa.select(ticket.c.id).where(ticket.c.id == first.id).with_for_update())
    return found(session, reference, position)


def found(session: Transaction, reference: str, position: int) -> Ticket:
    """The ticket of a place; NotFound where there is none."""
    of = repository.one(session, reference, position)
    if of is None:
        raise NotFound
    return of
