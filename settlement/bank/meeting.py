"""Lines of other accounts that are the other side of a move: by a reference, or by amount and days.

Nobody is owed anything by either side, so what is the only one that fits is applied; a person may
undo it, and it is left alone from then on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from settlement.arrays import among
from settlement.bank.domain import LineStatus, Rule
from settlement.bank.lines import Found
from settlement.bank.models import BankLine, LineState, Match, Move
from settlement.bank.moves import MOST, Tied

EARLY: Final = timedelta(days=1)
"""Before the other side: banks date as they like."""
NEAR: Final = timedelta(days=5)
"""Around the day it is due, where only amount and day agree: a weekend and two holidays."""
MOST_ALIKE: Final = 50
"""Moves of one amount; where more are open, they are left to people."""
SHORTEST: Final = 6
"""Characters of a reference that is looked for in texts."""


async def asked(session: AsyncSession, moves: Sequence[Move]) -> list[tuple[BankLine, LineStatus]]:
    """Lines of other accounts that may be the other side of one of these moves: those that wait,
    and that nobody has taken from a move before."""
    taken = sa.exists().where(
        Match.entry_id == BankLine.id, Match.move_id.is_not(None), Match.undoes_id.is_not(None)
    )
    rows = await session.execute(
        sa.select(BankLine, LineState.status)
        .join(LineState, LineState.entry_id == BankLine.id)
        .where(
            LineState.status.in_((LineStatus.NEW, LineStatus.OPEN)),
            among(BankLine.amount_micros, {each.open_micros for each in moves}),
            BankLine.booked_on >= min(each.booked_on for each in moves) - NEAR,
            BankLine.own.is_(None),
            sa.not_(BankLine.charge),
            ~taken,
        )
        .order_by(LineState.place)
        .limit(MOST)
    )
    return [(row[0], row[1]) for row in rows]


def ties(moves: Sequence[Move], asked: Sequence[BankLine]) -> list[Tied]:
    """Which of these lines are the other side of which move: by a reference, or where amount, days
    and the other side agree with nothing else."""
    wanted: dict[tuple[str, int], list[Move]] = {}
    for move in moves:
        wanted.setdefault((move.currency, move.open_micros), []).append(move)
    sure: dict[UUID, Tied] = {}
    near: list[tuple[BankLine, Move]] = []
    for line in asked:
        alike = wanted.get((line.currency, line.amount_micros), ())
        if len(alike) > MOST_ALIKE:
            continue
        fitting = [
            move for move in alike if move.account_id != line.account_id and move.id not in sure
        ]
        text = _squeezed(_texts(line))
        by_name = [move for move in fitting if _refers(text, move)]
        if by_name:
            words = f"it carries the reference of {by_name[0].name}, the amount agrees"
            found = Found(rule=Rule.OWN_REFERENCE, confidence=95, reason=words)
            sure[by_name[0].id] = Tied(line, by_name[0].id, found)
        else:
            near += [(line, move) for move in fitting if _near(line, move)]
    return [*sure.values(), *_alone([pair for pair in near if pair[1].id not in sure])]


def _alone(pairs: Sequence[tuple[BankLine, Move]]) -> list[Tied]:
    """Lines and moves that fit each other and nothing else: one and one, or as many lines of one
    account as moves of another, of which each fits each.

    Which of those is which makes no difference to any balance or age that is left, so they are
    taken in the order of their days, and say that they were.
    """
    moves_of: dict[UUID, dict[UUID, Move]] = {}
    lines_of: dict[UUID, dict[UUID, BankLine]] = {}
    for line, move in pairs:
        moves_of.setdefault(line.id, {})[move.id] = move
        lines_of.setdefault(move.id, {})[line.id] = line
    blocks = {frozenset(fitting): fitting for fitting in moves_of.values()}
    found: list[Tied] = []
    for names, fitting in blocks.items():
        lines = lines_of[next(iter(names))]
        closed = all(lines_of[each].keys() == lines.keys() for each in names)
        closed = closed and all(moves_of[each].keys() == names for each in lines)
        accounts = {
            (move.account_id, line.account_id)
            for move in fitting.values()
            for line in lines.values()
        }
        if closed and len(lines) == len(fitting) and len(accounts) == 1:
            found += _in_order(list(lines.values()), list(fitting.values()))
    return found


def _in_order(lines: list[BankLine], moves: list[Move]) -> list[Tied]:
    """The first line with the first move, and so on."""
    lines.sort(key=lambda line: (line.booked_on, line.id))
    moves.sort(key=lambda move: (move.due_on, move.booked_on, move.id))
    why = "and no other line or move does"
    if len(moves) > 1:
        why = f"as those of {len(moves)} equal ones do with as many lines: in order of days"
    return [
        Tied(
            line,
            move.id,
            Found(
                rule=Rule.OWN_AMOUNT,
                confidence=75 if len(moves) == 1 else 60,
                reason=f"amount and days agree with {move.name}, {why}",
            ),
        )
        for line, move in zip(lines, moves, strict=True)
    ]


def _refers(text: str, move: Move) -> bool:
    names = (_squeezed([each]) for each in (move.name, *move.references))
    return any(len(name) >= SHORTEST and name in text for name in names)


def _near(line: BankLine, move: Move) -> bool:
    """Whether a line without its reference may be the other side of a move."""
    days = abs(line.booked_on - move.due_on) <= NEAR
    if move.open_micros > 0:  # It arrives after it left; what came here left there before.
        days &= line.booked_on >= move.booked_on - EARLY
    nobody = not (line.counterparty_name or line.counterparty_account)
    party = _squeezed([move.party])
    return days and (nobody or bool(party and party in _squeezed(_texts(line))))


def _texts(line: BankLine) -> list[str]:
    return [
        *line.end_to_end_ids,
        line.instruction_id,
        line.bank_reference,
        line.entry_reference,
        line.structured_reference,
        line.counterparty_name,
        line.remittance,
        line.text,
    ]


def _squeezed(texts: Iterable[str]) -> str:
    """As it is compared: banks break lines anywhere."""
    return "\n".join("".join(each.split()).upper() for each in texts)
