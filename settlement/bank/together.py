"""Lines of a chunk that need no look of their own: booked, or left as they are, all at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from settlement.arrays import among
from settlement.bank import breaking, cascade, lines
from settlement.bank.cascade import Named, Step, Verdict
from settlement.bank.domain import BreakKind, LineStatus
from settlement.bank.models import BankLine, Break
from settlement.clearing import booking, books
from settlement.clearing.booking import Booking
from settlement.clearing.domain import LegStatus
from settlement.clearing.legs import BANK_KNOWS


class Case(msgspec.Struct, frozen=True):
    """A line that names legs, and what is to be done with it."""

    line: BankLine
    by: Named
    verdict: Verdict


async def judged(
    session: AsyncSession, rows: Sequence[BankLine], named: Mapping[UUID, Named]
) -> list[Case]:
    """The lines that name legs, judged by what is known of the legs now; one statement."""
    if not named:
        return []
    legs = {leg.id: leg for by in named.values() for leg in by.legs}
    unseen = await lines.unseen(session, list(legs.values()))
    return [
        Case(line, by, cascade.judge(line, by, unseen))
        for line in rows
        if (by := named.get(line.id)) is not None
    ]


def alone(cases: Sequence[Case]) -> list[Case]:
    """Lines whose legs no other line of these names, so that their order does not matter."""
    times = Counter(leg.id for case in cases for leg in case.by.legs)
    return [case for case in cases if all(times[leg.id] == 1 for leg in case.by.legs)]


def bookable(cases: Sequence[Case]) -> list[Case]:
    """Lines that are the money of legs which are with a rail."""
    return [
        case
        for case in cases
        if case.verdict.step is Step.BOOK
        and all(leg.status in BANK_KNOWS for leg in case.verdict.legs)
    ]


async def open_(session: AsyncSession, cases: Sequence[Case], operator: UUID) -> None:
    """New lines that are not the money of the legs they name: suspended, each with its break."""
    found = [case.line for case in cases]
    await books.post(session, [lines.suspended(each, operator) for each in found])
    ids = [each.id for each in found]
    await lines.set_status(session, ids, [LineStatus.NEW], LineStatus.OPEN)
    by_kind: dict[BreakKind, list[dict[str, Any]]] = {}
    for case in cases:
        by_kind.setdefault(case.verdict.kind, []).append(break_of(case.line, case.verdict))
    for kind, rows in by_kind.items():
        await breaking.keep_open(session, kind, rows)


def break_of(line: BankLine, verdict: Verdict) -> dict[str, Any]:
    """What the break of a line says that names legs, and is not their money."""
    return {
        "subject_id": line.id,
        "entry_id": line.id,
        "leg_id": verdict.legs[0].id if len(verdict.legs) == 1 else None,
        "account_id": line.account_id,
        "currency": line.currency,
        "amount_micros": line.amount_micros,
        "opened_on": line.booked_on,
        "reason": verdict.reason,
    }


async def book(
    session: AsyncSession, cases: Sequence[Case], status: LineStatus, operator: UUID, *, actor: str
) -> None:
    """Book what these lines are the money of. StatusChanged where something went on meanwhile."""
    of = [case.line for case in cases]
    await lines.release(session, of, dict.fromkeys((each.id for each in of), status), operator)
    found = [(case, leg) for case in cases for leg in case.verdict.legs]
    await booking.book_many(
        session,
        [
            Booking(
                leg=leg,
                booked_on=case.line.booked_on,
                entry_id=case.line.id,
                bank_account_id=case.line.account_id,
                note=_reason(case),
            )
            for case, leg in found
        ],
        actor=actor,
    )
    await lines.note_matches(
        session,
        [
            lines.matched(
                case.line, case.verdict.found, lines.expected(leg), leg_id=leg.id, actor=actor
            )
            for case, leg in found
            if case.verdict.found is not None
        ],
    )


def _reason(case: Case) -> str:
    return "" if case.verdict.found is None else case.verdict.found.reason


async def standing(session: AsyncSession, cases: Sequence[Case]) -> set[UUID]:
    """Open lines whose break says what is to be said of them already, and no other does."""
    wrong = {case.line.id: case for case in cases if case.verdict.step is Step.BREAK}
    if not wrong:
        return set()
    rows = await session.execute(
        sa.select(Break.subject_id, Break.kind, Break.reason).where(
            among(Break.subject_id, wrong), Break.status.in_(breaking.UNRESOLVED)
        )
    )
    said: dict[UUID, list[tuple[str, str]]] = {}
    for subject_id, kind, reason in rows:
        said.setdefault(subject_id, []).append((kind, reason))
    return {
        line_id
        for line_id, case in wrong.items()
        if said.get(line_id) == [(case.verdict.kind, case.verdict.reason)]
    }


def announces(case: Case) -> bool:
    """Whether a notification says something to be acted on: that money came back."""
    statuses = {leg.status for leg in case.verdict.legs}
    return case.verdict.step is Step.RETURN or statuses == {LegStatus.RETURNED}
