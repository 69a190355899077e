"""What people decide of matches: a suggestion is taken or left, a match is made or undone."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.clock import NOW
from marketplace.errors import Conflict, NotFound
from marketplace.identity.audit import audit
from marketplace.ids import uuid7
from marketplace.money import decimal_from_micros
from settlement.bank import breaking, lines, moves, suggesting
from settlement.bank.domain import BreakKind, LineStatus, Rule, SuggestionStatus
from settlement.bank.errors import BreakNeedsAction
from settlement.bank.lines import Found
from settlement.bank.models import BankLine, LineState, Match, Suggestion
from settlement.clearing import books, legs, prefunding, repository, settling
from settlement.clearing.domain import LegStatus
from settlement.clearing.models import SettlementLeg
from settlement.errors import StatusChanged


async def line_with_status(session: AsyncSession, entry_id: UUID) -> tuple[BankLine, LineStatus]:
    """A line and how far it has come."""
    row = (
        await session.execute(
            sa.select(BankLine, LineState.status)
            .join(LineState, LineState.entry_id == BankLine.id)
            .where(BankLine.id == entry_id)
            .with_for_update(of=LineState)
        )
    ).first()
    if row is None:
        raise NotFound(f"There is no booked line {entry_id}.")
    return row[0], row[1]


async def accept(session: AsyncSession, suggestion_id: UUID, *, actor: str) -> None:
    """Take a suggestion: the line is the money of the leg."""
    await repository.lock_matching(session)
    row = await _proposed(session, suggestion_id)
    reason = f"{row.reason}; accepted"
    found = Found(rule=row.rule, confidence=row.confidence, reason=reason)
    await match_line(session, row.entry_id, [row.leg_id], found, actor=actor)
    await _decide(session, row, SuggestionStatus.ACCEPTED, actor)


async def refuse(session: AsyncSession, suggestion_id: UUID, *, actor: str) -> None:
    """Leave a suggestion: it is not made again."""
    await _decide(session, await _proposed(session, suggestion_id), SuggestionStatus.REFUSED, actor)


async def _proposed(session: AsyncSession, suggestion_id: UUID) -> Suggestion:
    row = await suggesting.find(session, suggestion_id)
    if row.status is not SuggestionStatus.PROPOSED:
        raise StatusChanged(f"This suggestion is {row.status} already. Look again.")
    return row


async def _decide(
    session: AsyncSession, row: Suggestion, status: SuggestionStatus, actor: str
) -> None:
    await session.execute(
        sa.update(Suggestion).where(Suggestion.id == row.id).values(status=status, decided_by=actor)
    )
    await audit(session, actor, f"settlement.suggestion_{status}", "bank_suggestion", row.id)


async def match_line(
    session: AsyncSession,
    entry_id: UUID,
    leg_ids: Sequence[UUID],
    found: Found,
    *,
    actor: str,
) -> None:
    """An open line is the money of these legs, all of it: BreakNeedsAction where it is not their
    sum, StatusChanged where one of them is paid."""
    await repository.lock_matching(session)
    line, status = await line_with_status(session, entry_id)
    if status is not LineStatus.OPEN:
        raise StatusChanged(f"This line is {status} already. Look again.")
    wanted = [await repository.leg(session, each) for each in dict.fromkeys(leg_ids)]
    total = sum(lines.expected(leg) for leg in wanted)
    other = [leg for leg in wanted if leg.counterparty_id or leg.currency != line.currency]
    if not wanted or total != line.amount_micros or other:
        raise BreakNeedsAction(
            f"The line is {decimal_from_micros(line.amount_micros)} {line.currency}, these legs "
            f"come to {decimal_from_micros(total)}: a line is matched with legs that come to it."
        )
    operator_id = await repository.operator_id(session)
    await lines.release(session, [line], {line.id: status}, operator_id)
    async with settling.together(session, actor=actor):
        await lines.book(session, line, wanted, found, actor=actor)
    await lines.set_status(session, [line.id], [status], LineStatus.MATCHED)
    await breaking.let_go(session, None, [line.id], "a person matched it")
    await suggesting.overtake(session, entry_ids=[line.id])


async def undo(session: AsyncSession, match_id: UUID, *, actor: str, note: str) -> None:
    """A match was wrong: its contra is written, the money of the line is suspended, and its leg is
    as if it had come back (what `repay` makes again then). No pass makes it again.

    All matches of a line are undone together, and those of the other lines of a split leg.
    """
    await repository.lock_matching(session)
    first = await session.get(Match, match_id)
    if first is None:
        raise NotFound(f"There is no match {match_id}.")
    rows = await _together(session, first)
    if not rows or first.undoes_id is not None:
        raise StatusChanged("This match was undone already. Look again.")
    if any(row.rule is Rule.RETURN for row in rows):
        raise Conflict("Money that came back is not undone: explain its line by another break.")
    async with settling.together(session, actor=actor):
        for leg_id in {row.leg_id for row in rows if row.leg_id}:
            await _unbook(session, leg_id, rows, actor=actor, note=note)
    for row in rows:
        await _contra(session, row, actor=actor, note=note)
    for entry_id in {row.entry_id for row in rows}:
        await _open_again(session, entry_id, note)
    await audit(session, actor, "settlement.match_undone", "bank_match", match_id, note=note)


async def live(session: AsyncSession, which: sa.ColumnElement[bool]) -> list[Match]:
    """Matches that are no contra and have none."""
    contra = sa.orm.aliased(Match)
    return list(
        await session.scalars(
            sa.select(Match)
            .where(
                which,
                Match.undoes_id.is_(None),
                ~sa.exists().where(contra.undoes_id == Match.id),
            )
            .order_by(Match.id)
        )
    )


async def _together(session: AsyncSession, first: Match) -> list[Match]:
    found: dict[UUID, Match] = {}
    entries, legs_seen = {first.entry_id}, set[UUID]()
    while True:
        rows = await live(session, sa.or_(Match.entry_id.in_(entries), Match.leg_id.in_(legs_seen)))
        found |= {row.id: row for row in rows}
        more_entries = {row.entry_id for row in rows}
        more_legs = {row.leg_id for row in rows if row.leg_id}
        if more_entries <= entries and more_legs <= legs_seen:
            return list(found.values()) if first.id in found else []
        entries, legs_seen = entries | more_entries, legs_seen | more_legs


async def _unbook(
    session: AsyncSession, leg_id: UUID, rows: Sequence[Match], *, actor: str, note: str
) -> None:
    leg = await session.get_one(SettlementLeg, leg_id)
    if leg.status is not LegStatus.BOOKED:
        raise StatusChanged(f"Leg {leg.reference} is {leg.status} meanwhile. Look again.")
    entry_id = next(row.entry_id for row in rows if row.leg_id == leg_id)
    line, _ = await line_with_status(session, entry_id)
    await legs.return_(
        session,
        leg_id,
        reason=f"the match was undone: {note}",
        entry_id=entry_id,
        bank_account_id=line.account_id,
        actor=actor,
        note=note,
    )


async def _contra(session: AsyncSession, row: Match, *, actor: str, note: str) -> None:
    line, _ = await line_with_status(session, row.entry_id)
    if row.move_id is not None:
        await moves.untie(session, line, row.move_id)
    elif row.rule is Rule.CHARGE:
        operator_id = await repository.operator_id(session)
        charged = lines.charged(line, operator_id)
        back = msgspec.structs.replace(charged, amount_micros=-charged.amount_micros)
        await books.post(session, [back])
    elif row.member_id is not None:
        await prefunding.prefund(
            session,
            row.member_id,
            line.currency,
            -row.amount_micros,
            entry_id=line.id,
            bank_account_id=line.account_id,
            actor=actor,
            note=note,
        )
    await session.execute(
        sa.insert(Match).values(
            id=uuid7(),
            entry_id=row.entry_id,
            leg_id=row.leg_id,
            member_id=row.member_id,
            move_id=row.move_id,
            undoes_id=row.id,
            rule=Rule.PERSON,
            confidence=100,
            reason=note,
            amount_micros=-row.amount_micros,
            actor=actor,
            at=NOW,
        )
    )


async def _open_again(session: AsyncSession, entry_id: UUID, note: str) -> None:
    line, _ = await line_with_status(session, entry_id)
    await lines.set_status(session, [entry_id], [LineStatus.MATCHED], LineStatus.OPEN)
    operator_id = await repository.operator_id(session)
    await books.post(session, [lines.suspended(line, operator_id)])
    await breaking.open_(
        session,
        kind=BreakKind.UNKNOWN_PAYER,
        subject_id=line.id,
        entry_id=line.id,
        account_id=line.account_id,
        currency=line.currency,
        amount_micros=line.amount_micros,
        opened_on=line.booked_on,
        reason=f"Its match was undone: {note}",
        undone=True,
    )
