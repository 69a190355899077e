"""Issuing to one person: what it would do, and doing it."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace import clock
from marketplace.coalition.domain import Funding
from marketplace.coalition.models import Contract
from marketplace.coalition.service import get_contract
from marketplace.errors import NotFound
from marketplace.identity.audit import audit
from marketplace.identity.domain import Principal
from marketplace.issuing import repository
from marketplace.issuing.repository import Recipient
from marketplace.ledger.domain import Issuance, Issued
from marketplace.ledger.issuing import issue


class Terms(msgspec.Struct, frozen=True):
    """What the contract in force says of points issued now."""

    currency: str
    price_micros: int
    funding: Funding
    expires_at: datetime | None
    valid_days: int | None
    pooled_price_micros: int
    """The part of the price that is paid as points are issued."""

    @property
    def is_paid_at_once(self) -> bool:
        return self.funding is Funding.ISSUANCE

    @property
    def is_paid_in_parts(self) -> bool:
        return self.funding is Funding.MIXED


async def terms(session: AsyncSession, member_id: UUID) -> Terms:
    """Terms of what this member issues; NoContract where none is in force."""
    contract: Contract = await get_contract(session, member_id)
    now = await clock.now(session)
    days = contract.points_valid_days
    return Terms(
        currency=contract.currency,
        price_micros=contract.price_micros,
        funding=contract.funding,
        expires_at=None if days is None else now + timedelta(days=days),
        valid_days=days,
        pooled_price_micros=contract.funding.pooled_price_micros(
            contract.price_micros, contract.pooled_bps
        ),
    )


async def find_recipient(session: AsyncSession, member_id: UUID, wallet_id: UUID) -> Recipient:
    """Whom points may be issued to; NotFound where there is no person with this wallet."""
    found = await repository.recipient(session, member_id, wallet_id)
    if found is None:
        raise NotFound("There is nobody with this wallet.")
    return found


async def foresee(session: AsyncSession, member_id: UUID, issuance: Issuance) -> Issued:
    """What issuing would do; IssuancesRefused where it would be refused."""
    return await issue(session, member_id, [issuance], dry_run=True)


async def issue_one(
    session: AsyncSession, principal: Principal, member_id: UUID, issuance: Issuance
) -> Issued:
    """Issue points; what was issued before with the same content changes nothing."""
    done = await issue(session, member_id, [issuance])
    if done.issued:
        await audit(
            session,
            principal.actor,
            repository.ISSUED,
            "member",
            member_id,
            issued=done.issued,
            points=done.points,
            already=done.already,
            reference=issuance.reference,
        )
    return done
