"""When doors open: so many minutes before a session, for every ticket of the event, sold or not."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session as Transaction

from marketplace.api import Host
from marketplace_conference.models import event as events
from marketplace_conference.places import Event


def set_opening(
    host: Host, session: Transaction, event: Event, minutes: int, *, actor: str
) -> None:
    """Doors learn it with their next list; what was scanned stays as it was judged."""
    session.execute(
        sa.update(events).where(events.c.id == event.id).values(doors_open_minutes=minutes)
    )
    host.audit(
        session,
        actor=actor,
        action="event.doors_open",
        subject=event.slug,
        minutes=str(minutes),
    )
