"""A settlement over Stripe: debtors are charged, creditors paid, and one takes its money back.

The rail works in its plugin's process, as for finance; Stripe's double is another server.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from marketplace_stripe import webhooks
from marketplace_stripe.double import payments, people, transfers
from marketplace_stripe.double.server import Double

from marketplace.contract.rails import Direction
from marketplace.ledger.debts import Debt, owe
from marketplace.runtime import Runtime
from settlement.bank import matching
from settlement.bank.domain import BreakKind
from settlement.clearing.domain import LegStatus
from tests.settlement.clearing.house import House
from tests.stripe.stage import DAY_S, host_of, leg_status, open_breaks, read_day, settled


def tell(runtime: Runtime, double: Double, event: dict[str, Any]) -> None:
    """Stripe sends an event."""
    webhooks.take(host_of(runtime), *double.signed(event))


async def test_a_month_is_settled_and_every_cent_is_at_stripe(house: House, double: Double) -> None:
    made = await settled(house, double)
    assert await house.status(made) == "settled"
    assert not await house.findings()
    moved = [leg for leg in (await house.legs(made)).values() if leg.amount_minor]
    for leg in moved:
        kind: Any = "payment_intent" if leg.direction is Direction.COLLECT else "transfer"
        (there,) = people.found(double.world, kind, leg.reference)
        assert there["amount"] == leg.amount_minor


async def test_a_dispute_months_later_returns_the_leg(house: House, double: Double) -> None:
    made = await settled(house, double)
    debtor = next(
        leg
        for leg in (await house.legs(made)).values()
        if leg.direction is Direction.COLLECT and leg.amount_minor
    )
    (intent,) = people.found(double.world, "payment_intent", debtor.reference)
    payments.dispute(double.world, intent, reason="fraudulent", inquiry=False)
    event = double.world.events[-1]
    for _ in range(2):  # and twice, as Stripe may
        await asyncio.to_thread(tell, house.runtime, double, event)
    with double.having("down"):
        await house.drive()
    assert await leg_status(house, made, debtor.reference) is LegStatus.BOOKED
    await house.drive()
    assert await leg_status(house, made, debtor.reference) is LegStatus.RETURNED
    assert not await house.findings()
    assert await _news(house) == 0
    await house.drive()


async def test_news_of_what_is_well_changes_nothing(house: House, double: Double) -> None:
    made = await settled(house, double)
    before = {leg.id: leg.status for leg in (await house.legs(made)).values()}
    for event in list(double.world.events):
        await asyncio.to_thread(tell, house.runtime, double, event)
    await house.drive()
    assert {leg.id: leg.status for leg in (await house.legs(made)).values()} == before
    assert await _news(house) == 0


async def _news(house: House) -> int:
    async with house.runtime.database.begin() as session:
        return int((await session.execute(sa.text("select count(*) from rail_news"))).scalar_one())


async def test_days_at_stripe_are_read_like_a_bank_s_and_close_green(
    house: House, double: Double, tmp_path: Path
) -> None:
    """Charges and transfers, then a dispute: each line finds its leg; fees are told apart."""
    double.world.ahead_s = -3 * DAY_S
    made = await settled(house, double)
    await read_day(house, double, tmp_path)
    assert await open_breaks(house) == []
    debtor = next(
        leg
        for leg in (await house.legs(made)).values()
        if leg.direction is Direction.COLLECT and leg.amount_minor
    )
    double.world.ahead_s = -2 * DAY_S
    (intent,) = people.found(double.world, "payment_intent", debtor.reference)
    payments.dispute(double.world, intent, reason="fraudulent", inquiry=False)
    await read_day(house, double, tmp_path)
    await house.drive()
    # The statement or the rail says it first; either way it is one return, and one line of it.
    assert await leg_status(house, made, debtor.reference) is LegStatus.RETURNED
    assert not await house.findings()
    assert await open_breaks(house) == [BreakKind.RETURNED]


async def test_a_leg_of_millions_is_paid_in_parts_and_its_lines_are_found(
    house: House, double: Double, tmp_path: Path
) -> None:
    """Each part is a line of the balance; together they are the leg, and so is what goes back."""
    double.world.ahead_s = -3 * DAY_S
    people.fill(double.world, 10_000_000_00)
    members = house.coalition.members
    async with house.runtime.database.begin() as session:
        debt = Debt(
            plugin="charity",
            reference="large",
            debtor_id=members["alpha"],
            creditor_id=members["shop"],
            amount_micros=2_500_000_000_000,
            currency="EUR",
            reason="a campaign",
        )
        await session.run_sync(owe, debt)
    made = await settled(house, double)
    assert await house.status(made) == "settled"
    legs = await house.legs(made)
    for name, kind in (("alpha", "payment_intent"), ("shop", "transfer")):
        parts = people.found(double.world, kind, legs[name].reference)  # type: ignore[arg-type]
        assert len(parts) == 3
        assert sum(each["amount"] for each in parts) == legs[name].amount_minor
    await read_day(house, double, tmp_path)
    # The house's own top-up is on no statement of its bank here.
    assert await open_breaks(house) == [BreakKind.MISSING]
    double.world.ahead_s = -2 * DAY_S
    for part in people.found(double.world, "transfer", legs["shop"].reference):
        transfers.reverse(double.world, part, {})
    await read_day(house, double, tmp_path)
    await house.drive()
    assert await leg_status(house, made, legs["shop"].reference) is LegStatus.RETURNED
    async with house.runtime.database.begin() as session:
        await matching.match(session)  # as the clock does; now the rail has said what they are
    assert sorted(await open_breaks(house)) == [BreakKind.MISSING, BreakKind.RETURNED]
    assert not await house.findings()
