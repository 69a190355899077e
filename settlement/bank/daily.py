"""The five-way daily close: points ledger = burns = supplier confirmations = settlement = bank.

Each side is read from its own tables, by a statement that shares nothing with the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.clock import now
from marketplace.errors import InvalidRequest
from settlement.bank.breaking import UNRESOLVED
from settlement.bank.domain import BreakKind, Close
from settlement.bank.models import Break
from settlement.clearing.domain import AccountKind

# Sides of a day: rows of (currency, points or micros). A refund counts on the day it was made.
_PART: Final = "div(b.cost_micros::numeric * ({}), b.points)"
_KEPT: Final = "b.points - prior.points"
_REFUNDED: Final = f"{_PART.format(_KEPT)} - {_PART.format(f'{_KEPT} - r.points')}"
_REFUNDS: Final = """
    from refund r join burn b on b.id = r.burn_id and b.wallet_id = r.wallet_id
    cross join lateral (
        select coalesce(sum(p.points), 0) as points from refund p
        where p.burn_id = r.burn_id and p.wallet_id = r.wallet_id
          and (p.effective_at, p.id) < (r.effective_at, r.id)
    ) prior"""
_IN_DAY: Final = "{}.effective_at >= :since and {}.effective_at < :until"


def _within(alias: str) -> str:
    return _IN_DAY.format(alias, alias)


LEDGER_POINTS: Final = f"""
select '' as currency, sum(case code when 'capture' then amount else -amount end) as amount
from transfer t where unit = 'POINTS' and code in ('capture', 'refund') and {_within("t")}
"""
BURNS_POINTS: Final = f"""
select '', sum(points) from (
    select b.points from burn_resolution x
    join burn b on b.id = x.burn_id and b.wallet_id = x.wallet_id
    where x.outcome = 'captured' and {_within("x")}
    union all
    select -r.points from refund r where {_within("r")}
) side (points)
"""
SUPPLIER_POINTS: Final = f"""
select '', sum(points) from (
    select b.points from supplier_confirmation c
    join burn b on b.id = c.burn_id and b.wallet_id = c.wallet_id
    join burn_resolution x on x.burn_id = c.burn_id and x.wallet_id = c.wallet_id
    where {_within("x")}
    union all
    select -r.points from refund r
    join supplier_confirmation c on c.burn_id = r.burn_id and c.wallet_id = r.wallet_id
    where {_within("r")}
) side (points)
"""
# Of a lot that is funded both ways there are two obligations for the same points.
SETTLEMENT_POINTS: Final = f"""
select '', sum(o.points) from obligation o
join lot l on l.wallet_id = o.wallet_id and l.id = o.lot_id
where o.kind in ('capture', 'refund') and {_within("o")}
  and (o.funding = 'redemption' or l.pooled_price_micros = l.price_micros)
"""
LEDGER_COST: Final = f"""
select unit, sum(case when credit_account = 'acceptor_payable' then amount else -amount end)
from transfer t
where code in ('capture', 'refund') and {_within("t")}
  and (credit_account = 'acceptor_payable') <> (debit_account = 'acceptor_payable')
group by unit
"""
BURNS_COST: Final = f"""
select currency, sum(micros) from (
    select b.currency, b.cost_micros from burn_resolution x
    join burn b on b.id = x.burn_id and b.wallet_id = x.wallet_id
    where x.outcome = 'captured' and {_within("x")}
    union all
    select b.currency, -({_REFUNDED}) {_REFUNDS} where {_within("r")}
) side (currency, micros) where currency is not null group by currency
"""
SUPPLIER_COST: Final = f"""
select currency, sum(micros) from (
    select b.currency, b.cost_micros from supplier_confirmation c
    join burn b on b.id = c.burn_id and b.wallet_id = c.wallet_id
    join burn_resolution x on x.burn_id = c.burn_id and x.wallet_id = c.wallet_id
    where {_within("x")}
    union all
    select b.currency, -({_REFUNDED}) {_REFUNDS}
    join supplier_confirmation c on c.burn_id = r.burn_id and c.wallet_id = r.wallet_id
    where {_within("r")}
) side (currency, micros) where currency is not null group by currency
"""
SETTLEMENT_COST: Final = f"""
select currency, sum(cost_micros) from obligation o
where kind in ('capture', 'refund') and {_within("o")} group by currency
"""
# Money that statements show, against what the books and the legs say of the same lines.
SETTLEMENT_PAID: Final = """
select p.currency, sum(case when (p.debit_account, p.debit_owner) = ('bank', e.account_id)
                            then p.amount_micros else -p.amount_micros end)
from settlement_posting p join settlement_bank_entry e on e.id = p.entry_id
where e.booked_on = :day
  -- The other side may be a bank too: what a rail said has moved, until the statement shows it.
  and ((p.debit_account, p.debit_owner) = ('bank', e.account_id)
       or (p.credit_account, p.credit_owner) = ('bank', e.account_id))
group by p.currency
"""
BANK_PAID: Final = """
select e.currency, sum(e.amount_micros)
from settlement_bank_entry e join settlement_bank_statement s on s.id = e.statement_id
where s.kind = 'statement' and e.state = 'booked' and e.booked_on = :day
group by e.currency
"""
# Of each settlement: what its booked legs moved through the bank, against lines matched with them.
SETTLED_LEGS: Final = """
select s.reference, l.currency,
       sum(case l.direction when 'collect' then 1 else -1 end * b.amount_micros)
from settlement_leg l join settlement_settlement s on s.id = l.settlement_id
cross join lateral (
    select p.amount_micros from settlement_posting p
    where p.leg_id = l.id and p.code = 'book' and 'bank' in (p.debit_account, p.credit_account)
    limit 1
) b
where l.status = 'booked' and l.booked_on = :day
group by s.reference, l.currency
"""
SETTLED_LINES: Final = """
select s.reference, l.currency, sum(m.amount_micros)
from settlement_bank_match m
join settlement_leg l on l.id = m.leg_id
join settlement_settlement s on s.id = l.settlement_id
where l.status = 'booked' and l.booked_on = :day
group by s.reference, l.currency
"""


class Measure(StrEnum):
    """What is compared."""

    POINTS = "points"
    """Captured less refunded."""
    COST = "cost"
    """What acceptors are owed for them, in micros."""
    PAID = "paid"
    """What statements of the day show, in micros, matched or suspended."""
    LEGS = "legs"
    """Legs of one settlement that were booked on the day, in micros."""


class CloseRow(msgspec.Struct, frozen=True, kw_only=True):
    """One figure from each side that has one."""

    measure: Measure
    currency: str
    """Empty: points."""
    settlement: str = ""
    """Reference, of `legs`."""
    figures: dict[Close, int]

    @property
    def agrees(self) -> bool:
        """Whether all sides say the same."""
        return len(set(self.figures.values())) <= 1


class CloseBreak(msgspec.Struct, frozen=True, kw_only=True):
    """What is left to do."""

    id: UUID
    kind: BreakKind
    currency: str
    amount_micros: int
    opened_on: date
    reason: str


class FiveWay(msgspec.Struct, frozen=True, kw_only=True):
    """The close of one day (UTC)."""

    day: date
    rows: list[CloseRow]
    breaks: list[CloseBreak]
    """Unresolved, of this day or before; the oldest 200."""
    break_count: int
    suspense_micros: dict[str, int]
    """By currency, what nobody has explained of lines of this day or before."""
    green: bool


SIDES: Final[dict[Measure, dict[Close, str]]] = {
    Measure.POINTS: {
        Close.LEDGER: LEDGER_POINTS,
        Close.BURNS: BURNS_POINTS,
        Close.SUPPLIERS: SUPPLIER_POINTS,
        Close.SETTLEMENT: SETTLEMENT_POINTS,
    },
    Measure.COST: {
        Close.LEDGER: LEDGER_COST,
        Close.BURNS: BURNS_COST,
        Close.SUPPLIERS: SUPPLIER_COST,
        Close.SETTLEMENT: SETTLEMENT_COST,
    },
    Measure.PAID: {Close.SETTLEMENT: SETTLEMENT_PAID, Close.BANK: BANK_PAID},
}


async def close_of_day(session: AsyncSession, day: date | None = None) -> FiveWay:
    """Compare the five sides for a day of business time (UTC), yesterday where none is given."""
    if day is None:
        day = (await now(session)).date() - timedelta(days=1)
    if day == date.max:
        raise InvalidRequest(f"{day} does not end.")
    since = datetime(day.year, day.month, day.day, tzinfo=UTC)
    times = {"since": since, "until": since + timedelta(days=1)}
    rows: list[CloseRow] = []
    for measure, sides in SIDES.items():
        given = {"day": day} if measure is Measure.PAID else times
        found = {side: await _side(session, sql, given) for side, sql in sides.items()}
        rows += _rows(measure, found)
    rows += await _legs(session, day)
    breaks, count = await _breaks(session, day)
    return FiveWay(
        day=day,
        rows=rows,
        breaks=breaks,
        break_count=count,
        suspense_micros=await _suspense(session, day),
        green=not count and all(row.agrees for row in rows),
    )


async def _side(session: AsyncSession, sql: str, given: Mapping[str, Any]) -> dict[str, int]:
    rows = await session.execute(sa.text(sql), dict(given))
    return {row[0]: int(row[1] or 0) for row in rows}


def _rows(measure: Measure, found: Mapping[Close, Mapping[str, int]]) -> list[CloseRow]:
    currencies = sorted({currency for each in found.values() for currency in each})
    return [
        CloseRow(
            measure=measure,
            currency=currency,
            figures={side: each.get(currency, 0) for side, each in found.items()},
        )
        for currency in currencies
    ]


async def _legs(session: AsyncSession, day: date) -> list[CloseRow]:
    sides = {Close.SETTLEMENT: SETTLED_LEGS, Close.BANK: SETTLED_LINES}
    found: dict[tuple[str, str], dict[Close, int]] = {}
    for side, sql in sides.items():
        for reference, currency, amount in await session.execute(sa.text(sql), {"day": day}):
            at = found.setdefault((reference, currency), dict.fromkeys(sides, 0))
            at[side] = int(amount)
    return [
        CloseRow(measure=Measure.LEGS, currency=currency, settlement=reference, figures=figures)
        for (reference, currency), figures in sorted(found.items())
    ]


async def _breaks(session: AsyncSession, day: date) -> tuple[list[CloseBreak], int]:
    where = (Break.status.in_(UNRESOLVED), Break.opened_on <= day)
    count = await session.scalar(sa.select(sa.func.count()).select_from(Break).where(*where))
    rows = await session.scalars(
        sa.select(Break).where(*where).order_by(Break.opened_on, Break.id).limit(200)
    )
    shown = [
        CloseBreak(
            id=row.id,
            kind=row.kind,
            currency=row.currency,
            amount_micros=row.amount_micros,
            opened_on=row.opened_on,
            reason=row.reason,
        )
        for row in rows
    ]
    return shown, int(count or 0)


async def _suspense(session: AsyncSession, day: date) -> dict[str, int]:
    sql = """
        select p.currency, sum(case when p.credit_account = :kind then p.amount_micros else 0 end
                               - case when p.debit_account = :kind then p.amount_micros else 0 end)
        from settlement_posting p left join settlement_bank_entry e on e.id = p.entry_id
        where :kind in (p.credit_account, p.debit_account)
          and (e.booked_on is null or e.booked_on <= :day)
        group by p.currency
    """
    typed = sql.replace(":kind", f"'{AccountKind.SUSPENSE.value}'")
    found = await _side(session, typed, {"day": day})
    return {currency: amount for currency, amount in found.items() if amount}
