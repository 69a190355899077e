"""What is owed for burns counts against the cap until it is paid, whatever becomes of windows."""

from __future__ import annotations

from importlib import import_module
from uuid import UUID

import pytest
import pytest_asyncio
import sqlalchemy as sa

from marketplace.coalition.exposure import open_exposures
from marketplace.coalition.models import CarriedExposure
from marketplace.db import Database
from marketplace.ledger.models import Exposure
from settlement.clearing import defaulting, legs
from settlement.clearing.defaulting import Cover
from settlement.clearing.domain import LegStatus
from settlement.clearing.models import Settlement
from settlement.disputes import service as disputes
from settlement.disputes.domain import LineId
from tests.ledger.driver import Driver
from tests.settlement.clearing.house import ANNA, BANK, House
from tests.settlement.disputes.stage import lines_in

WORTH = 8_000_000
"""What a burn of alpha's points counts."""


@pytest_asyncio.fixture
async def burnt(house: House) -> UUID:
    """A closed window with two burns of alpha's points; alpha is capped."""
    async with house.runtime.database.begin() as session:
        session.add(Exposure(member_id=house.coalition.members["alpha"], used_micros=0))
    await house.coalition.issue("ann", 5_000)
    async with Driver.start(house.coalition) as drive:
        for _ in range(2):
            await drive.capture("ann", await drive.burn("ann", "card"))
    return await house.close_window()


async def dispute(house: House, lines: list[LineId], member: str = "alpha") -> UUID:
    asked = disputes.NewDispute(house.coalition.members[member], lines, "not delivered")
    async with house.runtime.database.begin() as session:
        return (await disputes.open_dispute(session, asked, actor=ANNA)).id


async def end(house: House, dispute_id: UUID, how: str) -> None:
    """`upheld`, `rejected` or `withdrawn`."""
    async with house.runtime.database.begin() as session:
        if how == "withdrawn":
            await disputes.withdraw(session, dispute_id, member_id=None, actor=ANNA)
        else:
            upheld = how == "upheld"
            await disputes.decide(session, dispute_id, upheld=upheld, actor=ANNA, note="looked")


async def settle(house: House, made: Settlement) -> None:
    """Everybody pays."""
    await house.submit(made, pay_before_collected=True, without_account=True)
    for leg in (await house.legs(made)).values():
        if leg.status is LegStatus.PLANNED:
            await house.book(leg)
    assert await house.status(made) == "settled"
    assert not await house.findings()


async def used(house: House) -> int:
    return (await house.exposure("alpha"))[0]


@pytest.mark.parametrize("how", ["upheld", "rejected", "withdrawn"])
async def test_a_line_that_was_left_out_counts_until_it_is_settled(
    house: House, burnt: UUID, how: str
) -> None:
    line, _ = await lines_in(house.runtime, burnt)
    dispute_id = await dispute(house, [line])
    await settle(house, await house.approved())
    assert await house.window(burnt) == "settled"
    assert await used(house) == WORTH
    await end(house, dispute_id, how)
    assert await used(house) == WORTH
    async with Driver.start(house.coalition) as drive:
        await drive.capture("ann", await drive.burn("ann", "card"))
    await house.close_window()
    made = await house.approved()
    assert await used(house) == 2 * WORTH
    await settle(house, made)
    assert await used(house) == 0


async def test_a_first_cap_counts_what_was_left_out(house: House, burnt: UUID) -> None:
    line, _ = await lines_in(house.runtime, burnt)
    await dispute(house, [line], "shop")
    await settle(house, await house.approved())
    alpha = house.coalition.members["alpha"]
    async with house.runtime.database.begin() as session:
        await session.execute(sa.delete(Exposure).where(Exposure.member_id == alpha))
        await open_exposures(session, [alpha])
    assert await used(house) == WORTH
    assert not await house.findings()


async def test_taken_in_by_a_settlement_that_is_done_first(house: House, burnt: UUID) -> None:
    line, _ = await lines_in(house.runtime, burnt)
    dispute_id = await dispute(house, [line])
    first = await house.approved()
    await end(house, dispute_id, "rejected")
    await house.coalition.issue("ann", 1_000, issuer="beta", reference="second")
    async with Driver.start(house.coalition) as drive:
        await drive.capture("ann", await drive.burn("ann", "card"))
    await house.close_window()
    await settle(house, await house.approved())
    assert await used(house) == WORTH
    await settle(house, first)
    assert await used(house) == 0


async def test_a_payment_that_came_back_counts_until_it_is_paid_again(
    house: House, burnt: UUID
) -> None:
    made = await house.approved()
    await settle(house, made)
    leg = (await house.legs(made))["alpha"]
    for number in (1, 2):
        async with house.runtime.database.begin() as session:
            more = {"bank_account_id": BANK, "reason": "AC04", "actor": ANNA}
            await legs.return_(session, leg.id, **more)
        assert await used(house) == 2 * WORTH
        assert not await house.findings()
        async with house.runtime.database.begin() as session:
            await legs.repay(session, leg.id, actor=ANNA)
        assert await used(house) == 2 * WORTH
        leg = (await house.legs(made))[f"alpha-R{number}"]
        await house.book(leg)
        assert await used(house) == 0
        assert not await house.findings()


@pytest.mark.parametrize("returned", [True, False])
@pytest.mark.parametrize("recover", [True, False])
async def test_a_default_counts_until_those_who_covered_have_their_money(
    house: House, burnt: UUID, returned: bool, recover: bool
) -> None:
    made = await house.approved()
    if returned:
        await settle(house, made)
    else:
        await house.submit(made, pay_before_collected=True, without_account=True)
    leg = (await house.legs(made))["alpha"]
    async with house.runtime.database.begin() as session:
        if returned:
            more = {"bank_account_id": BANK, "reason": "AC04", "actor": ANNA}
            await legs.return_(session, leg.id, **more)
        else:
            await legs.reject(session, leg.id, reason="AC04", actor=ANNA)
        cover = await defaulting.default(
            session, leg.id, cover=Cover.OPERATOR, actor=ANNA, note="insolvent", recover=recover
        )
    for other in (await house.legs(made)).values():
        if other.status is LegStatus.PLANNED:
            await house.book(other)
    assert await used(house) == 2 * WORTH
    await house.record(cover)
    assert await used(house) == 2 * WORTH
    await house.approve(cover)
    assert await house.status(made) == "settled"
    assert await used(house) == (2 * WORTH if recover else 0)
    await house.submit(cover, pay_before_collected=True, without_account=True)
    # The operator's own payment fails too, and is made again.
    payer = (await house.legs(cover))["operator"]
    async with house.runtime.database.begin() as session:
        await legs.reject(session, payer.id, reason="AC04", actor=ANNA)
        await legs.repay(session, payer.id, actor=ANNA)
    await house.book((await house.legs(cover))["operator-R1"])
    assert not await house.findings()
    if recover:
        await house.close_window()
        await settle(house, await house.approved())
    assert await used(house) == 0


async def test_what_is_carried_is_proved(house: House, burnt: UUID, owner: Database) -> None:
    line, _ = await lines_in(house.runtime, burnt)
    await dispute(house, [line])
    await settle(house, await house.approved())
    async with owner.begin() as session:
        await session.execute(sa.text("set local session_replication_role = replica"))
        await session.execute(sa.text("update carried_exposure set micros = micros + 1"))
    assert {each.check for each in await house.findings()} == {"exposure", "settlement_carried"}


async def test_an_upgrade_fills_in_what_was_left_out(
    house: House, burnt: UUID, owner: Database
) -> None:
    line, _ = await lines_in(house.runtime, burnt)
    await dispute(house, [line])
    await settle(house, await house.approved())
    migration = import_module("settlement.migrations.settlement_0009_carried_exposure")
    async with owner.begin() as session:
        # As it was before: nothing is carried, and the cap counts nothing.
        await session.execute(sa.text("set local session_replication_role = replica"))
        await session.execute(sa.delete(CarriedExposure))
        await session.execute(sa.update(Exposure).values(used_micros=0))
        connection = await session.connection()
        await connection.exec_driver_sql(migration.LINES)
        await connection.exec_driver_sql(migration.EXPOSURES)
    assert await used(house) == WORTH
    assert not await house.findings()
