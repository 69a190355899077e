"""A worker delivers burns, whatever the supplier does."""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import asyncpg
import pytest
from msgspec.structs import replace

from marketplace import api, clock
from marketplace.db import Database, raw_connection
from marketplace.fulfilment import repository, service, tasks
from marketplace.fulfilment.asking import Asked, ask
from marketplace.fulfilment.domain import lease_s
from marketplace.fulfilment.tasks import Work
from marketplace.runtime import Runtime
from tests.fulfilment.conftest import Counter, Worker, make_due
from tests.fulfilment.shop import FakeShop

HELD_UNKNOWN = ("held", "unknown")
DONE = ("captured", "done")
AGES_AGO = datetime(2025, 1, 1, tzinfo=UTC)


async def test_a_burn_is_delivered_and_its_points_are_spent(
    counter: Counter, worker: Worker, shop: FakeShop
) -> None:
    pairs = await counter.burn(3, quantity=2)
    assert await counter.balance() == (94_000, 6_000)
    assert await worker.fulfil(pairs) == 3
    assert await counter.states(pairs) == [DONE] * 3
    assert await counter.balance() == (94_000, 0)
    assert shop.count("fulfil") == 1
    assert await counter.verified()


async def test_the_same_message_twice_in_parallel_orders_once(
    counter: Counter, worker: Worker, shop: FakeShop
) -> None:
    pairs = await counter.burn(20)
    shop.slow_s = 0.1
    claimed = await asyncio.gather(*(worker.fulfil(pairs) for _ in range(4)))
    assert sum(claimed) == 20
    asked = [reference for _, references in shop.calls for reference in references]
    assert sorted(asked) == sorted(burn_id for burn_id, _ in pairs)
    assert await counter.states(pairs) == [DONE] * 20
    # And once more, after everything is over.
    assert await worker.fulfil(pairs) == 0
    assert await counter.verified()


async def test_a_timeout_after_success_is_looked_up_not_ordered_again(
    counter: Counter, worker: Worker, shop: FakeShop, owner: Database
) -> None:
    pairs = await counter.burn(2)
    shop.moods = ["late"]
    patient = worker.home.settings
    worker.home.settings = replace(patient, supplier_timeout_s=0.5)
    await worker.fulfil(pairs)
    worker.home.settings = patient
    assert await counter.states(pairs) == [HELD_UNKNOWN] * 2
    assert await counter.balance() == (98_000, 2_000)
    await worker.fulfil(pairs)
    assert await counter.states(pairs) == [DONE] * 2
    assert [name for name, _ in shop.calls] == ["fulfil", "lookup"]
    assert await counter.verified()


@pytest.mark.parametrize("mood", ["raise", "exit", "none", "nonsense", "wrong_types"])
async def test_a_supplier_that_fails_leaves_the_outcome_unknown(
    mood: str, counter: Counter, worker: Worker, shop: FakeShop
) -> None:
    pairs = await counter.burn(2)
    shop.moods = [mood]
    await worker.fulfil(pairs)
    assert await counter.states(pairs) == [HELD_UNKNOWN] * 2
    # The look-up finds nothing where nothing was delivered, so the order is placed again, once.
    await worker.fulfil(pairs)
    assert await counter.states(pairs) == [DONE] * 2
    assert len(shop.delivered) == 2
    assert await counter.verified()


@pytest.mark.parametrize("mood", ["partial", "twice", "foreign"])
async def test_only_the_order_with_a_bad_answer_stays_unknown(
    mood: str, counter: Counter, worker: Worker, shop: FakeShop
) -> None:
    pairs = await counter.burn(3)
    shop.moods = [mood]
    await worker.fulfil(pairs)
    assert sorted(await counter.states(pairs)) == [DONE, DONE, HELD_UNKNOWN]
    await worker.fulfil(pairs)
    assert await counter.states(pairs) == [DONE] * 3
    assert len(shop.delivered) == 3
    assert await counter.verified()


async def test_a_wrong_number_of_codes_is_no_delivery(
    counter: Counter, worker: Worker, shop: FakeShop
) -> None:
    pairs = await counter.burn(1, quantity=2)
    shop.moods = ["too_few_codes"]
    await worker.fulfil(pairs)
    assert await counter.states(pairs) == [HELD_UNKNOWN]


async def test_a_refusal_gives_the_points_back(
    counter: Counter, worker: Worker, shop: FakeShop
) -> None:
    pairs = await counter.burn(2)
    shop.moods = ["reject"]
    await worker.fulfil(pairs)
    assert await counter.states(pairs) == [("voided", "done")] * 2
    assert await counter.balance() == (100_000, 0)
    assert await counter.verified()


@pytest.mark.parametrize(
    ("mood", "state", "wait_s"), [("pending", "pending", 120), ("retry", "retry", 20)]
)
async def test_what_is_not_over_is_due_again_later(
    mood: str, state: str, wait_s: float, counter: Counter, worker: Worker, shop: FakeShop
) -> None:
    pairs = await counter.burn(1)
    shop.moods = [mood]
    await worker.fulfil(pairs)
    assert await counter.states(pairs) == [("held", state)]
    (seconds,) = await counter.seconds_to_due(pairs)
    assert wait_s * 0.75 < seconds < wait_s * 1.25
    await worker.fulfil(pairs)
    asked = "lookup" if state == "pending" else "fulfil"
    assert shop.calls[1][0] == asked
    assert await counter.states(pairs) == [DONE]


async def test_a_claim_lasts_for_its_lease_and_a_late_worker_does_no_harm(
    counter: Counter, worker: Worker, shop: FakeShop, runtime: Runtime, owner: Database
) -> None:
    pairs = await counter.burn(1)
    shop.moods = ["reject"]
    gate = threading.Event()
    shop.gates = [gate]
    first = asyncio.create_task(worker.fulfil(pairs))
    while not shop.calls:  # noqa: ASYNC110 - the shop is called on a thread
        await asyncio.sleep(0.01)
    assert await worker.fulfil(pairs) == 0  # it is leased
    # The lease runs out while the first worker still waits; another one takes over and delivers.
    await make_due(owner)
    async with runtime.database.begin() as session:
        connection = await raw_connection(session)
        due = await repository.due(connection, 10, ["fake"])
        await repository.mark(connection, [(burn, 60.0) for burn in due])
    assert await counter.states(pairs) == [HELD_UNKNOWN]
    await worker.fulfil(pairs)
    gate.set()
    await first
    assert await counter.states(pairs) == [DONE]
    assert await counter.balance() == (99_000, 0)
    assert await counter.verified()


async def test_a_worker_that_stood_still_for_its_lease_orders_nothing(
    counter: Counter,
    worker: Worker,
    shop: FakeShop,
    owner: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another worker has seen to its orders meanwhile: what was refused must not be delivered."""
    pairs = await counter.burn(2)
    elsewhere = Work(worker.home)
    shop.moods = ["reject"]
    loop = asyncio.get_running_loop()

    def lapse() -> None:
        asyncio.run_coroutine_threadsafe(_lapse(owner), loop).result(60)
        assert elsewhere.fulfil("fake", pairs) == 2

    def ask_late(*args: Any, claimed_at: float, timeout_s: float, **more: Any) -> Asked:
        monkeypatch.setattr(tasks, "ask", ask)
        lapse()
        stood_s = lease_s(timeout_s)
        return ask(*args, claimed_at=claimed_at - stood_s, timeout_s=timeout_s, **more)

    monkeypatch.setattr(tasks, "ask", ask_late)
    assert await worker.fulfil(pairs) == 2
    assert shop.calls[1:] == [("fulfil", [burn_id for burn_id, _ in pairs])]
    assert await counter.states(pairs) == [("voided", "done")] * 2
    assert await counter.balance() == (100_000, 0)
    assert await counter.verified()


async def _lapse(owner: Database) -> None:
    """The lease ends, and a relay says that only a look-up is safe."""
    connection = await owner.connect_raw()
    try:
        await connection.execute(
            "update burn set fulfilment = 'unknown', due_at = clock_timestamp()"
        )
    finally:
        await connection.close()


async def test_one_order_that_cannot_be_written_harms_no_other(
    counter: Counter, worker: Worker, shop: FakeShop, owner: Database
) -> None:
    pairs = await counter.burn(3)
    connection = await owner.connect_raw()
    await connection.execute(
        f"insert into supplier_confirmation (burn_id, wallet_id, plugin, supplier_reference) "
        f"values ('{pairs[1][0]}', '{pairs[1][1]}', 'fake', 'in the way')"
    )
    await connection.close()
    await worker.fulfil(pairs)
    assert await counter.states(pairs) == [DONE, ("held", "ordering"), DONE]


async def test_an_order_that_never_ends_is_dead_until_somebody_replays_it(
    counter: Counter, worker: Worker, shop: FakeShop, owner: Database, runtime: Runtime
) -> None:
    pairs = await counter.burn(1)
    connection = await owner.connect_raw()
    await connection.execute(
        "update burn set attempts = 49, posted_at = posted_at - interval '4 days'"
    )
    await connection.close()
    shop.moods = ["unknown"]
    await worker.fulfil(pairs)
    assert await counter.states(pairs) == [("held", "dead")]
    assert await counter.balance() == (99_000, 1_000)
    assert await counter.verified()
    async with runtime.database.begin() as session:
        raw = await raw_connection(session)
        assert [str(row["id"]) for row in await repository.dead(raw, "fake")] == [pairs[0][0]]
        assert (await repository.open_orders(raw))["fake"]["dead"] == 1
        await repository.replay(raw, [row["id"] for row in await repository.dead(raw, None)])
    await worker.fulfil(pairs)
    assert await counter.states(pairs) == [DONE]


async def test_a_stopping_worker_gives_its_orders_back_within_seconds(
    counter: Counter, worker: Worker, shop: FakeShop
) -> None:
    pairs = await counter.burn(1)
    gate = threading.Event()
    shop.gates = [gate]
    fulfilling = asyncio.create_task(worker.fulfil(pairs))
    while not shop.calls:  # noqa: ASYNC110 - the shop is called on a thread
        await asyncio.sleep(0.01)
    worker.home.stopping.set()
    await asyncio.wait_for(fulfilling, 300)
    assert await counter.states(pairs) == [HELD_UNKNOWN]
    gate.set()


async def test_the_hold_timeout_voids_only_what_no_supplier_has_seen(
    counter: Counter, worker: Worker, shop: FakeShop, owner: Database
) -> None:
    unseen = await counter.burn(2)
    retried = await counter.burn(1)
    unknown = await counter.burn(1)
    shop.moods = ["retry", "unknown"]
    await worker.fulfil(retried)
    await worker.fulfil(unknown)
    assert await worker.do(worker.work.void_timed_out) == 0
    await make_due(owner, hold_over=True)
    assert await worker.do(worker.work.void_timed_out) == 3
    assert await counter.states(unseen + retried) == [("voided", "done")] * 3
    assert await counter.states(unknown) == [HELD_UNKNOWN]
    assert await counter.balance() == (99_000, 1_000)
    assert await counter.verified()


async def test_hold_timeout_and_delivery_race_with_one_winner(
    counter: Counter, worker: Worker, shop: FakeShop, owner: Database
) -> None:
    pairs = await counter.burn(40)
    await make_due(owner, hold_over=True)
    await asyncio.gather(
        *(worker.fulfil(pairs[start : start + 5]) for start in range(0, 40, 5)),
        worker.do(worker.work.void_timed_out),
    )
    states = await counter.states(pairs)
    assert set(states) <= {DONE, ("voided", "done")}
    delivered = {
        burn_id for (burn_id, _), state in zip(pairs, states, strict=True) if state == DONE
    }
    assert delivered == set(shop.delivered)
    assert await counter.verified()


async def test_a_plugins_periodic_task_may_fail_and_the_worker_lives(
    counter: Counter, worker: Worker
) -> None:
    runs: list[str] = []

    def leave() -> None:
        runs.append("leave")
        raise SystemExit(1)

    task = api.PeriodicTask(name="leave", every_s=60, run=leave)
    worker.home.runtime.periodic_tasks["fake", "leave"] = task
    await worker.do(lambda: worker.work.plugin_task("fake", "leave"))
    await worker.do(lambda: worker.work.plugin_task("fake", "gone"))
    assert runs == ["leave"]


async def test_the_core_sweeps_and_verifies(counter: Counter, worker: Worker) -> None:
    await counter.burn(1)
    await worker.do(worker.work.expire_points)
    assert await worker.do(worker.work.verify_ledger) == 0


async def test_observers_hear_of_deliveries_and_refusals(
    counter: Counter, worker: Worker, shop: FakeShop
) -> None:
    told: list[tuple[str, str]] = []

    class Listener:
        @api.hookimpl
        def marketplace_after_burn_fulfilled(self, fact: api.BurnFact) -> None:
            told.append(("fulfilled", str(fact.burn_id)))

        @api.hookimpl
        def marketplace_after_burn_voided(self, fact: api.BurnFact) -> None:
            told.append((fact.reason, str(fact.burn_id)))

    worker.home.runtime.plugins.manager.register(Listener(), name="listener")
    good, bad = await counter.burn(1), await counter.burn(1)
    shop.moods = ["good", "reject"]
    await worker.fulfil(good)
    await worker.fulfil(bad)
    assert told == [("fulfilled", good[0][0]), ("out of codes", bad[0][0])]


async def test_a_collision_while_the_breaker_counts_costs_nothing(
    counter: Counter, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = await counter.burn(1)
    record, collisions = service.record_chunk, [asyncpg.DeadlockDetectedError("deadlock detected")]

    async def collide(*given: Any) -> None:
        if collisions:
            raise collisions.pop()
        await record(*given)

    monkeypatch.setattr(service, "record_chunk", collide)
    assert await worker.fulfil(pairs) == 1
    assert await counter.states(pairs) == [DONE]
    async with counter.coalition.runtime.database.begin() as session:
        states = await repository.health(await raw_connection(session))
    assert states["fake"]["last_success_at"] is not None


async def test_no_points_expire_while_the_databases_clock_is_ahead(
    counter: Counter,
    worker: Worker,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await counter.coalition.issue(
        "bob", 500, effective_at=AGES_AGO, expires_at=AGES_AGO + timedelta(days=1)
    )
    behind = SimpleNamespace(time=lambda: time.time() - 3_600)
    monkeypatch.setattr(clock, "time", behind)
    await worker.do(worker.work.expire_points)
    monkeypatch.undo()
    assert await counter.balance("bob") == (500, 0)
    assert "no points expire until they agree" in caplog.text
    await worker.do(worker.work.expire_points)
    assert await counter.balance("bob") == (0, 0)
    assert await counter.verified()
