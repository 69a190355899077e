"""The audit trail: who did what to what."""

from __future__ import annotations

from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.identity.models import AuditEntry
from marketplace.ids import next_key


async def audit(
    session: AsyncSession,
    actor: str,
    action: str,
    subject_kind: str,
    subject_id: object,
    **details: Any,
) -> None:
    """Write an entry in the caller's transaction; `actor` as in `Principal.actor`.

    `details` must encode as JSON and never hold a secret.
    """
    session.add(
        AuditEntry(
            id=next_key(),
            actor=actor,
            action=action,
            subject_kind=subject_kind,
            subject_id=str(subject_id),
            details=details,
        )
    )
    await session.flush()
