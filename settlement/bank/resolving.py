"""What people do about breaks: each with a note, money always through the books."""

from __future__ import annotations

from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.clock import NOW
from marketplace.coalition.service import get_member
from marketplace.errors import InvalidRequest
from marketplace.identity.audit import audit
from marketplace.money import decimal_from_micros
from settlement.bank import breaking, deciding, lines, matching, moves, suggesting
from settlement.bank.deciding import line_with_status
from settlement.bank.domain import LINE_BREAKS, Action, BreakKind, BreakStatus, LineStatus, Rule
from settlement.bank.errors import BreakNeedsAction
from settlement.bank.lines import Found
from settlement.bank.models import BankLine, Break, Move
from settlement.bank.moves import Tied
from settlement.clearing import books, legs, repository
from settlement.clearing.domain import AccountKind
from settlement.errors import SamePerson, StatusChanged

OF_LINES = frozenset(
    {
        Action.MATCH,
        Action.PREFUND,
        Action.ROUNDING,
        Action.FEES,
        Action.CONTRA,
        Action.WRITE_OFF,
    }
)


class Resolution(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done about a break, and why."""

    action: Action
    note: str
    member: str | None = None
    """Slug, of `prefund`."""
    leg_ids: list[UUID] = []
    """Of `match`."""
    entry_id: UUID | None = None
    """The other line, of `contra`: an open one, or one that began a move which has not ended."""


async def resolve(
    session: AsyncSession, break_id: UUID, how: Resolution, *, actor: str
) -> BreakStatus:
    """Resolve a break; a write-off is only proposed, for a second person to `confirm`.

    StatusChanged where somebody was faster, BreakNeedsAction where the action does not fit.
    """
    await repository.lock_matching(session)
    row = await breaking.find(session, break_id, lock=True)
    if row.status is not BreakStatus.OPEN:
        raise StatusChanged(f"This break is {row.status} already. Look again.")
    if not how.note.strip():
        raise InvalidRequest("Say why: a break is resolved with a note.")
    _fits(row, how.action)
    if how.action is Action.WRITE_OFF:
        await _move(session, row, BreakStatus.PROPOSED, how, actor, proposed_by=actor)
        return BreakStatus.PROPOSED
    await _act(session, row, how, actor)
    await _resolved(session, row, how, actor)
    return BreakStatus.RESOLVED


async def confirm(session: AsyncSession, break_id: UUID, *, actor: str, note: str = "") -> None:
    """A second person writes off what one proposed: the operator bears it, or keeps it."""
    await repository.lock_matching(session)
    row = await _proposed(session, break_id)
    if row.proposed_by == actor:
        raise SamePerson("Another person than the one who proposed it writes it off.")
    how = Resolution(action=Action.WRITE_OFF, note=note.strip() or row.note)
    await _to(session, row, AccountKind.MARGIN)
    await _resolved(session, row, how, actor)


async def withdraw(session: AsyncSession, break_id: UUID, *, actor: str, note: str = "") -> None:
    """A write-off that was proposed is not made; the break is open again."""
    row = await _proposed(session, break_id)
    await breaking.move(
        session, row, BreakStatus.OPEN, actor=actor, note=note, action=None, proposed_by=None
    )


async def _proposed(session: AsyncSession, break_id: UUID) -> Break:
    row = await breaking.find(session, break_id, lock=True)
    if row.status is not BreakStatus.PROPOSED:
        raise StatusChanged(f"This break is {row.status}: nobody proposes to write it off now.")
    return row


def _fits(row: Break, action: Action) -> None:
    of_line = row.kind in LINE_BREAKS
    if action in OF_LINES and not of_line:
        raise BreakNeedsAction(f"A break of kind {row.kind} has no line whose money could move.")
    if action is Action.NOTE and of_line:
        raise BreakNeedsAction(
            "Its money is on the suspense account: say where it belongs, a note is not enough."
        )
    if action is Action.REPAY and row.kind is not BreakKind.RETURNED:
        raise BreakNeedsAction("Only a leg whose money came back is paid again.")
    if action is Action.NOTE and row.kind is BreakKind.RETURNED:
        raise BreakNeedsAction("The money of this leg came back: pay it again.")


async def _act(session: AsyncSession, row: Break, how: Resolution, actor: str) -> None:
    if how.action is Action.REPAY and row.leg_id is not None:
        await legs.repay(session, row.leg_id, actor=actor, note=how.note)
    elif how.action is Action.MATCH and row.entry_id is not None:
        found = Found(rule=Rule.PERSON, confidence=100, reason=how.note)
        await deciding.match_line(session, row.entry_id, how.leg_ids, found, actor=actor)
    elif how.action is Action.PREFUND:
        await _prefund(session, row, how, actor)
    elif how.action is Action.ROUNDING:
        await _to(session, row, AccountKind.ROUNDING)
    elif how.action is Action.FEES:
        await _to(session, row, AccountKind.MARGIN)
    elif how.action is Action.CONTRA:
        await _contra(session, row, how, actor)


async def _open_line(session: AsyncSession, entry_id: UUID | None) -> BankLine:
    if entry_id is None:
        raise InvalidRequest("Name the line.")
    line, status = await line_with_status(session, entry_id)
    if status is not LineStatus.OPEN:
        raise StatusChanged(f"This line is {status} already. Look again.")
    return line


async def _explained(session: AsyncSession, *found: BankLine) -> None:
    ids = [each.id for each in found]
    await lines.set_status(session, ids, [LineStatus.OPEN], LineStatus.EXPLAINED)
    await suggesting.overtake(session, entry_ids=ids)


async def _to(session: AsyncSession, row: Break, account: AccountKind) -> None:
    """The suspended money goes to an account of the operator."""
    line = await _open_line(session, row.entry_id)
    operator_id = await repository.operator_id(session)
    await books.post(session, [lines.released(line, (account, operator_id), operator_id)])
    await _explained(session, line)


async def _prefund(session: AsyncSession, row: Break, how: Resolution, actor: str) -> None:
    if how.member is None:
        raise InvalidRequest("Name the member that paid ahead, or was paid back.")
    member = await get_member(session, how.member)
    line = await _open_line(session, row.entry_id)
    operator_id = await repository.operator_id(session)
    await lines.release(session, [line], {line.id: LineStatus.OPEN}, operator_id)
    found = Found(rule=Rule.PERSON, confidence=100, reason=how.note)
    await matching.pay_ahead(session, line, member.id, found, actor=actor)
    await lines.set_status(session, [line.id], [LineStatus.OPEN], LineStatus.MATCHED)
    await suggesting.overtake(session, entry_ids=[line.id])


async def _contra(session: AsyncSession, row: Break, how: Resolution, actor: str) -> None:
    line = await _open_line(session, row.entry_id)
    if (move_id := await moves.begun_by(session, how.entry_id)) is not None:
        await _end(session, line, move_id, how, actor)
        return
    other = await _open_line(session, how.entry_id)
    opposite = line.amount_micros == -other.amount_micros and line.currency == other.currency
    if not opposite or line.id == other.id:
        raise BreakNeedsAction("Two lines undo each other where they come to nothing together.")
    await _explained(session, line, other)
    await breaking.let_go(session, None, [other.id], f"undone by another line: {how.note}")


async def _end(
    session: AsyncSession, line: BankLine, move_id: UUID, how: Resolution, actor: str
) -> None:
    """The line is the other side of money that was on its way between accounts of the house."""
    move = await session.get_one(Move, move_id, populate_existing=True)
    if (move.open_micros, move.currency) != (line.amount_micros, line.currency):
        raise BreakNeedsAction(
            f"Of {move.name}, {decimal_from_micros(move.open_micros)} {move.currency} is on its "
            f"way, and the line is {decimal_from_micros(line.amount_micros)} {line.currency}."
        )
    operator_id = await repository.operator_id(session)
    await lines.release(session, [line], {line.id: LineStatus.OPEN}, operator_id)
    found = Found(rule=Rule.PERSON, confidence=100, reason=how.note)
    await moves.tie(session, [Tied(line, move_id, found)], actor=actor)
    await lines.set_status(session, [line.id], [LineStatus.OPEN], LineStatus.MATCHED)
    await suggesting.overtake(session, entry_ids=[line.id])


async def _resolved(session: AsyncSession, row: Break, how: Resolution, actor: str) -> None:
    # Matching a line lets its breaks go by itself: this person resolved it all the same.
    row = await breaking.find(session, row.id, lock=True)
    await _move(session, row, BreakStatus.RESOLVED, how, actor, resolved_by=actor, resolved_at=NOW)
    await audit(
        session,
        actor,
        "settlement.break_resolved",
        "bank_break",
        row.id,
        kind=row.kind.value,
        how=how.action.value,
        note=how.note,
    )


async def _move(
    session: AsyncSession,
    row: Break,
    after: BreakStatus,
    how: Resolution,
    actor: str,
    **values: object,
) -> None:
    await breaking.move(
        session, row, after, actor=actor, note=how.note, action=how.action, **values
    )
