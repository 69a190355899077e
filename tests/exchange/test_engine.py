"""A participant burns points: what is held, what is refused, and what happens in a crowd."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
import sqlalchemy as sa

from marketplace.clock import travel_to
from marketplace.coalition.domain import ContractRole
from marketplace.coalition.exposure import open_exposures
from marketplace.coalition.models import Contract
from marketplace.db import Database
from marketplace.errors import Busy
from marketplace.exchange import holding_repository, lane, repository
from marketplace.exchange.domain import OfferStatus
from marketplace.exchange.engine import BurnEngine
from marketplace.exchange.lane import CALM_BATCHES, MORE_LOTS
from marketplace.exchange.models import Burn, OfferStock
from marketplace.identity.models import ApiKey
from marketplace.ids import uuid7
from marketplace.ledger.models import Draw, Exposure, Lot, Transfer, Wallet
from marketplace.runtime import Runtime
from tests.exchange.conftest import Ask, code, make_engine, make_key
from tests.factories import Coalition

MARCH = datetime(2026, 3, 1, tzinfo=UTC)


async def balance(runtime: Runtime, coalition: Coalition, name: str) -> tuple[int, int]:
    async with runtime.database.begin() as session:
        wallet = await session.get_one(Wallet, coalition.wallets[name])
        return wallet.available, wallet.held


async def test_a_burn_holds_points_and_says_which_lots_they_came_from(
    runtime: Runtime, coalition: Coalition, engine: BurnEngine, ask: Ask
) -> None:
    await coalition.issue("ann", 700, issuer="alpha", effective_at=MARCH)
    await coalition.issue("ann", 200, issuer="beta", effective_at=MARCH - timedelta(days=1))
    await coalition.issue(
        "ann", 300, issuer="beta", effective_at=MARCH, expires_at=datetime(2099, 1, 1, tzinfo=UTC)
    )
    answer = await engine.submit(ask("ann"))
    assert answer.held is not None
    assert (answer.held.points, answer.held.status) == (1_000, "held")
    assert await balance(runtime, coalition, "ann") == (200, 1_000)
    async with runtime.database.begin() as session:
        draws = (
            await session.execute(
                sa.select(Draw.position, Draw.points, Lot.issuer_id, Lot.remaining)
                .join(Lot, sa.and_(Lot.wallet_id == Draw.wallet_id, Lot.id == Draw.lot_id))
                .order_by(Draw.position)
            )
        ).all()
        hold = (await session.scalars(sa.select(Transfer).where(Transfer.code == "hold"))).one()
    alpha, beta = coalition.members["alpha"], coalition.members["beta"]
    # Soonest expiry first, then oldest.
    assert [tuple(row) for row in draws] == [
        (0, 300, beta, 0),
        (300, 200, beta, 0),
        (500, 500, alpha, 200),
    ]
    assert (hold.amount, hold.burn_id) == (1_000, answer.held.id)


async def test_each_refusal_in_order_of_precedence(
    runtime: Runtime, coalition: Coalition, engine: BurnEngine, ask: Ask
) -> None:
    await coalition.add_member("capped", role=ContractRole.ISSUER, exposure_cap_micros=8_000_000)
    async with runtime.database.begin() as session:
        session.add(Exposure(member_id=coalition.members["capped"], used_micros=0))
    await coalition.issue("ann", 5_000, issuer="capped")
    await coalition.add_offer("later", acceptor="shop", status=OfferStatus.ANNOUNCED, stock=0)
    await coalition.add_offer(
        "vip", acceptor="shop", eligibility={"roles": ["boss"]}, limit_per_wallet=1, stock=0
    )
    await coalition.add_offer("once", acceptor="shop", limit_per_wallet=1, stock=0)
    await coalition.add_offer("gone", acceptor="shop", stock=0, points=9_999)
    await coalition.add_offer("dear", acceptor="shop", points=9_999)
    await coalition.add_offer("cheap", acceptor="shop", points=1_001)
    outsider = await make_key(coalition, "beta")
    asked = {
        "unknown_wallet": ask(uuid7(), uuid7()),
        "unknown_offer": ask("ann", uuid7()),
        "offer_not_on_sale": ask("ann", "later"),
        "not_eligible": ask("ann", "vip", quantity=2),
        "limit_reached": ask("ann", "once", quantity=2),
        "sold_out": ask("ann", "gone"),
        "exposure_cap": ask("ann", "dear"),
        "insufficient_points": ask("bob", "dear"),
    }
    for expected, request in asked.items():
        assert code(await engine.submit(request)) == expected
    assert code(await engine.submit(ask("ann", principal=outsider))) == "unknown_wallet"
    assert code(await engine.submit(ask("ann", "cheap"))) == "exposure_cap"
    assert code(await engine.submit(ask("ann", "card"))) == "held"
    async with runtime.database.begin() as session:
        stored = Counter((await session.scalars(sa.select(Burn.rejection))).all())
    assert stored[None] == 1
    assert sum(stored.values()) == 11


async def test_a_key_has_one_outcome_for_ever(
    coalition: Coalition, engine: BurnEngine, ask: Ask
) -> None:
    refused = await engine.submit(ask("ann", key="first"))
    assert code(refused) == "insufficient_points"
    await coalition.issue("ann", 5_000)
    again = await engine.submit(ask("ann", key="first"))
    assert (code(again), again.replayed) == ("insufficient_points", True)
    assert again.error is not None
    assert refused.error is not None
    assert again.error.problem() == refused.error.problem()

    held = await engine.submit(ask("ann", key="second"))
    assert code(held) == "held"
    repeat = await engine.submit(ask("ann", key="second"))
    assert (repeat.held, repeat.replayed) == (held.held, True)
    for other in (ask("ann", quantity=2, key="second"), ask("bob", key="second")):
        assert code(await engine.submit(other)) == "idempotency_key_reused"


async def test_one_key_a_hundred_times_at_once_from_two_processes_burns_once(
    runtime: Runtime,
    coalition: Coalition,
    engine: BurnEngine,
    second_engine: BurnEngine,
    ask: Ask,
) -> None:
    await coalition.issue("ann", 500_000)
    answers = await asyncio.gather(
        *(
            (engine if turn % 2 else second_engine).submit(ask("ann", key="the one"))
            for turn in range(100)
        )
    )
    assert {code(answer) for answer in answers} == {"held"}
    assert len({answer.held.id for answer in answers if answer.held}) == 1
    assert sum(not answer.replayed for answer in answers) == 1
    assert await balance(runtime, coalition, "ann") == (499_000, 1_000)


async def test_a_crowd_on_one_wallet_and_on_the_last_items(
    runtime: Runtime,
    coalition: Coalition,
    engine: BurnEngine,
    second_engine: BurnEngine,
    ask: Ask,
) -> None:
    await coalition.issue("ann", 30_500)
    await coalition.issue("bob", 100_000)
    await coalition.add_offer("rare", acceptor="shop", stock=7)
    await coalition.add_offer("once", acceptor="shop", limit_per_wallet=3)
    engines = (engine, second_engine)
    answers = await asyncio.gather(
        *(engines[turn % 2].submit(ask("ann")) for turn in range(60)),
        *(engines[turn % 2].submit(ask("bob", "rare")) for turn in range(40)),
        *(engines[turn % 2].submit(ask("bob", "once")) for turn in range(20)),
    )
    assert Counter(map(code, answers[:60])) == {"held": 30, "insufficient_points": 30}
    assert Counter(map(code, answers[60:100])) == {"held": 7, "sold_out": 33}
    assert Counter(map(code, answers[100:])) == {"held": 3, "limit_reached": 17}
    assert await balance(runtime, coalition, "ann") == (500, 30_000)
    async with runtime.database.begin() as session:
        stock = await session.get_one(OfferStock, coalition.offers["rare"])
    assert stock.remaining == 0


async def test_an_issuer_never_passes_its_cap(
    runtime: Runtime,
    coalition: Coalition,
    engine: BurnEngine,
    second_engine: BurnEngine,
    ask: Ask,
) -> None:
    cap_micros = 5 * 1_000 * 8_000 + 7_999  # five burns and not quite a sixth
    await coalition.add_member("capped", role=ContractRole.ISSUER, exposure_cap_micros=cap_micros)
    async with runtime.database.begin() as session:
        session.add(Exposure(member_id=coalition.members["capped"], used_micros=0))
    for name in ("ann", "bob"):
        await coalition.issue(name, 50_000, issuer="capped")
    answers = await asyncio.gather(
        *(
            (engine if turn % 2 else second_engine).submit(ask("ann" if turn % 3 else "bob"))
            for turn in range(30)
        )
    )
    assert Counter(map(code, answers)) == {"held": 5, "exposure_cap": 25}


async def test_a_cap_that_comes_while_nobody_has_one_is_seen_by_the_next_burn(
    runtime: Runtime, coalition: Coalition, engine: BurnEngine, ask: Ask
) -> None:
    await coalition.issue("ann", 5_000, issuer="alpha")
    for _ in range(2):  # the engine has seen that no issuer is capped
        assert code(await engine.submit(ask("ann"))) == "held"
    async with runtime.database.begin() as session:
        contract = await session.get_one(Contract, coalition.contracts["alpha"])
        contract.exposure_cap_micros = 3 * 1_000 * 8_000
        await open_exposures(session, [coalition.members["alpha"]])
    answers = [code(await engine.submit(ask("ann"))) for _ in range(2)]
    assert answers == ["held", "exposure_cap"]


async def test_a_burn_takes_as_many_lots_as_it_needs(
    coalition: Coalition, engine: BurnEngine, ask: Ask, runtime: Runtime
) -> None:
    for _ in range(70):
        await coalition.issue("ann", 10)
    await coalition.add_offer("small", acceptor="shop", points=695)
    answer = await engine.submit(ask("ann", "small"))
    assert code(answer) == "held"
    async with runtime.database.begin() as session:
        assert await session.scalar(sa.select(sa.func.count()).select_from(Draw)) == 70
        assert await session.scalar(sa.select(sa.func.sum(Lot.remaining))) == 5


async def test_no_more_lots_are_read_than_burns_need_of_late(
    coalition: Coalition, engine: BurnEngine, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    read = repository.read

    async def note(connection: Any, requests: Any, lots: int, *more: Any, **named: Any) -> Any:
        asked.append(lots)
        return await read(connection, requests, lots, *more, **named)

    monkeypatch.setattr(repository, "read", note)
    for _ in range(3):
        await coalition.issue("ann", 1_000)
    await coalition.add_offer("three", acceptor="shop", points=2_500)
    await coalition.add_offer("one", acceptor="shop", points=1)
    assert code(await engine.submit(ask("ann", "three"))) == "held"
    assert asked[-1] == MORE_LOTS, "a burn needed more than the first lot"
    monkeypatch.setattr(lane, "plain_burns", lambda *_: [])  # those are not read at all
    for _ in range(2 * CALM_BATCHES + 1):
        assert code(await engine.submit(ask("ann", "one"))) == "held"
    assert asked[-1] == repository.FEWEST_LOTS
    assert len(asked) < 2 * CALM_BATCHES + 6, "coming down reads nothing twice"


async def test_expired_points_and_points_of_another_currency_cannot_be_burnt(
    runtime: Runtime, coalition: Coalition, engine: BurnEngine, ask: Ask
) -> None:
    await coalition.add_member("zloty", role=ContractRole.ISSUER, currency="PLN")
    await coalition.issue("ann", 900, expires_at=datetime(2090, 1, 1, tzinfo=UTC))
    await coalition.issue("ann", 1_000, issuer="zloty")
    answer = await engine.submit(ask("ann"))
    assert code(answer) == "insufficient_points"
    assert answer.error is not None
    assert "900 can be burnt" in answer.error.detail
    async with runtime.database.begin() as session:
        await travel_to(session, datetime(2090, 1, 2, tzinfo=UTC), allowed=True)
    answer = await engine.submit(ask("ann"))
    assert answer.error is not None
    assert "0 can be burnt" in answer.error.detail


async def test_an_offer_that_changes_is_seen_at_once(
    runtime: Runtime, coalition: Coalition, engine: BurnEngine, ask: Ask
) -> None:
    await coalition.issue("ann", 5_000)
    assert code(await engine.submit(ask("ann"))) == "held"
    async with runtime.database.begin() as session:
        await session.execute(
            sa.text("update offer set status = 'paused', version = version + 1 where id = :id"),
            {"id": coalition.offers["card"]},
        )
    assert code(await engine.submit(ask("ann"))) == "offer_not_on_sale"


async def test_a_revoked_key_is_refused_although_it_is_remembered(
    runtime: Runtime, coalition: Coalition, engine: BurnEngine, ask: Ask
) -> None:
    await coalition.issue("ann", 5_000)
    key = await make_key(coalition, "alpha")
    assert code(await engine.submit(ask("ann", principal=key))) == "held"
    async with runtime.database.begin() as session:
        row = await session.get_one(ApiKey, key.credential_id)
        row.revoked_at = datetime.now(UTC)
    assert code(await engine.submit(ask("ann", principal=key))) == "not_authenticated"


async def test_one_bad_burn_harms_nobody_in_its_batch(
    coalition: Coalition, engine: BurnEngine, ask: Ask
) -> None:
    await coalition.issue("ann", 50_000)
    requests = [ask("ann") for _ in range(5)]
    requests[2] = ask("ann", key="no database stores \x00")
    answers = await asyncio.gather(*map(engine.submit, requests))
    assert [code(answer) for answer in answers] == [
        "held",
        "held",
        "internal_error",
        "held",
        "held",
    ]


async def test_a_full_queue_refuses_and_recovers(
    runtime: Runtime, coalition: Coalition, ask: Ask
) -> None:
    await coalition.issue("ann", 50_000)
    engine = make_engine(runtime, queue_limit=3)
    waiting = [asyncio.ensure_future(engine.submit(ask("ann"))) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(Busy) as refusal:
        await engine.submit(ask("ann"))
    assert refusal.value.headers["Retry-After"] == "1"
    await engine.start()
    assert [code(answer) for answer in await asyncio.gather(*waiting)] == ["held"] * 3
    assert code(await engine.submit(ask("ann"))) == "held"
    await engine.stop()


class CommitsThenDies:
    """A connection whose server dies after the commit, before the answer, a few times."""

    def __init__(self, real: Any, times: list[int]) -> None:
        self._real = real
        self._times = times

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    async def fetchrow(self, *arguments: Any) -> Any:
        result = await self._real.fetchrow(*arguments)
        if self._times:
            self._times.pop()
            raise asyncpg.ConnectionDoesNotExistError("connection was closed")
        return result


async def test_a_commit_whose_answer_was_lost_is_found_by_its_key(
    runtime: Runtime, coalition: Coalition, ask: Ask
) -> None:
    await coalition.issue("ann", 50_000)
    times = [1, 2]

    async def connect() -> Any:
        return CommitsThenDies(await runtime.database.connect_raw(), times)

    engine = make_engine(runtime, connect=connect)
    await engine.start()
    try:
        for _ in range(2):
            answers = await asyncio.gather(*(engine.submit(ask("ann")) for _ in range(10)))
            assert {code(answer) for answer in answers} == {"held"}
    finally:
        await engine.stop()
    assert not times
    assert await balance(runtime, coalition, "ann") == (30_000, 20_000)


async def test_the_database_kills_the_engine_connection_under_load(
    runtime: Runtime, coalition: Coalition, engine: BurnEngine, ask: Ask
) -> None:
    await coalition.issue("ann", 500_000)

    async def kill() -> None:
        for _ in range(5):
            await asyncio.sleep(0.02)
            async with runtime.database.begin() as session:
                await session.execute(
                    sa.text(
                        "select pg_terminate_backend(pid) from pg_stat_activity"
                        " where datname = current_database() and pid <> pg_backend_pid()"
                        " and query like '%with%wallets%'"
                    )
                )

    answers, _ = await asyncio.gather(
        asyncio.gather(*(engine.submit(ask("ann")) for _ in range(300))), kill()
    )
    assert Counter(map(code, answers)) == {"held": 300}
    assert await balance(runtime, coalition, "ann") == (200_000, 300_000)


async def test_a_wallet_that_others_burn_from_too_holds_up_nobody_else(
    runtime: Runtime,
    coalition: Coalition,
    engine: BurnEngine,
    ask: Ask,
    owner: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("ann", "bob"):
        await coalition.issue(name, 5_000)
    bump = sa.text("update wallet set version = version + 1 where id = :id")
    ann = {"id": coalition.wallets["ann"]}
    send = holding_repository.send
    raced = False

    async def send_late(*arguments: Any) -> Any:
        nonlocal raced
        if not raced:
            raced = True
            async with owner.begin() as session:
                await session.execute(bump, ann)
        return await send(*arguments)

    monkeypatch.setattr(holding_repository, "send", send_late)
    assert code(await engine.submit(ask("ann"))) == "held"
    assert raced
    async with owner.begin() as session:  # another process is in the middle of a burn of hers
        await session.execute(bump, ann)
        waiting = [asyncio.create_task(engine.submit(ask("ann"))) for _ in range(3)]
        await asyncio.sleep(0)
        assert code(await asyncio.wait_for(engine.submit(ask("bob")), 4)) == "held"
        assert not any(task.done() for task in waiting)
    assert [code(each) for each in await asyncio.gather(*waiting)] == ["held"] * 3
    assert await balance(runtime, coalition, "ann") == (1_000, 4_000)
