"""Makes certificates of who was let in, once the session is over; finds and verifies them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session as Transaction

from marketplace.api import Host, NotFound, Principal
from marketplace_conference import models, telling
from marketplace_conference.certificates import domain
from marketplace_conference.certificates.domain import Certificate
from marketplace_conference.certificates.tables import certificate
from marketplace_conference.door.domain import LONGEST_AGE
from marketplace_conference.door.tables import admission
from marketplace_conference.names import everywhere
from marketplace_conference.tickets import keys, repository
from marketplace_conference.tickets.locators import new_locator
from marketplace_conference.tickets.tables import ticket

AT_ONCE: Final = 200

Signed = tuple[Certificate, str]
"""A certificate and its code."""


def certify_all(host: Host) -> int:
    """Make what is due, AT_ONCE in a transaction; returns how many were made."""
    made = 0
    while found := _certify(host):
        made += found
    return made


def _certify(host: Host) -> int:
    with host.transaction() as session:
        now = host.now(session)
        rows = session.execute(_due(now)).all()
        signing: dict[UUID, int] = {}
        for row in rows:
            if row.event_id not in signing:
                signing[row.event_id] = keys.signer(host, session, row.event_id)[0]
        new = [
            {
                "ticket_id": row.id,
                "number": f"{row.starts_at:%Y}-{new_locator()}-{row.id}",
                "event_id": row.event_id,
                "session_id": row.session_id,
                "key": signing[row.event_id],
                "name": row.name,
                "event_name": row.event_name,
                "session_name": row.session_name,
                "starts_at": row.starts_at,
                "ends_at": row.ends_at,
                "issued_at": now,
            }
            for row in rows
        ]
        if new:
            session.execute(insert(certificate).values(new).on_conflict_do_nothing())
            orders = {
                row.order_reference: everywhere(row.event_name, row.event_names, row.language)
                for row in rows
            }
            telling.certified(host, session, orders)
        return len(new)


def _due(now: datetime) -> sa.Select[Any]:
    """Who was let in to a session that certifies and is over, and has no certificate yet."""
    part, event, place = models.session, models.event, models.place
    return (
        sa.select(
            ticket.c.id,
            ticket.c.event_id,
            ticket.c.session_id,
            place.c.order_reference,
            place.c.attendee_name.label("name"),
            event.c.name.label("event_name"),
            event.c.names.label("event_names"),
            event.c.language,
            part.c.name.label("session_name"),
            part.c.starts_at,
            part.c.ends_at,
        )
        .join(admission, admission.c.ticket_id == ticket.c.id)
        .join(place, place.c.id == ticket.c.id)
        .join(part, part.c.id == ticket.c.session_id)
        .join(event, event.c.id == ticket.c.event_id)
        .outerjoin(certificate, certificate.c.ticket_id == ticket.c.id)
        .where(
            part.c.certified,
            part.c.ends_at <= now,
            part.c.ends_at > now - LONGEST_AGE,
            event.c.status != "cancelled",
            place.c.attendee_name != "",
            certificate.c.ticket_id.is_(None),
        )
        .order_by(ticket.c.id)
        .limit(AT_ONCE)
        .with_for_update(of=ticket, skip_locked=True)
    )


def of_order(host: Host, principal: Principal, reference: str) -> list[Signed]:
    """Certificates of an order, for whoever may look at its reward; NotFound where there are none.

    Each look is audited as one at the reward is.
    """
    host.reveal(principal, reference)
    with host.transaction() as session:
        ids = [each.id for each in repository.of_orders(session, [reference])]
        found = _read(session, certificate.c.ticket_id.in_(ids))
        if not found:
            raise NotFound("There is no certificate for this order.")
        private = {each.event_id: keys.signers(host, session, each.event_id) for each in found}
    return [(each, domain.sign(private[each.event_id][each.key], each)) for each in found]


def is_certified(host: Host, ticket_ids: Sequence[int]) -> bool:
    """Whether there is a certificate for any of these tickets."""
    with host.transaction() as session:
        found = sa.select(certificate.c.ticket_id).where(certificate.c.ticket_id.in_(ticket_ids))
        return session.scalar(found.limit(1)) is not None


def verify(host: Host, text: str) -> Certificate | None:
    """The certificate of a code, where one of our keys signed just that."""
    code = domain.read(text)
    if code is None:
        return None
    with host.transaction() as session:
        found = _read(session, certificate.c.ticket_id == code.ticket_id)
        if not found:
            return None
        public = keys.public_keys(session, found[0].event_id)
    return found[0] if domain.is_genuine(code, found[0], public) else None


def _read(session: Transaction, which: sa.ColumnElement[bool]) -> Sequence[Certificate]:
    rows = session.execute(sa.select(certificate).where(which).order_by(certificate.c.ticket_id))
    return [Certificate(**row) for row in rows.mappings()]
