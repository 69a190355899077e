"""Frees what was given back and nobody told us of: observers are not told where a process dies."""

from __future__ import annotations

import logging
from typing import Final

import sqlalchemy as sa

from marketplace.api import Host
from marketplace_conference import selling
from marketplace_conference.models import comparison, place
from marketplace_conference.models import session as sessions

log = logging.getLogger(__name__)

COMPARED: Final = 1_000
"""Orders in a run whose burn is looked at, a round through all that somebody may still come for."""


def run(host: Host) -> None:
    """Compare the next orders with their burns; may run twice at once."""
    for reference in _next(host):
        try:
            selling.release_refunded(host, reference)
        except Exception:
            # The next round comes to it again.
            log.exception("conference: order %s was given back and keeps its places", reference)


def _next(host: Host) -> list[str]:
    """Those of the next orders whose points are all back.

    The round is moved on first, so that one order that holds us up holds up no others.
    """
    with host.transaction() as session:
        after = session.scalar(sa.select(comparison.c.compared_to)) or ""
        standing = session.scalars(
            sa.select(place.c.order_reference)
            .join(sessions, sessions.c.id == place.c.session_id)
            .where(
                place.c.order_reference > after,
                place.c.cancelled_at.is_(None),
                sessions.c.ends_at > host.now(session),
            )
            .distinct()
            .order_by(place.c.order_reference)
            .limit(COMPARED)
        ).all()
        session.execute(
            sa.update(comparison).values(
                compared_to=standing[-1] if len(standing) == COMPARED else ""
            )
        )
        return sorted(selling.given_back(host, session, standing))
