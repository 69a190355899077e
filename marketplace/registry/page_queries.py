"""What the console shows of a plugin for one member: its orders, its certificate, its history."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.certify.report import Report, SignedReport
from marketplace.db import raw_connection
from marketplace.exchange.domain import BurnStatus, FulfilmentState
from marketplace.exchange.models import Burn
from marketplace.identity.models import AuditEntry, Person
from marketplace.metrics import repository
from marketplace.registry.models import PluginActivation

STEPS = 30


class Queue(msgspec.Struct, frozen=True):
    """Orders of one member's offers that a plugin has not ended."""

    waiting: int = 0
    unknown: int = 0
    """Of these: the supplier could not tell what became of them."""
    dead: int = 0
    oldest_at: datetime | None = None


async def queues(session: AsyncSession, member_id: UUID) -> dict[str, Queue]:
    """By plugin. Held burns all have a due time, and the index of those is small."""
    dead = Burn.fulfilment == FulfilmentState.DEAD
    rows = await session.execute(
        sa.select(
            Burn.plugin,
            sa.func.count().filter(~dead),
            sa.func.count().filter(Burn.fulfilment == FulfilmentState.UNKNOWN),
            sa.func.count().filter(dead),
            sa.func.min(Burn.posted_at).filter(~dead),
        )
        .where(
            Burn.due_at.is_not(None),
            Burn.status == BurnStatus.HELD,
            Burn.acceptor_id == member_id,
        )
        .group_by(Burn.plugin)
    )
    return {
        plugin: Queue(waiting, unknown, given_up, oldest_at)
        for plugin, waiting, unknown, given_up, oldest_at in rows
        if plugin is not None
    }


async def certificate(session: AsyncSession, slug: str) -> Report | None:
    """The report that a plugin was activated on; None where it was activated without one."""
    stored = await session.scalar(
        sa.select(PluginActivation.report).where(PluginActivation.plugin == slug)
    )
    return None if stored is None else msgspec.convert(stored, SignedReport).report


async def entries(
    session: AsyncSession, slug: str, member_id: UUID
) -> list[tuple[AuditEntry, str]]:
    """What was done to a plugin that concerns a member, newest first, and by whom."""
    whose = AuditEntry.details["member_id"].astext
    rows = await session.execute(
        sa.select(AuditEntry, sa.func.coalesce(Person.name, AuditEntry.actor))
        .outerjoin(Person, sa.literal("person:") + sa.cast(Person.id, sa.Text) == AuditEntry.actor)
        .where(
            AuditEntry.subject_kind == "plugin",
            AuditEntry.subject_id == slug,
            sa.or_(whose.is_(None), whose == str(member_id)),
        )
        .order_by(AuditEntry.id.desc())
        .limit(STEPS)
    )
    return [(entry, str(who)) for entry, who in rows]


async def troubles(session: AsyncSession, slug: str) -> list[Any]:
    """What went wrong with a plugin in the last day, latest first (for the operator alone)."""

    return (await repository.troubles(await raw_connection(session))).get(slug, [])
