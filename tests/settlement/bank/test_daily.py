"""One command says green, or lists what is left to do."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa

from marketplace.db import Database
from settlement.bank import daily
from settlement.bank.daily import FiveWay, Measure
from settlement.bank.domain import Close
from settlement.bank.models import BankLine
from tests.settlement.bank.paper import Desk, Teller
from tests.settlement.bank.test_matching import pays, submitted
from tests.settlement.clearing.house import House


async def closes(house: House) -> list[FiveWay]:
    """Every day on which something happened."""
    found = []
    async with house.runtime.database.begin() as session:
        first = (
            await session.execute(sa.text("select min(effective_at)::date from transfer"))
        ).scalar_one()
        last = (await session.execute(sa.text("select marketplace_now()::date"))).scalar_one()
        days = [first + timedelta(days=each) for each in range((last - first).days + 1)]
        days += list(await session.scalars(sa.select(BankLine.booked_on).distinct()))
        for day in sorted(set(days)):
            found.append(await daily.close_of_day(session, day))
    return found


async def test_green_when_all_sides_agree(
    house: House, desk: Desk, teller: Teller, owner: Database
) -> None:
    _, found = await submitted(house)
    await desk.account()
    await desk.take(teller.file(teller.statement(*(pays(teller, leg) for leg in found))))
    days = await closes(house)
    assert [row for day in days for row in day.rows if not row.agrees] == []
    assert all(day.green for day in days)
    rows = [row for day in days for row in day.rows]
    assert {row.measure for row in rows} == set(Measure)
    assert any(row.figures[Close.BANK] for row in rows if row.measure is Measure.LEGS)
    assert sum(row.figures[Close.LEDGER] for row in rows if row.measure is Measure.POINTS) > 0
    # Each side is read by itself, so what is done behind the program's back shows on it alone.
    async with owner.begin() as session:
        await session.execute(sa.text("set local session_replication_role = replica"))
        await session.execute(sa.text("update burn set points = points + 1, cost_micros = 7"))
    wrong = [row for day in await closes(house) for row in day.rows if not row.agrees]
    assert {row.measure for row in wrong} == {Measure.POINTS, Measure.COST}


async def test_not_green_while_money_is_not_explained(
    house: House, desk: Desk, teller: Teller
) -> None:
    await desk.account()
    await desk.take(teller.file(teller.statement(teller.entry("9.99"))))
    async with house.runtime.database.begin() as session:
        day = (await session.scalars(sa.select(BankLine.booked_on))).one()
        close = await daily.close_of_day(session, day)
    assert not close.green
    assert close.break_count == 1
    assert close.suspense_micros == {"EUR": 9_990_000}
    assert all(row.agrees for row in close.rows)
