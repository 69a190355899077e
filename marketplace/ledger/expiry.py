"""Points that expire: leave the wallet, and free the money behind them.

Sweeping never stands in a burn's way: wallets and lots that somebody is writing are skipped and
come in a later batch. A burn that read a wallet before it was swept finds another version when it
writes, and is decided again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.clock import NOW
from marketplace.coalition.domain import Breakage, Funding
from marketplace.coalition.models import Contract
from marketplace.db import Database, raw_connection
from marketplace.ids import take_keys
from marketplace.ledger.domain import POINTS, Account, ObligationKind, TransferCode
from marketplace.ledger.models import Lot, Obligation, Transfer, Wallet
from marketplace.ledger.repository import INFINITY, operator_id
from marketplace.ledger.windows import pass_gate, share_open

log = logging.getLogger(__name__)

BATCH = 250
"""Lots of one transaction: enough to be quick, few enough to hold their wallets only briefly."""
LOG_EVERY_S = 10.0


class Expiring(msgspec.Struct, frozen=True):
    """A lot whose points expire now; its row and its wallet's are locked."""

    wallet_id: UUID
    lot_id: int
    issuer_id: UUID
    contract_id: UUID
    points: int
    currency: str
    pooled_price_micros: int
    breakage: Breakage

    @property
    def funded_micros(self) -> int:
        """What the pool holds for these points."""
        return self.points * self.pooled_price_micros

    @property
    def issuer_share_micros(self) -> int:
        """The part of it that goes back to the issuer; the operator keeps the rest."""
        return self.breakage.issuer_share_micros(self.funded_micros)


async def expire_due(session: AsyncSession, limit: int = BATCH) -> int:
    """Expire up to `limit` lots that are due at business time; returns how many were.

    Zero means that nothing is due, or that all of it is being written by somebody else right now
    (`due` tells which).
    """
    await pass_gate(await raw_connection(session))
    wallets = await _lock_wallets(session, limit)
    if not wallets:
        return 0
    # A new statement sees what was committed before its wallets were locked.
    lots = await _lock_lots(session, wallets, limit)
    await _write(session, lots)
    return len(lots)


async def expire_all(database: Database, told: Callable[[int], None], limit: int = BATCH) -> int:
    """Expire, a transaction per batch, until nothing more can be; returns how many lots.

    `told` hears of each batch; a long sweep is logged now and then, with what is left.
    """
    done, logged_at = 0, time.monotonic()
    while True:
        async with database.begin() as session:
            count = await expire_due(session, limit)
        if count == 0:
            return done
        done += count
        told(count)
        if time.monotonic() - logged_at >= LOG_EVERY_S:
            async with database.begin() as session:
                left = await due(session)
            log.info("expiring points: %d lots done, %d left", done, left)
            logged_at = time.monotonic()


async def expire_wallets(session: AsyncSession, wallet_ids: Iterable[UUID]) -> None:
    """Expire now what is due in these wallets, waiting for whoever writes them.

    For a void or refund into a lot that has expired: its rest goes first, so that the grace is
    only for the points that come back.
    """
    wallets = sorted(set(wallet_ids))
    await session.execute(
        sa.select(Wallet.id).where(Wallet.id.in_(wallets)).order_by(Wallet.id).with_for_update()
    )
    while lots := await _lock_lots(session, wallets, BATCH):
        await _write(session, lots)


async def due(session: AsyncSession) -> int:
    """Lots that have expired and are not swept yet."""
    count: int = (
        await session.execute(sa.select(sa.func.count()).select_from(Lot).where(*is_due()))
    ).scalar_one()
    return count


def is_due() -> tuple[sa.ColumnExpressionArgument[bool], ...]:
    """What says that a lot has expired and is not swept yet.

    In the words of the partial index ix_lot_to_expire: "open is true" would not find it. Business
    time is asked for once, not for each lot.
    """
    return Lot.open, Lot.expires_at < INFINITY, Lot.expires_at <= sa.select(NOW).scalar_subquery()


async def _lock_wallets(session: AsyncSession, limit: int) -> Sequence[UUID]:
    """Wallets of the lots due longest; the lock is the one a burn's write takes."""
    first = sa.select(Lot.wallet_id).where(*is_due()).order_by(Lot.expires_at).limit(limit)
    found = await session.scalars(
        sa.select(Wallet.id)
        .where(Wallet.id.in_(first))
        .order_by(Wallet.id)
        .with_for_update(skip_locked=True)
    )
    return found.all()


async def _lock_lots(session: AsyncSession, wallets: Sequence[UUID], limit: int) -> list[Expiring]:
    found = await session.execute(
        sa.select(
            Lot.wallet_id,
            Lot.id,
            Lot.issuer_id,
            Lot.contract_id,
            Lot.remaining,
            Lot.currency,
            Lot.pooled_price_micros,
            Contract.breakage,
        )
        .join(Contract, Contract.id == Lot.contract_id)
        .where(Lot.wallet_id.in_(wallets), *is_due())
        .order_by(Lot.wallet_id, Lot.id)
        .limit(limit)
        .with_for_update(of=Lot, skip_locked=True)
    )
    return [Expiring(*row) for row in found]


async def _write(session: AsyncSession, lots: Sequence[Expiring]) -> None:
    """Empty the lots and wallets, and post what moved."""
    if not lots:
        return
    now: datetime = (await session.execute(sa.select(NOW))).scalar_one()
    await _take_points(session, lots)
    transfers = [_points_transfer(lot, now) for lot in lots]
    funded = [lot for lot in lots if lot.pooled_price_micros]
    if funded:
        window_id = (await share_open(session)).id
        operator = await operator_id(session)
        for lot in funded:
            transfers += _money_transfers(lot, now, window_id, operator)
        keys = take_keys(len(funded))
        await session.execute(
            sa.insert(Obligation),
            [
                _obligation(lot, now, window_id) | {"id": key}
                for lot, key in zip(funded, keys, strict=True)
            ],
        )
    keys = take_keys(len(transfers))
    await session.execute(
        sa.insert(Transfer),
        [row | {"id": key} for row, key in zip(transfers, keys, strict=True)],
    )


async def _take_points(session: AsyncSession, lots: Sequence[Expiring]) -> None:
    totals: dict[UUID, int] = {}
    for lot in lots:
        totals[lot.wallet_id] = totals.get(lot.wallet_id, 0) + lot.points
    await session.execute(
        sa.text(
            "update wallet set available = available - u.points, version = version + 1 "
            "from unnest(cast(:ids as uuid[]), cast(:points as bigint[])) as u(id, points) "
            "where wallet.id = u.id"
        ),
        {"ids": list(totals), "points": list(totals.values())},
    )
    await session.execute(
        sa.text(
            "update lot set remaining = 0, open = false "
            "from unnest(cast(:wallets as uuid[]), cast(:lots as bigint[])) as u(wallet_id, id) "
            "where lot.wallet_id = u.wallet_id and lot.id = u.id"
        ),
        {"wallets": [lot.wallet_id for lot in lots], "lots": [lot.lot_id for lot in lots]},
    )


def _points_transfer(lot: Expiring, now: datetime) -> dict[str, object]:
    return {
        "wallet_id": lot.wallet_id,
        "code": TransferCode.EXPIRE,
        "debit_account": Account.WALLET_AVAILABLE,
        "debit_owner": lot.wallet_id,
        "credit_account": Account.ISSUER_EXPIRED,
        "credit_owner": lot.issuer_id,
        "unit": POINTS,
        "amount": lot.points,
        "lot_id": lot.lot_id,
        "window_id": None,
        "effective_at": now,
    }


def _money_transfers(
    lot: Expiring, now: datetime, window_id: UUID, operator: UUID
) -> list[dict[str, object]]:
    """The pool's money for these points goes to who the contract says."""
    share = lot.issuer_share_micros
    parts = (
        (Account.ISSUER_BREAKAGE, lot.issuer_id, share),
        (Account.OPERATOR_BREAKAGE, operator, lot.funded_micros - share),
    )
    return [
        {
            "wallet_id": lot.wallet_id,
            "code": TransferCode.EXPIRE,
            "debit_account": Account.ISSUER_POOL,
            "debit_owner": lot.issuer_id,
            "credit_account": account,
            "credit_owner": owner,
            "unit": lot.currency,
            "amount": amount,
            "lot_id": lot.lot_id,
            "window_id": window_id,
            "effective_at": now,
        }
        for account, owner, amount in parts
        if amount > 0
    ]


def _obligation(lot: Expiring, now: datetime, window_id: UUID) -> dict[str, object]:
    share = lot.issuer_share_micros
    return {
        "wallet_id": lot.wallet_id,
        "window_id": window_id,
        "kind": ObligationKind.EXPIRY,
        "funding": Funding.ISSUANCE,
        "issuer_id": lot.issuer_id,
        "acceptor_id": lot.issuer_id if share > 0 else None,
        "contract_id": lot.contract_id,
        "burn_id": None,
        "lot_id": lot.lot_id,
        "points": lot.points,
        "currency": lot.currency,
        "funded_micros": lot.funded_micros,
        "cost_micros": share,
        "effective_at": now,
    }
