"""A firm in figures: its people, their points, its own wallet."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.clock import NOW
from marketplace.coalition.models import Firm, Member, Participant
from marketplace.identity.models import Person
from marketplace.ledger.models import Lot, Wallet


class FirmFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What a firm manager may know: sums, and nobody's own balance or choices."""

    name: str
    country: str
    sponsor: str | None
    """Name of the member that looks after the firm."""
    people: int
    signing_in: int
    """Of them, who can sign in."""
    available: int
    """Points of all people together."""
    held: int
    expiring: int
    """Of the available points, those that expire soon."""
    pool: int | None
    """Points of the firm's own wallet; None: it has none."""


async def read(session: AsyncSession, firm_id: UUID, *, expiry_days: int) -> FirmFigures:
    """The figures of a firm that there is."""
    firm, sponsor = (
        await session.execute(
            sa.select(Firm, Member.name)
            .outerjoin(Member, Member.id == Firm.sponsor_id)
            .where(Firm.id == firm_id)
        )
    ).one()
    people = sa.select(Participant.id).where(Participant.firm_id == firm_id)
    wallets = sa.select(Wallet.id).where(Wallet.participant_id.in_(people))
    count, available, held = (
        await session.execute(
            sa.select(
                sa.func.count(),
                sa.func.coalesce(sa.func.sum(Wallet.available), 0),
                sa.func.coalesce(sa.func.sum(Wallet.held), 0),
            ).where(Wallet.participant_id.in_(people))
        )
    ).one()
    soon = NOW + timedelta(days=expiry_days)
    return FirmFigures(
        name=firm.name,
        country=firm.country,
        sponsor=sponsor,
        people=count,
        signing_in=await _one(
            session,
            sa.select(sa.func.count(sa.distinct(Person.participant_id))).where(
                Person.participant_id.in_(people), Person.disabled_at.is_(None)
            ),
        ),
        available=int(available),
        held=int(held),
        expiring=await _one(
            session,
            sa.select(sa.func.coalesce(sa.func.sum(Lot.remaining), 0)).where(
                Lot.wallet_id.in_(wallets), Lot.expires_at > NOW, Lot.expires_at <= soon
            ),
        ),
        pool=await session.scalar(sa.select(Wallet.available).where(Wallet.firm_id == firm_id)),
    )


async def _one(session: AsyncSession, query: sa.Select[int]) -> int:
    return int((await session.execute(query)).scalar_one())
