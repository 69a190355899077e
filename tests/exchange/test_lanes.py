"""A crowd is served by two batches at once: each is whole, and neither waits for the other."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import UUID

import asyncpg
import pytest
import pytest_asyncio
import sqlalchemy as sa

from marketplace.coalition.domain import ContractRole
from marketplace.db import Database
from marketplace.errors import Busy
from marketplace.exchange.answering import Waiting
from marketplace.exchange.engine import LEAST_BESIDE, BurnEngine
from marketplace.exchange.lane import Lane
from marketplace.exchange.models import OfferStock
from marketplace.ledger.models import Exposure
from marketplace.ledger.verify import verify
from marketplace.runtime import Runtime
from marketplace.settings import Settings
from tests.exchange.conftest import Ask, code, make_engine
from tests.exchange.test_engine_troubles import Troubled
from tests.factories import Coalition

PEOPLE = [f"p{number}" for number in range(2 * LEAST_BESIDE + 6)]
POINTS = 5_000


@pytest_asyncio.fixture
async def crowd(coalition: Coalition) -> AsyncIterator[Coalition]:
    """Enough people with points for two batches; afterwards the ledger must be right."""
    for name in PEOPLE:
        await coalition.add_participant(name, firm="acme")
        await coalition.issue(name, POINTS)
    yield coalition
    async with coalition.runtime.database.begin() as session:
        assert await verify(session) == []


class Watch:
    """Every batch by the wallets and offers of its burns, and those that were in hand together."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.batches: list[list[tuple[UUID, UUID]]] = []
        self.together: list[tuple[list[tuple[UUID, UUID]], ...]] = []
        self._in_hand: list[list[tuple[UUID, UUID]]] = []
        serve = Lane.serve

        async def note(lane: Lane, batch: Sequence[Waiting]) -> None:
            burns = [(request.wallet_id, request.offer_id) for request, _ in batch]
            self.batches.append(burns)
            self._in_hand.append(burns)
            if len(self._in_hand) > 1:
                self.together.append(tuple(self._in_hand))
            await serve(lane, batch)
            self._in_hand.remove(burns)

        monkeypatch.setattr(Lane, "serve", note)


async def burn_all(engine: BurnEngine, ask: Ask, offer: str = "card") -> list[str]:
    """One burn of everybody at the same moment."""
    answers = await asyncio.gather(*(engine.submit(ask(name, offer)) for name in PEOPLE))
    return [code(answer) for answer in answers]


async def test_a_crowd_is_halved_and_a_few_are_not(
    crowd: Coalition, engine: BurnEngine, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = Watch(monkeypatch)
    assert await burn_all(engine, ask) == ["held"] * len(PEOPLE)
    assert [len(batch) for batch in watch.batches] == [len(PEOPLE) // 2] * 2
    assert len(watch.together) == 1
    few = PEOPLE[: 2 * LEAST_BESIDE - 1]
    await asyncio.gather(*(engine.submit(ask(name)) for name in few))
    assert len(watch.batches[-1]) == len(few)


async def test_an_engine_of_one_lane_has_one_batch_in_hand(
    runtime: Runtime, crowd: Coalition, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = make_engine(runtime, lanes=1)
    await engine.start()
    watch = Watch(monkeypatch)
    for _ in range(3):
        assert await burn_all(engine, ask) == ["held"] * len(PEOPLE)
    assert [len(batch) for batch in watch.batches] == [len(PEOPLE)] * 3
    await engine.stop()


async def test_no_two_batches_in_hand_want_one_wallet_or_one_stock(
    runtime: Runtime,
    crowd: Coalition,
    engine: BurnEngine,
    ask: Ask,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await crowd.add_offer("rare", acceptor="shop", stock=40)
    assert code(await engine.submit(ask("p0", "rare"))) == "held"  # now its stock is known
    watch = Watch(monkeypatch)
    burns = [(name, offer) for name in PEOPLE for offer in ("card", "rare", "card", "rare")]
    answers = await asyncio.gather(*(engine.submit(ask(*each)) for each in burns))
    told = Counter((offer, code(answer)) for (_, offer), answer in zip(burns, answers, strict=True))
    assert told == {
        ("card", "held"): 2 * len(PEOPLE),
        ("rare", "held"): 39,
        ("rare", "sold_out"): 2 * len(PEOPLE) - 39,
    }
    assert watch.together
    asked = [crowd.offers[offer] for offer in ("card", "rare", "card", "rare")]
    for name in PEOPLE:
        mine = [
            offer for batch in watch.batches for who, offer in batch if who == crowd.wallets[name]
        ]
        assert mine == asked, "burns of one wallet stay in order"
    rare = crowd.offers["rare"]
    for one, other in watch.together:
        assert not {wallet for wallet, _ in one} & {wallet for wallet, _ in other}
        assert rare not in {offer for _, offer in one} & {offer for _, offer in other}


async def test_the_last_items_and_a_cap_hold_although_nobody_knew_of_them(
    runtime: Runtime, crowd: Coalition, engine: BurnEngine, ask: Ask
) -> None:
    await crowd.add_offer("rare", acceptor="shop", stock=7)
    assert Counter(await burn_all(engine, ask, "rare")) == {"held": 7, "sold_out": 23}
    async with runtime.database.begin() as session:
        assert (await session.get_one(OfferStock, crowd.offers["rare"])).remaining == 0
    await crowd.add_member("capped", role=ContractRole.ISSUER, exposure_cap_micros=5 * 8_000_000)
    async with runtime.database.begin() as session:
        session.add(Exposure(member_id=crowd.members["capped"], used_micros=0))
    await crowd.add_offer("dear", acceptor="shop", points=POINTS + 1)
    for name in PEOPLE:
        await crowd.issue(name, POINTS, issuer="capped")
    await crowd.add_offer("all", acceptor="shop", points=POINTS)
    before = Counter(await burn_all(engine, ask, "all"))  # the older points, of whoever has all
    assert before["held"] + before["exposure_cap"] == len(PEOPLE)
    after = Counter(await burn_all(engine, ask))
    assert set(before + after) <= {"held", "exposure_cap"}
    async with runtime.database.begin() as session:
        used = (await session.get_one(Exposure, crowd.members["capped"])).used_micros
    assert 0 < used <= 5 * 8_000_000


async def test_one_batch_waits_for_a_lock_while_the_other_is_answered(
    owner: Database, crowd: Coalition, engine: BurnEngine, ask: Ask
) -> None:
    holder = await owner.connect_raw()
    await holder.execute("begin")
    await holder.execute("select 1 from wallet where id = $1 for update", crowd.wallets["p0"])
    burning = {name: asyncio.create_task(engine.submit(ask(name))) for name in PEOPLE}
    done, waiting = await asyncio.wait(burning.values(), timeout=1)
    assert burning["p0"] in waiting
    assert len(done) == len(PEOPLE) // 2
    await holder.close()
    answers = await asyncio.gather(*burning.values())
    assert [code(answer) for answer in answers] == ["held"] * len(PEOPLE)


async def test_a_batch_whose_commit_went_unheard_is_found_while_the_other_is_answered(
    runtime: Runtime, crowd: Coalition, ask: Ask
) -> None:
    troubles = [asyncpg.ConnectionDoesNotExistError("connection was closed") for _ in range(2)]
    engine = make_engine(runtime, connect=Troubled(runtime, list(troubles)).connect)
    await engine.start()
    for _ in range(2):
        assert await burn_all(engine, ask) == ["held"] * len(PEOPLE)
    await engine.stop()
    assert await total_held(runtime) == 2 * 1_000 * len(PEOPLE)


async def test_a_burn_that_cannot_be_stored_harms_nobody_in_either_batch(
    crowd: Coalition, engine: BurnEngine, ask: Ask
) -> None:
    requests = [ask(name) for name in PEOPLE]
    requests[3] = ask(PEOPLE[3], key="no database stores \x00")
    answers = [code(each) for each in await asyncio.gather(*map(engine.submit, requests))]
    assert answers.pop(3) == "internal_error"
    assert answers == ["held"] * (len(PEOPLE) - 1)


async def test_one_key_for_two_wallets_in_two_batches_burns_once(
    crowd: Coalition, engine: BurnEngine, ask: Ask
) -> None:
    requests = [ask(name) for name in PEOPLE]
    requests[0], requests[-1] = ask(PEOPLE[0], key="one"), ask(PEOPLE[-1], key="one")
    answers = Counter(map(code, await asyncio.gather(*map(engine.submit, requests))))
    assert answers == {"held": len(PEOPLE) - 1, "idempotency_key_reused": 1}


async def test_a_stop_finishes_both_batches_and_refuses_who_waits(
    runtime: Runtime, owner: Database, crowd: Coalition, ask: Ask
) -> None:
    engine = make_engine(runtime)
    await engine.start()
    holder = await owner.connect_raw()
    await holder.execute("begin")
    await holder.execute("select 1 from wallet for update")
    burning = [asyncio.create_task(engine.submit(ask(name))) for name in PEOPLE]
    while await waiting_for_locks(owner) < 2:  # noqa: ASYNC110 - the server has no event
        await asyncio.sleep(0.01)
    late = asyncio.create_task(engine.submit(ask("ann")))
    await asyncio.sleep(0)
    stopping = asyncio.create_task(engine.stop())
    assert code(await late) == "busy"
    assert not stopping.done()
    await holder.close()
    await stopping
    assert [code(each) for each in await asyncio.gather(*burning)] == ["held"] * len(PEOPLE)
    with pytest.raises(Busy):
        await engine.submit(ask("ann"))
    assert await total_held(runtime) == 1_000 * len(PEOPLE)


async def waiting_for_locks(owner: Database) -> int:
    async with owner.begin() as session:
        return int(
            (
                await session.execute(
                    sa.text(
                        "select count(distinct pid) from pg_locks"
                        " where not granted and locktype = 'transactionid'"
                    )
                )
            ).scalar_one()
        )


async def total_held(runtime: Runtime) -> Any:
    async with runtime.database.begin() as session:
        return await session.scalar(sa.text("select sum(held)::bigint from wallet"))


@pytest.mark.parametrize(
    ("cores", "processes", "given", "lanes"),
    [(2, 1, None, 2), (2, 2, None, 1), (8, 4, None, 2), (1, 1, None, 1), (2, 2, 2, 2)],
)
def test_a_process_has_two_lanes_where_there_are_two_cores_for_it(
    cores: int,
    processes: int,
    given: int | None,
    lanes: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("marketplace.settings.cores", lambda: cores)
    assert Settings(api_processes=processes, burn_lanes=given).lanes_of_burns == lanes
