"""Disputes: a member opens and withdraws them, finance or the deadline decides them.

A disputed line of a window that is not in a settlement yet is frozen: drafts leave it out. What is
decided never changes a line. An upheld line is undone by adjustments, debts in the open window;
upheld, rejected or withdrawn, a line that was left out is settled by a later settlement, so that
each is in exactly one.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.clock import now
from marketplace.coalition.domain import DisputeDefault
from marketplace.coalition.models import Member
from marketplace.errors import InvalidRequest, NotFound
from marketplace.ids import uuid7
from marketplace.ledger.debts import Debt, owe
from marketplace.ledger.domain import ObligationKind, WindowStatus
from marketplace.ledger.models import MemberDebt, SettlementWindow
from marketplace.ledger.repository import operator_id as the_operator
from settlement import history, telling
from settlement.disputes import contras, repository
from settlement.disputes.domain import DisputeStatus, Line, LineId, Undoing, undo
from settlement.disputes.errors import NotDisputable
from settlement.disputes.models import Adjustment, Dispute, DisputeLine

MOST_LINES: Final = 1_000
"""Most lines of one dispute."""
LONGEST_TEXT: Final = 2_000
SYSTEM: Final = "system"


class NewDispute(msgspec.Struct, frozen=True):
    """What a member disputes, and why."""

    member_id: UUID
    lines: Sequence[LineId]
    reason: str


class Terms(msgspec.Struct, frozen=True):
    """What a member's contract says of disputes about one closed window."""

    until: datetime
    """When the last one may be opened."""
    days: int
    """A dispute that nobody decides for so long is decided by default."""
    default: DisputeDefault


async def terms_of(session: AsyncSession, member_id: UUID, closed_at: datetime) -> Terms | None:
    """Terms of disputes about a window closed then; None where the member had no contract."""
    contract = await repository.contract_at(session, member_id, closed_at)
    if contract is None:
        return None
    until = closed_at + timedelta(days=contract.dispute_days)
    return Terms(until, contract.dispute_days, contract.dispute_default)


async def open_dispute(session: AsyncSession, asked: NewDispute, *, actor: str) -> Dispute:
    """Dispute lines of one closed window.

    Raises InvalidRequest (no reason, no lines, lines of several windows), NotFound (a line that
    does not exist or is not the member's), NotDisputable (the window is open, the deadline has
    passed, the line funds a pool, or it was disputed before).
    """
    _check(asked)
    found = await _own_lines(session, asked)
    window = await _closed_window(session, found)
    moment = await now(session)
    terms = await terms_of(session, asked.member_id, window.closed_at or moment)
    if terms is None:
        raise NotDisputable("The member has had no contract.")
    if moment > terms.until:
        raise NotDisputable(f"Lines of this window could be disputed until {terms.until:%Y-%m-%d}.")
    dispute = Dispute(
        id=uuid7(),
        member_id=asked.member_id,
        window_id=window.id,
        status=DisputeStatus.OPEN,
        reason=asked.reason.strip(),
        opened_at=moment,
        opened_by=actor,
        decide_by=moment + timedelta(days=terms.days),
        default=terms.default,
        note="",
    )
    session.add(dispute)
    await session.flush()
    await _hold(session, dispute, [line.line for line in found])
    if await repository.adjusted(session, asked.lines):
        raise NotDisputable("One of the lines is undone already, with the one that it undoes.")
    change = _change(dispute, None, DisputeStatus.OPEN, actor, dispute.reason)
    await history.record(session, change)
    await _tell_opened(session, dispute, len(found))
    return dispute


async def _tell_opened(session: AsyncSession, dispute: Dispute, lines: int) -> None:
    who = await session.get_one(Member, dispute.member_id)
    told = {
        "member": who.name,
        "lines": lines,
        "until": dispute.decide_by.isoformat(),
        "dispute": str(dispute.id),
    }
    await telling.finance(session, "dispute_opened", f"dispute:{dispute.id}", told)


def _check(asked: NewDispute) -> None:
    if not asked.reason.strip() or len(asked.reason) > LONGEST_TEXT:
        raise InvalidRequest(f"Say why, in up to {LONGEST_TEXT} characters.")
    if not 1 <= len(asked.lines) <= MOST_LINES or len(set(asked.lines)) != len(asked.lines):
        raise InvalidRequest(f"Name 1 to {MOST_LINES} lines, each once.")


async def _own_lines(session: AsyncSession, asked: NewDispute) -> list[Line]:
    known = await repository.lines(session, asked.lines)
    found = []
    for each in asked.lines:
        line = known.get(each)
        # Others' lines are no concern of the member: it is as if there were none.
        if line is None or not line.concerns(asked.member_id):
            raise NotFound(f"There is no line {each} of this member.")
        if line.kind is ObligationKind.ISSUANCE:
            raise NotDisputable(
                f"Line {each} is the issuer's own money for its own points: it covers them as "
                "long as they are outstanding."
            )
        found.append(line)
    if len({line.window_id for line in found}) > 1:
        raise InvalidRequest("The lines of one dispute are of one window.")
    return found


async def _closed_window(session: AsyncSession, found: Sequence[Line]) -> SettlementWindow:
    # A draft that takes the window up waits for this transaction, or this one for the draft.
    window = await session.scalar(
        sa.select(SettlementWindow)
        .where(SettlementWindow.id == found[0].window_id)
        .with_for_update(read=True)
        .execution_options(populate_existing=True)
    )
    if window is None or window.closed_at is None or window.status is WindowStatus.OPEN:
        raise NotDisputable("The window is not closed yet: its lines may still be refunded.")
    return window


async def _hold(session: AsyncSession, dispute: Dispute, found: Sequence[LineId]) -> None:
    rows = [
        {
            "dispute_id": dispute.id,
            "wallet_id": each.wallet_id,
            "line_id": each.id,
            "window_id": dispute.window_id,
            "holds": True,
        }
        for each in sorted(found)
    ]
    try:
        async with session.begin_nested():
            await session.execute(sa.insert(DisputeLine), rows)
    except IntegrityError:
        raise NotDisputable("One of the lines is or was under dispute already.") from None


async def withdraw(
    session: AsyncSession, dispute_id: UUID, *, member_id: UUID | None, actor: str, note: str = ""
) -> Dispute:
    """The member (None: finance for it) takes its dispute back; its lines may be disputed again."""
    dispute = await get(session, dispute_id, member_id=member_id)
    await _move(session, dispute, DisputeStatus.WITHDRAWN, actor, note)
    await session.execute(
        sa.update(DisputeLine).where(DisputeLine.dispute_id == dispute.id).values(holds=False)
    )
    return dispute


async def decide(
    session: AsyncSession, dispute_id: UUID, *, upheld: bool, actor: str, note: str
) -> Dispute:
    """Finance decides; StatusChanged where it is decided already. Says why in `note`."""
    if not note.strip() or len(note) > LONGEST_TEXT:
        raise InvalidRequest(f"Say why, in up to {LONGEST_TEXT} characters.")
    dispute = await get(session, dispute_id)
    await _decide(session, dispute, upheld=upheld, actor=actor, note=note.strip())
    return dispute


async def decide_overdue(session: AsyncSession) -> int:
    """Decide what nobody has decided until its deadline, as the contracts say; how many."""
    found = await repository.overdue(session)
    for dispute in found:
        upheld = dispute.default.value == DisputeStatus.UPHELD.value
        note = "Nobody had decided by the deadline: as the contract says."
        await _decide(session, dispute, upheld=upheld, actor=SYSTEM, note=note)
    return len(found)


async def get(session: AsyncSession, dispute_id: UUID, *, member_id: UUID | None = None) -> Dispute:
    """A dispute, of this member where one is given; NotFound otherwise."""
    dispute = await session.get(Dispute, dispute_id, populate_existing=True)
    if dispute is None or member_id not in (None, dispute.member_id):
        raise NotFound("There is no such dispute.")
    return dispute


async def _decide(
    session: AsyncSession, dispute: Dispute, *, upheld: bool, actor: str, note: str
) -> None:
    after = DisputeStatus.UPHELD if upheld else DisputeStatus.REJECTED
    await _move(session, dispute, after, actor, note)
    if upheld:
        ids = (await repository.lines_of(session, [dispute.id]))[dispute.id]
        await contras.one_at_a_time(session)
        await _adjust_all(session, dispute.id, ids)
        await _undo_contras(session)
    told = {
        "opened": dispute.opened_at.isoformat(),
        "note": telling.words(note),
        "dispute": str(dispute.id),
    }
    kind = "dispute_upheld" if upheld else "dispute_rejected"
    await telling.member(session, dispute.member_id, kind, f"decided:{dispute.id}", told)


async def undo_contras(session: AsyncSession) -> int:
    """Undo refunds and contras of lines that a dispute has undone already; how many lines."""
    if not await contras.standing(session):
        return 0
    await contras.one_at_a_time(session)
    return await _undo_contras(session)


async def _undo_contras(session: AsyncSession) -> int:
    found: dict[UUID, list[LineId]] = {}
    for dispute_id, line in await contras.standing(session):
        found.setdefault(dispute_id, []).append(line)
    for dispute_id, lines in found.items():
        await _adjust_all(session, dispute_id, lines)
    return sum(map(len, found.values()))


async def _adjust_all(session: AsyncSession, dispute_id: UUID, ids: Sequence[LineId]) -> None:
    """Undo these lines, but those that are undone already."""
    undone = await repository.adjusted(session, ids)
    found = await repository.lines(session, ids)
    operator = await the_operator(session)
    for each in ids:
        if each not in undone:
            await _adjust(session, dispute_id, found[each], operator)


async def _adjust(session: AsyncSession, dispute_id: UUID, line: Line, operator: UUID) -> None:
    """Book what undoes a line into the open window."""
    issuer_bps = await repository.fee_bps(session, line.contract_id)
    acceptor_contract = line.acceptor_contract_id
    if acceptor_contract is None and line.kind is not None and line.acceptor_id is not None:
        found = await repository.contract_at(session, line.acceptor_id, line.effective_at)
        acceptor_contract = None if found is None else found.id
    acceptor_bps = await repository.fee_bps(session, acceptor_contract)
    for part in undo(line, operator, issuer_bps, acceptor_bps):
        await _book(session, dispute_id, line, part)


async def _book(session: AsyncSession, dispute_id: UUID, line: Line, part: Undoing) -> None:
    adjustment_id = uuid7()
    debt = Debt(
        plugin="settlement",
        reference=f"adjustment:{adjustment_id}",
        debtor_id=part.debtor_id,
        creditor_id=part.creditor_id,
        amount_micros=part.amount_micros,
        currency=line.currency,
        reason=f"Dispute {dispute_id} upheld: {part.part} of line {line.line}",
    )
    await session.run_sync(owe, debt)
    booked = (
        await session.scalars(
            sa.select(MemberDebt).where(
                MemberDebt.plugin == debt.plugin, MemberDebt.reference == debt.reference
            )
        )
    ).one()
    session.add(
        Adjustment(
            id=adjustment_id,
            dispute_id=dispute_id,
            wallet_id=line.line.wallet_id,
            line_id=line.line.id,
            part=part.part,
            debt_id=booked.id,
            window_id=booked.window_id,
        )
    )
    await session.flush()


async def _move(
    session: AsyncSession, dispute: Dispute, after: DisputeStatus, actor: str, note: str
) -> None:
    moment = await now(session)
    await history.move(
        session,
        Dispute,
        _change(dispute, DisputeStatus.OPEN, after, actor, note),
        decided_at=moment,
        decided_by=actor,
        note=note,
    )
    await session.refresh(dispute)


def _change(
    dispute: Dispute, before: DisputeStatus | None, after: DisputeStatus, actor: str, note: str
) -> history.Change:
    return history.Change(
        subject=history.Subject.DISPUTE,
        id=dispute.id,
        before=before,
        after=after,
        actor=actor,
        note=note,
    )
