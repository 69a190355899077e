"""Net debit caps: money paid ahead is room, and who comes near the cap is told in time.

The burn engine refuses at `contract.exposure_cap_micros + exposure.prefunded_micros`.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.clock import NOW
from marketplace.coalition.models import Contract, Member
from marketplace.ids import uuid7
from marketplace.ledger.models import Exposure
from settlement import telling
from settlement.clearing.books import balances
from settlement.clearing.domain import AccountKind
from settlement.clearing.models import CapAlert

BASIS: Final = 10_000
PREFUND_LOCK: Final = 7_219_004_533
"""Advisory lock, with the member, of whoever uses or changes what the member has paid ahead."""


class Use(msgspec.Struct, frozen=True, kw_only=True):
    """How much of its cap a member uses."""

    member_id: UUID
    name: str
    currency: str
    used_micros: int
    cap_micros: int
    """With what it has paid ahead."""
    alert_bps: int

    @property
    def alarming(self) -> bool:
        return self.used_micros * BASIS >= self.cap_micros * self.alert_bps

    @property
    def percent(self) -> int:
        """Of the cap, rounded down; 100 where the cap is nothing."""
        return self.used_micros * 100 // self.cap_micros if self.cap_micros else 100


async def lock(session: AsyncSession, member_ids: Collection[UUID]) -> None:
    """Let nobody else use what these members have paid ahead before this transaction ends."""
    for member_id in sorted(set(member_ids), key=str):
        key = sa.func.hashtextextended(str(member_id), PREFUND_LOCK)
        await session.execute(sa.select(sa.func.pg_advisory_xact_lock(key)))


async def follow_prefund(session: AsyncSession, member_ids: Collection[UUID] | None = None) -> None:
    """Let the exposures of these members (None: of all) hold what they have paid ahead, in the
    currency of the contract in force. Only rows that differ are written, in the order of ids.
    """
    contract = _in_force()
    query = (
        sa.select(Exposure.member_id, Exposure.prefunded_micros, contract.c.currency)
        .outerjoin(contract, contract.c.member_id == Exposure.member_id)
        .order_by(Exposure.member_id)
    )
    if member_ids is not None:
        query = query.where(Exposure.member_id.in_(member_ids))
    held = {
        (each.owner, each.currency): each.balance_micros
        for each in await balances(session, account=AccountKind.PREFUND)
    }
    for member_id, known, currency in (await session.execute(query)).all():
        ahead = max(held.get((member_id, currency), 0), 0)
        if ahead != known:
            await session.execute(
                sa.update(Exposure)
                .where(Exposure.member_id == member_id)
                .values(prefunded_micros=ahead)
            )


def _in_force() -> sa.Subquery:
    return (
        sa.select(
            Contract.member_id,
            Contract.currency,
            Contract.exposure_cap_micros,
            Contract.cap_alert_bps,
        )
        .where(
            Contract.valid_from <= NOW,
            sa.or_(Contract.valid_to.is_(None), Contract.valid_to > NOW),
        )
        .subquery()
    )


async def uses(session: AsyncSession, member_id: UUID | None = None) -> list[Use]:
    """How much of its cap every capped member uses, by name; or this one."""
    contract = _in_force()
    query = (
        sa.select(
            Exposure.member_id,
            Member.name,
            contract.c.currency,
            Exposure.used_micros,
            contract.c.exposure_cap_micros + Exposure.prefunded_micros,
            contract.c.cap_alert_bps,
        )
        .join(Member, Member.id == Exposure.member_id)
        .join(contract, contract.c.member_id == Exposure.member_id)
        .where(contract.c.exposure_cap_micros.is_not(None))
        .order_by(Member.name, Member.id)
    )
    if member_id is not None:
        query = query.where(Exposure.member_id == member_id)
    return [
        Use(
            member_id=member_id,
            name=name,
            currency=currency,
            used_micros=used,
            cap_micros=cap,
            alert_bps=alert_bps,
        )
        for member_id, name, currency, used, cap, alert_bps in await session.execute(query)
    ]


async def watch(session: AsyncSession) -> int:
    """Tell finance and the member's own people of each cap that is nearly used, once per crossing;
    returns how many were new. A cap that is used less again is watched afresh.
    """
    await follow_prefund(session)
    alarming = [each for each in await uses(session) if each.alarming]
    await session.execute(
        sa.delete(CapAlert).where(CapAlert.member_id.not_in([each.member_id for each in alarming]))
    )
    fresh = 0
    for each in alarming:
        made = await session.scalar(
            insert(CapAlert)
            .values(
                member_id=each.member_id,
                id=uuid7(),
                used_micros=each.used_micros,
                cap_micros=each.cap_micros,
                raised_at=NOW,
            )
            .on_conflict_do_nothing()
            .returning(CapAlert.id)
        )
        if made is not None:
            fresh += 1
            await _tell(session, each, made)
    return fresh


async def _tell(session: AsyncSession, use: Use, alert_id: UUID) -> None:
    key, told = f"cap:{alert_id}", {"member": use.name, "percent": f"{use.percent} %"}
    await telling.finance(session, "cap_alert", key, {**told, "path": "/settlement"})
    own = {**told, "path": "/settlement/partner/cap"}
    await telling.member(session, use.member_id, "cap_alert", key, own)


async def alerts(session: AsyncSession) -> list[tuple[UUID, datetime]]:
    """Members that are alerted now, and since when."""
    rows: Any = await session.execute(
        sa.select(CapAlert.member_id, CapAlert.raised_at).order_by(CapAlert.raised_at)
    )
    return [(row.member_id, row.raised_at) for row in rows]
