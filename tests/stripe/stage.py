"""Steps of who settles over Stripe, and reads its balance like a bank's."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from marketplace_stripe import statement, sweeping
from marketplace_stripe.double import people
from marketplace_stripe.double.server import Double

from marketplace.host import PluginHost
from marketplace.runtime import Runtime
from settlement.bank import accounts as bank_accounts
from settlement.bank import daily, importing
from settlement.bank.breaking import UNRESOLVED
from settlement.bank.daily import Measure
from settlement.bank.domain import BreakKind
from settlement.bank.models import Break
from settlement.clearing import accounts
from settlement.clearing.domain import LegStatus
from settlement.clearing.models import Settlement
from tests.ledger.busy import make_busy
from tests.settlement.clearing.house import ANNA, BORIS, House

DAY_S: Final = 86_400


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


async def leg_status(house: House, made: Settlement, reference: str) -> LegStatus:
    return next(
        leg.status for leg in (await house.legs(made)).values() if leg.reference == reference
    )


async def open_breaks(house: House) -> list[BreakKind]:
    async with house.runtime.database.begin() as session:
        found = await session.scalars(sa.select(Break.kind).where(Break.status.in_(UNRESOLVED)))
        return list(found)


def host_of(runtime: Runtime) -> PluginHost:
    """What the core lends the plugin."""
    return PluginHost(
        "stripe",
        lambda: runtime.database,
        lambda: runtime.vault,
        asked=lambda: runtime.plugins.settings_of("stripe"),
    )


async def bank_account(house: House, name: str, rail: str) -> None:
    """The clearing house has this account."""
    async with house.runtime.database.begin() as session:
        if name not in {each.identifier for each in await bank_accounts.accounts(session)}:
            given: dict[str, Any] = {"identifier": name, "currency": "EUR", "name": rail}
            await bank_accounts.add(session, **given, rail=rail, actor=ANNA)


async def read_day(house: House, double: Double, folder: Path) -> date:
    """The day on which the double stands is swept, imported and closed; nobody explains a fee."""
    runtime, day = house.runtime, datetime.fromtimestamp(double.world.now(), UTC).date()
    host, path = host_of(runtime), folder / f"{day}.jsonl"

    def read() -> None:
        assert sweeping.run(host).differences == {}
        with host.transaction() as session:
            path.write_bytes(statement.write(session, day, "EUR"))

    await asyncio.to_thread(read)
    await bank_account(house, statement.account_of(double.world.account), "stripe")
    await importing.import_file(runtime, path, actor=ANNA)
    async with runtime.database.begin() as session:
        close = await daily.close_of_day(session, day)
    assert [row for row in close.rows if not row.agrees and row.measure is Measure.PAID] == []
    return day
