"""What becomes of legs: with the rail, booked, failed, paid again. Each step compares and sets.

Every function works in the caller's transaction and raises StatusChanged where the leg is not in a
status that the step starts from. The settlement is locked before the leg.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.clock import now
from marketplace.errors import Conflict
from marketplace.ids import uuid7
from settlement import history, telling
from settlement.clearing import books, repository, settling
from settlement.clearing.domain import DUE_DAYS, LegStatus, PostingCode, SettlementStatus
from settlement.clearing.models import Posting, SettlementLeg
from settlement.clearing.rounding import unit_micros
from settlement.errors import StatusChanged

BANK_KNOWS = (LegStatus.SUBMITTED, LegStatus.ACCEPTED, LegStatus.UNKNOWN)
PAYABLE = (SettlementStatus.APPROVED, *repository.MOVING, SettlementStatus.SETTLED)
"""Statuses of a settlement whose planned legs a member may pay without being asked."""


async def _take(
    session: AsyncSession, leg_id: UUID, allowed: Collection[LegStatus], step: str
) -> SettlementLeg:
    """The leg, locked, in one of these statuses."""
    leg = await repository.leg(session, leg_id, lock=True)
    if leg.status not in allowed:
        raise StatusChanged(
            f"Leg {leg.reference} is {leg.status}: it cannot be {step}. Look again."
        )
    return leg


async def move(
    session: AsyncSession,
    leg: SettlementLeg,
    after: LegStatus,
    *,
    actor: str,
    note: str = "",
    **values: Any,
) -> None:
    """Change the status of a leg as it was read, and write it down."""
    change = history.Change(
        subject=history.Subject.LEG,
        id=leg.id,
        before=leg.status,
        after=after,
        actor=actor,
        note=note,
    )
    await history.move(session, SettlementLeg, change, **values)
    await session.refresh(leg)


async def send(
    session: AsyncSession,
    leg: SettlementLeg,
    after: LegStatus,
    *,
    actor: str,
    note: str = "",
    **values: Any,
) -> None:
    """A planned leg goes to its rail: its due is in transit."""
    if leg.status is not LegStatus.PLANNED:
        raise StatusChanged(f"Leg {leg.reference} is {leg.status}, not planned. Look again.")
    await move(session, leg, after, actor=actor, note=note, **values)
    await books.post(
        session, [books.of_leg(PostingCode.SUBMIT, leg, books.transit(leg), books.due(leg))]
    )


async def not_taken(
    session: AsyncSession,
    leg: SettlementLeg,
    after: LegStatus,
    *,
    actor: str,
    note: str,
    **values: Any,
) -> None:
    """A leg comes back from its rail with nothing moved: it is due again."""
    await move(session, leg, after, actor=actor, note=note, **values)
    await books.post(
        session, [books.of_leg(PostingCode.FAIL, leg, books.due(leg), books.transit(leg))]
    )


async def accept(
    session: AsyncSession, leg_id: UUID, *, rail_reference: str = "", actor: str, note: str = ""
) -> None:
    """The bank says that it will execute the leg."""
    leg = await _take(session, leg_id, (LegStatus.SUBMITTED, LegStatus.UNKNOWN), "accepted")
    values = {"rail_reference": rail_reference} if rail_reference else {}
    await move(session, leg, LegStatus.ACCEPTED, actor=actor, note=note, **values)


async def book(
    session: AsyncSession,
    leg_id: UUID,
    *,
    booked_on: date,
    rail_reference: str = "",
    entry_id: UUID | None = None,
    bank_account_id: UUID | None = None,
    actor: str,
    note: str = "",
) -> None:
    """The whole amount of the leg has moved; the last one settles the settlement.

    A planned leg too: the member paid before it was asked. Without `bank_account_id` the money is
    on the account that the rail keeps.
    """
    leg = await _take(session, leg_id, (LegStatus.PLANNED, *BANK_KNOWS), "booked")
    settlement = await repository.find(session, leg.settlement_id)
    if settlement.status not in PAYABLE:
        raise StatusChanged(
            f"Settlement {settlement.reference} is {settlement.status}. Look again."
        )
    if leg.status is LegStatus.PLANNED:
        await send(session, leg, LegStatus.SUBMITTED, actor=actor, note=note or "paid unasked")
    values = {"rail_reference": rail_reference} if rail_reference else {}
    await move(
        session,
        leg,
        LegStatus.BOOKED,
        actor=actor,
        note=note,
        booked_on=booked_on,
        due_at=None,
        **values,
    )
    far = books.far_side(leg, bank_account_id)
    posting = books.of_leg(PostingCode.BOOK, leg, far, books.transit(leg), entry_id=entry_id)
    await books.post(session, [posting])
    await settling.progress(session, leg.settlement_id, actor=actor)


async def show_on_statement(
    session: AsyncSession, leg_id: UUID, *, entry_id: UUID, bank_account_id: UUID, actor: str
) -> None:
    """A leg that its rail said was booked is on the bank's statement now: the money goes from the
    account that the rail keeps to the bank account."""
    leg = await _take(session, leg_id, (LegStatus.BOOKED,), "shown on a statement")
    kept = books.far_side(leg, None)
    shown = books.far_side(leg, bank_account_id)
    posting = books.of_leg(PostingCode.EXPLAIN, leg, shown, kept, entry_id=entry_id)
    await books.post(session, [posting])
    change = history.Change(
        subject=history.Subject.LEG,
        id=leg.id,
        before=leg.status,
        after=leg.status,
        actor=actor,
        note="shown on a bank statement",
    )
    await history.record(session, change)


async def reject(
    session: AsyncSession, leg_id: UUID, *, reason: str, actor: str, note: str = ""
) -> None:
    """No money of the leg has moved and none will: it is due again, and waits for `repay`.

    A planned leg of a settlement that is sent off too: finance knows that it cannot be paid.
    Before that the settlement is aborted instead.
    """
    leg = await _take(session, leg_id, (LegStatus.PLANNED, *BANK_KNOWS), "rejected")
    settlement = await repository.find(session, leg.settlement_id)
    if settlement.status not in (*repository.MOVING, SettlementStatus.SETTLED):
        raise StatusChanged(
            f"Settlement {settlement.reference} is {settlement.status}: none of its legs has gone, "
            "so none can be rejected. Abort it instead."
        )
    values: dict[str, Any] = {"reason": reason, "due_at": None}
    if leg.status is LegStatus.PLANNED:
        await move(session, leg, LegStatus.REJECTED, actor=actor, note=note or reason, **values)
    else:
        await not_taken(
            session, leg, LegStatus.REJECTED, actor=actor, note=note or reason, **values
        )
    await _tell_failed(session, leg)


async def _tell_failed(session: AsyncSession, leg: SettlementLeg) -> None:
    """The member's people hear of it, bilaterally those of both members."""
    told = {
        "payment": leg.reference,
        "money": telling.money(leg.amount_minor * unit_micros(leg.currency), leg.currency),
        "reason": telling.words(leg.reason).rstrip("."),
    }
    sides = [leg.member_id, *([leg.counterparty_id] if leg.counterparty_id else [])]
    key = f"failed:{leg.id}:{leg.status}"
    await telling.members(session, "payment_failed", key, dict.fromkeys(sides, told))


async def return_(
    session: AsyncSession,
    leg_id: UUID,
    *,
    reason: str,
    entry_id: UUID | None = None,
    bank_account_id: UUID | None = None,
    actor: str,
    note: str = "",
) -> None:
    """The money of a booked leg came back, months later perhaps: it is due again.

    Nothing new is made, and a settlement that is settled stays so: `repay` makes another leg, or
    a default an exceptional settlement. Until then it counts against the debtor's cap.
    """
    leg = await _take(session, leg_id, (LegStatus.BOOKED,), "returned")
    if not leg.amount_minor:
        raise Conflict(f"Leg {leg.reference} moved no money that could come back.")
    if leg.rail is None and leg.counterparty_id is None and await _from_prefund(session, leg):
        raise Conflict(f"Leg {leg.reference} was paid from money paid ahead: no bank returns it.")
    await move(session, leg, LegStatus.RETURNED, actor=actor, note=note or reason, reason=reason)
    far = books.far_side(leg, bank_account_id)
    posting = books.of_leg(PostingCode.RETURN, leg, books.due(leg), far, entry_id=entry_id)
    await books.post(session, [posting])
    await settling.progress(session, leg.settlement_id, actor=actor)
    await _tell_failed(session, leg)


async def _from_prefund(session: AsyncSession, leg: SettlementLeg) -> bool:
    found = await session.scalar(
        sa.select(Posting.id)
        .where(Posting.leg_id == leg.id, Posting.code == PostingCode.PREFUND)
        .limit(1)
    )
    return found is not None


async def repay(session: AsyncSession, leg_id: UUID, *, actor: str, note: str = "") -> UUID:
    """A new leg that pays what a failed one did not; once per failed leg. Returns its id.

    It is planned: the next pass submits it, with the account that the member has then. Its day is
    no day that is over: banks execute nothing in the past.
    """
    leg = await _take(session, leg_id, repository.FAILED, "paid again")
    taken = await session.scalar(
        sa.select(SettlementLeg.reference).where(SettlementLeg.replaces_id == leg.id)
    )
    if taken is not None:
        raise Conflict(f"Leg {leg.reference} is paid again by {taken} already.")
    settlement = await repository.find(session, leg.settlement_id)
    if settlement.status not in (*repository.MOVING, SettlementStatus.SETTLED):
        raise StatusChanged(
            f"Settlement {settlement.reference} is {settlement.status}. Look again."
        )
    earliest = (await now(session)).date() + timedelta(days=DUE_DAYS)
    made = SettlementLeg(
        id=uuid7(),
        settlement_id=leg.settlement_id,
        reference=_next_try(leg.reference),
        member_id=leg.member_id,
        counterparty_id=leg.counterparty_id,
        currency=leg.currency,
        direction=leg.direction,
        net_micros=leg.net_micros,
        amount_minor=leg.amount_minor,
        # Rounded once, by the first leg.
        remainder_micros=leg.remainder_micros,
        status=LegStatus.PLANNED,
        rail=None,
        account=None,
        rail_reference="",
        due_on=max(leg.due_on, earliest),
        replaces_id=leg.id,
        reason="",
    )
    session.add(made)
    await session.flush()
    change = history.Change(
        subject=history.Subject.LEG,
        id=made.id,
        before=None,
        after=LegStatus.PLANNED,
        actor=actor,
        note=note or f"pays {leg.reference} again",
    )
    await history.record(session, change)
    return made.id


def _next_try(reference: str) -> str:
    """`S-2026-0001-EUR-0003` is paid again by `...-0003-R1`, that by `...-0003-R2`."""
    base, again, number = reference.rpartition("-R")
    if again and number.isdigit():
        return f"{base}-R{int(number) + 1}"
    return f"{reference}-R1"


async def wait(session: AsyncSession, leg: SettlementLeg, due_at: datetime | Any) -> None:
    """Nothing new is known of a leg: its rail is asked again then."""
    await session.execute(
        sa.update(SettlementLeg)
        .where(SettlementLeg.id == leg.id, SettlementLeg.status == leg.status)
        .values(due_at=due_at)
    )


async def by_reference(
    session: AsyncSession, references: Collection[str]
) -> dict[str, SettlementLeg]:
    """Legs by their references, as they come back on statements."""
    return await repository.legs_by_reference(session, references)
