"""What legs are paid with, and when there is money to pay creditors."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.contract.rails import Direction
from settlement.clearing import repository
from settlement.clearing.books import balances
from settlement.clearing.domain import AccountKind, LegStatus, PayAccountStatus, PostingCode
from settlement.clearing.errors import NoPayAccount
from settlement.clearing.models import (
    PayAccount,
    Posting,
    SettledPosition,
    Settlement,
    SettlementLeg,
)
from settlement.clearing.rounding import unit_micros
from settlement.domain import PartyKind


async def fix_accounts(
    session: AsyncSession,
    legs: Sequence[SettlementLeg],
    settlement: Settlement,
    *,
    or_refuse: bool = True,
) -> None:
    """Give each planned leg the account, name and text it is paid with from now on.

    NoPayAccount names every member that has none, so that nothing goes half.
    """
    wanted = [
        leg for leg in legs if leg.status is LegStatus.PLANNED and leg.counterparty_id is None
    ]
    members = await repository.names(session, {leg.member_id for leg in wanted})
    active = await _active(session, {leg.member_id for leg in wanted})
    missing = []
    for leg in wanted:
        account = active.get((leg.member_id, leg.currency))
        if account is None:
            missing.append(f"{members[leg.member_id].slug} ({leg.currency})")
            continue
        leg.rail, leg.account = account.rail, account.account
        leg.name = members[leg.member_id].name
        leg.text = f"Coalition settlement {settlement.reference}"
    if missing and or_refuse:
        raise NoPayAccount(
            f"No approved account: {', '.join(missing)}. Propose and approve them, or say that "
            "these members are paid by hand."
        )
    await session.flush()


async def _active(
    session: AsyncSession, member_ids: set[UUID]
) -> dict[tuple[UUID, str], PayAccount]:
    rows = await session.scalars(
        sa.select(PayAccount).where(
            PayAccount.member_id.in_(member_ids), PayAccount.status == PayAccountStatus.ACTIVE
        )
    )
    return {(row.member_id, row.currency): row for row in rows}


async def lacking(session: AsyncSession, settlement: Settlement, currency: str) -> int:
    """Micros that are missing before the creditors of a settlement can all be paid; 0: none.

    All of them or nobody, so that no creditor is paid from what another one is owed. What is there
    is what the settlement (with those that cover its defaults) has collected, took from money paid
    ahead or frees from pools, less what goes into pools and what was paid or sent to be paid; and
    the banks must hold that much beside what belongs to members. The cents that rounding is short
    of are the rounding account's.
    """
    family = await repository.family(session, settlement)
    need = await _sum_of_legs(session, currency, [LegStatus.PLANNED], family=[settlement.id])
    if not need:
        return 0
    sent = list(repository.WITH_RAIL)
    own = (
        await _moved(session, family, currency)
        - await _sum_of_legs(session, currency, sent, family=family)
        - await _into_pools(session, family, currency)
        + await _rounding_short(session, family, currency)
    )
    held = await _by_kind(session, currency)
    everywhere = (
        -held.get(AccountKind.BANK, 0)
        - held.get(AccountKind.PREFUND, 0)
        - max(held.get(AccountKind.SUSPENSE, 0), 0)
        - await _sum_of_legs(session, currency, sent)
        + max(-held.get(AccountKind.ROUNDING, 0), 0)
    )
    return max(need - min(own, everywhere), 0)


async def _by_kind(session: AsyncSession, currency: str) -> dict[AccountKind, int]:
    sums: dict[AccountKind, int] = {}
    for each in await balances(session, currency=currency):
        sums[each.account] = sums.get(each.account, 0) + each.balance_micros
    return sums


async def _sum_of_legs(
    session: AsyncSession,
    currency: str,
    statuses: Sequence[LegStatus],
    *,
    family: Sequence[UUID] | None = None,
) -> int:
    """Micros of the clearing house's legs to creditors in these statuses."""
    query = sa.select(sa.func.coalesce(sa.func.sum(SettlementLeg.amount_minor), 0)).where(
        SettlementLeg.direction == Direction.PAY,
        SettlementLeg.counterparty_id.is_(None),
        SettlementLeg.currency == currency,
        SettlementLeg.status.in_(statuses),
    )
    if family is not None:
        query = query.where(SettlementLeg.settlement_id.in_(family))
    return int((await session.execute(query)).scalar_one()) * unit_micros(currency)


async def _moved(session: AsyncSession, family: Sequence[UUID], currency: str) -> int:
    """Micros that banks show collected less paid, and that were taken from money paid ahead."""
    into = {AccountKind.BANK: 1, AccountKind.PREFUND: 1}
    rows = await session.execute(
        sa.select(Posting.debit_account, Posting.credit_account, Posting.amount_micros).where(
            Posting.settlement_id.in_(family),
            Posting.currency == currency,
            Posting.code.in_([PostingCode.BOOK, PostingCode.RETURN, PostingCode.PREFUND]),
        )
    )
    return sum(
        amount * (into.get(debit, 0) - into.get(credit, 0)) for debit, credit, amount in rows
    )


async def _into_pools(session: AsyncSession, family: Sequence[UUID], currency: str) -> int:
    """Micros that a settlement puts into pools; below zero it frees money from them."""
    found = await session.execute(
        sa.select(sa.func.coalesce(sa.func.sum(SettledPosition.net_micros), 0)).where(
            SettledPosition.settlement_id.in_(family),
            SettledPosition.currency == currency,
            SettledPosition.party == PartyKind.POOL,
        )
    )
    return int(found.scalar_one())


async def _rounding_short(session: AsyncSession, family: Sequence[UUID], currency: str) -> int:
    found = await session.execute(
        sa.select(sa.func.coalesce(sa.func.sum(SettlementLeg.remainder_micros), 0)).where(
            SettlementLeg.settlement_id.in_(family),
            SettlementLeg.currency == currency,
            SettlementLeg.counterparty_id.is_(None),
            SettlementLeg.replaces_id.is_(None),
        )
    )
    return max(-int(found.scalar_one()), 0)
