"""Money that no statement shows yet, by age: legs, and what moves between accounts of the house."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.clock import now
from marketplace.contract.rails import Direction
from marketplace.money import decimal_from_micros
from settlement.bank import breaking, lines, moves, unread
from settlement.bank.domain import BreakKind
from settlement.bank.models import Break
from settlement.clearing import books
from settlement.clearing.domain import AccountKind, LegStatus
from settlement.clearing.models import SettlementLeg

WITH_RAIL = (LegStatus.SUBMITTED, LegStatus.ACCEPTED, LegStatus.UNKNOWN)


class InTransit(msgspec.Struct, frozen=True, kw_only=True):
    """A leg whose money is on its way, or said to be."""

    leg_id: UUID
    reference: str
    member_id: UUID
    rail: str
    status: LegStatus
    currency: str
    amount_micros: int
    """As a statement will show it: above zero is money for the house."""
    due_on: date
    days: int
    """Past its due date; below zero before it."""


async def in_transit(session: AsyncSession) -> list[InTransit]:
    """Every leg with a rail that no statement has shown, oldest first."""
    today = (await now(session)).date()
    rows = list(
        await session.scalars(
            sa.select(SettlementLeg)
            .where(
                SettlementLeg.status.in_(WITH_RAIL),
                SettlementLeg.counterparty_id.is_(None),
                SettlementLeg.amount_minor > 0,
            )
            .order_by(SettlementLeg.due_on, SettlementLeg.reference)
        )
    )
    rows += await _said_only(session)
    return [
        InTransit(
            leg_id=leg.id,
            reference=leg.reference,
            member_id=leg.member_id,
            rail=leg.rail or "",
            status=leg.status,
            currency=leg.currency,
            amount_micros=lines.expected(leg),
            due_on=leg.due_on,
            days=(today - leg.due_on).days,
        )
        for leg in rows
    ]


async def own_in_transit(session: AsyncSession) -> list[moves.OwnInTransit]:
    """What moves between accounts of the house, or is kept back for it, the longest due first."""
    return await moves.waiting(session, (await now(session)).date())


async def _said_only(session: AsyncSession) -> list[SettlementLeg]:
    """Legs that their rail says are booked, and no statement shows: what the books hold for each
    on its rail's account. Those that are shown are not read."""
    held = {each.owner for each in await books.balances(session, account=AccountKind.BANK)}
    rails = await session.scalars(
        sa.select(SettlementLeg.rail).where(SettlementLeg.rail.is_not(None)).distinct()
    )
    owners = {slug: books.rail_account(slug) for slug in rails if slug}
    waiting = {slug: owner for slug, owner in owners.items() if owner in held}
    if not waiting:
        return []
    found = await session.scalars(
        sa.select(SettlementLeg)
        .where(
            SettlementLeg.rail.in_(waiting),
            SettlementLeg.status == LegStatus.BOOKED,
            SettlementLeg.counterparty_id.is_(None),
            SettlementLeg.amount_minor > 0,
            SettlementLeg.id.in_(books.legs_held(waiting.values())),
        )
        .order_by(SettlementLeg.due_on, SettlementLeg.reference)
    )
    return list(found)


async def watch(session: AsyncSession, *, late_days: int) -> int:
    """Open breaks of what is due and on no statement, of legs that came late or came back; let go
    of those whose reason is gone. Returns how many are missing."""
    today = (await now(session)).date()
    missing = [each for each in await in_transit(session) if each.days > late_days]
    rows = [
        {
            "subject_id": each.leg_id,
            "leg_id": each.leg_id,
            "currency": each.currency,
            "amount_micros": each.amount_micros,
            "opened_on": each.due_on,
            "reason": f"{each.reference} of {decimal_from_micros(abs(each.amount_micros))} "
            f"{each.currency} was due on {each.due_on}, and no statement shows it.",
        }
        for each in missing
    ]
    own = [each for each in await own_in_transit(session) if each.days > late_days]
    await breaking.keep_open(session, BreakKind.MISSING, rows)
    await breaking.keep_open(session, BreakKind.MISSING, [_own_missing(each) for each in own])
    subjects = {each.leg_id for each in missing} | {each.entry_id for each in own}
    await _let_go_found(session, subjects)
    await _late(session, today, late_days)
    await _returned(session)
    await unread.let_go(session)
    return len(missing) + len(own)


def _own_missing(each: moves.OwnInTransit) -> dict[str, Any]:
    """The break of a move, of the line that shows it: its name may stay for years, as a reserve's
    does."""
    amount = f"{decimal_from_micros(abs(each.amount_micros))} {each.currency}"
    where = "on another account" if each.elsewhere else "back"
    return {
        "subject_id": each.entry_id,
        "entry_id": each.entry_id,
        "account_id": each.account_id,
        "currency": each.currency,
        "amount_micros": each.amount_micros,
        "opened_on": each.due_on,
        "reason": f"{amount} of {each.name} was due {where} on {each.due_on}, and no statement "
        "shows it.",
    }


async def _let_go_found(session: AsyncSession, missing: set[UUID]) -> None:
    known = await session.scalars(
        sa.select(Break.subject_id).where(
            Break.kind == BreakKind.MISSING, Break.status.in_(breaking.UNRESOLVED)
        )
    )
    gone = [each for each in known if each not in missing]
    await breaking.let_go(session, BreakKind.MISSING, gone, "it is not missing any more")


async def _late(session: AsyncSession, today: date, late_days: int) -> None:
    rows = await session.scalars(
        sa.select(SettlementLeg).where(
            SettlementLeg.status == LegStatus.BOOKED,
            SettlementLeg.amount_minor > 0,
            SettlementLeg.booked_on > SettlementLeg.due_on + sa.literal(late_days),
            SettlementLeg.booked_on > today - timedelta(days=400),
            ~sa.exists().where(Break.kind == BreakKind.LATE, Break.subject_id == SettlementLeg.id),
        )
    )
    late = [
        {
            "subject_id": leg.id,
            "leg_id": leg.id,
            "currency": leg.currency,
            "amount_micros": lines.expected(leg),
            "opened_on": leg.booked_on or leg.due_on,
            "reason": f"{leg.reference} was due on {leg.due_on} and booked on {leg.booked_on}.",
        }
        for leg in rows
    ]
    await breaking.keep_open(session, BreakKind.LATE, late)


def _went(leg: SettlementLeg) -> str:
    """What happened to its money, and what is next."""
    if leg.direction is Direction.PAY:
        return f"came back: {leg.reason}. Pay it again."
    return (
        f"went back: {leg.reason}. Collect it again, once that is agreed with the member, or let "
        "others cover it."
    )


async def _returned(session: AsyncSession) -> None:
    again = sa.orm.aliased(SettlementLeg)
    paid_again = sa.exists().where(again.replaces_id == SettlementLeg.id)
    rows = await session.scalars(
        sa.select(SettlementLeg).where(SettlementLeg.status == LegStatus.RETURNED, ~paid_again)
    )
    waiting = rows.all()
    back = [
        {
            "subject_id": leg.id,
            "leg_id": leg.id,
            "currency": leg.currency,
            "amount_micros": -lines.expected(leg),
            "opened_on": leg.booked_on or leg.due_on,
            "reason": f"The money of {leg.reference} {_went(leg)}",
        }
        for leg in waiting
    ]
    await breaking.keep_open(session, BreakKind.RETURNED, back)
    known = await session.scalars(
        sa.select(Break.subject_id).where(
            Break.kind == BreakKind.RETURNED, Break.status.in_(breaking.UNRESOLVED)
        )
    )
    ids = {leg.id for leg in waiting}
    gone = [each for each in known if each not in ids]
    await breaking.let_go(session, BreakKind.RETURNED, gone, "it is paid again")
