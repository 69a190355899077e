"""All SQL of the registry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.clock import NOW
from marketplace.coalition.models import Member
from marketplace.errors import NotFound
from marketplace.exchange.models import Offer
from marketplace.identity.models import AuditEntry
from marketplace.ids import uuid7
from marketplace.registry.domain import Activation
from marketplace.registry.models import PluginActivation, PluginMember, PluginSetting

INSTALLED = "plugin.installed"
"""Action of the audit entry of an installation."""


async def member_id(session: AsyncSession, slug: str) -> UUID:
    """The id of a member; NotFound where there is none."""
    found = await session.scalar(sa.select(Member.id).where(Member.slug == slug))
    if found is None:
        raise NotFound(f"There is no member {slug!r}.")
    return found


async def member_slugs(session: AsyncSession) -> dict[UUID, str]:
    """Slugs of all members by id."""
    rows = await session.execute(sa.select(Member.id, Member.slug))
    return {row[0]: row[1] for row in rows}


async def activations(session: AsyncSession) -> dict[str, Activation]:
    """Activations in force by plugin."""
    return {
        row.plugin: Activation(
            distribution=row.distribution,
            version=row.version,
            digest=row.digest,
            certified=row.report is not None,
            reason=row.reason,
            actor=row.actor,
            activated_at=row.activated_at,
        )
        for row in await session.scalars(sa.select(PluginActivation))
    }


async def put_activation(session: AsyncSession, values: Mapping[str, Any]) -> None:
    """Write the one activation of a plugin, in place of the one before."""
    row = insert(PluginActivation).values(**values)
    changed = {name: value for name, value in values.items() if name != "plugin"}
    await session.execute(
        row.on_conflict_do_update(
            index_elements=["plugin"],
            set_={**changed, "activated_at": sa.func.statement_timestamp()},
        )
    )


async def drop_activation(session: AsyncSession, plugin: str) -> bool:
    """Take a plugin's activation away; whether there was one."""
    gone = await session.scalar(
        sa.delete(PluginActivation)
        .where(PluginActivation.plugin == plugin)
        .returning(PluginActivation.plugin)
    )
    return gone is not None


class MemberRow(NamedTuple):
    """What a plugin is to one member."""

    plugin: str
    member_id: UUID
    enabled: bool
    sandbox: bool


async def members(session: AsyncSession, plugin: str | None = None) -> list[MemberRow]:
    """Members that have to do with a plugin, or with any."""
    statement = sa.select(
        PluginMember.plugin, PluginMember.member_id, PluginMember.enabled, PluginMember.sandbox
    ).order_by(PluginMember.plugin, PluginMember.member_id)
    if plugin is not None:
        statement = statement.where(PluginMember.plugin == plugin)
    return [MemberRow(*row) for row in await session.execute(statement)]


async def put_member(session: AsyncSession, plugin: str, member_id: UUID, **changed: bool) -> None:
    """Set `enabled` or `sandbox` of one member."""
    row = insert(PluginMember).values(plugin=plugin, member_id=member_id, **changed)
    await session.execute(
        row.on_conflict_do_update(
            index_elements=["plugin", "member_id"],
            set_={**changed, "changed_at": sa.func.statement_timestamp()},
        )
    )


SettingKey = tuple[UUID | None, bool]
"""Whose settings (None: the house's), and whether those for trial orders."""


async def settings_of(session: AsyncSession, plugin: str) -> dict[SettingKey, PluginSetting]:
    """Every stored set of a plugin's settings."""
    rows = await session.scalars(sa.select(PluginSetting).where(PluginSetting.plugin == plugin))
    return {(row.member_id, row.sandbox): row for row in rows}


async def put_settings(
    session: AsyncSession,
    plugin: str,
    key: SettingKey,
    *,
    plain: dict[str, Any],
    secrets: dict[str, str],
    actor: str,
) -> None:
    """Store one set in place of the one before."""
    values: dict[str, Any] = {"plain": plain, "secrets": secrets, "actor": actor}
    row = insert(PluginSetting).values(
        id=uuid7(), plugin=plugin, member_id=key[0], sandbox=key[1], **values
    )
    await session.execute(
        row.on_conflict_do_update(
            index_elements=["plugin", "member_id", "sandbox"],
            set_={**values, "changed_at": sa.func.statement_timestamp()},
        )
    )


async def last_installed(session: AsyncSession, plugin: str) -> dict[str, Any] | None:
    """Details of a plugin's last installation by our command."""
    details: dict[str, Any] | None = await session.scalar(
        sa.select(AuditEntry.details)
        .where(
            AuditEntry.subject_kind == "plugin",
            AuditEntry.subject_id == plugin,
            AuditEntry.action == INSTALLED,
        )
        .order_by(AuditEntry.id.desc())
        .limit(1)
    )
    return details


class OfferCounts(NamedTuple):
    """Offers of a plugin on sale, and how many of them are closed."""

    on_sale: int
    closed: int


async def offer_counts(session: AsyncSession) -> dict[tuple[str, UUID], OfferCounts]:
    """Offers on sale by plugin and acceptor."""
    rows = await session.execute(
        sa.select(
            Offer.plugin,
            Offer.acceptor_id,
            sa.func.count(),
            sa.func.count().filter(Offer.closed.is_not(None)),
        )
        .where(Offer.status == "on_sale", sa.or_(Offer.ends_at.is_(None), Offer.ends_at > NOW))
        .group_by(Offer.plugin, Offer.acceptor_id)
    )
    return {(row[0], row[1]): OfferCounts(row[2], row[3]) for row in rows}
