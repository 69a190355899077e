"""From closed windows to a settlement that two people vouch for and that is sent off.

Everything works in the caller's transaction; each step compares and sets, with history and actor.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.clock import now
from marketplace.errors import InvalidRequest, NotFound
from marketplace.ledger.domain import WindowStatus
from marketplace.ledger.models import SettlementWindow
from settlement import history
from settlement.clearing import (
    books,
    defaulting,
    drafting,
    netting,
    paying,
    prefunding,
    repository,
    settling,
)
from settlement.clearing.domain import (
    DUE_DAYS,
    LegStatus,
    Mode,
    PostingCode,
    SettlementKind,
    SettlementStatus,
)
from settlement.clearing.errors import NothingToSettle, WindowOutOfOrder
from settlement.clearing.legs import send
from settlement.clearing.models import CoveredWindow, Posting, Settlement, SettlementLeg
from settlement.disputes.freezing import frozen
from settlement.domain import PartyKind
from settlement.errors import SamePerson, StatusChanged

UNSENT: Final = (
    SettlementStatus.PENDING,
    SettlementStatus.RECORDED,
    SettlementStatus.APPROVED,
    SettlementStatus.SUBMITTED,
)
"""Statuses in which no leg needs to have gone to its rail."""


async def draft(
    session: AsyncSession,
    window_ids: Sequence[UUID] | None = None,
    *,
    mode: Mode = Mode.MULTILATERAL,
    due_on: date | None = None,
    actor: str,
    note: str = "",
) -> Settlement:
    """Net closed windows, all of them unless some are named, into a pending settlement.

    Oldest first: NothingToSettle where none is closed, WindowOutOfOrder where an older one would
    be left, NotFound for one that does not exist, StatusChanged for one that is not closed.
    Disputed lines are left out.
    """
    today = (await now(session)).date()
    due_on = due_on or today + timedelta(days=DUE_DAYS)
    if due_on < today:
        raise InvalidRequest(f"Legs cannot be executed on {due_on}: that day is over.")
    # Numbering is held from here on, so one draft after the other looks at the windows.
    reference = await repository.next_reference(session, today.year)
    chosen = await _windows(session, window_ids)
    operator_id = await repository.operator_id(session)
    made = await drafting.store(
        session,
        reference=reference,
        kind=SettlementKind.ORDINARY,
        mode=mode,
        due_on=due_on,
        actor=actor,
        note=note,
    )
    for window_id in chosen:
        change = history.Change(
            subject=history.Subject.WINDOW,
            id=window_id,
            before=WindowStatus.CLOSED,
            after=WindowStatus.IN_SETTLEMENT,
            actor=actor,
            note=reference,
        )
        await history.move(session, SettlementWindow, change)
        session.add(CoveredWindow(settlement_id=made.id, window_id=window_id, live=True))
    await session.flush()
    # Lines under dispute, and with a minus sign those that were left out before.
    found = await drafting.netted(session, chosen, held=await frozen(session, chosen))
    legs = netting.legs(found.positions, found.flows, mode, operator_id)
    await drafting.store_netted(session, made, found, legs, actor)
    return made


async def _windows(session: AsyncSession, window_ids: Sequence[UUID] | None) -> list[UUID]:
    """The windows to settle, oldest first."""
    closed = await repository.closed_windows(session)
    if not closed and not window_ids:
        raise NothingToSettle("No window is closed. Close the open one first.")
    if window_ids is None:
        return closed
    asked = set(window_ids)
    if not asked:
        raise NothingToSettle("Name at least one closed window.")
    known = {
        row.id: row.status
        for row in await session.execute(
            sa.select(SettlementWindow.id, SettlementWindow.status).where(
                SettlementWindow.id.in_(asked)
            )
        )
    }
    for window_id in asked:
        if window_id not in known:
            raise NotFound(f"There is no window {window_id}.")
        if known[window_id] is not WindowStatus.CLOSED:
            raise StatusChanged(f"Window {window_id} is {known[window_id]}, not closed.")
    chosen = closed[: len(asked)]
    if set(chosen) != asked:
        left = next(each for each in closed if each not in asked)
        raise WindowOutOfOrder(f"Window {left} was closed before: settle it first, or together.")
    return chosen


async def record(
    session: AsyncSession, settlement_id: UUID, *, actor: str, note: str = ""
) -> Settlement:
    """One person vouches for it: positions become dues in the books."""
    settlement = await repository.find(session, settlement_id, lock=True)
    _expect(settlement, SettlementStatus.PENDING, "recorded")
    await settling.move(
        session, settlement, SettlementStatus.RECORDED, actor=actor, note=note, recorded_by=actor
    )
    operator_id = await repository.operator_id(session)
    margins = [
        (each.currency, each.member_id, each.net_micros)
        for each in await repository.positions(session, settlement.id)
        if each.party is PartyKind.OPERATOR
    ]
    flows = await repository.flows(session, settlement.id)
    await books.post(session, books.netted(settlement.id, flows, margins))
    legs = await repository.legs(session, settlement.id)
    await books.post(session, [row for each in legs for row in books.rounding(each, operator_id)])
    return settlement


async def approve(
    session: AsyncSession, settlement_id: UUID, *, actor: str, note: str = ""
) -> Settlement:
    """A second person vouches for it; SamePerson where it is who recorded it."""
    known = await repository.find(session, settlement_id)
    if known.kind is SettlementKind.EXCEPTIONAL:
        # The one whose payment it covers is locked too.
        await repository.lock_matching(session)
    settlement = await repository.find(session, settlement_id, lock=True)
    _expect(settlement, SettlementStatus.RECORDED, "approved")
    if settlement.recorded_by == actor:
        raise SamePerson(f"You recorded {settlement.reference}: somebody else approves it.")
    await settling.move(
        session, settlement, SettlementStatus.APPROVED, actor=actor, note=note, approved_by=actor
    )
    if settlement.kind is SettlementKind.EXCEPTIONAL:
        await defaulting.covered(session, settlement, actor=actor)
    return settlement


async def abort(session: AsyncSession, settlement_id: UUID, *, actor: str, note: str) -> Settlement:
    """Undo it before anything was sent: its windows are closed again, what it posted is reversed.

    StatusChanged once a leg is with its rail, or is paid.
    """
    settlement = await repository.find(session, settlement_id, lock=True)
    if settlement.status not in UNSENT:
        raise StatusChanged(
            f"{settlement.reference} is {settlement.status}: it cannot be aborted any more."
        )
    if settlement.kind is SettlementKind.EXCEPTIONAL and settlement.status not in (
        SettlementStatus.PENDING,
        SettlementStatus.RECORDED,
    ):
        raise StatusChanged(
            f"{settlement.reference} covers a default and is approved: it cannot be aborted."
        )
    for leg in await repository.legs(session, settlement.id, lock=True):
        await _cancel(session, leg, actor)
    if settlement.status is not SettlementStatus.PENDING:
        await _reverse(session, settlement.id)
    await settling.move(session, settlement, SettlementStatus.ABORTED, actor=actor, note=note)
    for window_id in await repository.windows_of(session, settlement.id):
        change = history.Change(
            subject=history.Subject.WINDOW,
            id=window_id,
            before=WindowStatus.IN_SETTLEMENT,
            after=WindowStatus.CLOSED,
            actor=actor,
            note=f"{settlement.reference} was aborted",
        )
        await history.move(session, SettlementWindow, change)
    await session.execute(
        sa.update(CoveredWindow)
        .where(CoveredWindow.settlement_id == settlement.id)
        .values(live=False)
    )
    return settlement


async def _cancel(session: AsyncSession, leg: SettlementLeg, actor: str) -> None:
    """Of an aborted settlement; only a leg of nothing may be booked."""
    nothing = leg.status is LegStatus.BOOKED and leg.amount_minor == 0
    if not nothing and leg.status is not LegStatus.PLANNED:
        raise StatusChanged(f"Leg {leg.reference} is {leg.status}: it is too late to abort.")
    change = history.Change(
        subject=history.Subject.LEG,
        id=leg.id,
        before=leg.status,
        after=LegStatus.CANCELLED,
        actor=actor,
    )
    # Whatever it would have paid again may be paid in another way now.
    await history.move(session, SettlementLeg, change, replaces_id=None)


async def _reverse(session: AsyncSession, settlement_id: UUID) -> None:
    rows = await session.scalars(
        sa.select(Posting)
        .where(
            Posting.settlement_id == settlement_id,
            Posting.code.in_([PostingCode.NET, PostingCode.ROUND]),
        )
        .order_by(Posting.id)
    )
    await books.post(
        session,
        [
            books.PostingRow(
                code=PostingCode.REVERSE,
                debit=(row.credit_account, row.credit_owner),
                credit=(row.debit_account, row.debit_owner),
                currency=row.currency,
                amount_micros=row.amount_micros,
                settlement_id=row.settlement_id,
                leg_id=row.leg_id,
            )
            for row in rows
        ],
    )


async def submit(
    session: AsyncSession,
    settlement_id: UUID,
    *,
    actor: str,
    note: str = "",
    pay_before_collected: bool = False,
    keep_prefund: bool = False,
    without_account: bool = False,
) -> Settlement:
    """Send an approved settlement off: every leg gets the account it is paid with.

    The legs then go to their rails by themselves (`driving.drive`), debits first. Money paid ahead
    covers a leg first unless `keep_prefund`. Creditors are paid once what they get is there, unless
    `pay_before_collected`. NoPayAccount names the members that have no fitting account, unless
    `without_account`: their legs then wait until a bank entry shows them paid.
    """
    settlement = await repository.find(session, settlement_id, lock=True)
    _expect(settlement, SettlementStatus.APPROVED, "submitted")
    said = [
        word
        for word, asked in (
            ("creditors are paid before debtors have paid", pay_before_collected),
            ("money paid ahead is left alone", keep_prefund),
            ("members without an account pay and are paid by hand", without_account),
        )
        if asked
    ]
    await settling.move(
        session,
        settlement,
        SettlementStatus.SUBMITTED,
        actor=actor,
        note="; ".join([note, *said] if note else said),
        pay_before_collected=pay_before_collected,
        keep_prefund=keep_prefund,
    )
    legs = await repository.legs(session, settlement.id, lock=True)
    await paying.fix_accounts(session, legs, settlement, or_refuse=not without_account)
    if not keep_prefund:
        await prefunding.use(session, legs, actor=actor)
    await _tell_members(session, legs, actor)
    await settling.progress(session, settlement.id, actor=actor)
    return settlement


async def _tell_members(session: AsyncSession, legs: Sequence[SettlementLeg], actor: str) -> None:
    """Bilateral legs are between members: they are out as soon as the settlement is."""
    for leg in legs:
        if leg.counterparty_id is not None and leg.status is LegStatus.PLANNED:
            await send(session, leg, LegStatus.SUBMITTED, actor=actor, note="members pay directly")


def _expect(settlement: Settlement, status: SettlementStatus, step: str) -> None:
    if settlement.status is not status:
        raise StatusChanged(
            f"{settlement.reference} is {settlement.status}, not {status}: "
            f"it cannot be {step}. Look again."
        )
