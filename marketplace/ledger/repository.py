"""SQL of the ledger room: wallets and their history."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.clock import NOW
from marketplace.coalition.models import Member, Participant
from marketplace.errors import UsageError
from marketplace.exchange.models import Burn, Offer
from marketplace.ledger.by_wallet import points_transfers
from marketplace.ledger.domain import Account, TransferCode
from marketplace.ledger.models import Lot, Wallet

INFINITY: Final[sa.ColumnElement[Any]] = sa.literal_column("'infinity'")
NEXT_EXPIRIES: Final = 5


class WalletOwner(msgspec.Struct, frozen=True):
    """Whose wallet it is: what decides who may see it."""

    participant_id: UUID | None
    firm_id: UUID
    """The firm of the participant, or the owner of a pooled wallet."""
    sponsor_id: UUID | None


class Expiry(msgspec.Struct, frozen=True):
    """Points that expire at one moment."""

    expires_at: datetime
    points: int


class Balance(msgspec.Struct, frozen=True):
    """What a wallet has now."""

    available: int
    """Points that may be burnt; points that have expired but are not swept yet do not count."""
    held: int
    next_expiries: tuple[Expiry, ...]


class HistoryRow(msgspec.Struct, frozen=True):
    """One points transfer of a wallet, with the names of what it is about."""

    id: int
    code: TransferCode
    debit_account: Account
    credit_account: Account
    amount: int
    burn_id: UUID | None
    offer_name: str | None
    offer_id: UUID | None
    lot_reference: str | None
    issuer: str | None
    """Slug of the issuer of the points, where the transfer concerns one issuer."""
    effective_at: datetime


async def operator_id(session: AsyncSession) -> UUID:
    """The member that runs the coalition."""
    found = await session.scalar(sa.select(Member.id).where(Member.is_operator))
    if found is None:
        raise UsageError("No member is the operator yet; import members first.")
    return found


async def wallet_owner(session: AsyncSession, wallet_id: UUID) -> WalletOwner | None:
    """Whose wallet it is; None where there is none."""
    row = (
        await session.execute(
            sa.select(
                Wallet.participant_id,
                sa.func.coalesce(Wallet.firm_id, Participant.firm_id),
                Wallet.sponsor_id,
            )
            .outerjoin(Participant, Participant.id == Wallet.participant_id)
            .where(Wallet.id == wallet_id)
        )
    ).first()
    return None if row is None else WalletOwner(*row)


async def wallet_of(session: AsyncSession, participant_id: UUID) -> UUID | None:
    """The wallet of a participant."""
    return await session.scalar(
        sa.select(Wallet.id).where(Wallet.participant_id == participant_id).order_by(Wallet.id)
    )


async def balance(session: AsyncSession, wallet_id: UUID) -> Balance:
    """What the wallet, which must exist, has at business time."""
    # One statement, so that balances and lots are of one snapshot.
    expired = (
        sa.select(sa.func.coalesce(sa.func.sum(Lot.remaining), 0))
        .where(Lot.wallet_id == wallet_id, Lot.open, Lot.expires_at <= NOW)
        .scalar_subquery()
    )
    coming = (
        sa.select(Lot.expires_at, sa.func.sum(Lot.remaining).label("points"))
        .where(
            Lot.wallet_id == wallet_id,
            Lot.open,
            Lot.expires_at > NOW,
            Lot.expires_at < INFINITY,
        )
        .group_by(Lot.expires_at)
        .order_by(Lot.expires_at)
        .limit(NEXT_EXPIRIES)
        .subquery()
    )
    rows = (
        await session.execute(
            sa.select(Wallet.available - expired, Wallet.held, coming.c.expires_at, coming.c.points)
            .outerjoin(coming, sa.true())
            .where(Wallet.id == wallet_id)
            .order_by(coming.c.expires_at)
        )
    ).all()
    expiries = tuple(Expiry(at, int(points)) for _, _, at, points in rows if at is not None)
    return Balance(int(rows[0][0]), rows[0][1], expiries)


async def history(
    session: AsyncSession, wallet_id: UUID, *, before: int | None, limit: int
) -> Sequence[HistoryRow]:
    """Points transfers of a wallet, newest first, those older than transfer `before`."""
    found = points_transfers(wallet_id, before=before, limit=limit)
    # The issuer is the lot's (issue, expiry) or the one whose points were redeemed.
    redeemer = sa.case(
        (found.credit_account == Account.ISSUER_REDEEMED, found.credit_owner),
        (found.debit_account == Account.ISSUER_REDEEMED, found.debit_owner),
    )
    query = (
        sa.select(
            found.id,
            found.code,
            found.debit_account,
            found.credit_account,
            found.amount,
            found.burn_id,
            Offer.name,
            Burn.offer_id,
            Lot.reference,
            Member.slug,
            found.effective_at,
        )
        .outerjoin(Burn, sa.and_(Burn.wallet_id == wallet_id, Burn.id == found.burn_id))
        .outerjoin(Offer, Offer.id == Burn.offer_id)
        .outerjoin(Lot, sa.and_(Lot.wallet_id == wallet_id, Lot.id == found.lot_id))
        .outerjoin(Member, Member.id == sa.func.coalesce(Lot.issuer_id, redeemer))
        .order_by(found.id.desc())
        .limit(limit)
    )
    rows: Sequence[Any] = (await session.execute(query)).all()
    return [HistoryRow(*row) for row in rows]
