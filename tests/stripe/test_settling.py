"""A settlement over Stripe: debtors are charged, creditors paid, and one takes its money back.

The rail works in its plugin's process, as for finance; Stripe's double is another server.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
import sqlalchemy as sa
from marketplace_stripe import statement, sweeping, webhooks
from marketplace_stripe.double import payments, people
from marketplace_stripe.double.server import Double
from marketplace_stripe.rehearsal import settings_of

from marketplace.contract.rails import Direction
from marketplace.host import PluginHost
from marketplace.registry import service
from marketplace.runtime import Runtime
from settlement.bank import accounts as bank_accounts
from settlement.bank import daily, importing, resolving
from settlement.bank.breaking import UNRESOLVED
from settlement.bank.daily import Measure
from settlement.bank.domain import Action, BreakKind
from settlement.bank.models import Break
from settlement.bank.resolving import Resolution
from settlement.clearing import accounts
from settlement.clearing.domain import LegStatus
from settlement.clearing.models import Settlement
from tests.factories import Coalition
from tests.ledger.busy import make_busy
from tests.settlement.clearing.house import ANNA, BORIS, House

DAY_S: Final = 86_400


@pytest.fixture
def double() -> Iterator[Double]:
    """Stripe."""
    with Double() as made:
        yield made


@pytest.fixture
async def house(coalition: Coalition, double: Double) -> AsyncIterator[House]:
    """A clearing house whose rails are those of the plugins."""
    runtime = coalition.runtime
    async with runtime.database.begin() as session:
        given = msgspec.to_builtins(settings_of(double))
        await service.configure(session, runtime, "stripe", given, actor=ANNA)
    made = House(coalition)
    made.rails = dict(runtime.rails)
    yield made
    runtime.close_plugins()


async def settled(house: House, double: Double) -> Settlement:
    """Everybody pays by card and is paid by transfer."""
    await make_busy(house.coalition)
    await house.close_window()
    async with house.runtime.database.begin() as session:
        for member_id in house.coalition.members.values():
            account = msgspec.to_builtins(people.both(double.world))
            proposed: dict[str, Any] = {"member_id": member_id, "currency": "EUR"}
            made = await accounts.propose(
                session, **proposed, rail="stripe", account=account, actor=ANNA
            )
            await accounts.approve(session, made.id, actor=BORIS)
    made = await house.approved()
    await house.submit(made)
    for _ in range(4):
        await house.drive()
    return made


def tell(runtime: Runtime, double: Double, event: dict[str, Any]) -> None:
    """Stripe sends an event."""
    host = PluginHost(
        "stripe",
        lambda: runtime.database,
        lambda: runtime.vault,
        asked=lambda: runtime.plugins.settings_of("stripe"),
    )
    webhooks.take(host, *double.signed(event))


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
    assert await _leg_status(house, made, debtor.reference) is LegStatus.BOOKED
    await house.drive()
    assert await _leg_status(house, made, debtor.reference) is LegStatus.RETURNED
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


async def _leg_status(house: House, made: Settlement, reference: str) -> LegStatus:
    return next(
        leg.status for leg in (await house.legs(made)).values() if leg.reference == reference
    )


async def _news(house: House) -> int:
    async with house.runtime.database.begin() as session:
        return int((await session.execute(sa.text("select count(*) from rail_news"))).scalar_one())


async def test_days_at_stripe_are_read_like_a_bank_s_and_close_green(
    house: House, double: Double, tmp_path: Path
) -> None:
    """Charges and transfers, then a dispute: each line finds its leg; fees are told apart."""
    double.world.ahead_s = -3 * DAY_S
    made = await settled(house, double)
    await _read_day(house, double, tmp_path)
    assert await _open_breaks(house) == []
    debtor = next(
        leg
        for leg in (await house.legs(made)).values()
        if leg.direction is Direction.COLLECT and leg.amount_minor
    )
    double.world.ahead_s = -2 * DAY_S
    (intent,) = people.found(double.world, "payment_intent", debtor.reference)
    payments.dispute(double.world, intent, reason="fraudulent", inquiry=False)
    await _read_day(house, double, tmp_path)
    await house.drive()
    # The statement or the rail says it first; either way it is one return, and one line of it.
    assert await _leg_status(house, made, debtor.reference) is LegStatus.RETURNED
    assert not await house.findings()
    assert await _open_breaks(house) == [BreakKind.RETURNED]


async def _read_day(house: House, double: Double, folder: Path) -> None:
    """The day on which the double stands is swept, imported, its fees explained, and closed."""
    runtime, day = house.runtime, datetime.fromtimestamp(double.world.now(), UTC).date()
    host = PluginHost(
        "stripe",
        lambda: runtime.database,
        lambda: runtime.vault,
        asked=lambda: runtime.plugins.settings_of("stripe"),
    )
    path = folder / f"{day}.jsonl"

    def read() -> None:
        sweeping.run(host)
        with host.transaction() as session:
            path.write_bytes(statement.write(session, day, "EUR"))

    await asyncio.to_thread(read)
    async with runtime.database.begin() as session:
        name = statement.account_of(double.world.account)
        known = {each.identifier for each in await bank_accounts.accounts(session)}
        if name not in known:
            given: dict[str, Any] = {"identifier": name, "currency": "EUR", "name": "Stripe"}
            await bank_accounts.add(session, **given, rail="stripe", actor=ANNA)
    await importing.import_file(runtime, path, actor=ANNA)
    async with runtime.database.begin() as session:
        lines = await session.scalars(sa.select(Break).where(Break.entry_id.is_not(None)))
        for each in list(lines):
            if each.status in UNRESOLVED:
                assert each.amount_micros < 0
                how = Resolution(action=Action.FEES, note="Stripe's fee")
                await resolving.resolve(session, each.id, how, actor=ANNA)
    async with runtime.database.begin() as session:
        close = await daily.close_of_day(session, day)
    assert [row for row in close.rows if not row.agrees and row.measure is Measure.PAID] == []


async def _open_breaks(house: House) -> list[BreakKind]:
    async with house.runtime.database.begin() as session:
        found = await session.scalars(sa.select(Break.kind).where(Break.status.in_(UNRESOLVED)))
        return list(found)
