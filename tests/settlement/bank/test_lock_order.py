"""A pass books legs of many settlements while others book one: neither waits for the other in a
circle, whose exposures they lower or whose payment they cover."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.ledger.models import Exposure
from settlement.bank import matching
from settlement.clearing import caps, defaulting, legs, repository, service
from settlement.clearing.defaulting import Cover
from settlement.clearing.domain import LegStatus
from settlement.clearing.models import Settlement, SettlementLeg
from tests.ledger.driver import Driver
from tests.settlement.bank.books_and_bank import prove
from tests.settlement.bank.paper import Desk, Teller
from tests.settlement.bank.test_at_once import PATIENCE_S, a_pass, waiting
from tests.settlement.bank.test_matching import pays
from tests.settlement.clearing.house import ANNA, BOOKED_ON, BORIS, House


@asynccontextmanager
async def first(house: House, settlement: Settlement, then: Any) -> AsyncIterator[None]:
    """Somebody has locked a settlement, and goes on once others wait for it."""
    async with house.runtime.database.begin() as session:
        await repository.find(session, settlement.id, lock=True)
        yield
        await then(session)


async def against(house: House, settlement: Settlement, then: Any) -> list[Any]:
    """A pass, which comes to wait for who has locked a settlement and then does `then`."""
    going: asyncio.Task[Any] | None = None
    async with asyncio.timeout(PATIENCE_S):
        async with first(house, settlement, then):
            going = asyncio.create_task(a_pass(house))
            await waiting(house, 1)
        return await asyncio.gather(going, return_exceptions=True)


async def burn(house: House) -> None:
    async with Driver.start(house.coalition) as drive:
        await drive.capture("ann", await drive.burn("ann", "card"))


async def one_leg_left(house: House) -> tuple[Settlement, SettlementLeg]:
    """A settlement of burns of alpha's points, with the bank; only what alpha pays is not there."""
    await burn(house)
    await house.close_window()
    made = await house.approved()
    await house.submit(made, pay_before_collected=True)
    await house.drive()
    found = await house.legs(made)
    for name, leg in found.items():
        if leg.status is LegStatus.SUBMITTED and name != "alpha":
            await house.book(leg)
    return made, found["alpha"]


@pytest.fixture
async def two(house: House) -> list[tuple[Settlement, SettlementLeg]]:
    """Two settlements that each lack a payment of alpha's, which has a cap."""
    async with house.runtime.database.begin() as session:
        for name in ("alpha", "beta"):
            member_id = house.coalition.members[name]
            session.add(Exposure(member_id=member_id, used_micros=0))
    await house.coalition.issue("ann", 5_000)
    await house.accounts("paper")
    return [await one_leg_left(house) for _ in range(2)]


@pytest.mark.parametrize("held", [0, 1])
async def test_a_pass_and_a_single_booking_take_exposures_after_settlements(
    house: House,
    desk: Desk,
    teller: Teller,
    two: list[tuple[Settlement, SettlementLeg]],
    monkeypatch: pytest.MonkeyPatch,
    held: int,
) -> None:
    monkeypatch.setattr(matching, "CHUNK", 1)  # each line by itself, as in a large statement
    await desk.account()
    lines = [pays(teller, leg) for _, leg in (two if held else reversed(two))]
    await desk.take(teller.file(teller.statement(*lines)), match=False)
    settlement, leg = two[held]

    async def book(session: AsyncSession) -> None:
        await legs.book(session, leg.id, booked_on=BOOKED_ON, actor=ANNA)

    (done,) = await against(house, settlement, book)
    assert isinstance(done, matching.Matched), done
    await a_pass(house)
    assert [await house.status(made) for made, _ in two] == ["settled", "settled"]
    assert await house.exposure("alpha") == (0, 0)
    await prove(house.runtime)


async def test_a_pass_does_not_meet_who_approves_the_cover_of_a_payment(
    house: House,
    desk: Desk,
    teller: Teller,
    two: list[tuple[Settlement, SettlementLeg]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Both lock the settlement that lacks the payment and the one that covers it."""
    monkeypatch.setattr(matching, "CHUNK", 1)
    (origin, leg), _ = two
    async with house.runtime.database.begin() as session:
        await legs.reject(session, leg.id, reason="AC04", actor=ANNA)
        cover = await defaulting.default(
            session, leg.id, cover=Cover.OPERATOR, actor=ANNA, note="insolvent"
        )
    await house.record(cover)

    async def approve() -> None:
        async with house.runtime.database.begin() as session:
            await service.approve(session, cover.id, actor=BORIS)

    async with asyncio.timeout(PATIENCE_S):
        async with house.runtime.database.begin() as session:
            await matching.match(session)
            await repository.find(session, origin.id, lock=True)
            going = asyncio.create_task(approve())
            await waiting(house, 1)
            await repository.find(session, cover.id, lock=True)
        await going
    assert await house.status(origin) == "settled"
    await prove(house.runtime)


async def test_money_paid_ahead_is_booked_after_every_settlement(
    house: House,
    desk: Desk,
    teller: Teller,
    two: list[tuple[Settlement, SettlementLeg]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A pass whose first line pays ahead, and a settlement that is covered from such money."""
    monkeypatch.setattr(matching, "CHUNK", 1)
    (settlement, leg), _ = two
    await desk.account()
    ahead = teller.entry("50", remittance="PREFUND alpha")
    await desk.take(teller.file(teller.statement(ahead, pays(teller, leg))), match=False)

    async def change(session: AsyncSession) -> None:
        await caps.lock(session, [house.coalition.members["alpha"]])
        await caps.follow_prefund(session, [house.coalition.members["alpha"]])

    (done,) = await against(house, settlement, change)
    assert isinstance(done, matching.Matched), done
    assert (done.legs, done.prefunded) == (1, 1)
    assert await house.exposure("alpha") == (8_000_000, 50_000_000)
    await prove(house.runtime)
