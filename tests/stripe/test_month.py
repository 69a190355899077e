"""A month at Stripe: fees, payouts that arrive and fail, a reserve, a refund, a dispute.

Nobody has to explain a line of it; what is left to do is what a person has to decide."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from marketplace_stripe import sweeping
from marketplace_stripe.double import house as at_stripe
from marketplace_stripe.double import payments, people, transfers
from marketplace_stripe.double.server import Double

from marketplace.contract.rails import Direction
from marketplace.demo import bank
from settlement.bank import daily, importing, transit
from settlement.bank.domain import BreakKind, LineStatus, Rule
from settlement.bank.models import BankLine, LineState, Match
from settlement.bank.moves import OwnInTransit
from tests.settlement.bank.books_and_bank import prove
from tests.settlement.clearing.house import ANNA, House
from tests.stripe.stage import DAY_S, bank_account, open_breaks, read_day, settled

IBAN = "DE89370400440532013000"


async def bank_shows(
    house: House, folder: Path, day: date, *lines: bank.Movement, number: int = 1, had: int = 0
) -> None:
    """The house's bank has booked this on a day, and before that `had` (micros) in all."""
    await bank_account(house, IBAN, "sepa")
    said = bank.Statement(account=IBAN, number=number, day=day, opening_micros=had, movements=lines)
    path = folder / said.file_name
    path.write_bytes(bank.written(said))
    await importing.import_file(house.runtime, path, actor=ANNA)


async def on_their_way(house: House) -> list[OwnInTransit]:
    """Money between accounts of the house."""
    async with house.runtime.database.begin() as session:
        return await transit.own_in_transit(session)


async def rules(house: House, code: str) -> list[Rule]:
    """How lines of a kind were matched, in their order."""
    async with house.runtime.database.begin() as session:
        rows = await session.scalars(
            sa.select(Match.rule)
            .join(BankLine, BankLine.id == Match.entry_id)
            .where(BankLine.code == code)
            .order_by(Match.id)
        )
        return list(rows)


async def test_a_month_closes_with_no_person(
    house: House, double: Double, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = double.world
    days: list[date] = []
    # Passes are of today, the double stands in the past.
    monkeypatch.setattr(sweeping, "OVERLAP", timedelta(days=30))

    async def at(days_ago: int) -> None:
        days.append(await read_day(house, double, tmp_path))
        world.ahead_s = -days_ago * DAY_S

    world.ahead_s = -12 * DAY_S
    made = await settled(house, double)
    at_stripe.fee(world, 500, "eur", "Billing for October")
    await at(11)
    arrives = transfers.payout(world, 3_000, "eur")
    at_stripe.hold(world, 2_000, "eur")
    await at(9)
    transfers.pay_out(world, arrives)
    fails = transfers.payout(world, 4_000, "eur")
    at_stripe.hold(world, 1_000, "eur")
    await at(6)
    found = {each.name: each.amount_micros for each in await on_their_way(house) if each.elsewhere}
    assert found == {arrives["id"]: 30_000_000, fails["id"]: 40_000_000}
    transfers.fail_payout(world, fails)
    at_stripe.release(world, 2_500, "eur")
    await at(5)

    came = datetime.now(UTC).date() - timedelta(days=9)
    payer = bank.Movement(micros=30_000_000, name="STRIPE TECHNOLOGY", account="", text="PAYOUT")
    await bank_shows(house, tmp_path, came, payer)
    (held,) = await on_their_way(house)
    assert (held.elsewhere, held.amount_micros) == (False, 5_000_000)
    assert held.booked_on == datetime.now(UTC).date() - timedelta(days=9)  # of the later hold
    at_stripe.release(world, 500, "eur")
    await at(3)
    assert await on_their_way(house) == []
    assert set(await rules(house, "fee")) == {Rule.CHARGE}
    assert set(await rules(house, "risk_reserved_funds")) == {Rule.OWN}
    assert await open_breaks(house) == []
    assert not await house.findings()
    await prove(house.runtime)
    async with house.runtime.database.begin() as session:
        assert await session.scalar(sa.select(Match.confidence).where(Match.rule == "own_amount"))
        status = await session.scalars(sa.select(LineState.status).distinct())
        assert status.all() == [LineStatus.MATCHED]
        closes = [await daily.close_of_day(session, day) for day in [*days, came]]
        assert [each for each in closes if not each.green] == []

    # A refund and a dispute take money back: two legs to pay again, and a fee that nobody sees.
    debtors = [
        leg
        for leg in (await house.legs(made)).values()
        if leg.direction is Direction.COLLECT and leg.amount_minor
    ]
    (first,) = people.found(world, "payment_intent", debtors[0].reference)
    payments.dispute(world, first, reason="fraudulent", inquiry=False)
    expected = 1
    if debtors[1:]:
        (second,) = people.found(world, "payment_intent", debtors[1].reference)
        payments.refund(world, second)
        expected = 2
    await at(1)
    await house.drive()
    assert await open_breaks(house) == [BreakKind.RETURNED] * expected
    assert not await house.findings()
    await prove(house.runtime)


async def test_a_payout_fails_after_it_was_paid(
    house: House, double: Double, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bank shows it, and days later that it went back; Stripe has it in the balance again."""
    world = double.world
    monkeypatch.setattr(sweeping, "OVERLAP", timedelta(days=30))
    world.ahead_s = -12 * DAY_S
    await settled(house, double)
    await read_day(house, double, tmp_path)
    world.ahead_s = -11 * DAY_S
    made = transfers.payout(world, 3_000, "eur")
    await read_day(house, double, tmp_path)
    transfers.pay_out(world, made)
    came = datetime.now(UTC).date() - timedelta(days=9)
    payer = bank.Movement(micros=30_000_000, name="STRIPE TECHNOLOGY", account="", text="PAYOUT")
    await bank_shows(house, tmp_path, came, payer)
    assert await on_their_way(house) == []
    world.ahead_s = -7 * DAY_S
    transfers.fail_payout(world, made)
    await read_day(house, double, tmp_path)
    (back,) = await on_their_way(house)
    assert (back.elsewhere, back.amount_micros) == (True, -30_000_000)
    went = datetime.now(UTC).date() - timedelta(days=6)
    back_again = bank.Movement(
        micros=-30_000_000, name="STRIPE TECHNOLOGY", account="", text="RETURN PAYOUT"
    )
    await bank_shows(house, tmp_path, went, back_again, number=2, had=30_000_000)
    assert await on_their_way(house) == []
    assert await open_breaks(house) == []
    assert not await house.findings()
    await prove(house.runtime)
