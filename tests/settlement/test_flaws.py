"""What a well-known open clearing system gets wrong, each as a story that ends well here.

Told elsewhere already: money that is lost when a window closes under load
(`test_closing_under_load.py::test_closing_without_a_pause_loses_nothing`), empty windows that are
stuck (`test_windows.py::test_an_empty_window_is_settled_at_once`), and a wrong file that is
accepted with a warning
(`bank/test_importing.py::test_a_statement_that_does_not_add_up_is_refused_whole`).
"""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from marketplace.db import Database
from marketplace.ids import uuid7
from marketplace.ledger.debts import Debt, owe
from marketplace.ledger.models import Exposure, SettlementWindow
from settlement.clearing import service as clearing
from settlement.clearing.domain import LegStatus
from settlement.clearing.errors import NothingToSettle
from settlement.clearing.models import Settlement
from settlement.errors import StatusChanged
from settlement.windows import service as windows
from tests.factories import Coalition
from tests.ledger.busy import make_busy
from tests.ledger.driver import Driver
from tests.settlement.clearing.house import ANNA, House
from tests.settlement.closing import catch_up

MANY = sa.text("""
insert into obligation (wallet_id, id, window_id, kind, funding, issuer_id, acceptor_id,
    contract_id, acceptor_contract_id, burn_id, lot_id, points, currency, funded_micros,
    cost_micros, effective_at)
select gen_random_uuid(), n, w.id, 'capture', 'redemption', :issuer, :acceptor, :contract, :other,
       gen_random_uuid(), 1, 1, 'EUR', 8000, 7000, now()
from generate_series(cast(:first as bigint), cast(:last as bigint)) as n, settlement_window w
where w.status = 'open'
""")
SUMMARIZE = sa.text("select brin_summarize_new_values('ix_obligation_txid')")
BLOCK_ROWS = 5_000
"""More than the rows of two ranges of blocks, the least that such an index finds."""
# Rows that this transaction has read, by whatever way; and transactions of the same connection
# before it that the server has not counted yet, which it does once a second.
READ = sa.text("""
select coalesce(sum(seq_tup_read + idx_tup_fetch), 0) from pg_stat_xact_user_tables
where relname in ('obligation', 'member_debt', 'transfer')
""")


@pytest.fixture
def house(coalition: Coalition) -> House:
    """Steps of finance."""
    return House(coalition)


async def owes(house: House, debtor: str, creditor: str, micros: int) -> None:
    """A debt in the open window."""
    members = house.coalition.members
    debt = Debt(
        plugin="till",
        reference=str(uuid7()),
        debtor_id=members[debtor],
        creditor_id=members[creditor],
        amount_micros=micros,
        currency="EUR",
        reason="",
    )
    async with house.runtime.database.begin() as session:
        await session.run_sync(owe, debt)


async def settled(house: House) -> Settlement:
    """All closed windows, settled to the last leg."""
    made = await house.approved()
    await house.submit(made, pay_before_collected=True, without_account=True)
    for leg in (await house.legs(made)).values():
        if leg.status is LegStatus.PLANNED:
            await house.book(leg)
    assert await house.status(made) == "settled"
    return made


async def state(house: House, made: Settlement) -> tuple[Any, ...]:
    """Books, legs and what alpha uses of its cap."""
    legs = await house.legs(made)
    statuses = {name: leg.status for name, leg in legs.items()}
    return await house.balances(), statuses, await house.exposure("alpha")


async def test_a_position_is_not_there_again_after_it_was_settled(house: House) -> None:
    await make_busy(house.coalition)
    await house.close_window()
    await settled(house)
    with pytest.raises(NothingToSettle):
        await house.draft()
    await owes(house, "shop", "alpha", 5_000_000)
    await house.close_window()
    again = await house.draft()
    nets = {name: leg.net_micros for name, leg in (await house.legs(again)).items()}
    assert nets == {"shop": -5_000_000, "alpha": 5_000_000, "operator": 0}
    assert not await house.findings()


async def test_no_balance_moves_where_the_last_step_fails(house: House, owner: Database) -> None:
    async with house.runtime.database.begin() as session:
        session.add(Exposure(member_id=house.coalition.members["alpha"], used_micros=0))
    await house.coalition.issue("ann", 2_000)
    async with Driver.start(house.coalition) as drive:
        await drive.capture("ann", await drive.burn("ann", "card"))
    window_id = await house.close_window()
    made = await house.approved()
    await house.submit(made, pay_before_collected=True, without_account=True)
    *others, last = [leg for leg in (await house.legs(made)).values() if leg.amount_minor]
    for leg in others:
        await house.book(leg)
    before = await state(house, made)
    # Somebody has tampered with the window, so what comes after the money cannot be done.
    where = sa.update(SettlementWindow).where(SettlementWindow.id == window_id)
    async with owner.begin() as session:
        await session.execute(where.values(status="closed"))
    with pytest.raises(StatusChanged):
        await house.book(last)
    assert await state(house, made) == before
    async with owner.begin() as session:
        await session.execute(where.values(status="in_settlement"))
    await house.book(last)
    assert await house.status(made) == "settled"
    assert not await house.findings()


async def test_closing_and_netting_cost_what_there_are_members(
    house: House, owner: Database
) -> None:
    costs = []
    coalition, first = house.coalition, 1
    for count in (1_000, 100_000):
        given = {
            "issuer": coalition.members["alpha"],
            "acceptor": coalition.members["shop"],
            "contract": coalition.contracts["alpha"],
            "other": coalition.contracts["shop"],
            "first": first,
            "last": first + count - 1,
        }
        first += count
        async with owner.begin() as session:
            await session.execute(MANY, given)
        await _count_in_the_background(house.runtime.database, owner)
        costs.append(await _cost_of_a_month(house))
        assert costs[-1][2] == -8_000 * count
    (few, few_rows, _), (many, many_rows, _) = costs
    assert many == few
    assert max(few_rows, many_rows) <= BLOCK_ROWS


async def _count_in_the_background(database: Database, owner: Database) -> None:
    """As the clock does, and what PostgreSQL does by itself for an index of blocks."""
    await catch_up(database)
    async with owner.begin() as session:
        await session.execute(SUMMARIZE)


async def _cost_of_a_month(house: House) -> tuple[int, int, int]:
    """Statements sent and rows read for closing and netting; what alpha owes by it."""
    sent = 0

    def count(*_: object) -> None:
        nonlocal sent
        sent += 1

    engine = house.runtime.database.engine.sync_engine
    sa.event.listen(engine, "before_cursor_execute", count)
    try:
        async with house.runtime.database.begin() as session:
            before = int((await session.execute(READ)).scalar_one())
            await windows.close(session, actor=ANNA)
            made = await clearing.draft(session, actor=ANNA)
            rows = int((await session.execute(READ)).scalar_one()) - before
    finally:
        sa.event.remove(engine, "before_cursor_execute", count)
    return sent, rows, (await house.legs(made))["alpha"].net_micros


async def test_a_window_that_the_next_one_offsets_moves_no_money(house: House) -> None:
    await owes(house, "alpha", "shop", 10_000_000)
    await house.close_window()
    await owes(house, "shop", "alpha", 10_000_000)
    second = await house.close_window()
    # Each alone would move money twice; together they are settled without any.
    made = await house.approved()
    assert {leg.amount_minor for leg in (await house.legs(made)).values()} == {0}
    await house.submit(made)
    assert await house.status(made) == "settled"
    assert await house.window(second) == "settled"
    assert not await house.balances()
    assert not await house.findings()
