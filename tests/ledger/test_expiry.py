"""Points expire by date: out of the wallet, the pool's money to whom the contract says."""

from __future__ import annotations

import asyncio

import pytest
import sqlalchemy as sa

from marketplace.clock import now
from marketplace.coalition.domain import Breakage, ContractRole, Funding
from marketplace.ledger.expiry import due, expire_due, is_due
from marketplace.ledger.models import Lot, Obligation, Transfer, Wallet
from marketplace.ledger.verify import verify
from tests.factories import Coalition, days
from tests.ledger.driver import Driver


async def available(drive: Driver, name: str) -> int:
    async with drive.runtime.database.begin() as session:
        return (await session.get_one(Wallet, drive.coalition.wallets[name])).available


async def assert_right(drive: Driver) -> None:
    async with drive.runtime.database.begin() as session:
        assert await verify(session) == []


async def issue_for(coalition: Coalition, name: str, points: int, life: int, issuer: str) -> None:
    async with coalition.runtime.database.begin() as session:
        start = await now(session)
    await coalition.issue(name, points, issuer=issuer, expires_at=start + days(life))


async def test_points_expire_on_their_day_and_not_before(
    coalition: Coalition, drive: Driver
) -> None:
    await issue_for(coalition, "ann", 300, 10, "alpha")
    await issue_for(coalition, "ann", 200, 20, "beta")
    await coalition.issue("ann", 50)
    await drive.later(days(9))
    assert await drive.expire() == 0
    await drive.later(days(2))
    assert await drive.expire() == 1
    assert await drive.expire() == 0
    assert await available(drive, "ann") == 250
    await drive.later(days(5_000))
    assert await drive.expire() == 1
    assert await available(drive, "ann") == 50
    await assert_right(drive)


@pytest.mark.parametrize(
    ("breakage", "issuer_share"),
    [(Breakage.OPERATOR, 0), (Breakage.ISSUER, 3 * 8_001), (Breakage.SHARED, 12_001)],
)
async def test_the_pools_money_goes_to_whom_the_contract_says(
    breakage: Breakage, issuer_share: int, coalition: Coalition, drive: Driver
) -> None:
    await coalition.add_member(
        "gamma",
        role=ContractRole.BOTH,
        funding=Funding.ISSUANCE,
        breakage=breakage,
        price_micros=8_001,
    )
    await issue_for(coalition, "ann", 3, 1, "gamma")
    await drive.later(days(2))
    assert await drive.expire() == 1
    async with drive.runtime.database.begin() as session:
        found = await session.execute(
            sa.select(Transfer.credit_account, Transfer.amount).where(
                Transfer.code == "expire", Transfer.unit == "EUR"
            )
        )
        money = {row.credit_account.value: row.amount for row in found}
        duty = (
            await session.scalars(sa.select(Obligation).where(Obligation.kind == "expiry"))
        ).one()
    assert money == {
        name: micros
        for name, micros in (
            ("issuer_breakage", issuer_share),
            ("operator_breakage", 3 * 8_001 - issuer_share),
        )
        if micros
    }
    assert (duty.points, duty.funded_micros, duty.cost_micros) == (3, 3 * 8_001, issuer_share)
    assert duty.acceptor_id == (coalition.members["gamma"] if issuer_share else None)
    await assert_right(drive)


async def test_held_points_outlive_their_date_and_come_back_with_grace(
    coalition: Coalition, drive: Driver
) -> None:
    await issue_for(coalition, "ann", 1_200, 1, "alpha")
    burn_id = await drive.burn("ann", "card")
    await drive.later(days(2))
    assert await drive.expire() == 1
    assert await available(drive, "ann") == 0
    await drive.void("ann", burn_id)
    assert await drive.expire() == 0
    assert await available(drive, "ann") == 1_000
    await drive.later(days(31))
    assert await drive.expire() == 1
    assert await available(drive, "ann") == 0
    await assert_right(drive)


async def test_what_is_due_is_found_by_its_index_and_not_among_all_lots(
    coalition: Coalition,
) -> None:
    first = sa.select(Lot.wallet_id).where(*is_due()).order_by(Lot.expires_at).limit(250)
    text = str(
        first.compile(coalition.runtime.database.engine, compile_kwargs={"literal_binds": True})
    )
    async with coalition.runtime.database.begin() as session:
        # A table of a few rows is read whole, unless that is forbidden.
        await session.execute(sa.text("set local enable_seqscan = off"))
        plan = "\n".join((await session.scalars(sa.text(f"explain {text}"))).all())
    assert "ix_lot_to_expire" in plan
    assert "Seq Scan" not in plan


async def test_a_wallet_that_is_being_written_is_skipped_not_waited_for(
    coalition: Coalition, drive: Driver
) -> None:
    await issue_for(coalition, "ann", 300, 1, "alpha")
    await issue_for(coalition, "bob", 400, 1, "alpha")
    await drive.later(days(2))
    database = drive.runtime.database
    async with database.begin() as writer:
        await writer.execute(
            sa.select(Wallet.id).where(Wallet.id == coalition.wallets["ann"]).with_for_update()
        )
        async with database.begin() as session:
            assert await asyncio.wait_for(expire_due(session), 5) == 1
        async with database.begin() as session:
            assert (await expire_due(session), await due(session)) == (0, 1)
    assert await drive.expire() == 1
    await assert_right(drive)


async def test_a_burn_that_races_the_sweep_takes_live_points_only(
    coalition: Coalition, drive: Driver
) -> None:
    await issue_for(coalition, "ann", 5_000, 1, "alpha")
    await coalition.issue("ann", 4_000, issuer="beta")
    await drive.later(days(1))
    answers, _ = await asyncio.gather(
        asyncio.gather(*(drive.ask("ann", "card") for _ in range(6))), drive.expire()
    )
    await drive.expire()
    assert [answer.held is not None for answer in answers] == [True] * 4 + [False] * 2
    assert await available(drive, "ann") == 0
    await assert_right(drive)


async def test_many_lots_are_swept_in_batches(coalition: Coalition, drive: Driver) -> None:
    for life in range(1, 8):
        await issue_for(coalition, "ann", life, life, "alpha")
    await drive.later(days(30))
    counts = []
    while True:
        async with drive.runtime.database.begin() as session:
            count = await expire_due(session, limit=3)
        if not count:
            break
        counts.append(count)
    assert counts == [3, 3, 1]
    async with drive.runtime.database.begin() as session:
        assert await session.scalar(sa.select(sa.func.sum(Lot.remaining))) == 0
    await assert_right(drive)
