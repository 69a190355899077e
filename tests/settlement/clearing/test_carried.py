"""What is owed for burns counts against the cap until it is paid, whatever becomes of windows."""

from __future__ import annotations

from uuid import UUID

import pytest
import pytest_asyncio

from marketplace.ledger.models import Exposure
from settlement.clearing.domain import LegStatus
from settlement.clearing.models import Settlement
from settlement.disputes import service as disputes
from settlement.disputes.domain import LineId
from tests.ledger.driver import Driver
from tests.settlement.clearing.house import ANNA, House
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
