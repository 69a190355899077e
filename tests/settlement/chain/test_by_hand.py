"""A person books a leg of an online rail, and the bank shows its money all the same."""

from __future__ import annotations

from pathlib import Path

from settlement.bank import breaking, lines
from settlement.clearing import legs
from settlement.clearing.domain import AccountKind, LegStatus
from tests.ledger.busy import make_busy
from tests.settlement.bank.books_and_bank import prove
from tests.settlement.bank.paper import Desk, PaperBank, Teller
from tests.settlement.clearing.house import ANNA, BOOKED_ON, House


async def test_money_booked_by_hand_is_with_the_rail_until_the_bank_shows_it(
    house: House, tmp_path: Path
) -> None:
    bank = PaperBank()
    house.rails["paper"] = bank
    desk, teller = Desk(house.runtime, bank), Teller(tmp_path)
    await desk.account()
    await make_busy(house.coalition)
    await house.close_window()
    house.online.books = False
    made = await house.approved()
    await house.accounts("online")
    await house.submit(made, pay_before_collected=True)
    await house.drive()
    moving = [leg for leg in (await house.legs(made)).values() if leg.amount_minor]
    assert {leg.status for leg in moving} == {LegStatus.SUBMITTED}
    for leg in moving:
        async with house.runtime.database.begin() as session:
            await legs.book(session, leg.id, booked_on=BOOKED_ON, actor=ANNA, note="by hand")
    assert await house.status(made) == "settled"
    held = await house.balances()
    assert AccountKind.IN_TRANSIT not in held
    entries = [teller.entry(lines.expected(leg), end_to_end_id=leg.reference) for leg in moving]
    report = await desk.take(teller.file(teller.statement(*entries)))
    assert report.matched is not None
    assert report.matched.legs == len(moving)
    async with house.runtime.database.begin() as session:
        assert await breaking.breaks(session) == []
    # Nothing is counted twice: the same money, now on the account of the bank.
    assert await house.balances() == held
    await prove(house.runtime)
    assert not await house.findings()
