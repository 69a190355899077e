"""Which legs a line may be the money of, surest first. What this says is not applied here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.money import decimal_from_micros
from settlement.arrays import among
from settlement.bank import files
from settlement.bank.domain import BreakKind, Rule, normal_account, references_in
from settlement.bank.lines import AWAITED, Found, expected
from settlement.bank.models import BankLine
from settlement.clearing.domain import LegStatus
from settlement.clearing.models import SettlementLeg

REASONS: Final = {
    Rule.END_TO_END: (100, "it carries the reference {0}, with its amount and direction"),
    Rule.BANK_REFERENCE: (95, "the bank's own reference is that of {0}, the amount agrees"),
    Rule.BATCH: (98, "it is the sum of the payments {0} of one block of our file"),
    Rule.TEXT: (90, "the reference {0} stands in its text, the amount agrees"),
}


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """Legs that a line names, and how."""

    legs: tuple[SettlementLeg, ...]
    rule: Rule


class Step(StrEnum):
    """What is to be done with a line."""

    BOOK = "book"
    SHOW = "show"
    RETURN = "return"
    BREAK = "break"


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done with a line that names legs."""

    step: Step
    legs: tuple[SettlementLeg, ...] = ()
    found: Found | None = None
    kind: BreakKind = BreakKind.UNKNOWN_PAYER
    reason: str = ""


class Known(msgspec.Struct):
    """Legs that some lines name."""

    by_reference: Mapping[str, SettlementLeg]
    by_rail: Mapping[str, SettlementLeg]
    blocks: Mapping[tuple[str, str], Sequence[SettlementLeg]]


async def known(session: AsyncSession, lines: Sequence[BankLine]) -> Known:
    """The legs that these lines name, in a few statements."""
    names, rails, blocks = set[str](), set[str](), set[tuple[str, str]]()
    for line in lines:
        names |= {*line.end_to_end_ids, line.instruction_id, line.structured_reference}
        names |= {*references_in(line.remittance, line.text)}
        rails |= {line.bank_reference, line.entry_reference, line.instruction_id}
        blocks.add((line.payment_information_id, line.message_id))
    legs = await _legs(session, SettlementLeg.reference, names - {""})
    by_rail = await _legs(session, SettlementLeg.rail_reference, rails - {""})
    return Known(
        by_reference={leg.reference: leg for leg in legs},
        by_rail=_unique(by_rail),
        blocks=await files.legs_of(session, blocks),
    )


async def _legs(session: AsyncSession, column: Any, values: set[str]) -> list[SettlementLeg]:
    if not values:
        return []
    query = sa.select(SettlementLeg).where(among(column, values), SettlementLeg.amount_minor > 0)
    return list(await session.scalars(query.execution_options(populate_existing=True)))


def _unique(legs: Sequence[SettlementLeg]) -> dict[str, SettlementLeg]:
    found: dict[str, list[SettlementLeg]] = {}
    for leg in legs:
        found.setdefault(leg.rail_reference, []).append(leg)
    return {name: each[0] for name, each in found.items() if len(each) == 1}


def named(line: BankLine, of: Known) -> Named | None:
    """The legs that a line names by the surest of its ids."""
    by_id = [of.by_reference[each] for each in line.end_to_end_ids if each in of.by_reference]
    if by_id:
        return Named(legs=_once(by_id), rule=Rule.END_TO_END)
    ids = (line.instruction_id, line.structured_reference)
    by_bank = [of.by_reference[each] for each in ids if each in of.by_reference]
    own = (line.bank_reference, line.entry_reference, line.instruction_id)
    by_bank += [of.by_rail[each] for each in own if each in of.by_rail]
    if by_bank:
        return Named(legs=_once(by_bank), rule=Rule.BANK_REFERENCE)
    in_text = references_in(line.remittance, line.text)
    by_text = [of.by_reference[each] for each in in_text if each in of.by_reference]
    if by_text:
        return Named(legs=_once(by_text), rule=Rule.TEXT)
    block = of.blocks.get((line.payment_information_id, line.message_id), ())
    return Named(legs=tuple(block), rule=Rule.BATCH) if block else None


def _once(legs: Sequence[SettlementLeg]) -> tuple[SettlementLeg, ...]:
    return tuple({leg.id: leg for leg in legs}.values())


def judge(line: BankLine, by: Named, unseen: Mapping[UUID, list[int]]) -> Verdict:
    """What is to be done with a line that names legs; `unseen` as `lines.unseen` gives it."""
    through = tuple(leg for leg in by.legs if leg.counterparty_id is None)
    wrong = [leg.reference for leg in by.legs if leg not in through]
    if wrong or any(leg.currency != line.currency for leg in through):
        return _break(line, by, BreakKind.AMOUNT_DIFFERS, "it is in another currency, or not ours")
    if by.rule is Rule.BATCH:
        through = tuple(leg for leg in through if _open_for(leg, line, unseen))
    confidence, words = REASONS[by.rule]
    names = ", ".join(leg.reference for leg in through[:5]) + (" ..." if through[5:] else "")
    found = Found(rule=by.rule, confidence=confidence, reason=words.format(names))
    total = sum(expected(leg) for leg in through)
    if through and line.amount_micros == total and all(leg.status in AWAITED for leg in through):
        return Verdict(step=Step.BOOK, legs=through, found=found)
    if len(through) == 1 and line.amount_micros in unseen.get(through[0].id, ()):
        return Verdict(step=Step.SHOW, legs=through, found=found)
    back = all(leg.status is LegStatus.BOOKED for leg in through)
    if through and line.amount_micros == -total and back:
        reason = f"it takes back what was booked for {names}"
        found = Found(rule=Rule.RETURN, confidence=confidence, reason=reason)
        return Verdict(step=Step.RETURN, legs=through, found=found)
    return _fault(line, by, through, total)


def _open_for(leg: SettlementLeg, line: BankLine, unseen: Mapping[UUID, list[int]]) -> bool:
    """Of a batch: a leg that the line may still be the money of."""
    same_way = (expected(leg) > 0) == (line.amount_micros > 0)
    return leg.status in AWAITED if same_way else leg.status is LegStatus.BOOKED


def _fault(line: BankLine, by: Named, through: Sequence[SettlementLeg], total: int) -> Verdict:
    """Why a line that names legs is not their money."""
    statuses = {leg.status for leg in through}
    amount = decimal_from_micros(line.amount_micros)
    if through and line.amount_micros == total and statuses <= {LegStatus.BOOKED}:
        return _break(line, by, BreakKind.DUPLICATE, f"{amount} is on a statement already")
    if through and line.amount_micros == total:
        said = ", ".join(sorted(status.value for status in statuses))
        return _break(line, by, BreakKind.DUPLICATE, f"money moved, but it is {said}")
    if through and line.amount_micros == -total:
        return _break(line, by, BreakKind.UNKNOWN_PAYER, "it comes back, but was never booked")
    wanted = decimal_from_micros(total)
    return _break(line, by, BreakKind.AMOUNT_DIFFERS, f"the line is {amount}, due are {wanted}")


def _break(line: BankLine, by: Named, kind: BreakKind, why: str) -> Verdict:
    names = ", ".join(leg.reference for leg in by.legs[:5])
    return Verdict(step=Step.BREAK, legs=by.legs, kind=kind, reason=f"{names}: {why}.")


def sides(leg: SettlementLeg) -> set[str]:
    """What a line may say of the other side, where it is of the leg's member: accounts, name."""
    found = {normal_account(each) for each in _texts(leg.account)} | {plain_name(leg.name)}
    return found - {""}


def plain_name(text: str) -> str:
    """A name as it is compared."""
    return " ".join(text.casefold().split())


def alike(account: str, name: str, leg: SettlementLeg) -> tuple[int, str] | None:
    """How sure it is that a line of the right amount is of the leg's member, and why: by the
    account and the (plain) name of the other side."""
    same_account = bool(account) and account in map(normal_account, _texts(leg.account))
    same_name = bool(name) and name == plain_name(leg.name)
    if same_account and same_name:
        return 80, "amount, date, account and name agree with {0}"
    if same_account:
        return 70, "amount, date and account agree with {0}"
    return (60, "amount, date and name agree with {0}") if same_name else None


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [text for part in parts for text in _texts(part)]
