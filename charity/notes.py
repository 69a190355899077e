"""The audit trail and business time, in the synchronous sessions that charity's rules use."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from charity.domain import SLUG
from marketplace.clock import NOW
from marketplace.identity.models import AuditEntry
from marketplace.ids import next_key

SYSTEM = "system:charity"


def note(session: Session, actor: str, action: str, subject: object, **details: Any) -> None:
    """Write an audit entry `charity.<action>` in the caller's transaction."""
    session.add(
        AuditEntry(
            id=next_key(),
            actor=actor,
            action=f"{SLUG}.{action}",
            subject_kind=SLUG,
            subject_id=str(subject),
            details=details,
        )
    )
    session.flush()


def now_of(session: Session) -> datetime:
    """Business time, UTC."""
    moment: datetime = session.execute(sa.select(NOW)).scalar_one()
    return moment
