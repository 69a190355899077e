"""The clearing house's own books: postings are made, never changed; balances are their sums.

A balance is what was credited less what was debited: above zero it is owed to the owner.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, TypeAlias
from uuid import UUID, uuid5

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.clock import NOW
from marketplace.ids import take_keys
from settlement.clearing.domain import AccountKind, PostingCode
from settlement.clearing.models import Posting, SettlementLeg
from settlement.clearing.netting import Flow, Party
from settlement.clearing.rounding import unit_micros
from settlement.domain import PartyKind

RAILS: Final = UUID("6f0f7c1e-52a5-5d0c-9b7e-0c6b3f3d9a11")
"""Namespace of the accounts that online rails keep for the clearing house."""

Account: TypeAlias = tuple[AccountKind, UUID]
"""An account is a kind and its owner."""

OF_PARTY: Final = {
    PartyKind.MEMBER: AccountKind.MEMBER_DUE,
    PartyKind.OPERATOR: AccountKind.MARGIN,
    PartyKind.POOL: AccountKind.POOL,
}


class PostingRow(msgspec.Struct, frozen=True, kw_only=True):
    """A posting to be made, from the account debited to the account credited."""

    code: PostingCode
    debit: Account
    credit: Account
    currency: str
    amount_micros: int
    """Of nothing none is made; below zero it is made the other way round."""
    settlement_id: UUID | None = None
    leg_id: UUID | None = None
    entry_id: UUID | None = None
    effective_at: datetime | None = None
    """None: business time now."""


class Balance(msgspec.Struct, frozen=True):
    """What one account holds."""

    account: AccountKind
    owner: UUID
    currency: str
    balance_micros: int
    """Credited less debited."""


def rail_account(rail: str) -> UUID:
    """Owner of the bank account that holds what an online rail says it has moved, until the
    clearing house's bank shows it."""
    return uuid5(RAILS, rail)


def account_of(party: Party) -> Account:
    """The account of a party of a settlement."""
    return (OF_PARTY[party.kind], party.member_id)


async def post(session: AsyncSession, rows: Iterable[PostingRow]) -> None:
    """Make these postings, in one statement."""
    found = [_straight(row) for row in rows if row.amount_micros and row.debit != row.credit]
    if not found:
        return
    values = [
        {
            "id": key,
            "code": row.code,
            "debit_account": row.debit[0],
            "debit_owner": row.debit[1],
            "credit_account": row.credit[0],
            "credit_owner": row.credit[1],
            "currency": row.currency,
            "amount_micros": row.amount_micros,
            "settlement_id": row.settlement_id,
            "leg_id": row.leg_id,
            "entry_id": row.entry_id,
            "effective_at": row.effective_at or NOW,
        }
        for key, row in zip(take_keys(len(found)), found, strict=True)
    ]
    for start in range(0, len(values), 1_000):
        await session.execute(sa.insert(Posting).values(values[start : start + 1_000]))


def _straight(row: PostingRow) -> PostingRow:
    if row.amount_micros > 0:
        return row
    return msgspec.structs.replace(
        row, debit=row.credit, credit=row.debit, amount_micros=-row.amount_micros
    )


async def balances(
    session: AsyncSession,
    *,
    account: AccountKind | None = None,
    owner: UUID | None = None,
    currency: str | None = None,
    settlement_ids: Sequence[UUID] | None = None,
) -> list[Balance]:
    """Balances that are not zero: of one kind, of one owner, in one currency, of what these
    settlements posted; of all."""
    both = sa.union_all(
        sa.select(
            Posting.debit_account.label("account"),
            Posting.debit_owner.label("owner"),
            Posting.currency,
            Posting.settlement_id,
            (-Posting.amount_micros).label("amount"),
        ),
        sa.select(
            Posting.credit_account,
            Posting.credit_owner,
            Posting.currency,
            Posting.settlement_id,
            Posting.amount_micros,
        ),
    ).subquery()
    total = sa.func.sum(both.c.amount)
    query = (
        sa.select(both.c.account, both.c.owner, both.c.currency, total)
        .group_by(both.c.account, both.c.owner, both.c.currency)
        .having(total != 0)
        .order_by(both.c.account, both.c.owner, both.c.currency)
    )
    if account is not None:
        query = query.where(both.c.account == account)
    if owner is not None:
        query = query.where(both.c.owner == owner)
    if currency is not None:
        query = query.where(both.c.currency == currency)
    if settlement_ids is not None:
        query = query.where(both.c.settlement_id.in_(settlement_ids))
    return [Balance(*row[:3], int(row[3])) for row in await session.execute(query)]


def legs_held(bank_accounts: Iterable[UUID]) -> sa.Select[UUID | None]:
    """Legs with money on one of these bank accounts that has not gone on from there."""
    owners = list(bank_accounts)
    debits = sa.and_(Posting.debit_account == AccountKind.BANK, Posting.debit_owner.in_(owners))
    credits_ = sa.and_(Posting.credit_account == AccountKind.BANK, Posting.credit_owner.in_(owners))
    signed = sa.case((debits, Posting.amount_micros), else_=-Posting.amount_micros)
    return (
        sa.select(Posting.leg_id)
        .where(Posting.leg_id.is_not(None), sa.or_(debits, credits_))
        .group_by(Posting.leg_id)
        .having(sa.func.sum(signed) != 0)
    )


async def balance(session: AsyncSession, account: AccountKind, owner: UUID, currency: str) -> int:
    """The balance of one account."""
    found = await balances(session, account=account, owner=owner, currency=currency)
    return found[0].balance_micros if found else 0


def netted(
    settlement_id: UUID, flows: Iterable[Flow], margins: Iterable[tuple[str, UUID, int]]
) -> list[PostingRow]:
    """Postings of a settlement that was recorded: every flow, then margins as dues of the operator.

    `margins`: currency, operator, net.
    """
    made = [
        PostingRow(
            code=PostingCode.NET,
            debit=account_of(flow.payer),
            credit=account_of(flow.payee),
            currency=flow.currency,
            amount_micros=flow.amount_micros,
            settlement_id=settlement_id,
        )
        for flow in flows
    ]
    return made + [
        PostingRow(
            code=PostingCode.NET,
            debit=(AccountKind.MARGIN, operator_id),
            credit=(AccountKind.MEMBER_DUE, operator_id),
            currency=currency,
            amount_micros=net,
            settlement_id=settlement_id,
        )
        for currency, operator_id, net in margins
    ]


def rounding(leg: SettlementLeg, operator_id: UUID) -> list[PostingRow]:
    """Postings of what rounding a leg left over: the dues become what is paid."""
    sides = [(leg.member_id, leg.remainder_micros)]
    if leg.counterparty_id is not None:
        sides.append((leg.counterparty_id, -leg.remainder_micros))
    return [
        PostingRow(
            code=PostingCode.ROUND,
            debit=(AccountKind.MEMBER_DUE, member_id),
            credit=(AccountKind.ROUNDING, operator_id),
            currency=leg.currency,
            amount_micros=remainder,
            settlement_id=leg.settlement_id,
            leg_id=leg.id,
        )
        for member_id, remainder in sides
    ]


def of_leg(
    code: PostingCode,
    leg: SettlementLeg,
    debit: Account,
    credit: Account,
    *,
    entry_id: UUID | None = None,
) -> PostingRow:
    """A posting of the whole amount of a leg that collects, from `debit` to `credit`.

    For a leg that pays it is made the other way round.
    """
    amount = leg.amount_minor * unit_micros(leg.currency)
    return PostingRow(
        code=code,
        debit=debit,
        credit=credit,
        currency=leg.currency,
        amount_micros=amount if leg.net_micros < 0 else -amount,
        settlement_id=leg.settlement_id,
        leg_id=leg.id,
        entry_id=entry_id,
    )


def due(leg: SettlementLeg) -> Account:
    """The account that a leg settles."""
    return (AccountKind.MEMBER_DUE, leg.member_id)


def transit(leg: SettlementLeg) -> Account:
    """The account of a leg's money while it is with the rail."""
    return (AccountKind.IN_TRANSIT, leg.id)


def far_side(leg: SettlementLeg, bank_account_id: UUID | None) -> Account:
    """Where the money of a leg ends (or comes from): the bank, or the other member."""
    if leg.counterparty_id is not None:
        return (AccountKind.MEMBER_DUE, leg.counterparty_id)
    return (AccountKind.BANK, bank_account_id or rail_account(leg.rail or ""))
