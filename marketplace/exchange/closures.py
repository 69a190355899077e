"""Closing and reopening the offers of a plugin, whatever the cause.

A closure is a row; what an offer's closures come to is kept in `offer.closed`, with its version, so
the burn engine reads nothing more. Whoever changes closures or adds offers holds the plugin's lock
until the transaction ends: rows and offers agree in every order of events.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.db import raw_connection
from marketplace.exchange.domain import Cause
from marketplace.exchange.models import PluginClosure
from marketplace.identity.audit import audit
from marketplace.ids import uuid7

LONGEST_WORDS = 500
LOCK_CLASS = 721_900
"""First half of the advisory lock; the second is the plugin's."""

LOCK = "select pg_advisory_xact_lock($1, hashtext($2))"

# The enum's order is the order of precedence; a closure of everybody's goes before a member's.
# No closure: null, as a subquery without rows is.
SETTLE = """
update offer set closed = wanted.closed, version = version + 1
from (
    select o.id, (
        select jsonb_strip_nulls(
            jsonb_build_object('cause', c.cause, 'words', nullif(c.words, '')))
        from plugin_closure c
        where c.plugin = o.plugin and (c.member_id is null or c.member_id = o.acceptor_id)
        order by c.cause, c.member_id nulls first
        limit 1
    ) as closed
    from offer o
    where o.plugin = $1
) as wanted
where offer.id = wanted.id and offer.closed is distinct from wanted.closed
returning offer.id
"""


async def lock(session: AsyncSession, plugin: str) -> None:
    """Let nobody else change the closures or add offers of `plugin` until the transaction ends."""
    await (await raw_connection(session)).execute(LOCK, LOCK_CLASS, plugin)


async def close(
    session: AsyncSession,
    plugin: str,
    cause: Cause,
    *,
    actor: str,
    member_id: UUID | None = None,
    words: str = "",
) -> int:
    """Close the offers of `plugin`, one member's or (None) everybody's; how many offers changed.

    Closed already for this cause: its words are replaced. Audited where something changed.
    """
    await lock(session, plugin)
    told = words.strip()[:LONGEST_WORDS]
    values = {"plugin": plugin, "member_id": member_id, "cause": cause, "words": told}
    new = insert(PluginClosure).values(id=uuid7(), actor=actor, **values)
    changed = await session.scalar(
        new.on_conflict_do_update(
            index_elements=["plugin", "member_id", "cause"],
            set_={"words": told, "actor": actor},
            where=PluginClosure.words != told,
        ).returning(PluginClosure.id)
    )
    if changed is None:
        return 0
    count = await settle(session, plugin)
    details = {"cause": cause.value, "member_id": _text(member_id), "words": told, "offers": count}
    await audit(session, actor, "plugin.closed", "plugin", plugin, **details)
    return count


async def reopen(
    session: AsyncSession,
    plugin: str,
    cause: Cause,
    *,
    actor: str,
    member_id: UUID | None = None,
) -> int:
    """Take one closure away; how many offers changed. Other causes keep theirs closed."""
    await lock(session, plugin)
    gone = await session.scalar(
        sa.delete(PluginClosure)
        .where(
            PluginClosure.plugin == plugin,
            PluginClosure.member_id.is_not_distinct_from(member_id),
            PluginClosure.cause == cause,
        )
        .returning(PluginClosure.id)
    )
    if gone is None:
        return 0
    count = await settle(session, plugin)
    details = {"cause": cause.value, "member_id": _text(member_id), "offers": count}
    await audit(session, actor, "plugin.reopened", "plugin", plugin, **details)
    return count


async def settle(session: AsyncSession, plugin: str) -> int:
    """Bring the plugin's offers to what its closures say, under its lock; how many changed."""
    await session.flush()
    rows: Sequence[Any] = await (await raw_connection(session)).fetch(SETTLE, plugin)
    return len(rows)


async def closures_of(session: AsyncSession, plugin: str | None = None) -> list[PluginClosure]:
    """Every closure in force, of one plugin or all, in order of precedence."""
    statement = sa.select(PluginClosure).order_by(
        PluginClosure.plugin, PluginClosure.cause, PluginClosure.member_id.nulls_first()
    )
    if plugin is not None:
        statement = statement.where(PluginClosure.plugin == plugin)
    return list(await session.scalars(statement))


def _text(member_id: UUID | None) -> str | None:
    return None if member_id is None else str(member_id)
