"""Money of lines: suspended, released, matched with legs. Each line is on the books once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.clock import NOW
from marketplace.contract.rails import Direction
from marketplace.ids import uuid7
from settlement.arrays import among
from settlement.bank.domain import LineStatus, Rule
from settlement.bank.models import BankLine, LineState, Match
from settlement.clearing import books, legs
from settlement.clearing.domain import AccountKind, LegStatus, PostingCode
from settlement.clearing.models import Posting, SettlementLeg
from settlement.clearing.rounding import unit_micros
from settlement.errors import StatusChanged

AWAITED: Final = (
    LegStatus.PLANNED,
    LegStatus.SUBMITTED,
    LegStatus.ACCEPTED,
    LegStatus.UNKNOWN,
)
"""Legs whose money may still come."""


ROWS: Final = 1_000
"""Rows sent to the database at once."""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """Why a line is thought to be the money of a leg."""

    rule: Rule
    confidence: int
    reason: str


def expected(leg: SettlementLeg) -> int:
    """What a statement shows when the leg is paid: above zero is money for the house."""
    amount = leg.amount_minor * unit_micros(leg.currency)
    return amount if leg.direction is Direction.COLLECT else -amount


def suspended(line: BankLine, operator_id: UUID) -> books.PostingRow:
    """The posting of a line that nobody has explained."""
    return books.PostingRow(
        code=PostingCode.SUSPEND,
        debit=(AccountKind.BANK, line.account_id),
        credit=(AccountKind.SUSPENSE, operator_id),
        currency=line.currency,
        amount_micros=line.amount_micros,
        entry_id=line.id,
    )


def released(line: BankLine, to: books.Account, operator_id: UUID) -> books.PostingRow:
    """The posting that takes a suspended line to where its money belongs; to the bank account:
    as if it had not been booked yet."""
    return books.PostingRow(
        code=PostingCode.EXPLAIN,
        debit=(AccountKind.SUSPENSE, operator_id),
        credit=to,
        currency=line.currency,
        amount_micros=line.amount_micros,
        entry_id=line.id,
    )


def charged(line: BankLine, operator_id: UUID) -> books.PostingRow:
    """The posting of a line that its bank says is its own charge: as `Action.FEES` books one."""
    return books.PostingRow(
        code=PostingCode.EXPLAIN,
        debit=(AccountKind.BANK, line.account_id),
        credit=(AccountKind.MARGIN, operator_id),
        currency=line.currency,
        amount_micros=line.amount_micros,
        entry_id=line.id,
    )


async def release(
    session: AsyncSession, lines: Iterable[BankLine], statuses: dict[UUID, LineStatus], op: UUID
) -> None:
    """Take back that these lines are suspended, where they are."""
    await books.post(
        session,
        [
            released(each, (AccountKind.BANK, each.account_id), op)
            for each in lines
            if statuses[each.id] is LineStatus.OPEN
        ],
    )


async def set_status(
    session: AsyncSession, entry_ids: Sequence[UUID], before: Sequence[LineStatus], to: LineStatus
) -> None:
    """Lines go on; StatusChanged where one is not where it must be."""
    if not entry_ids:
        return
    done = await session.execute(
        sa.update(LineState)
        .where(among(LineState.entry_id, entry_ids), LineState.status.in_(before))
        .values(status=to)
        .returning(LineState.entry_id)
    )
    if len(done.all()) != len(set(entry_ids)):
        raise StatusChanged("A line of a statement found another match meanwhile. Look again.")


def matched(
    line: BankLine,
    found: Found,
    amount_micros: int,
    *,
    leg_id: UUID | None = None,
    member_id: UUID | None = None,
    move_id: UUID | None = None,
    actor: str,
) -> dict[str, Any]:
    """A match to be written down."""
    return {
        "id": uuid7(),
        "entry_id": line.id,
        "leg_id": leg_id,
        "member_id": member_id,
        "move_id": move_id,
        "rule": found.rule,
        "confidence": found.confidence,
        "reason": found.reason,
        "amount_micros": amount_micros,
        "actor": actor,
        "at": NOW,
    }


async def note_matches(session: AsyncSession, rows: Sequence[dict[str, Any]]) -> None:
    """Write matches down."""
    for start in range(0, len(rows), ROWS):
        await session.execute(sa.insert(Match).values(rows[start : start + ROWS]))


async def note_match(session: AsyncSession, *of: Any, **ids: Any) -> None:
    """Write one down; arguments as of `matched`."""
    await note_matches(session, [matched(*of, **ids)])


async def book(
    session: AsyncSession,
    line: BankLine,
    booked: Sequence[SettlementLeg],
    found: Found,
    *,
    actor: str,
) -> None:
    """A line is the money of all of these legs."""
    for leg in booked:
        await legs.book(
            session,
            leg.id,
            booked_on=line.booked_on,
            entry_id=line.id,
            bank_account_id=line.account_id,
            actor=actor,
            note=found.reason,
        )
        await note_match(session, line, found, expected(leg), leg_id=leg.id, actor=actor)


async def book_split(
    session: AsyncSession,
    parts: Sequence[BankLine],
    leg: SettlementLeg,
    found: Found,
    *,
    actor: str,
) -> None:
    """Several lines are the money of one leg, together."""
    last = max(parts, key=lambda each: each.booked_on)
    await legs.book(
        session,
        leg.id,
        booked_on=last.booked_on,
        entry_id=last.id,
        bank_account_id=last.account_id,
        actor=actor,
        note=found.reason,
    )
    for each in parts:
        await note_match(session, each, found, each.amount_micros, leg_id=leg.id, actor=actor)


async def return_(
    session: AsyncSession,
    line: BankLine,
    leg: SettlementLeg,
    found: Found,
    *,
    hint: bool,
    actor: str,
) -> None:
    """A line says that the money of a leg came back; a hint of it is on no account of ours yet."""
    said = f"{line.return_code} {line.return_text}".strip()
    await legs.return_(
        session,
        leg.id,
        reason=said or "the bank took it back",
        entry_id=line.id,
        bank_account_id=None if hint else line.account_id,
        actor=actor,
        note=found.reason,
    )
    # Announced money is counted by the statement that shows it.
    amount = 0 if hint else -expected(leg)
    await note_match(session, line, found, amount, leg_id=leg.id, actor=actor)


def shown(line: BankLine, leg: SettlementLeg) -> books.PostingRow:
    """The posting of a statement that shows what a rail or a notification said before: from its
    account to ours."""
    return books.PostingRow(
        code=PostingCode.EXPLAIN,
        debit=(AccountKind.BANK, line.account_id),
        credit=(AccountKind.BANK, books.rail_account(leg.rail or "")),
        currency=line.currency,
        amount_micros=line.amount_micros,
        settlement_id=leg.settlement_id,
        leg_id=leg.id,
        entry_id=line.id,
    )


async def show(
    session: AsyncSession, line: BankLine, leg: SettlementLeg, found: Found, *, actor: str
) -> None:
    """A statement shows what a rail or a notification said before."""
    await books.post(session, [shown(line, leg)])
    await note_match(session, line, found, line.amount_micros, leg_id=leg.id, actor=actor)


async def unseen(session: AsyncSession, of: Sequence[SettlementLeg]) -> dict[UUID, list[int]]:
    """By leg, what rails or notifications said has moved and no statement has shown, signed as a
    statement will show it."""
    rails = {each.id: books.rail_account(each.rail or "") for each in of}
    rows = await session.scalars(
        sa.select(Posting)
        .where(
            among(Posting.leg_id, rails),
            sa.or_(
                Posting.debit_account == AccountKind.BANK,
                Posting.credit_account == AccountKind.BANK,
            ),
        )
        .order_by(Posting.id)
    )
    found: dict[UUID, list[int]] = {}
    parts: dict[UUID, list[int]] = {}
    for row in rows:
        if row.leg_id is None:
            continue
        kept = (AccountKind.BANK, rails[row.leg_id])
        amounts = found.setdefault(row.leg_id, [])
        signed = 0
        if (row.debit_account, row.debit_owner) == kept:
            signed = row.amount_micros
        elif (row.credit_account, row.credit_owner) == kept:
            signed = -row.amount_micros
        if row.code is PostingCode.EXPLAIN and -signed in amounts:
            amounts.remove(-signed)
        elif row.code is PostingCode.EXPLAIN and signed:
            parts.setdefault(row.leg_id, []).append(signed)
        elif signed:
            amounts.append(signed)
    for leg_id, some in parts.items():
        # Several lines have shown it together.
        if -sum(some) in found[leg_id]:
            found[leg_id].remove(-sum(some))
        else:
            found[leg_id] += some
    return found


async def rows_of(session: AsyncSession, entry_ids: Sequence[UUID]) -> list[BankLine]:
    """Lines by id, in the order of import."""
    query: Any = (
        sa.select(BankLine)
        .join(LineState, LineState.entry_id == BankLine.id)
        .where(among(BankLine.id, entry_ids))
        .order_by(LineState.place)
    )
    return list(await session.scalars(query))
