"""How burns end: delivered, given up, refunded; every point and micro goes where it should."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa

from marketplace import api
from marketplace.clock import Clock, travel_to
from marketplace.coalition.domain import ContractRole, Funding
from marketplace.errors import IdempotencyKeyReused, InvalidRequest
from marketplace.exchange.engine import BurnEngine
from marketplace.exchange.errors import NotRefundable
from marketplace.exchange.models import Burn, OfferStock
from marketplace.exchange.refunds import RefundRequest, refund
from marketplace.exchange.resolution import Delivery, VoidRequest, capture, void
from marketplace.exchange.schemas import RefundView
from marketplace.fulfilment.models import Artefact
from marketplace.fulfilment.service import timed_out, void_timed_out
from marketplace.identity.domain import Principal
from marketplace.ledger.expiry import expire_all
from marketplace.ledger.models import Lot, Obligation, Transfer, Wallet
from marketplace.ledger.verify import verify
from marketplace.runtime import Runtime
from tests.exchange.conftest import Ask
from tests.factories import Coalition

GRACE = timedelta(days=30)


@pytest.fixture
async def burn(coalition: Coalition, engine: BurnEngine, ask: Ask) -> Burn:
    """Ann's burn of 1,000 points, 700 of alpha's and 300 of beta's; the card costs EUR 7.00."""
    await coalition.issue("ann", 700, issuer="alpha")
    await coalition.issue("ann", 400, issuer="beta")
    answer = await engine.submit(ask("ann"))
    assert answer.held is not None
    async with coalition.runtime.database.begin() as session:
        found = await session.scalar(sa.select(Burn).where(Burn.id == answer.held.id))
    assert found is not None
    return found


async def deliver(runtime: Runtime, burn: Burn) -> list[api.BurnFact]:
    """The supplier delivers one code."""
    code = api.Artefact(kind="code", label="Ca\u202erd", secret="XMAS-2026")
    delivery = Delivery(burn.id, burn.wallet_id, "giftfund", f"order-{burn.id}", (code,))
    async with runtime.database.begin() as session:
        return await capture(session, [delivery], vault=runtime.vault)


async def give_up(runtime: Runtime, burn: Burn) -> list[api.BurnFact]:
    """The supplier refuses."""
    async with runtime.database.begin() as session:
        return await void(
            session, [VoidRequest(burn.id, burn.wallet_id, "out of codes")], grace=GRACE
        )


async def pay_back(
    runtime: Runtime, who: Principal, burn: Burn, points: int | None, key: str
) -> RefundView:
    """The operator refunds."""
    asked = RefundRequest(burn.id, burn.wallet_id, points, "broken", key, str(points).encode())
    async with runtime.database.begin() as session:
        return (await refund(session, who, asked, grace=GRACE))[0]


async def balances(runtime: Runtime, wallet_id: UUID) -> tuple[int, int]:
    async with runtime.database.begin() as session:
        wallet = await session.get_one(Wallet, wallet_id)
    return wallet.available, wallet.held


async def money(runtime: Runtime, coalition: Coalition) -> dict[tuple[str, str], int]:
    """Balance of every money account, credit positive."""
    names = {member_id: slug for slug, member_id in coalition.members.items()}
    totals: dict[tuple[str, str], int] = {}
    async with runtime.database.begin() as session:
        for row in await session.scalars(sa.select(Transfer).where(Transfer.unit == "EUR")):
            for account, owner, amount in (
                (row.debit_account, row.debit_owner, -row.amount),
                (row.credit_account, row.credit_owner, row.amount),
            ):
                key = (account.value, names[owner])
                totals[key] = totals.get(key, 0) + amount
    return {key: value for key, value in totals.items() if value}


async def clean(runtime: Runtime) -> None:
    async with runtime.database.begin() as session:
        assert await verify(session) == []


async def test_a_delivered_burn_spends_the_points_and_moves_the_money(
    runtime: Runtime, coalition: Coalition, burn: Burn
) -> None:
    facts = await deliver(runtime, burn)
    assert [(fact.burn_id, fact.points, fact.cost_micros) for fact in facts] == [
        (burn.id, 1_000, 7_000_000)
    ]
    assert await balances(runtime, burn.wallet_id) == (100, 0)
    assert await money(runtime, coalition) == {
        ("issuer_receivable", "alpha"): -5_600_000,
        ("issuer_receivable", "beta"): -2_400_000,
        ("acceptor_payable", "shop"): 7_000_000,
        ("operator_margin", "operator"): 1_000_000,
    }
    async with runtime.database.begin() as session:
        artefact = (await session.scalars(sa.select(Artefact))).one()
        owed = (await session.scalars(sa.select(Obligation).order_by(Obligation.points))).all()
    assert b"XMAS" not in artefact.secret
    assert runtime.vault.decrypt(artefact.secret) == "XMAS-2026"
    assert artefact.label == "Card"  # as it was before a supplier turned the writing around
    assert [(row.points, row.funded_micros, row.cost_micros) for row in owed] == [
        (300, 2_400_000, 2_100_000),
        (700, 5_600_000, 4_900_000),
    ]
    assert await deliver(runtime, burn) == []  # delivered twice: once counts
    await clean(runtime)


async def test_a_burn_that_is_given_up_leaves_no_trace_in_balances(
    runtime: Runtime, coalition: Coalition, engine: BurnEngine, ask: Ask
) -> None:
    await coalition.add_offer("rare", acceptor="shop", stock=1)
    await coalition.issue("ann", 1_500)
    held = (await engine.submit(ask("ann", "rare"))).held
    assert held is not None
    async with runtime.database.begin() as session:
        burn = (await session.scalars(sa.select(Burn))).one()
    facts = await give_up(runtime, burn)
    assert [fact.reason for fact in facts] == ["out of codes"]
    assert await balances(runtime, burn.wallet_id) == (1_500, 0)
    async with runtime.database.begin() as session:
        assert (await session.get_one(OfferStock, coalition.offers["rare"])).remaining == 1
        assert (await session.scalars(sa.select(Lot.remaining))).all() == [1_500]
    assert await give_up(runtime, burn) == []
    await clean(runtime)


async def test_capture_and_void_race_and_one_wins(
    runtime: Runtime, coalition: Coalition, burn: Burn
) -> None:
    captured, voided, again = await asyncio.gather(
        deliver(runtime, burn), give_up(runtime, burn), deliver(runtime, burn)
    )
    assert len(captured) + len(voided) + len(again) == 1
    await clean(runtime)


async def test_capture_void_and_the_expiry_of_its_lots_race_and_one_wins(
    runtime: Runtime, coalition: Coalition, engine: BurnEngine, ask: Ask
) -> None:
    expiry = datetime(2090, 1, 1, tzinfo=UTC)
    await coalition.issue("ann", 1_200, expires_at=expiry)
    await engine.submit(ask("ann"))
    async with runtime.database.begin() as session:
        burn = (await session.scalars(sa.select(Burn))).one()
        await travel_to(session, expiry + timedelta(days=1), allowed=True)
    captured, voided, swept, again = await asyncio.gather(
        deliver(runtime, burn),
        give_up(runtime, burn),
        expire_all(runtime.database, lambda _: None),
        expire_all(runtime.database, lambda _: None),
    )
    assert len(captured) + len(voided) == 1
    assert swept + again <= 1
    # Whoever came first: 200 points are expired, and of the burn's none, or all with their grace.
    await expire_all(runtime.database, lambda _: None)
    assert await balances(runtime, burn.wallet_id) == (1_000 if voided else 0, 0)
    await clean(runtime)


async def test_time_that_steps_a_day_each_way_ends_no_burn_twice(
    runtime: Runtime, coalition: Coalition, engine: BurnEngine, ask: Ask
) -> None:
    async def step(days: int) -> None:
        async with runtime.database.begin() as session:
            await session.execute(sa.update(Clock).values(shift=timedelta(days=days)))

    async def sweep() -> int:
        async with runtime.database.begin() as session:
            due = await timed_out(session)
            return len(await void_timed_out(session, due, runtime.settings))

    await coalition.issue("ann", 3_000)
    first = await engine.submit(ask("ann", key="k1"))
    await engine.submit(ask("ann", key="k2"))
    assert first.held is not None
    async with runtime.database.begin() as session:
        burn = await session.get_one(Burn, (first.held.id, first.held.wallet_id))
    assert await sweep() == 0
    await deliver(runtime, burn)
    for days, ran_out in ((1, 1), (-1, 0), (0, 0), (1, 0)):
        await step(days)
        again = await engine.submit(ask("ann", key="k1"))
        assert (again.held, again.replayed) == (first.held, True)
        # Only the other one, which no supplier was asked for, and once.
        assert await sweep() == ran_out
        assert await balances(runtime, burn.wallet_id) == (2_000, 0)
        assert await deliver(runtime, burn) == []
        await clean(runtime)


async def test_refunds_in_parts_give_back_every_point_and_micro(
    runtime: Runtime, coalition: Coalition, burn: Burn, operator: Principal
) -> None:
    await deliver(runtime, burn)
    await pay_back(runtime, operator, burn, 333, "r1")
    # The last points drawn go back first: beta's 300, then 33 of alpha's.
    async with runtime.database.begin() as session:
        rows = await session.execute(sa.select(Lot.issuer_id, Lot.remaining))
        lots = {row.issuer_id: row.remaining for row in rows}
    assert lots == {coalition.members["beta"]: 400, coalition.members["alpha"]: 33}
    await clean(runtime)
    await pay_back(runtime, operator, burn, 1, "r2")
    await pay_back(runtime, operator, burn, None, "r3")
    assert await balances(runtime, burn.wallet_id) == (1_100, 0)
    assert await money(runtime, coalition) == {}
    await clean(runtime)
    with pytest.raises(NotRefundable, match="0 of the burn"):
        await pay_back(runtime, operator, burn, None, "r4")


async def test_a_refund_key_refunds_once(runtime: Runtime, burn: Burn, operator: Principal) -> None:
    with pytest.raises(NotRefundable, match="only a captured burn"):
        await pay_back(runtime, operator, burn, 10, "early")
    await deliver(runtime, burn)
    with pytest.raises(InvalidRequest):
        await pay_back(runtime, operator, burn, -5, "negative")
    views = await asyncio.gather(
        *(pay_back(runtime, operator, burn, 100, "the key") for _ in range(5))
    )
    assert len({view.id for view in views}) == 1
    with pytest.raises(IdempotencyKeyReused):
        await pay_back(runtime, operator, burn, 101, "the key")
    assert await balances(runtime, burn.wallet_id) == (200, 0)
    await clean(runtime)


async def test_points_refunded_to_an_expired_lot_live_on_for_the_grace(
    runtime: Runtime, coalition: Coalition, engine: BurnEngine, ask: Ask, operator: Principal
) -> None:
    expiry = datetime(2090, 1, 1, tzinfo=UTC)
    await coalition.issue("ann", 1_200, expires_at=expiry)
    await engine.submit(ask("ann"))
    async with runtime.database.begin() as session:
        burn = (await session.scalars(sa.select(Burn))).one()
    await deliver(runtime, burn)
    later = expiry + timedelta(days=5)
    async with runtime.database.begin() as session:
        await travel_to(session, later, allowed=True)
    await pay_back(runtime, operator, burn, 400, "late")
    # The 200 points that were left have expired; the 400 that came back have thirty days.
    assert await balances(runtime, burn.wallet_id) == (400, 0)
    async with runtime.database.begin() as session:
        lot = (await session.scalars(sa.select(Lot))).one()
    assert lot.remaining == 400
    assert abs(lot.expires_at - (later + GRACE)) < timedelta(minutes=1)
    await clean(runtime)


async def test_points_funded_at_issuance_are_paid_from_the_pool(
    runtime: Runtime, coalition: Coalition, engine: BurnEngine, ask: Ask, operator: Principal
) -> None:
    await coalition.add_member("prepaid", role=ContractRole.ISSUER, funding=Funding.ISSUANCE)
    await coalition.issue("ann", 1_000, issuer="prepaid")
    await coalition.add_offer("loss", acceptor="shop", cost_micros=9_000_001)
    await engine.submit(ask("ann", "loss"))
    async with runtime.database.begin() as session:
        burn = (await session.scalars(sa.select(Burn))).one()
    await deliver(runtime, burn)
    # The reward costs more than the points are worth: the operator's margin bears it.
    assert await money(runtime, coalition) == {
        ("issuer_receivable", "prepaid"): -8_000_000,
        ("acceptor_payable", "shop"): 9_000_001,
        ("operator_margin", "operator"): -1_000_001,
    }
    await clean(runtime)
    for turn in range(7):
        await pay_back(runtime, operator, burn, 137, f"part-{turn}")
    await pay_back(runtime, operator, burn, None, "rest")
    assert await money(runtime, coalition) == {
        ("issuer_receivable", "prepaid"): -8_000_000,
        ("issuer_pool", "prepaid"): 8_000_000,
    }
    await clean(runtime)
