"""Lines of a chunk that need no look of their own: booked, or left as they are, all at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.money import decimal_from_micros
from settlement.arrays import among
from settlement.bank import breaking, cascade, lines
from settlement.bank.cascade import Named, Step, Verdict
from settlement.bank.domain import BreakKind, LineStatus, Rule
from settlement.bank.lines import Found
from settlement.bank.models import BankLine, Break
from settlement.clearing import booking, books
from settlement.clearing.booking import Booking
from settlement.clearing.domain import LegStatus
from settlement.clearing.legs import BANK_KNOWS
from settlement.clearing.models import SettlementLeg


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


class Split(msgspec.Struct, frozen=True):
    """Several lines that come to the amount of one leg."""

    leg: SettlementLeg
    parts: Sequence[BankLine]
    shows: bool = False
    """They show what its rail said before: that it came back, say."""


def first(cases: Sequence[Case]) -> list[Case]:
    """Lines whose legs no line before them names: what comes later waits for what becomes of them,
    so that the order of the others does not matter."""
    seen: set[UUID] = set()
    found: list[Case] = []
    for case in cases:
        ids = {leg.id for leg in case.by.legs}
        if not ids & seen:
            found.append(case)
        seen |= ids
    return found


def bookable(cases: Sequence[Case]) -> list[Case]:
    """Lines that are the money of legs which are with a rail."""
    return [
        case
        for case in cases
        if case.verdict.step is Step.BOOK
        and all(leg.status in BANK_KNOWS for leg in case.verdict.legs)
    ]


def showable(cases: Sequence[Case]) -> list[Case]:
    """Lines that show what a rail said before."""
    return [case for case in cases if case.verdict.step is Step.SHOW]


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


def unknown(line: BankLine) -> dict[str, Any]:
    """The break of a line that belongs to nothing."""
    who = line.counterparty_name or line.counterparty_account or "somebody who is not named"
    moved = "paid us" if line.amount_micros > 0 else "got from us"
    amount = decimal_from_micros(abs(line.amount_micros))
    return {
        "kind": BreakKind.UNKNOWN_PAYER,
        "subject_id": line.id,
        "entry_id": line.id,
        "account_id": line.account_id,
        "currency": line.currency,
        "amount_micros": line.amount_micros,
        "opened_on": line.booked_on,
        "reason": f"{who} {moved} {amount} {line.currency}, with no reference of ours.",
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


async def show(
    session: AsyncSession, cases: Sequence[Case], status: LineStatus, operator: UUID, *, actor: str
) -> None:
    """Show what these lines are the money of; as `lines.show` does with one."""
    of = [case.line for case in cases]
    await lines.release(session, of, dict.fromkeys((each.id for each in of), status), operator)
    found = [(case, case.verdict.legs[0]) for case in cases]
    await books.post(session, [lines.shown(case.line, leg) for case, leg in found])
    await lines.note_matches(
        session,
        [
            lines.matched(
                case.line, case.verdict.found, case.line.amount_micros, leg_id=leg.id, actor=actor
            )
            for case, leg in found
            if case.verdict.found is not None
        ],
    )


async def splits(
    session: AsyncSession, groups: Sequence[tuple[UUID, Sequence[UUID]]]
) -> list[Split]:
    """Legs with lines of one account that name them, where these come to the amount."""
    wanted = sa.select(SettlementLeg).where(
        among(SettlementLeg.id, [leg_id for leg_id, _ in groups]),
        SettlementLeg.status.in_((*lines.AWAITED, LegStatus.BOOKED, LegStatus.RETURNED)),
        SettlementLeg.counterparty_id.is_(None),
    )
    rows = await session.scalars(wanted.execution_options(populate_existing=True))
    legs = {leg.id: leg for leg in rows}
    said = [leg for leg in legs.values() if leg.status not in lines.AWAITED]
    unseen = await lines.unseen(session, said) if said else {}
    of = {
        line.id: line
        for line in await lines.rows_of(session, [each for _, ids in groups for each in ids])
    }
    found: dict[UUID, Split] = {}
    for leg_id, entry_ids in groups:
        parts = [of[each] for each in entry_ids]
        leg = legs.get(leg_id)
        total = sum(each.amount_micros for each in parts)
        if leg is None:
            continue
        if leg.status in lines.AWAITED and total == lines.expected(leg):
            found.setdefault(leg_id, Split(leg, parts))
        elif total in unseen.get(leg_id, ()):
            found.setdefault(leg_id, Split(leg, parts, shows=True))
    return list(found.values())


async def book_splits(session: AsyncSession, found: Sequence[Split], *, actor: str) -> None:
    """Book legs by their parts; one that its rail does not have yet alone."""
    why = {each.leg.id: _split_reason(each) for each in found}
    seen = [each for each in found if each.shows]
    await books.post(session, [lines.shown(p, each.leg) for each in seen for p in each.parts])
    with_rail = [each for each in found if each.leg.status in BANK_KNOWS]
    bookings = [(each, max(each.parts, key=lambda part: part.booked_on)) for each in with_rail]
    await booking.book_many(
        session,
        [
            Booking(
                leg=each.leg,
                booked_on=last.booked_on,
                entry_id=last.id,
                bank_account_id=last.account_id,
                note=why[each.leg.id].reason,
            )
            for each, last in bookings
        ],
        actor=actor,
    )
    await lines.note_matches(
        session,
        [
            lines.matched(
                part, why[each.leg.id], part.amount_micros, leg_id=each.leg.id, actor=actor
            )
            for each in (*with_rail, *seen)
            for part in each.parts
        ],
    )
    for each in found:
        if each.leg.status not in BANK_KNOWS and not each.shows:
            await lines.book_split(session, each.parts, each.leg, why[each.leg.id], actor=actor)


def _split_reason(of: Split) -> Found:
    reason = f"{len(of.parts)} lines with the reference {of.leg.reference} come to its amount"
    return Found(rule=Rule.SPLIT, confidence=95, reason=reason)


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


def is_cost(case: Case) -> bool:
    """Whether a line is a charge of the bank's, and not the money of the legs it names."""
    return case.line.charge and case.verdict.step is Step.BREAK


def announces(case: Case) -> bool:
    """Whether a notification says something to be acted on: that money came back."""
    statuses = {leg.status for leg in case.verdict.legs}
    return case.verdict.step is Step.RETURN or statuses == {LegStatus.RETURNED}
