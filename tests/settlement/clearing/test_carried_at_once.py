"""The settlement that lacked a payment and the one that pays its debts are settled at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.coalition.exposure import Carried, change_exposures
from marketplace.db import Database
from marketplace.ledger.models import MemberDebt
from settlement.clearing import defaulting, legs
from settlement.clearing.defaulting import Cover
from settlement.clearing.domain import LegStatus
from settlement.clearing.models import Settlement, SettlementLeg
from tests.settlement.clearing.house import ANNA, BOOKED_ON, House
from tests.settlement.clearing.test_carried import WORTH, burnt, used

__all__ = ["burnt"]
WAITING = sa.text("select count(*) from pg_locks where not granted")


async def last_leg(house: House, settlement: Settlement) -> SettlementLeg:
    """Everything of a settlement is booked but this leg."""
    planned = [
        each for each in (await house.legs(settlement)).values() if each.status is LegStatus.PLANNED
    ]
    for leg in planned[1:]:
        await house.book(leg)
    return planned[0]


async def default_of_alpha(house: House, made: Settlement) -> None:
    """Alpha does not pay its leg, the operator covers it, and alpha owes it that in the open
    window."""
    async with house.runtime.database.begin() as session:
        leg = (await house.legs(made))["alpha"]
        await legs.reject(session, leg.id, reason="AC04", actor=ANNA)
        cover = await defaulting.default(
            session, leg.id, cover=Cover.OPERATOR, actor=ANNA, note="insolvent"
        )
    await house.record(cover)
    await house.approve(cover)
    await house.submit(cover, pay_before_collected=True, without_account=True)
    await house.book((await house.legs(cover))["operator"])


@asynccontextmanager
async def booking(house: House, leg: SettlementLeg) -> AsyncIterator[AsyncSession]:
    """A transaction that has booked a leg, and is not at its end."""
    async with house.runtime.database.begin() as session:
        await legs.book(session, leg.id, booked_on=BOOKED_ON, actor=ANNA)
        yield session


async def two_settlements(house: House) -> tuple[Settlement, Settlement]:
    """One that lacks alpha's payment, and one that pays what alpha owes for it."""
    origin = await house.approved()
    await house.submit(origin, pay_before_collected=True, without_account=True)
    await default_of_alpha(house, origin)
    await house.close_window()
    debts = await house.approved()
    await house.submit(debts, pay_before_collected=True, without_account=True)
    return origin, debts


@pytest.mark.parametrize("first", ["origin", "debts"])
async def test_a_debt_paid_as_it_begins_to_count_does_not_count(
    house: House, burnt: UUID, first: str
) -> None:
    origin, debts = await two_settlements(house)
    one, other = await last_leg(house, origin), await last_leg(house, debts)
    if first == "debts":
        one, other = other, one
    assert await used(house) == 2 * WORTH

    async def follow() -> None:
        async with booking(house, other):
            pass

    async with booking(house, one) as session:
        following = asyncio.create_task(follow())
        for _ in range(6_000):
            if following.done() or await session.scalar(WAITING):
                break
            await asyncio.sleep(0.01)
    async with asyncio.timeout(60):
        await following
    assert [await house.status(each) for each in (origin, debts)] == ["settled", "settled"]
    assert not await house.findings()
    assert await used(house) == 0


async def carry(house: House, settlement: Settlement, debt: MemberDebt, micros: int) -> None:
    """What this settlement says is owed for a debt, beside what is."""
    said = Carried(
        origin=f"debt:{debt.id}",
        cause_id=settlement.id,
        member_id=debt.debtor_id,
        currency=debt.currency,
        micros=micros,
    )
    async with house.runtime.database.begin() as session:
        await change_exposures(session, {}, [said])


async def alphas_debt(house: House) -> MemberDebt:
    async with house.runtime.database.begin() as session:
        return (await session.scalars(sa.select(MemberDebt))).one()


async def wrong(house: House) -> list[tuple[str, str, str]]:
    return [
        (example.subject, example.expected, example.found)
        for each in await house.findings()
        for example in each.examples
    ]


async def test_too_little_or_too_much_that_counts_for_a_default_is_named(
    house: House, burnt: UUID
) -> None:
    origin, debts = await two_settlements(house)
    debt = await alphas_debt(house)
    subject = f"what a cap counts of debt:{debt.id}"
    await carry(house, debts, debt, 1)  # its windows count still
    assert await wrong(house) == [(subject, "0 micros", "1 micros")]
    await carry(house, origin, debt, -1)
    await house.book(await last_leg(house, origin))
    # It was carried before, so settling the origin takes it for done.
    assert await wrong(house) == [(subject, f"{2 * WORTH} micros", "0 micros")]


async def test_an_upgrade_lets_go_of_debts_that_were_paid_at_once(
    house: House, burnt: UUID, owner: Database
) -> None:
    origin, debts = await two_settlements(house)
    debt = await alphas_debt(house)
    await house.book(await last_leg(house, debts))
    await house.book(await last_leg(house, origin))
    await carry(house, origin, debt, 2 * WORTH)  # as it was before
    subject = f"what a cap counts of debt:{debt.id}"
    assert await wrong(house) == [(subject, "0 micros", f"{2 * WORTH} micros")]
    migration = import_module("settlement.migrations.settlement_0011_paid_at_once")
    for _ in range(2):
        async with owner.begin() as session:
            connection = await session.connection()
            await connection.exec_driver_sql(migration.PAID)
        assert await used(house) == 0
        assert not await house.findings()
