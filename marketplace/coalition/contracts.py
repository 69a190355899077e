"""Contracts and their versions, as they are shown."""

from __future__ import annotations

from datetime import datetime

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.clock import NOW
from marketplace.coalition.domain import Breakage, ContractRole, DisputeDefault, Funding, Netting
from marketplace.coalition.models import Contract, Member


class ContractView(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a contract."""

    reference: str
    version: int
    member: str
    """Slug."""
    role: ContractRole
    funding: Funding
    pooled_bps: int | None
    currency: str
    price_micros: int
    fee_bps: int
    breakage: Breakage
    exposure_cap_micros: int | None
    cap_alert_bps: int
    dispute_days: int
    dispute_default: DisputeDefault
    netting: Netting
    points_valid_days: int | None
    valid_from: datetime
    valid_to: datetime | None
    in_force: bool
    """At business time."""


async def contract_views(session: AsyncSession, member: str | None = None) -> list[ContractView]:
    """Every version of every contract (of one member, by slug), by member and date."""
    in_force = sa.and_(
        Contract.valid_from <= NOW, sa.or_(Contract.valid_to.is_(None), Contract.valid_to > NOW)
    )
    query = (
        sa.select(Contract, Member.slug, in_force)
        .join(Member, Member.id == Contract.member_id)
        .order_by(Member.slug, Contract.valid_from)
    )
    if member is not None:
        query = query.where(Member.slug == member)
    own = [name for name in ContractView.__struct_fields__ if name not in ("member", "in_force")]
    return [
        ContractView(member=slug, in_force=now, **{name: getattr(contract, name) for name in own})
        for contract, slug, now in await session.execute(query)
    ]
