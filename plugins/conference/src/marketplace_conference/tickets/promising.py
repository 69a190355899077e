"""What comes back for a ticket: now, and until when how much."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session as Transaction

from marketplace.api import Host, NotFound
from marketplace_conference.tickets import moving, policies, repository
from marketplace_conference.tickets.domain import Ticket
from marketplace_conference.tickets.policies import Rule
from marketplace_conference.tickets.tables import policy, ticket


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What comes back until a moment, and not after it."""

    until: datetime
    percent: int
    points: int
    is_over: bool


class Promise(msgspec.Struct, frozen=True, kw_only=True):
    """What the policy of its sale says of one ticket."""

    share: int
    """Points that were burnt for it."""
    percent: int
    """Of them, now."""
    points: int
    """That come back now."""
    parts: Sequence[Part]
    """By time; after the last one nothing comes back."""
    is_over: bool
    """Whether its session has ended; then it is for nobody else any more."""

    @property
    def is_open(self) -> bool:
        """Whether it can be given back: until the end, and where points come back after it."""
        return not self.is_over or self.points > 0


def promise_of(host: Host, session: Transaction, of: Ticket) -> Promise:
    """By the policy in force when it was sold, and the session that it is for now; all of it for a
    while where that was moved.
    """
    burn = host.placed_orders(session, [of.order_reference]).get(of.order_reference)
    if burn is None:
        raise NotFound
    sold_at = session.scalar(sa.select(ticket.c.issued_at).where(ticket.c.id == of.id))
    assert sold_at is not None  # noqa: S101 - the ticket was found
    rows = session.execute(
        sa.select(policy.c.valid_from, policy.c.days_before, policy.c.percent).where(
            policy.c.event_id == of.event_id
        )
    )
    rules = [Rule(**row) for row in rows.mappings()]
    part = repository.sessions(session, [of.session_id])[of.session_id]
    size = repository.sizes(session, [of.order_reference])[of.order_reference]
    now = host.now(session)

    def points(rate: int) -> int:
        return policies.refundable(burn.points, of.position, size, rate)

    rate = policies.percent(rules, sold_at=sold_at, starts_at=part.starts_at, now=now)
    dated = policies.steps(policies.in_force(rules, sold_at), starts_at=part.starts_at)
    moved_until = moving.all_back_until(session, of, now)
    if moved_until is not None:
        rate = 100
        later = [each for each in dated if each.until > moved_until]
        dated = [policies.Step(until=moved_until, percent=100), *later]
    return Promise(
        share=points(100),
        percent=rate,
        points=points(rate),
        is_over=part.ends_at <= now,
        parts=[
            Part(
                until=each.until,
                percent=each.percent,
                points=points(each.percent),
                is_over=each.until < now,
            )
            for each in dated
        ],
    )


def closed(host: Host, tickets: Sequence[Ticket]) -> set[int]:
    """Positions of those of an order's tickets that are not given back any more."""
    with host.transaction() as session:
        now = host.now(session)
        parts = repository.sessions(session, list({each.session_id for each in tickets}))
        return {
            each.position
            for each in tickets
            if parts[each.session_id].ends_at <= now and not promise_of(host, session, each).is_open
        }
