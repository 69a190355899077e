"""Money between accounts of the house, or kept back for it: in transit until its lines come to
nothing together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.contract.bank_records import OwnMove
from marketplace.ids import uuid7
from settlement.arrays import among
from settlement.bank import lines
from settlement.bank.domain import LineStatus, Rule
from settlement.bank.lines import Found
from settlement.bank.models import BankLine, LineState, Match, Move
from settlement.clearing import books
from settlement.clearing.domain import AccountKind, PostingCode

MOST: Final = 10_000
"""Open moves that one pass looks at."""


class Tied(msgspec.Struct, frozen=True):
    """A line that is a side of a move."""

    line: BankLine
    move_id: UUID
    found: Found


async def unseen(session: AsyncSession, most: int) -> list[BankLine]:
    """New lines that name their move, in the order of import."""
    rows = await session.scalars(
        sa.select(BankLine)
        .join(LineState, LineState.entry_id == BankLine.id)
        .where(LineState.status == LineStatus.NEW, BankLine.own.is_not(None))
        .order_by(LineState.place)
        .limit(most)
    )
    return list(rows)


async def named(session: AsyncSession, rows: Sequence[BankLine]) -> list[Tied]:
    """New lines that name their move, with it: those that nobody named before are made."""
    last: dict[tuple[UUID, str], tuple[BankLine, OwnMove]] = {}
    for line in rows:
        last[_key(line)] = line, _said(line)
    if not last:
        return []
    values = [
        {
            "id": uuid7(),
            "account_id": line.account_id,
            "name": said.name,
            "currency": line.currency,
            "open_micros": 0,
            "elsewhere": said.elsewhere,
            "references": list(said.references),
            "party": said.party,
            "booked_on": line.booked_on,
            "due_on": said.due_on or line.booked_on,
        }
        for line, said in last.values()
    ]
    made = insert(Move).values(values)
    changed = {
        name: made.excluded[name]
        for name in ("elsewhere", "references", "party", "booked_on", "due_on")
    }
    known = await session.execute(
        made.on_conflict_do_update(index_elements=["account_id", "name"], set_=changed).returning(
            Move.account_id, Move.name, Move.id
        )
    )
    ids = {(account_id, name): move_id for account_id, name, move_id in known}
    return [
        Tied(line, ids[_key(line)], Found(rule=Rule.OWN, confidence=100, reason=_why(line)))
        for line in rows
    ]


def _key(line: BankLine) -> tuple[UUID, str]:
    return line.account_id, _said(line).name


def _said(line: BankLine) -> OwnMove:
    return msgspec.convert(line.own, OwnMove)


def _why(line: BankLine) -> str:
    return f"its account says that it is of {_said(line).name}"


async def tie(session: AsyncSession, found: Sequence[Tied], *, actor: str) -> None:
    """These lines are sides of their moves: from their bank into transit, or back."""
    await books.post(session, [in_transit(each.line, each.move_id) for each in found])
    await lines.note_matches(
        session,
        [
            lines.matched(
                each.line,
                each.found,
                each.line.amount_micros,
                move_id=each.move_id,
                actor=actor,
            )
            for each in found
        ],
    )
    shown: Counter[UUID] = Counter()
    for each in found:
        shown[each.move_id] += each.line.amount_micros
    await _shown(session, shown)


def in_transit(line: BankLine, move_id: UUID) -> books.PostingRow:
    """The posting of a line that is a side of a move."""
    return books.PostingRow(
        code=PostingCode.EXPLAIN,
        debit=(AccountKind.BANK, line.account_id),
        credit=(AccountKind.IN_TRANSIT, move_id),
        currency=line.currency,
        amount_micros=line.amount_micros,
        entry_id=line.id,
    )


async def untie(session: AsyncSession, line: BankLine, move_id: UUID) -> None:
    """A line is no side of this move after all; its match is undone by who calls."""
    row = in_transit(line, move_id)
    await books.post(session, [msgspec.structs.replace(row, amount_micros=-row.amount_micros)])
    await _shown(session, {move_id: -line.amount_micros})


async def _shown(session: AsyncSession, shown: Mapping[UUID, int]) -> None:
    """Statements have shown so much of these moves."""
    given = (
        sa.func.unnest(
            sa.cast(list(shown), sa.ARRAY(sa.Uuid)),
            sa.cast(list(shown.values()), sa.ARRAY(sa.BigInteger)),
        )
        .table_valued("id", "amount")
        .render_derived()
    )
    await session.execute(
        sa.update(Move)
        .where(Move.id == given.c.id)
        .values(open_micros=Move.open_micros - given.c.amount)
        .execution_options(synchronize_session=False)
    )


async def begun_by(session: AsyncSession, entry_id: UUID | None) -> UUID | None:
    """The move that this line is a side of, where that has not come to nothing."""
    found: UUID | None = await session.scalar(
        sa.select(Match.move_id)
        .join(Move, Move.id == Match.move_id)
        .where(Match.entry_id == entry_id, Move.open_micros != 0)
        .group_by(Match.move_id)
        .having(sa.func.sum(Match.amount_micros) != 0)
    )
    return found


async def open_moves(session: AsyncSession, *, elsewhere: bool | None = None) -> list[Move]:
    """Moves of which statements have yet to show something, oldest first; of one kind, or all."""
    query = sa.select(Move).where(Move.open_micros != 0).order_by(Move.due_on, Move.id).limit(MOST)
    if elsewhere is not None:
        query = query.where(Move.elsewhere == elsewhere)
    return list(await session.scalars(query.execution_options(populate_existing=True)))


class OwnInTransit(msgspec.Struct, frozen=True, kw_only=True):
    """Money of the house that a statement shows leaving, and none arriving or coming back."""

    entry_id: UUID
    """The line that shows it."""
    name: str
    """Of the move."""
    account_id: UUID
    elsewhere: bool
    """On its way to another account; else kept back."""
    currency: str
    amount_micros: int
    """As a statement will show it: above zero is money for the house."""
    booked_on: date
    due_on: date
    days: int
    """Past its due date; below zero before it."""


async def waiting(session: AsyncSession, today: date) -> list[OwnInTransit]:
    """What is on its way, by the lines that show it, the longest due first. What came back is of
    the oldest lines, where a move has several."""
    moves = {each.id: each for each in await open_moves(session)}
    if not moves:
        return []
    left = {each.id: each.open_micros for each in moves.values()}
    found = []
    for line, move_id in await _sides(session, list(moves)):
        rest = left[move_id]
        if not rest or (line.amount_micros > 0) == (rest > 0):
            continue
        part = -line.amount_micros if abs(line.amount_micros) < abs(rest) else rest
        left[move_id] -= part
        found.append(_waits(line, moves[move_id], part, today))
    return sorted(found, key=lambda each: (each.due_on, each.entry_id))


async def _sides(session: AsyncSession, move_ids: Sequence[UUID]) -> list[Any]:
    """Lines of these moves, each with its move, the newest first."""
    total = sa.func.sum(Match.amount_micros)
    of = (
        sa.select(Match.entry_id, Match.move_id)
        .where(among(Match.move_id, move_ids))
        .group_by(Match.entry_id, Match.move_id)
        .having(total != 0)
        .subquery()
    )
    rows = await session.execute(
        sa.select(BankLine, of.c.move_id)
        .join(of, of.c.entry_id == BankLine.id)
        .order_by(BankLine.booked_on.desc(), BankLine.id.desc())
    )
    return list(rows)


def _waits(line: BankLine, move: Move, amount_micros: int, today: date) -> OwnInTransit:
    said = None if line.own is None else _said(line)
    due_on = (said and said.due_on) or line.booked_on
    return OwnInTransit(
        entry_id=line.id,
        name=move.name,
        account_id=move.account_id,
        elsewhere=move.elsewhere,
        currency=move.currency,
        amount_micros=amount_micros,
        booked_on=line.booked_on,
        due_on=due_on,
        days=(today - due_on).days,
    )
