"""Reading wallets: who may see one, what it has, what happened to it."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.errors import NotFound
from marketplace.identity.domain import Principal, Role
from marketplace.ledger import repository
from marketplace.ledger.domain import Account
from marketplace.ledger.lots import lots_in_draw_order
from marketplace.ledger.repository import HistoryRow, WalletOwner
from marketplace.ledger.schemas import ExpiryView, HistoryLine, LotPage, LotView, WalletView

MOST_LOTS: Final = 200
"""Lots that are listed at once."""


def may_see(principal: Principal, owner: WalletOwner) -> bool:
    """The operator all; a key its member's firms; a person their own wallet or managed firm."""
    if principal.is_operator:
        return True
    if principal.is_key:
        return owner.sponsor_id is not None and owner.sponsor_id == principal.member_id
    own = Role.PARTICIPANT in principal.roles and principal.participant_id is not None
    if own and owner.participant_id == principal.participant_id:
        return True
    manages = Role.FIRM_MANAGER in principal.roles and principal.firm_id is not None
    return manages and owner.firm_id == principal.firm_id


async def _require_visible(session: AsyncSession, principal: Principal, wallet_id: UUID) -> None:
    owner = await repository.wallet_owner(session, wallet_id)
    if owner is None or not may_see(principal, owner):
        raise NotFound(f"No wallet {wallet_id} is open to you.")


async def own_wallet(session: AsyncSession, principal: Principal) -> UUID:
    """The wallet of a participant; NotFound where the caller has none."""
    found = None
    if principal.participant_id is not None:
        found = await repository.wallet_of(session, principal.participant_id)
    if found is None:
        raise NotFound("You have no wallet of your own.")
    return found


async def read_wallet(session: AsyncSession, principal: Principal, wallet_id: UUID) -> WalletView:
    """Balances of a wallet; NotFound where the caller may not see it."""
    await _require_visible(session, principal, wallet_id)
    balance = await repository.balance(session, wallet_id)
    expiries = tuple(ExpiryView(each.expires_at, each.points) for each in balance.next_expiries)
    return WalletView(wallet_id, balance.available, balance.held, expiries)


async def read_lots(
    session: AsyncSession, principal: Principal, wallet_id: UUID, *, limit: int = MOST_LOTS
) -> LotPage:
    """The first `limit` lots that a burn would take from; NotFound as above."""
    await _require_visible(session, principal, wallet_id)
    found = await lots_in_draw_order(session, wallet_id, limit=limit + 1)
    items = [
        LotView(
            id=str(each.id),
            issuer=each.issuer,
            reference=each.reference,
            points=each.points,
            remaining=each.remaining,
            currency=each.currency,
            effective_at=each.effective_at,
            expires_at=each.expires_at,
        )
        for each in found[:limit]
    ]
    return LotPage(items, more=len(found) > limit)


async def read_history(
    session: AsyncSession,
    principal: Principal,
    wallet_id: UUID,
    *,
    before: int | None,
    limit: int,
) -> list[HistoryLine]:
    """Up to `limit` events older than transfer `before`, newest first; NotFound as above."""
    await _require_visible(session, principal, wallet_id)
    rows = await repository.history(session, wallet_id, before=before, limit=limit)
    return [_line(row) for row in rows]


def _effect(row: HistoryRow, account: Account) -> int:
    """What the transfer adds to one of the wallet's accounts."""
    return row.amount * ((row.credit_account is account) - (row.debit_account is account))


def _line(row: HistoryRow) -> HistoryLine:
    available = _effect(row, Account.WALLET_AVAILABLE)
    held = _effect(row, Account.WALLET_HELD)
    return HistoryLine(
        id=str(row.id),
        code=row.code,
        # A hold or void moves points between the two balances: the available one is what counts.
        points=available if available else held,
        available=available,
        held=held,
        burn_id=row.burn_id,
        offer=row.offer_name,
        offer_id=row.offer_id,
        title=row.offer_name,
        lot=row.lot_reference,
        issuer=row.issuer,
        effective_at=row.effective_at,
    )
