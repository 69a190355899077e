"""The balance at Stripe comes into the books day by day, with no person."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from marketplace_stripe import statement, sweeping
from marketplace_stripe.double import people
from marketplace_stripe.double.server import Double
from marketplace_stripe.rehearsal import settings_of
from msgspec import structs, to_builtins

from marketplace.registry import service
from settlement.bank import fetching, reading
from settlement.bank.models import BankAccount
from tests.settlement.bank.books_and_bank import prove
from tests.settlement.clearing.house import ANNA, House
from tests.stripe.stage import DAY_S, bank_account, host_of, settled


async def sweep(house: House) -> None:
    """What the plugin's own task does."""
    await asyncio.to_thread(sweeping.run, host_of(house.runtime))


async def days(house: House) -> list[tuple[str, str]]:
    """Statements that are in, oldest first, with who imported them."""
    async with house.runtime.database.begin() as session:
        rows = await reading.statements(session, before=None, most=50)
        return sorted((f"{each.to_on}", each.imported_by) for each, _ in rows)


async def trouble(house: House) -> str:
    """What finance reads of the account at Stripe."""
    async with house.runtime.database.begin() as session:
        return str(await session.scalar(sa.select(BankAccount.trouble)))


def ago(n: int) -> str:
    return f"{datetime.now(UTC).date() - timedelta(days=n)}"


async def test_each_day_is_imported_once_it_is_over(house: House, double: Double) -> None:
    double.world.ahead_s = -9 * DAY_S
    await settled(house, double)
    double.world.ahead_s = -7 * DAY_S
    people.fill(double.world, 5_000)
    double.world.ahead_s = 0
    people.fill(double.world, 7_000)
    # The account is not the clearing house's yet, so nobody is asked.
    await sweep(house)
    assert await fetching.fetch(house.runtime) == 0
    await bank_account(house, statement.account_of(double.world.account), "stripe")
    # Nothing moved on the day between; today is not over.
    assert await fetching.fetch(house.runtime) == 2
    assert await days(house) == [(ago(9), "system"), (ago(7), "system")]
    assert await fetching.fetch(house.runtime) == 0
    assert not await house.findings()
    await prove(house.runtime)


async def test_whoever_wants_to_imports_by_hand(house: House, double: Double) -> None:
    double.world.ahead_s = -9 * DAY_S
    people.fill(double.world, 5_000)
    await sweep(house)
    await bank_account(house, statement.account_of(double.world.account), "stripe")
    given = to_builtins(structs.replace(settings_of(double), statements=False))
    async with house.runtime.database.begin() as session:
        await service.configure(session, house.runtime, "stripe", given, actor=ANNA)
    house.runtime.close_plugins()
    assert await fetching.fetch(house.runtime) == 0


async def test_what_keeps_a_statement_out_is_told_to_finance(
    house: House, double: Double, monkeypatch: pytest.MonkeyPatch
) -> None:
    double.world.ahead_s = -9 * DAY_S
    people.fill(double.world, 100)
    await sweep(house)
    await bank_account(house, statement.account_of(double.world.account), "stripe")
    rail = house.runtime.rails["stripe"]
    real = rail.next_statement

    def off(account: str, currency: str, after: object, into: object) -> str:
        name: str = real(account, currency, after, into)
        into.write(b'{"id": "x"}\n')  # type: ignore[attr-defined]
        return name

    with monkeypatch.context() as patched:
        patched.setattr(rail, "next_statement", off)
        assert await fetching.fetch(house.runtime) == 0
    assert "Line 3" in await trouble(house)
    assert await fetching.fetch(house.runtime) == 1
    assert await trouble(house) == ""
