"""Breaks open once per kind and subject, and go away by themselves when their reason does."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.clock import NOW, now
from marketplace.errors import NotFound
from marketplace.ids import uuid7
from settlement import history, telling
from settlement.arrays import among
from settlement.bank.domain import BreakKind, BreakStatus
from settlement.bank.models import Break

SYSTEM = "system"
PATIENCE = timedelta(days=1)
"""Finance is not told of breaks that are younger: most go away by themselves."""
UNRESOLVED = (BreakStatus.OPEN, BreakStatus.PROPOSED)


async def open_(
    session: AsyncSession,
    *,
    kind: BreakKind,
    subject_id: UUID,
    currency: str,
    amount_micros: int,
    opened_on: date,
    reason: str,
    undone: bool = False,
    **ids: UUID | None,
) -> None:
    """Open a break unless there is one of this kind for this subject. One that went away by itself
    opens again; one that a person resolved stays resolved, unless what was done is `undone`."""
    fresh = {
        "currency": currency,
        "amount_micros": amount_micros,
        "opened_on": opened_on,
        "reason": reason,
    }
    made = await session.scalar(
        insert(Break)
        .values(
            id=uuid7(),
            kind=kind,
            subject_id=subject_id,
            status=BreakStatus.OPEN,
            opened_at=NOW,
            note="",
            **fresh,
            **ids,
        )
        .on_conflict_do_nothing(index_elements=["kind", "subject_id"])
        .returning(Break.id)
    )
    if made is not None:
        await _say(session, made, None, BreakStatus.OPEN, SYSTEM, kind.value)
        return
    await _again(session, kind, subject_id, fresh, undone)


async def _again(
    session: AsyncSession, kind: BreakKind, subject_id: UUID, fresh: dict[str, Any], undone: bool
) -> None:
    known = (
        await session.scalars(
            sa.select(Break).where(Break.kind == kind, Break.subject_id == subject_id)
        )
    ).one()
    if known.status is BreakStatus.GONE or (undone and known.status is BreakStatus.RESOLVED):
        change = _change(known.id, known.status, BreakStatus.OPEN, SYSTEM, "it is there again")
        await history.move(
            session, Break, change, action=None, resolved_by=None, resolved_at=None, **fresh
        )
    elif known.status in UNRESOLVED and known.reason != fresh["reason"]:
        await session.execute(sa.update(Break).where(Break.id == known.id).values(**fresh))


async def open_many(session: AsyncSession, rows: list[dict[str, Any]]) -> list[UUID]:
    """Open the breaks of what had none before, set-wise; returns their ids."""
    made: list[UUID] = []
    for start in range(0, len(rows), 1_000):
        part = rows[start : start + 1_000]
        values = [
            {"id": uuid7(), "status": BreakStatus.OPEN, "opened_at": NOW, "note": "", **row}
            for row in part
        ]
        made += await session.scalars(
            insert(Break)
            .values(values)
            .on_conflict_do_nothing(index_elements=["kind", "subject_id"])
            .returning(Break.id)
        )
    return made


async def keep_open(session: AsyncSession, kind: BreakKind, rows: list[dict[str, Any]]) -> None:
    """As `open_` for each of these, which have the same keys; a few statements for all that are
    new or open already."""
    if not rows:
        return
    known = {
        each.subject_id: each
        for each in await session.scalars(
            sa.select(Break).where(
                Break.kind == kind, among(Break.subject_id, [row["subject_id"] for row in rows])
            )
        )
    }
    new = [{"kind": kind, **row} for row in rows if row["subject_id"] not in known]
    made = await open_many(session, new)
    await history.record_many(
        session, [_change(each, None, BreakStatus.OPEN, SYSTEM, kind.value) for each in made]
    )
    for row in rows:
        found = known.get(row["subject_id"])
        if found is None or found.status is BreakStatus.RESOLVED:
            continue
        if found.status is BreakStatus.GONE or found.reason != row["reason"]:
            await open_(session, kind=kind, **row)


async def let_go(
    session: AsyncSession, kind: BreakKind | None, subject_ids: Collection[UUID], why: str
) -> int:
    """Breaks of these subjects whose reason is gone; returns how many were open."""
    if not subject_ids:
        return 0
    open_ones = sa.select(Break.id, Break.status).where(
        among(Break.subject_id, subject_ids), Break.status.in_(UNRESOLVED)
    )
    if kind is not None:
        open_ones = open_ones.where(Break.kind == kind)
    rows = await session.execute(open_ones.order_by(Break.id).with_for_update())
    found = {row.id: row.status for row in rows}
    if not found:
        return 0
    await session.execute(
        sa.update(Break)
        .where(among(Break.id, found))
        .values(status=BreakStatus.GONE, note=why, resolved_at=NOW)
        .execution_options(synchronize_session=False)
    )
    changes = [_change(each, was, BreakStatus.GONE, SYSTEM, why) for each, was in found.items()]
    await history.record_many(session, changes)
    return len(found)


async def find(session: AsyncSession, break_id: UUID, *, lock: bool = False) -> Break:
    """A break by id."""
    query = sa.select(Break).where(Break.id == break_id)
    found = await session.scalar(
        (query.with_for_update() if lock else query).execution_options(populate_existing=True)
    )
    if found is None:
        raise NotFound(f"There is no break {break_id}.")
    return found


async def move(
    session: AsyncSession, row: Break, after: BreakStatus, *, actor: str, note: str, **values: Any
) -> None:
    """Change the status of a break as it was read, and write it down."""
    change = _change(row.id, row.status, after, actor, note)
    await history.move(session, Break, change, note=note, **values)
    await session.refresh(row)


async def _say(
    session: AsyncSession,
    break_id: UUID,
    before: BreakStatus | None,
    after: BreakStatus,
    actor: str,
    note: str,
) -> None:
    await history.record(session, _change(break_id, before, after, actor, note))


def _change(
    break_id: UUID, before: BreakStatus | None, after: BreakStatus, actor: str, note: str
) -> history.Change:
    return history.Change(
        subject=history.Subject.BREAK,
        id=break_id,
        before=before,
        after=after,
        actor=actor,
        note=note,
    )


async def breaks(
    session: AsyncSession,
    *,
    kind: BreakKind | None = None,
    unresolved: bool = True,
    limit: int = 200,
    before: UUID | None = None,
) -> list[Break]:
    """Breaks, newest first; `before` is the id of the last one seen."""
    query = sa.select(Break).order_by(Break.id.desc()).limit(limit)
    if unresolved:
        query = query.where(Break.status.in_(UNRESOLVED))
    if kind is not None:
        query = query.where(Break.kind == kind)
    if before is not None:
        query = query.where(Break.id < before)
    return list(await session.scalars(query))


async def tell_waiting(session: AsyncSession) -> int:
    """Tell finance, once a day, how many breaks have waited for longer than PATIENCE; how many
    people were told. Money in transit for too long is a break as well."""
    moment = await now(session)
    waiting = await session.scalar(
        sa.select(sa.func.count())
        .select_from(Break)
        .where(Break.status.in_(UNRESOLVED), Break.opened_at < moment - PATIENCE)
    )
    if not waiting:
        return 0
    key = f"breaks:{moment.date()}"
    return await telling.finance(session, "breaks_wait", key, {"breaks": waiting})
