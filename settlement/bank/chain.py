"""Statements of one account follow each other: each opens where the one before it closed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from itertools import pairwise
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.contract.bank_records import StatementKind
from marketplace.money import decimal_from_micros
from settlement.bank import breaking
from settlement.bank.domain import BreakKind
from settlement.bank.errors import StatementChanged, StatementOverlaps
from settlement.bank.gathering import Gathered
from settlement.bank.models import BankAccount, BankStatement

SYSTEM = "system"


async def statements(session: AsyncSession, account_id: UUID) -> list[BankStatement]:
    """Statements that count, of one account, by their days."""
    return list(
        await session.scalars(
            sa.select(BankStatement)
            .where(
                BankStatement.account_id == account_id,
                BankStatement.kind == StatementKind.STATEMENT,
            )
            .order_by(
                BankStatement.from_on,
                BankStatement.to_on,
                BankStatement.number.nulls_last(),
                BankStatement.id,
            )
        )
    )


async def refuse_changed(
    session: AsyncSession, account: BankAccount, of: Gathered, days: tuple[date, date]
) -> None:
    """StatementChanged where one with its id is there for the same days, with other content.

    Banks that number their statements anew every year use an id again: other days, no quarrel.
    """
    if not of.start.reference:
        return
    same = await session.scalar(
        sa.select(BankStatement)
        .where(
            BankStatement.account_id == account.id,
            BankStatement.kind == of.start.kind,
            BankStatement.reference == of.start.reference,
            BankStatement.from_on <= days[1],
            BankStatement.to_on >= days[0],
        )
        .limit(1)
    )
    if same is not None:
        raise StatementChanged(
            f"{of.name} of account {account.identifier} was imported from {same.file_name} on "
            f"{same.imported_at:%Y-%m-%d} with other content: then {_figures(same)}, now "
            f"{_figures(of)}. Nothing was imported; ask the bank which is right."
        )


def refuse_overlap(
    account: BankAccount, known: Sequence[BankStatement], of: Gathered, days: tuple[date, date]
) -> None:
    """StatementOverlaps where its days are on another statement, and it is not one that goes on
    where that one ended, within the same day."""
    first, last = days
    touching = [each for each in known if each.from_on <= last and each.to_on >= first]
    for each in touching:
        after, ahead = first >= each.to_on, last <= each.from_on
        goes_on = (
            (after and _follows(each.closing_micros, of.opening_micros, each, of))
            or (ahead and _follows(of.closing_micros, each.opening_micros, each, of))
            or _chained(of, [other for other in touching if other is not each])
            or _numbered_apart(each, of, days)
        )
        if ((after or ahead) and goes_on) or _next_to(each, of):
            continue
        raise StatementOverlaps(
            f"{of.name} of account {account.identifier} covers {first} to {last}; statement "
            f"{each.reference} ({each.from_on} to {each.to_on}, from {each.file_name}) covers days "
            f"of it already, with other content. Nothing was imported."
        )


def _follows(closing: int | None, opening: int | None, one: BankStatement, other: Gathered) -> bool:
    same = (one.opening_micros, one.closing_micros) == (other.opening_micros, other.closing_micros)
    return closing == opening and (not same or one.number != other.start.number)


def _chained(of: Gathered, others: Sequence[BankStatement]) -> bool:
    """Whether another statement of the same day ends where this begins, or the other way round."""
    return any(
        each.closing_micros == of.opening_micros or each.opening_micros == of.closing_micros
        for each in others
    )


def _next_to(one: BankStatement, other: Gathered) -> bool:
    """Numbered one after the other, and one closes with what the other opens with: the entries of
    the later one may be of days before it."""
    if one.number is None or other.start.number is None:
        return False
    match other.start.number - one.number:
        case 1:
            return one.closing_micros == other.opening_micros
        case -1:
            return other.closing_micros == one.opening_micros
    return False


def _numbered_apart(one: BankStatement, other: Gathered, days: tuple[date, date]) -> bool:
    """Two of one single day with different numbers: one between them may be missing."""
    single = one.from_on == one.to_on == days[0] == days[1]
    number = other.start.number
    return single and number is not None and one.number not in (None, number)


def _figures(of: BankStatement | Gathered) -> str:
    opening, closing = of.opening_micros, of.closing_micros
    if opening is None or closing is None:
        return f"{of.entries} entries"
    return (
        f"{of.entries} entries from {decimal_from_micros(opening)} to "
        f"{decimal_from_micros(closing)}"
    )


def in_order(known: Sequence[BankStatement]) -> list[BankStatement]:
    """Statements as they follow each other: by their days, within a day by their balances."""
    left, ordered = list(known), list[BankStatement]()
    while left:
        head = left[0]
        day = [each for each in left if (each.from_on, each.to_on) == (head.from_on, head.to_on)]
        before = ordered[-1].closing_micros if ordered else None
        chosen = next((each for each in day if each.opening_micros == before), None)
        if chosen is None and head.number is None:
            closings = {each.closing_micros for each in day}
            chosen = next((each for each in day if each.opening_micros not in closings), None)
        chosen = chosen or head
        left.remove(chosen)
        ordered.append(chosen)
    return ordered


async def watch(session: AsyncSession, account: BankAccount) -> int:
    """Open a break for each gap between statements, and let go of those that are filled; returns
    how many gaps there are."""
    ordered = in_order(await statements(session, account.id))
    numbered = _counts_by_one(ordered)
    gaps = set()
    for before, after in pairwise(ordered):
        missing = (after.opening_micros or 0) - (before.closing_micros or 0)
        if missing:
            reason = _amount_missing(account, before, after)
        elif numbered and _step(before, after) > 1:
            reason = _number_missing(account, before, after)
        else:
            continue
        gaps.add(after.id)
        await breaking.open_(
            session,
            kind=BreakKind.STATEMENT_GAP,
            subject_id=after.id,
            statement_id=after.id,
            account_id=account.id,
            currency=account.currency,
            amount_micros=missing,
            opened_on=after.from_on,
            reason=reason,
        )
    await breaking.let_go(
        session,
        BreakKind.STATEMENT_GAP,
        [each.id for each in ordered if each.id not in gaps],
        "the statement between was imported",
    )
    return len(gaps)


def _step(before: BankStatement, after: BankStatement) -> int:
    """From number to number; 0 where there is none, or the bank has begun to count anew."""
    if before.number is None or after.number is None:
        return 0
    return max(after.number - before.number, 0)


def _counts_by_one(ordered: Sequence[BankStatement]) -> bool:
    """Whether the bank numbers the statements of this account one by one, as it seems: some count
    reports too, or all accounts together, and their numbers prove nothing."""
    steps = [step for before, after in pairwise(ordered) if (step := _step(before, after))]
    return 2 * steps.count(1) >= len(steps) > 1


def _amount_missing(account: BankAccount, before: BankStatement, after: BankStatement) -> str:
    return (
        f"Statement {after.reference} of {account.identifier} opens with "
        f"{decimal_from_micros(after.opening_micros or 0)} on {after.from_on}, but "
        f"statement {before.reference} closed with "
        f"{decimal_from_micros(before.closing_micros or 0)} on {before.to_on}: one "
        f"between them is missing. Fetch and import it."
    )


def _number_missing(account: BankAccount, before: BankStatement, after: BankStatement) -> str:
    return (
        f"Statement {after.reference} of {account.identifier} has the number {after.number}, and "
        f"{before.reference} before it {before.number}: one between them is missing, whose entries "
        f"come to zero. Fetch and import it."
    )
