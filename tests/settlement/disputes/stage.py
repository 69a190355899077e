"""Windows closed and drafted by hand: these tests need nothing of clearing but its tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from uuid import UUID

import msgspec
import sqlalchemy as sa

from marketplace.clock import now
from marketplace.ids import next_key, uuid7
from marketplace.ledger.debts import Debt, owe
from marketplace.ledger.domain import WindowStatus
from marketplace.ledger.models import MemberDebt, Obligation, SettlementWindow
from marketplace.ledger.totals import Total, complete
from marketplace.runtime import Runtime
from settlement.clearing.domain import Mode, SettlementKind, SettlementStatus
from settlement.clearing.models import CoveredWindow, Settlement
from settlement.disputes.domain import NO_WALLET, LineId
from settlement.disputes.freezing import frozen
from tests.factories import Coalition


async def close_window(runtime: Runtime) -> UUID:
    """Close the open window and open the next; returns the closed one's id."""
    async with runtime.database.begin() as session:
        row = (
            await session.scalars(
                sa.select(SettlementWindow).where(SettlementWindow.status == WindowStatus.OPEN)
            )
        ).one()
        await complete(session, row.id)
        row.status, row.closed_at = WindowStatus.CLOSED, await now(session)
        await session.flush()
        session.add(SettlementWindow(id=uuid7(), status=WindowStatus.OPEN, opened_at=row.closed_at))
        return row.id


async def owe_a_match(coalition: Coalition) -> Debt:
    """Alpha owes the shop 5.00 for what it added to a gift."""
    debt = Debt(
        plugin="charity",
        reference="share:1",
        debtor_id=coalition.members["alpha"],
        creditor_id=coalition.members["shop"],
        amount_micros=5_000_000,
        currency="EUR",
        reason="a match",
    )
    async with coalition.runtime.database.begin() as session:
        await session.run_sync(owe, debt)
    return debt


async def owe_the_contra(coalition: Coalition, debt: Debt) -> None:
    """That is not owed any more: its contra is."""
    undone = {"reference": f"{debt.reference}:undone", "undoes": debt.reference}
    contra = msgspec.structs.replace(debt, **undone, amount_micros=-debt.amount_micros)
    async with coalition.runtime.database.begin() as session:
        await session.run_sync(owe, contra)


async def draft(runtime: Runtime, windows: Sequence[UUID]) -> tuple[UUID, list[Total]]:
    """A settlement that covers these windows, and what it leaves out."""
    settlement_id = uuid7()
    async with runtime.database.begin() as session:
        session.add(
            Settlement(
                id=settlement_id,
                reference=f"S-{next_key()}",
                kind=SettlementKind.ORDINARY,
                mode=Mode.MULTILATERAL,
                status=SettlementStatus.PENDING,
                origin_id=None,
                due_on=date(2027, 1, 1),
                made_at=await now(session),
                made_by="person:1",
                recorded_by=None,
                approved_by=None,
            )
        )
        await session.flush()
        await session.execute(
            sa.update(SettlementWindow)
            .where(SettlementWindow.id.in_(windows))
            .values(status=WindowStatus.IN_SETTLEMENT)
        )
        for window_id in windows:
            session.add(CoveredWindow(settlement_id=settlement_id, window_id=window_id, live=True))
        await session.flush()
        return settlement_id, await frozen(session, windows)


async def abort(runtime: Runtime, settlement_id: UUID) -> None:
    """Undo a draft: its windows are closed again."""
    async with runtime.database.begin() as session:
        covered = sa.select(CoveredWindow.window_id).where(
            CoveredWindow.settlement_id == settlement_id
        )
        await session.execute(
            sa.update(SettlementWindow)
            .where(SettlementWindow.id.in_(covered))
            .values(status=WindowStatus.CLOSED)
        )
        await session.execute(
            sa.update(CoveredWindow)
            .where(CoveredWindow.settlement_id == settlement_id)
            .values(live=False)
        )
        await session.execute(
            sa.update(Settlement)
            .where(Settlement.id == settlement_id)
            .values(status=SettlementStatus.ABORTED)
        )


async def lines_in(runtime: Runtime, window_id: UUID) -> list[LineId]:
    """Every obligation and debt of a window, as they were written."""
    async with runtime.database.begin() as session:
        obligations = await session.execute(
            sa.select(Obligation.wallet_id, Obligation.id)
            .where(Obligation.window_id == window_id)
            .order_by(Obligation.id)
        )
        debts = await session.scalars(
            sa.select(MemberDebt.id)
            .where(MemberDebt.window_id == window_id)
            .order_by(MemberDebt.id)
        )
        return [
            *(LineId(*row) for row in obligations),
            *(LineId(NO_WALLET, each) for each in debts),
        ]


async def open_window(runtime: Runtime) -> UUID:
    """The window that is open."""
    async with runtime.database.begin() as session:
        found = await session.scalar(
            sa.select(SettlementWindow.id).where(SettlementWindow.status == WindowStatus.OPEN)
        )
        assert found is not None
        return found
