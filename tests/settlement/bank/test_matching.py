"""Legs and lines find each other; what does not is a break with its reason."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from marketplace import api
from marketplace.clock import now, travel_to
from marketplace.contract.bank_records import (
    BankAnswer,
    BankEntry,
    BatchStatus,
    EntryDetail,
    StatementKind,
)
from marketplace.contract.bank_records import LegStatus as LegAnswer
from settlement.bank import breaking, deciding, lines, matching, resolving, suggesting
from settlement.bank.domain import Action, BreakKind, BreakStatus, Rule
from settlement.bank.errors import BreakNeedsAction
from settlement.bank.models import Break, Match
from settlement.bank.resolving import Resolution
from settlement.clearing import legs as leg_steps
from settlement.clearing import prefunding
from settlement.clearing.domain import LegStatus
from settlement.clearing.models import SentFile, Settlement, SettlementLeg
from settlement.errors import SamePerson, StatusChanged
from tests.ledger.busy import make_busy
from tests.settlement.bank.books_and_bank import prove
from tests.settlement.bank.paper import Desk, Teller, micros
from tests.settlement.clearing.house import ANNA, BORIS, House


async def submitted(house: House) -> tuple[Settlement, list[SettlementLeg]]:
    """A settlement whose legs are all with the rail; legs that move money, largest first."""
    await make_busy(house.coalition)
    await house.close_window()
    made = await house.approved()
    await house.accounts("paper")
    await house.submit(made, pay_before_collected=True)
    await house.drive()
    found = [leg for leg in (await house.legs(made)).values() if leg.amount_minor]
    assert {leg.status for leg in found} == {LegStatus.SUBMITTED}
    return made, sorted(found, key=lambda leg: -leg.amount_minor)


def pays(teller: Teller, leg: SettlementLeg, **more: Any) -> BankEntry:
    """The entry of a leg as it should be."""
    return teller.entry(lines.expected(leg), end_to_end_id=leg.reference, **more)


async def status(house: House, leg: SettlementLeg) -> LegStatus:
    """How a leg is now."""
    async with house.runtime.database.begin() as session:
        return (await session.get_one(SettlementLeg, leg.id)).status


async def open_breaks(house: House, kind: BreakKind | None = None) -> list[Break]:
    """The inbox."""
    async with house.runtime.database.begin() as session:
        return await breaking.breaks(session, kind=kind)


async def resolve(house: House, row: Break, action: Action, **more: Any) -> BreakStatus:
    """Anna resolves a break."""
    how = Resolution(action=action, note="looked into it", **more)
    async with house.runtime.database.begin() as session:
        return await resolving.resolve(session, row.id, how, actor=ANNA)


async def test_references_settle_everything(house: House, desk: Desk, teller: Teller) -> None:
    made, found = await submitted(house)
    await desk.account()
    records = teller.statement(*(pays(teller, leg) for leg in found))
    report = await desk.take(teller.file(records))
    assert report.matched is not None
    assert report.matched.legs == len(found)
    assert await house.status(made) == "settled"
    assert not await open_breaks(house)
    await prove(house.runtime)
    async with house.runtime.database.begin() as session:
        rules = set(await session.scalars(sa.select(Match.rule)))
        assert rules == {Rule.END_TO_END}
        assert (await matching.match(session)).matched == 0

    # Two passes at once.
    async def one() -> matching.Matched:
        async with house.runtime.database.begin() as session:
            return await matching.match(session)

    await asyncio.gather(one(), one())
    await prove(house.runtime)
    assert not await house.findings()


async def test_one_sum_for_a_whole_file_and_parts_for_one_leg(
    house: House, desk: Desk, teller: Teller
) -> None:
    made, found = await submitted(house)
    await desk.account()
    async with house.runtime.database.begin() as session:
        files = list(await session.scalars(sa.select(SentFile)))
    for file in files:
        mine = [leg for leg in found if leg.reference in file.references]
        if len(mine) > 1:
            total = sum(lines.expected(leg) for leg in mine)
            entry = teller.entry(total, message_id=file.message_id, count=len(mine))
            await desk.take(teller.file(teller.statement(entry)))
            assert {await status(house, leg) for leg in mine} == {LegStatus.BOOKED}
    left = [leg for leg in found if await status(house, leg) is LegStatus.SUBMITTED]
    first = left[0]
    part = lines.expected(first) // 3
    halves = [
        teller.entry(amount, end_to_end_id=first.reference)
        for amount in (part, lines.expected(first) - part)
    ]
    await desk.take(teller.file(teller.statement(halves[0], day=date(2026, 1, 6))))
    assert [row.kind for row in await open_breaks(house)] == [BreakKind.AMOUNT_DIFFERS]
    await prove(house.runtime)
    await desk.take(teller.file(teller.statement(halves[1], day=date(2026, 1, 7))))
    assert not await open_breaks(house)
    assert await status(house, first) is LegStatus.BOOKED
    # The rest in one sum whose details say no amounts.
    rest = left[1:]
    if rest:
        details = tuple(EntryDetail(end_to_end_id=leg.reference) for leg in rest)
        total = sum(lines.expected(leg) for leg in rest)
        entry = teller.entry(total, details=details)
        await desk.take(teller.file(teller.statement(entry, day=date(2026, 1, 8))))
    assert await house.status(made) == "settled"
    await prove(house.runtime)


async def test_what_does_not_fit_is_a_break(house: House, desk: Desk, teller: Teller) -> None:
    _, found = await submitted(house)
    leg, other = found[0], found[1]
    await desk.account()
    entries = [
        pays(teller, leg),
        pays(teller, leg),
        teller.entry(lines.expected(other) + 10_000, end_to_end_id=other.reference),
        teller.entry("3.33", counterparty_name="A stranger"),
        teller.entry("-0.50", text="charges"),
        teller.entry("250", remittance="prefund  Beta, thank you"),
    ]
    await desk.take(teller.file(teller.statement(*entries)))
    rows = {row.kind: row for row in await open_breaks(house) if row.amount_micros > 0}
    kinds = sorted(row.kind.value for row in await open_breaks(house))
    assert kinds.count("duplicate") == 1
    assert kinds.count("amount_differs") == 1
    assert kinds.count("unknown_payer") == 2
    await prove(house.runtime)
    beta = house.coalition.members["beta"]
    async with house.runtime.database.begin() as session:
        assert await prefunding.prefunded(session, beta, "EUR") == micros("250")
    stranger = rows[BreakKind.UNKNOWN_PAYER]
    with pytest.raises(BreakNeedsAction, match="note is not enough"):
        await resolve(house, stranger, Action.NOTE)
    with pytest.raises(BreakNeedsAction, match="come to"):
        await resolve(house, stranger, Action.MATCH, leg_ids=[other.id])
    assert await resolve(house, stranger, Action.WRITE_OFF) is BreakStatus.PROPOSED
    with pytest.raises(SamePerson):
        async with house.runtime.database.begin() as session:
            await resolving.confirm(session, stranger.id, actor=ANNA)
    async with house.runtime.database.begin() as session:
        await resolving.confirm(session, stranger.id, actor=BORIS)
    with pytest.raises(StatusChanged):
        await resolve(house, stranger, Action.FEES)
    for row in await open_breaks(house):
        if row.kind is BreakKind.UNKNOWN_PAYER:
            await resolve(house, row, Action.FEES)
        elif row.kind is BreakKind.DUPLICATE:
            slug = next(
                slug for slug, each in house.coalition.members.items() if each == leg.member_id
            )
            await resolve(house, row, Action.PREFUND, member=slug) if row.amount_micros > 0 else (
                await resolve(house, row, Action.ROUNDING)
            )
        else:
            await resolve(house, row, Action.ROUNDING)
    assert not await open_breaks(house)
    await prove(house.runtime)


async def test_money_comes_back_months_later_and_is_announced_first(
    house: House, desk: Desk, teller: Teller
) -> None:
    _, found = await submitted(house)
    leg, other = found[0], found[1]
    await desk.account()
    await desk.take(teller.file(teller.statement(pays(teller, leg), pays(teller, other))))

    def back(which: SettlementLeg) -> BankEntry:
        return teller.entry(
            -lines.expected(which),
            end_to_end_id=which.reference,
            return_code="AC04",
            return_text="account closed",
        )

    later = date(2026, 5, 20)
    notice = teller.statement(back(leg), day=later, kind=StatementKind.NOTIFICATION)
    await desk.take(teller.file(notice))
    assert await status(house, leg) is LegStatus.RETURNED
    await prove(house.runtime)
    await desk.take(teller.file(teller.statement(back(leg), back(other), day=later)))
    assert await status(house, other) is LegStatus.RETURNED
    await desk.take(teller.file(notice, name="again.txt"))
    await prove(house.runtime)
    rows = await open_breaks(house, BreakKind.RETURNED)
    assert {row.leg_id for row in rows} == {leg.id, other.id}
    assert "AC04 account closed" in rows[0].reason
    mine = next(row for row in rows if row.leg_id == leg.id)
    await resolve(house, mine, Action.REPAY)
    async with house.runtime.database.begin() as session:
        again = await leg_steps.by_reference(session, [f"{leg.reference}-R1"])
        await matching.match(session)
    assert again[f"{leg.reference}-R1"].status is LegStatus.PLANNED
    assert len(await open_breaks(house, BreakKind.RETURNED)) == 1
    assert not await house.findings()


async def test_banks_accept_and_refuse(house: House, desk: Desk, teller: Teller) -> None:
    _, found = await submitted(house)
    first, second = found[0], found[1]
    said: list[api.BankRecord] = [
        LegAnswer(reference=first.reference, state=BankAnswer.ACCEPTED),
        LegAnswer(reference=second.reference, state=BankAnswer.REJECTED, code="AC01", text="no"),
        LegAnswer(reference="S-1999-0001-EUR-0001", state=BankAnswer.REJECTED),
    ]
    path = teller.file(said)
    report = await desk.take(path)
    assert report.answers.accepted == [first.reference]
    assert report.answers.rejected == [second.reference]
    assert len(report.answers.strange) == 1
    again = await desk.take(path)
    assert set(again.answers.unchanged) == {first.reference, second.reference}
    assert await status(house, second) is LegStatus.REJECTED
    # A word for a whole file spares what was said of one leg.
    async with house.runtime.database.begin() as session:
        sent = (await session.scalars(sa.select(SentFile))).first()
    assert sent is not None
    batch = BatchStatus(original_message_id=sent.message_id, state=BankAnswer.REJECTED, code="NARR")
    unknown = BatchStatus(original_message_id="ELSE", state=BankAnswer.REJECTED)
    report = await desk.take(teller.file([batch, unknown]))
    assert any("ELSE" in each for each in report.answers.strange)
    await prove(house.runtime)
    assert not await house.findings()


async def test_a_person_takes_or_leaves_a_suggestion(
    house: House, desk: Desk, teller: Teller
) -> None:
    _, found = await submitted(house)
    leg, other = found[0], found[1]
    await desk.account()
    day = leg.due_on + timedelta(days=1)
    entries = [
        teller.entry(lines.expected(leg), counterparty_name=leg.name.upper()),
        teller.entry(lines.expected(other), counterparty_name="Nobody"),
    ]
    await desk.take(teller.file(teller.statement(*entries, day=day)))
    async with house.runtime.database.begin() as session:
        [row] = await suggesting.suggestions(session)
        assert (row.leg_id, row.confidence) == (leg.id, 60)
    assert await status(house, leg) is LegStatus.SUBMITTED
    async with house.runtime.database.begin() as session:
        await deciding.accept(session, row.id, actor=ANNA)
    assert await status(house, leg) is LegStatus.BOOKED
    with pytest.raises(StatusChanged):
        async with house.runtime.database.begin() as session:
            await deciding.refuse(session, row.id, actor=ANNA)
    await prove(house.runtime)
    [unknown] = await open_breaks(house, BreakKind.UNKNOWN_PAYER)
    await resolve(house, unknown, Action.MATCH, leg_ids=[other.id])
    assert await status(house, other) is LegStatus.BOOKED
    await prove(house.runtime)
    # It was the wrong one: a contra, and the money waits again.
    async with house.runtime.database.begin() as session:
        match_id: UUID = (
            await session.scalars(sa.select(Match.id).where(Match.leg_id == other.id))
        ).one()
        await deciding.undo(session, match_id, actor=BORIS, note="not theirs")
    assert await status(house, other) is LegStatus.RETURNED
    assert len(await open_breaks(house, BreakKind.UNKNOWN_PAYER)) == 1
    await prove(house.runtime)
    assert not await house.findings()


async def test_legs_that_no_statement_shows_are_missing_then_late(
    house: House, desk: Desk, teller: Teller
) -> None:
    _, found = await submitted(house)
    leg = found[0]
    await desk.account()
    async with house.runtime.database.begin() as session:
        later = await now(session) + timedelta(days=20)
        await travel_to(session, later, allowed=True)
    async with house.runtime.database.begin() as session:
        done = await matching.match(session, late_days=3)
    assert done.missing == len(found)
    day = leg.due_on + timedelta(days=19)
    await desk.take(teller.file(teller.statement(pays(teller, leg), day=day)))
    kinds = {row.kind for row in await open_breaks(house) if row.leg_id == leg.id}
    assert kinds == {BreakKind.LATE}
