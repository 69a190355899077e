"""What must hold after every step: the books hold what statements show, and nothing twice."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa

from marketplace.runtime import Runtime
from settlement.bank.domain import LineStatus
from settlement.bank.models import BankLine, BankStatement, LineState, Match, Move
from settlement.clearing import books
from settlement.clearing.domain import AccountKind, LegStatus
from settlement.clearing.models import SettlementLeg
from settlement.clearing.rounding import unit_micros


async def prove(runtime: Runtime) -> None:
    """Raise where it does not hold."""
    async with runtime.database.begin() as session:
        rows = await session.execute(
            sa.select(BankLine.account_id, sa.func.sum(BankLine.amount_micros))
            .join(BankStatement, BankStatement.id == BankLine.statement_id)
            .where(BankStatement.kind == "statement", BankLine.state == "booked")
            .group_by(BankLine.account_id)
        )
        shown = {row[0]: int(row[1]) for row in rows}
        booked: dict[UUID, int] = {}
        for each in await books.balances(session, account=AccountKind.BANK):
            if each.owner in shown:
                booked[each.owner] = -each.balance_micros
        assert booked == {owner: total for owner, total in shown.items() if total}
        open_sum = await session.scalar(
            sa.select(sa.func.sum(BankLine.amount_micros))
            .join(LineState, LineState.entry_id == BankLine.id)
            .where(LineState.status == LineStatus.OPEN)
        )
        suspense = sum(
            each.balance_micros
            for each in await books.balances(session, account=AccountKind.SUSPENSE)
        )
        assert suspense == int(open_sum or 0)
        legs = {leg.id: leg for leg in await session.scalars(sa.select(SettlementLeg))}
        sums: dict[UUID, int] = {}
        for match in await session.scalars(sa.select(Match).where(Match.leg_id.is_not(None))):
            assert match.leg_id is not None
            sums[match.leg_id] = sums.get(match.leg_id, 0) + match.amount_micros
        for leg_id, total in sums.items():
            leg = legs[leg_id]
            whole = leg.amount_minor * unit_micros(leg.currency)
            signed = whole if leg.direction.value == "collect" else -whole
            # Announced by a notification, a return is counted once a statement shows it.
            fits = {LegStatus.BOOKED: (signed,), LegStatus.RETURNED: (0, signed)}
            assert total in fits.get(leg.status, (0,)), leg.reference
        moves = {move.id: move for move in await session.scalars(sa.select(Move))}
        for each in await books.balances(session, account=AccountKind.IN_TRANSIT):
            if each.owner in moves:
                assert each.balance_micros == -moves[each.owner].open_micros
                continue
            assert legs[each.owner].status in (
                LegStatus.SUBMITTED,
                LegStatus.ACCEPTED,
                LegStatus.UNKNOWN,
            )
