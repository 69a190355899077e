"""Plain burns are held in one round trip, and nobody can tell from what came of them.

What decides is `decide.py`; the statement that holds plain burns says the same in other words. So
two worlds alike live through the same, one read first, one not, and are compared row by row.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import msgspec
import pytest
import pytest_asyncio
import sqlalchemy as sa

from marketplace.coalition.domain import ContractRole
from marketplace.db import Database
from marketplace.exchange import holding_repository, lane, repository
from marketplace.exchange.decide import BurnRequest
from marketplace.exchange.domain import OfferStatus
from marketplace.exchange.engine import BurnEngine
from marketplace.exchange.lane import READ_FIRST
from marketplace.exchange.plain import plain_burns
from marketplace.identity.domain import Principal, Role
from marketplace.identity.models import ApiKey, SignIn
from marketplace.identity.sessions import open_session
from marketplace.ledger.verify import verify
from marketplace.runtime import Runtime
from tests.exchange.conftest import Ask, code, make_engine, make_key
from tests.exchange.test_engine_troubles import Troubled
from tests.factories import Coalition, make_person

STEPS = 200
WORLDS = ("read", "plain")
OFFERS: dict[str, dict[str, Any]] = {
    "card": {},
    "cheap": {"points": 1, "cost_micros": 1},
    "limited": {"points": 300, "limit_per_wallet": 4},
    "stocked": {"points": 200, "stock": 9},
    "both": {"points": 100, "limit_per_wallet": 5, "stock": 12},
    "dear": {"points": 4_500},
    "foreign": {"currency": "PLN", "points": 50},
    "announced": {"status": OfferStatus.ANNOUNCED},
    "windowed": {"ends_at": datetime(2027, 1, 1, tzinfo=UTC)},
    "ended": {"ends_at": datetime(2026, 1, 1, tzinfo=UTC)},
    "sellers": {"eligibility": {"roles": ["seller"]}, "points": 10},
    "buyers": {"eligibility": {"roles": ["buyer"]}, "points": 10},
}

ROWS = """
select offer.sku, burn.status, burn.quantity, burn.points, burn.cost_micros, burn.currency,
       burn.limited, burn.rejection, burn.fulfilment, burn.plugin, acceptor.slug,
       burn.hold_until - burn.effective_at, burn.due_at is null, burn.selection,
       k.request_hash is not null, k.caller_id = burn.caller_id, k.wallet_id = burn.wallet_id,
       (select array_agg((lot.reference, member.slug, d.kind, d.position, d.points)::text
                         order by d.position)
        from draw d join lot on lot.wallet_id = d.wallet_id and lot.id = d.lot_id
        join member on member.id = d.issuer_id where d.burn_id = burn.id),
       (select array_agg((t.code, t.debit_account, t.credit_account, t.unit, t.amount,
                          t.previous_hold_id < t.id, t.effective_at = burn.effective_at)::text)
        from transfer t where t.burn_id = burn.id)
from burn join offer on offer.id = burn.offer_id
join member acceptor on acceptor.id = burn.acceptor_id
join idempotency_key k on k.subject_id = burn.id
where offer.reference like $1 || '%' and burn.status <> 'rejected' order by burn.id
"""
WALLETS = """
select split_part(p.reference, '-', 3), available, held, version, last_hold_id is null,
       (select array_agg((reference, points, remaining, open)::text order by reference)
        from lot where wallet_id = wallet.id)
from wallet join participant p on p.id = participant_id
where p.reference like 'P-' || $1 || '-%' order by 1
"""
SHARED = """
select sku, remaining, null from offer join offer_stock on offer_id = id
where reference like $1 || '%'
union all select 'exposure', used_micros, null from exposure join member on id = member_id
where slug = $1 || '-capped'
union all select rejection, count(*), null from burn join offer on offer.id = offer_id
where offer.reference like $1 || '%' and rejection is not null group by rejection
order by 1
"""


LOOK_UPS = {"Index Cond", "Recheck Cond", "TID Cond"}
"""What a node of a plan has that finds rows and does not walk a table."""


@pytest.fixture
def spied(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Burns that were read before they were written, by batch."""
    batches: list[int] = []
    read = repository.read

    async def note(
        connection: Any, requests: Sequence[BurnRequest], *more: Any, **named: Any
    ) -> Any:
        batches.append(len(requests))
        return await read(connection, requests, *more, **named)

    monkeypatch.setattr(repository, "read", note)
    return batches


@pytest_asyncio.fixture
async def one(runtime: Runtime) -> AsyncIterator[BurnEngine]:
    """An engine with one batch in hand, so that what was met before is known to the next."""
    made = make_engine(runtime, lanes=1)
    await made.start()
    yield made
    await made.stop()


async def person(coalition: Coalition, name: str) -> Principal:
    """A participant who signed in, as the endpoint would identify them."""
    found = await make_person(coalition, Role.PARTICIPANT, name)
    async with coalition.runtime.database.begin() as session:
        await open_session(session, found, days=1)
        opened = (
            await session.scalars(sa.select(SignIn).where(SignIn.person_id == found.id))
        ).one()
    return Principal(
        credential_id=opened.id,
        caller_id=found.id,
        actor=f"person:{found.id}",
        roles=frozenset(found.roles),
        participant_id=found.participant_id,
    )


async def make_world(coalition: Coalition, world: str) -> None:
    """Offers, people and issuers of one world; references begin with its name."""
    cap = 6 * 8_000_000
    await coalition.add_member(f"{world}-capped", role=ContractRole.ISSUER, exposure_cap_micros=cap)
    await coalition.add_member(f"{world}-zloty", role=ContractRole.ISSUER, currency="PLN")
    async with coalition.runtime.database.begin() as session:
        await session.execute(
            sa.text("insert into exposure (member_id, used_micros) values (:id, 0)"),
            {"id": coalition.members[f"{world}-capped"]},
        )
    for sku, terms in OFFERS.items():
        await coalition.add_offer(f"{world}-{sku}", acceptor="shop", sku=sku, **terms)
    for name in ("kim", "lou", "max"):
        await coalition.add_participant(f"{world}-{name}", firm="acme")


async def test_a_burn_that_is_not_read_first_is_as_one_that_is(
    runtime: Runtime, coalition: Coalition, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A random walk of issues, burns, price changes and revoked keys, the same in both worlds."""
    dice = random.Random(20261127)  # noqa: S311 (a walk, no secret)
    callers: dict[str, dict[str, Principal]] = {world: {} for world in WORLDS}
    for world in WORLDS:
        await make_world(coalition, world)
        for name in ("kim", "lou", "max"):
            callers[world][name] = await person(coalition, f"{world}-{name}")
        for member in ("operator", "alpha", "beta"):
            callers[world][member] = await make_key(coalition, member)
    engines = {world: make_engine(runtime, lanes=1) for world in WORLDS}
    written: list[int] = []
    hold_plain = holding_repository.hold_plain

    async def note(*arguments: Any, **named: Any) -> Any:
        now, held = await hold_plain(*arguments, **named)
        written.append(1 if held is None else len(held))
        return now, held

    monkeypatch.setattr(holding_repository, "hold_plain", note)
    monkeypatch.setattr(lane, "READ_FIRST", 0)
    for engine in engines.values():
        await engine.start()

    async def burn(
        world: str, who: str, sku: str, by: str, quantity: int, price: int | None
    ) -> str:
        request = ask(
            f"{world}-{who}", f"{world}-{sku}", quantity=quantity, principal=callers[world][by]
        )
        request = msgspec.structs.replace(request, expected_points=price)
        monkeypatch.setattr(lane, "plain_burns", plain_burns if world == "plain" else lambda *_: [])
        return code(await engines[world].submit(request))

    async with runtime.database.begin() as session:
        assert await verify(session) == []
    for step in range(STEPS):
        who, what = dice.choice(("kim", "lou", "max")), dice.random()
        if step < 6 or what < 0.15:
            issuer = dice.choice(("alpha", "beta", "{}-capped", "{}-zloty"))
            points = dice.choice((20, 700, 9_000, 9_000))
            ends = dice.choice((None, datetime(2030, 1, step % 28 + 1, tzinfo=UTC)))
            for world in WORLDS:
                await coalition.issue(
                    f"{world}-{who}",
                    points,
                    issuer=issuer.format(world),
                    reference=f"{world}-{step:03}",
                    expires_at=ends,
                    effective_at=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=step),
                )
            continue
        if what < 0.18:
            async with runtime.database.begin() as session:
                await session.execute(
                    sa.text(
                        "update offer set points = points + 1, version = version + 1"
                        " where sku = 'cheap'"
                    )
                )
            continue
        sku = dice.choices(list(OFFERS), (5, 5, 4, 4, 4, 1, 1, 1, 1, 1, 1, 1))[0]
        by = dice.choices(("operator", "alpha", "beta", who, "kim"), (6, 4, 1, 4, 1))[0]
        quantity = dice.choice((1, 1, 1, 2, 3))
        price = dice.choice((None, None, OFFERS[sku].get("points", 1_000) * quantity))
        told = [await burn(world, who, sku, by, quantity, price) for world in WORLDS]
        assert told[0] == told[1], (step, who, sku, by, quantity, price)
    async with runtime.database.begin() as session:
        revoked = [callers[world]["operator"].credential_id for world in WORLDS]
        await session.execute(
            sa.update(ApiKey).where(ApiKey.id.in_(revoked)).values(revoked_at=sa.func.now())
        )
        await session.execute(
            sa.text("update person set disabled_at = now() where id = any(:ids)"),
            {"ids": [callers[world]["kim"].caller_id for world in WORLDS]},
        )
    for by in ("operator", "kim"):
        told = [await burn(world, "kim", "cheap", by, 1, None) for world in WORLDS]
        assert told == ["not_authenticated"] * 2
    for engine in engines.values():
        await engine.stop()
    assert sum(written) > STEPS / 20, "a fair part of the walk was held without a look before"
    assert 0 in written, "and some that looked plain were not"
    connection = await runtime.database.connect_raw()
    for text in (ROWS, WALLETS, SHARED):
        read, plain = [
            [
                tuple(str(each).replace(f"{world}-", "") for each in row)
                for row in await connection.fetch(text, world)
            ]
            for world in WORLDS
        ]
        assert read
        assert read == plain
    await connection.close()
    async with runtime.database.begin() as session:
        assert await verify(session) == []


async def test_an_offer_met_before_is_burnt_on_without_a_read(
    coalition: Coalition, one: BurnEngine, ask: Ask, spied: list[int]
) -> None:
    await coalition.issue("ann", 50_000)
    await coalition.issue("bob", 50_000)
    assert code(await one.submit(ask("ann"))) == "held"
    assert spied
    spied.clear()
    answers = await asyncio.gather(one.submit(ask("ann")), one.submit(ask("bob")))
    assert [code(each) for each in answers] == ["held", "held"]
    assert spied == []


async def test_the_second_burn_of_a_wallet_sees_what_the_first_one_took(
    coalition: Coalition, one: BurnEngine, ask: Ask, spied: list[int]
) -> None:
    await coalition.issue("ann", 2_500)
    assert code(await one.submit(ask("ann"))) == "held"
    spied.clear()
    answers = await asyncio.gather(one.submit(ask("ann")), one.submit(ask("ann")))
    assert [code(each) for each in answers] == ["held", "insufficient_points"]
    assert set(spied) == {1}, "the second alone"


async def test_a_used_key_is_answered_as_before_and_another_body_refused(
    coalition: Coalition, one: BurnEngine, ask: Ask
) -> None:
    await coalition.issue("ann", 50_000)
    assert code(await one.submit(ask("bob"))) == "insufficient_points"
    first = await one.submit(ask("ann", key="k"))
    again = await one.submit(ask("ann", key="k"))
    assert again.replayed
    assert again.held == first.held
    assert code(await one.submit(ask("ann", key="k", quantity=2))) == "idempotency_key_reused"


async def test_stock_and_a_cap_are_never_overdrawn_by_two_engines_that_do_not_look(
    runtime: Runtime, coalition: Coalition, engine: BurnEngine, second_engine: BurnEngine, ask: Ask
) -> None:
    await coalition.add_member("capped", role=ContractRole.ISSUER, exposure_cap_micros=80_000)
    connection = await runtime.database.connect_raw()
    await connection.execute("insert into exposure values ($1, 0)", coalition.members["capped"])
    await coalition.add_offer("rare", acceptor="shop", points=1, stock=25)
    await coalition.add_offer("penny", acceptor="shop", points=1)
    people = [f"q{number}" for number in range(20)]
    for name in people:
        await coalition.add_participant(name, firm="acme")
        await coalition.issue(
            name, 2, issuer="alpha", effective_at=datetime(2025, 1, 1, tzinfo=UTC)
        )
        await coalition.issue(name, 50, issuer="capped")
    # Of 40 points of alpha's 15 are left for pennies; 10 of 8,000 micros each then reach the cap.
    for offer, most in (("rare", 25), ("penny", 15 + 10)):
        asked = [ask(name, offer) for _ in range(3) for name in people]
        answers = await asyncio.gather(
            *((engine, second_engine)[number % 2].submit(each) for number, each in enumerate(asked))
        )
        held = sum(code(each) == "held" for each in answers)
        assert held == most
        assert {code(each) for each in answers} == {
            "held",
            "sold_out" if offer == "rare" else "exposure_cap",
        }
    assert await connection.fetchval("select remaining from offer_stock") == 0
    assert await connection.fetchval("select used_micros from exposure") == 80_000
    await connection.close()
    async with runtime.database.begin() as session:
        assert await verify(session) == []


async def test_where_little_is_plain_batches_are_read_first_for_a_while(
    coalition: Coalition, one: BurnEngine, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[int] = []
    hold_plain = holding_repository.hold_plain

    async def note(connection: Any, plain: Sequence[Any], *more: Any, **named: Any) -> Any:
        tried.append(len(plain))
        return await hold_plain(connection, plain, *more, **named)

    monkeypatch.setattr(holding_repository, "hold_plain", note)
    await coalition.issue("bob", 50_000)
    for _ in range(READ_FIRST + 2):
        assert code(await one.submit(ask("ann"))) == "insufficient_points"
    assert len(tried) == 1, "the first to know the offer"
    assert code(await one.submit(ask("bob"))) == "held"
    assert len(tried) == 2


@pytest.mark.parametrize(
    ("trouble", "told"),
    [
        (asyncpg.ConnectionDoesNotExistError("connection was closed"), "held"),
        (asyncpg.DiskFullError("no space left on device"), "held"),
    ],
)
async def test_a_plain_burn_whose_commit_went_unheard_is_found_by_its_key(
    trouble: Exception, told: str, runtime: Runtime, coalition: Coalition, ask: Ask
) -> None:
    await coalition.issue("ann", 50_000)
    troubles: list[Any] = []
    engine = make_engine(runtime, lanes=1, connect=Troubled(runtime, troubles).connect)
    await engine.start()
    assert code(await engine.submit(ask("ann"))) == "held"
    troubles.append(trouble)
    answer = await engine.submit(ask("ann"))
    assert (code(answer), answer.replayed) == (told, True)
    assert not troubles
    await engine.stop()


async def test_a_price_that_changed_is_not_taken_for_the_one_that_was_known(
    owner: Database, coalition: Coalition, one: BurnEngine, ask: Ask
) -> None:
    await coalition.issue("ann", 50_000)
    assert code(await one.submit(ask("ann"))) == "held"
    async with owner.begin() as session:
        await session.execute(sa.text("update offer set points = 2000, version = version + 1"))
    for price, told in ((1_000, "price_changed"), (2_000, "held")):
        asked = msgspec.structs.replace(ask("ann"), expected_points=price)
        assert code(await one.submit(asked)) == told
    answer = await one.submit(ask("ann"))
    assert answer.held is not None
    assert answer.held.points == 2_000


async def test_a_plan_made_on_small_tables_looks_up_what_is_asked(
    runtime: Runtime, coalition: Coalition
) -> None:
    connection = await runtime.database.connect_raw()
    await connection.execute(lane.SESSION)
    text = holding_repository.plain_statement(True, True, True)
    await connection.execute("prepare p (engine_ask[], interval, bigint, uuid[], uuid[]) as" + text)
    plan = msgspec.json.decode(
        await connection.fetchval("explain (format json) execute p ('{}', '1 hour', 0, '{}', '{}')")
    )
    await connection.close()
    scans = [node for node in nodes(plan[0]["Plan"]) if "Relation Name" in node]
    touched = {"wallet", "lot", "offer", "offer_stock", "burn", "api_key", "sign_in", "person"}
    assert touched <= {node["Relation Name"] for node in scans}
    walked = [
        node["Relation Name"]
        for node in scans
        if node["Node Type"] != "ModifyTable" and not LOOK_UPS & set(node)
    ]
    assert set(walked) <= {"clock", "exposure", "contract"}, "a row, or one for each member"


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """A plan's nodes, itself first."""
    return [plan, *(each for part in plan.get("Plans", ()) for each in nodes(part))]
