"""Legs and their rails: files that are the same for ever, online rails that may not answer."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
from typing import Any

import pytest
import sqlalchemy as sa

from marketplace import api
from marketplace.errors import Conflict
from marketplace.rails import news
from marketplace.runtime import open_runtime
from marketplace.settings import Settings
from settlement.clearing import driving, files, heard, legs, outcomes, repository
from settlement.clearing.domain import AccountKind, LegStatus, SettlementStatus
from settlement.clearing.models import SentFile, Settlement
from settlement.errors import StatusChanged
from settlement.history import Subject, history
from tests.ledger.busy import make_busy
from tests.settlement.clearing.fakes import FakeBank, FakeFileRail
from tests.settlement.clearing.house import BANK, House


async def sent(house: House, rail: str, **options: Any) -> Settlement:
    """A settlement that was sent off, with every member on this rail; no leg has gone yet."""
    await make_busy(house.coalition)
    await house.close_window()
    await house.accounts(rail)
    made = await house.approved()
    await house.submit(made, **options)
    return made


async def test_files_are_the_same_to_the_byte_when_made_again(house: House) -> None:
    made = await sent(house, "paper")
    await house.drive()
    await house.book_all(made)
    await house.drive()
    house.paper.number = "ANOTHER-7"  # settings change: files do not
    again = await files.make_again(house.runtime.database, house.rails, made.id)
    assert len(again) == 2
    assert all(each.same for each in again)
    house.paper.taste = " improved"
    again = await files.make_again(house.runtime.database, house.rails, made.id)
    assert not any(each.same for each in again)


async def test_creditors_are_paid_at_once_where_finance_says_so(house: House) -> None:
    made = await sent(house, "paper", pay_before_collected=True)
    done = await house.drive()
    assert done.files == 2
    assert not done.waiting
    async with house.runtime.database.begin() as session:
        told = await history(session, Subject.SETTLEMENT, made.id)
    assert "before debtors have paid" in told[-1].note


async def test_an_online_rail_settles_by_itself(house: House) -> None:
    made = await sent(house, "online")
    for _ in range(4):
        await house.drive()
    assert await house.status(made) == "settled"
    assert len(house.online.asked) == len(set(house.online.asked)) == len(house.online.taken)
    assert not await house.findings()
    # The bank's statement shows it later: the money is on the bank account then.
    leg = (await house.legs(made))["shop"]
    async with house.runtime.database.begin() as session:
        await legs.show_on_statement(
            session, leg.id, entry_id=leg.id, bank_account_id=BANK, actor="bank"
        )
    assert not await house.findings()


async def test_no_answer_is_unknown_and_looked_up_and_never_sent_again(house: House) -> None:
    house.online.moods = ["lost"]
    made = await sent(house, "online")
    await house.drive()
    unknown = [leg for leg in (await house.legs(made)).values() if leg.status is LegStatus.UNKNOWN]
    assert unknown
    assert not await house.findings()
    for _ in range(4):
        await house.drive()
    assert await house.status(made) == "settled"
    assert len(house.online.asked) == len(set(house.online.asked))


async def test_what_was_never_taken_is_sent_again_on_proof(house: House) -> None:
    house.online.moods = ["dead", "busy"]
    made = await sent(house, "online")
    for _ in range(7):
        await house.drive()
    assert await house.status(made) == "settled"
    first = house.online.asked[0]
    assert house.online.asked.count(first) == 3
    assert not await house.findings()


async def test_a_rejected_leg_is_paid_again_by_another(house: House) -> None:
    house.online.refuses = {"Shop": "account closed"}
    made = await sent(house, "online")
    for _ in range(4):
        await house.drive()
    assert await house.status(made) == "settling"
    failed = (await house.legs(made))["shop"]
    assert (failed.status, failed.reason) == (LegStatus.REJECTED, "account closed")
    assert not await house.findings()
    house.online.refuses = {}
    async with house.runtime.database.begin() as session:
        await legs.repay(session, failed.id, actor="person:anna")
    with pytest.raises(Conflict, match="already"):
        async with house.runtime.database.begin() as session:
            await legs.repay(session, failed.id, actor="person:anna")
    for _ in range(3):
        await house.drive()
    assert await house.status(made) == "settled"
    assert (await house.legs(made))["shop-R1"].status is LegStatus.BOOKED
    assert not await house.findings()


async def test_money_that_comes_back_months_later_is_due_again(house: House) -> None:
    made = await sent(house, "paper", pay_before_collected=True)
    await house.drive()
    await house.book_all(made)
    assert await house.status(made) == "settled"
    leg = (await house.legs(made))["shop"]
    async with house.runtime.database.begin() as session:
        await legs.return_(
            session, leg.id, reason="AC04", entry_id=leg.id, bank_account_id=BANK, actor="bank"
        )
    assert await house.status(made) == "settled"
    assert AccountKind.MEMBER_DUE in await house.balances()
    assert not await house.findings()
    async with house.runtime.database.begin() as session:
        await legs.repay(session, leg.id, actor="person:anna")
    await house.drive()
    await house.book((await house.legs(made))["shop-R1"])
    assert AccountKind.MEMBER_DUE not in await house.balances()
    assert not await house.findings()


async def test_words_that_no_database_keeps_hold_up_nothing(house: House) -> None:
    house.online.refuses = {"Shop": "account\0 closed"}
    made = await sent(house, "online")
    for _ in range(4):
        await house.drive()
    assert await house.status(made) == "settling"
    found = await house.legs(made)
    assert (found["shop"].status, found["shop"].reason) == (LegStatus.REJECTED, "account closed")
    others = {leg.status for name, leg in found.items() if name != "shop"}
    assert others == {LegStatus.BOOKED}
    assert not await house.findings()


async def test_a_leg_whose_answer_cannot_be_kept_holds_up_no_other(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await sent(house, "online")
    await house.close_window()
    troubled = (await house.legs(made))["shop"].reference
    apply = outcomes.apply

    async def fail(session: Any, answer: Any, **given: Any) -> None:
        if answer.reference == troubled:
            raise ZeroDivisionError
        await apply(session, answer, **given)

    monkeypatch.setattr(outcomes, "apply", fail)
    for _ in range(4):
        await house.drive()
    found = await house.legs(made)
    assert found["shop"].status is LegStatus.UNKNOWN
    assert {leg.status for name, leg in found.items() if name != "shop"} == {LegStatus.BOOKED}
    monkeypatch.setattr(outcomes, "apply", apply)
    await house.drive()
    assert await house.status(made) == "settled"
    assert not await house.findings()


async def test_a_settlement_that_cannot_be_driven_holds_up_no_other(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await sent(house, "online")
    await house.coalition.issue("ann", 500, issuer="gamma", reference="G4")
    await house.close_window()
    second = await house.approved()
    await house.submit(second)
    ready = driving._ready

    async def fail(session: Any, settlement_id: Any, *given: Any) -> Any:
        if settlement_id == first.id:
            raise ZeroDivisionError
        return await ready(session, settlement_id, *given)

    monkeypatch.setattr(driving, "_ready", fail)
    for _ in range(4):
        done = await house.drive()
    assert await house.status(second) == "settled"
    assert await house.status(first) == "submitted"
    assert any("the log" in each for each in done.waiting)
    monkeypatch.setattr(driving, "_ready", ready)
    for _ in range(4):
        done = await house.drive()
    assert await house.status(first) == "settled"
    assert not done.waiting
    assert not await house.findings()


async def test_news_that_cannot_be_answered_keeps_no_other_from_its_turn(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await sent(house, "online")
    for _ in range(4):
        await house.drive()
    found = await house.legs(made)
    silent, back = found["alpha"].reference, found["shop"].reference
    house.online.says = {
        silent: api.Unknown(reference=silent, reason="no answer"),
        back: api.Returned(reference=back, rail_reference="tx", reason="closed"),
    }
    monkeypatch.setattr(heard, "MOST_LEGS", 1)
    for reference in (silent, back):
        async with house.runtime.database.begin() as session:
            await session.run_sync(news.tell, "online", [reference])
    for _ in range(2):
        await house.drive()
    assert (await house.legs(made))["shop"].status is LegStatus.RETURNED
    house.online.says = {}
    for _ in range(2):
        await house.drive()
    async with house.runtime.database.begin() as session:
        assert not await news.untold(session, most=10)
    assert not await house.findings()


async def test_a_leg_is_booked_once(house: House) -> None:
    made = await sent(house, "paper")
    await house.drive()
    leg = next(
        leg for leg in (await house.legs(made)).values() if leg.status is LegStatus.SUBMITTED
    )
    answers = await asyncio.gather(*(house.book(leg) for _ in range(4)), return_exceptions=True)
    assert sum(each is None for each in answers) == 1
    assert sum(isinstance(each, StatusChanged) for each in answers) == 3
    assert not await house.findings()


class Deadly(FakeBank):
    """Dies with its process once it has taken the legs."""

    def submit(self, legs: Any) -> Any:
        super().submit(legs)
        os.kill(os.getpid(), signal.SIGKILL)


class DeadlyPaper(FakeFileRail):
    """Makes its files, and the process dies before they are kept."""

    def files(self, batch: Any, legs: Any) -> Any:
        super().files(batch, legs)
        os.kill(os.getpid(), signal.SIGKILL)


def die(settings: Settings) -> None:
    """Drive until the process is killed."""

    rails = {"paper": DeadlyPaper(), "online": Deadly()}

    async def inside() -> None:
        async with open_runtime(settings) as runtime:
            await driving.drive(runtime.database, rails)

    asyncio.run(inside())


async def killed(house: House, settings: Settings) -> None:
    """A worker dies in its pass."""
    process = multiprocessing.get_context("spawn").Process(target=die, args=(settings,))
    process.start()
    await asyncio.to_thread(process.join)
    assert process.exitcode == -signal.SIGKILL


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs kill -9")
async def test_killed_after_the_rail_took_the_legs(house: House, settings: Settings) -> None:
    made = await sent(house, "online")
    await killed(house, settings)
    found = await house.legs(made)
    unknown = [leg for leg in found.values() if leg.status is LegStatus.UNKNOWN]
    assert unknown
    assert not await house.findings()
    # The bank has them, as a look-up says: none is ordered again.
    for leg in unknown:
        house.online.taken[leg.reference] = None  # type: ignore[assignment]
    for _ in range(3):
        await house.drive()
    assert not {leg.reference for leg in unknown} & set(house.online.asked)
    assert await house.status(made) == "settled"
    assert not await house.findings()


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs kill -9")
async def test_killed_before_files_are_kept(house: House, settings: Settings) -> None:
    made = await sent(house, "paper")
    await killed(house, settings)
    async with house.runtime.database.begin() as session:
        assert not (await session.scalars(sa.select(SentFile))).all()
        assert all(
            leg.status in (LegStatus.PLANNED, LegStatus.BOOKED)
            for leg in await repository.legs(session, made.id)
        )
    assert (await house.drive()).files == 1
    assert not await house.findings()


async def test_a_settlement_waits_for_its_status(house: House) -> None:
    await make_busy(house.coalition)
    await house.close_window()
    made = await house.draft()
    leg = (await house.legs(made))["shop"]
    with pytest.raises(StatusChanged, match="pending"):
        await house.book(leg)
    with pytest.raises(StatusChanged):
        await house.approve(made)
    assert made.status is SettlementStatus.PENDING
