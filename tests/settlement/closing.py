"""Closes the open window and settles it in the simplest way, for tests of what comes after."""

from __future__ import annotations

import asyncio
from datetime import date
from uuid import UUID

import sqlalchemy as sa

from marketplace.clock import NOW
from marketplace.contract.rails import Direction
from marketplace.db import Database
from marketplace.ids import next_key, uuid7
from marketplace.ledger.domain import WindowStatus
from marketplace.ledger.models import SettlementWindow
from marketplace.ledger.totals import complete, lag, roll
from settlement.clearing.domain import (
    AccountKind,
    LegStatus,
    Mode,
    PostingCode,
    SettlementKind,
    SettlementStatus,
)
from settlement.clearing.models import CoveredWindow, Posting, Settlement, SettlementLeg

CENT = 10_000


async def catch_up(database: Database) -> None:
    """Roll until nothing is uncounted: transactions of any database of this server hold it back."""
    async with asyncio.timeout(60):
        while True:
            async with database.begin() as session:
                await roll(session)
                if not (await lag(session)).rows:
                    return
            await asyncio.sleep(0.05)


async def close_window(owner: Database) -> UUID:
    """Close the open window; returns its id."""
    async with owner.begin() as session:
        row = (
            await session.scalars(sa.select(SettlementWindow).where(_open()).with_for_update())
        ).one()
        await complete(session, row.id)
        row.status = WindowStatus.CLOSED
        row.closed_at = (await session.execute(sa.select(NOW))).scalar_one()
        await session.flush()
        session.add(SettlementWindow(id=uuid7(), status=WindowStatus.OPEN, opened_at=row.closed_at))
        return row.id


def _open() -> sa.ColumnElement[bool]:
    return SettlementWindow.status == WindowStatus.OPEN


async def settle(owner: Database, windows: list[UUID], nets: dict[UUID, int]) -> str:
    """A recorded settlement of these windows with a booked leg for each net in micros of EUR."""
    reference = f"S-{next_key()}"
    settlement_id, operator = uuid7(), next(iter(nets))
    async with owner.begin() as session:
        session.add(
            Settlement(
                id=settlement_id,
                reference=reference,
                kind=SettlementKind.ORDINARY,
                mode=Mode.MULTILATERAL,
                status=SettlementStatus.RECORDED,
                origin_id=None,
                due_on=date(2026, 12, 1),
                made_at=(await session.execute(sa.select(NOW))).scalar_one(),
                made_by="person:one",
                recorded_by="person:one",
                approved_by=None,
            )
        )
        await session.flush()
        for window_id in windows:
            session.add(CoveredWindow(settlement_id=settlement_id, window_id=window_id, live=True))
        for number, (member_id, net) in enumerate(nets.items()):
            minor = abs(net) // CENT
            remainder = net - (minor * CENT if net >= 0 else -minor * CENT)
            leg = SettlementLeg(
                id=uuid7(),
                settlement_id=settlement_id,
                reference=f"{reference}-{number}",
                member_id=member_id,
                counterparty_id=None,
                currency="EUR",
                direction=Direction.COLLECT if net < 0 else Direction.PAY,
                net_micros=net,
                amount_minor=minor,
                remainder_micros=remainder,
                status=LegStatus.BOOKED,
                rail="sepa" if minor else None,
                account=None,
                rail_reference=f"BANK-{number}" if minor else "",
                due_on=date(2026, 12, 1),
                booked_on=date(2026, 12, 2),
                replaces_id=None,
                reason="",
            )
            session.add(leg)
            await session.flush()
            if minor:
                session.add(_booked(leg, operator))
    return reference


def _booked(leg: SettlementLeg, operator: UUID) -> Posting:
    """The bank shows the money of a leg."""
    bank, due = (AccountKind.BANK, operator), (AccountKind.MEMBER_DUE, leg.member_id)
    debit, credit = (bank, due) if leg.net_micros < 0 else (due, bank)
    return Posting(
        id=next_key(),
        code=PostingCode.BOOK,
        debit_account=debit[0],
        debit_owner=debit[1],
        credit_account=credit[0],
        credit_owner=credit[1],
        currency=leg.currency,
        amount_micros=leg.amount_minor * CENT,
        settlement_id=leg.settlement_id,
        leg_id=leg.id,
        entry_id=uuid7(),
        effective_at=sa.func.marketplace_now(),
    )
