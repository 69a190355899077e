"""Rules, routes and observers of plugins run in the API process, and cannot stop it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any
from uuid import uuid4

import httpx
import msgspec
import pytest
import sqlalchemy as sa
from litestar import get
from litestar.params import FromPath

from marketplace import api
from marketplace.app import create_app
from marketplace.containment import routes as limits
from marketplace.containment.rules import WatchedRule
from marketplace.db import open_database
from marketplace.exchange.decide import BurnRequest
from marketplace.exchange.errors import NotEligible
from marketplace.fulfilment import health
from marketplace.host import PluginHost
from marketplace.ids import uuid7
from marketplace.runtime import Runtime
from marketplace.secrets import open_vault
from marketplace.settings import Settings
from tests.conftest import run_lifespan
from tests.fulfilment.conftest import Counter
from tests.web.problems import problem

WHO = api.Who(
    wallet_id=uuid4(), participant_id=None, role="buyer", firm_reference="acme", country="DE"
)
PUBLIC = api.access(public=True)


class Rule:
    """A rule that does what it is told."""

    name = "acme.trained"

    def __init__(self, does: Callable[[], str | None]) -> None:
        self.does = does
        self.asked = 0

    def refusal(self, who: api.Who, offer_reference: str) -> str | None:
        self.asked += 1
        return self.does()


@pytest.fixture(autouse=True)
def patience() -> None:
    """The limits are what these tests are about."""


def spin() -> str | None:
    while True:
        pass


def cling() -> str | None:
    """Catches what would end it, and goes on."""
    for _ in range(3):
        try:
            time.sleep(30)
        except BaseException:  # noqa: S112 - the point of it
            continue
    return None


def leave() -> str | None:
    raise SystemExit(3)


@pytest.mark.parametrize("does", [spin, lambda: time.sleep(30), cling])  # type: ignore[arg-type, return-value]
def test_a_rule_that_hangs_is_interrupted_and_taken_out(does: Callable[[], str | None]) -> None:
    troubles: list[tuple[str, str, str]] = []
    rule = Rule(does)
    watched = WatchedRule(rule, lambda *trouble: troubles.append(trouble))
    began = time.monotonic()
    assert "does not answer" in str(watched.refusal(WHO, "card"))
    assert "does not answer" in str(watched.refusal(WHO, "card"))
    assert time.monotonic() - began < 20
    assert rule.asked == 1
    assert [(plugin, kind) for plugin, kind, _ in troubles] == [("acme", "rule")]
    assert "acme.trained took longer" in troubles[0][2]


def test_a_rule_that_is_slow_for_everybody_is_taken_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("marketplace.containment.rules.LIMIT_S", 5.0)
    rule = Rule(lambda: time.sleep(0.1))  # type: ignore[arg-type, return-value]
    watched = WatchedRule(rule, lambda *_: None)
    for _ in range(20):
        watched.refusal(WHO, "card")
    assert rule.asked < 20


def test_a_rule_that_exits_refuses() -> None:
    watched = WatchedRule(Rule(leave), lambda *_: None)
    assert watched.refusal(WHO, "card") == (
        "The rule acme.trained of this offer could not be checked."
    )


async def test_burns_go_on_while_a_rule_hangs(counter: Counter) -> None:
    await counter.coalition.add_offer(
        "strict", acceptor="shop", eligibility={"rules": ["acme.trained"]}
    )
    counter.rules["acme.trained"] = WatchedRule(Rule(spin), lambda *_: None)
    request = BurnRequest(
        uuid7(),
        counter.principal,
        "key",
        b"hash",
        counter.coalition.wallets["ann"],
        counter.coalition.offers["strict"],
        1,
    )
    answer, pairs = await asyncio.gather(counter.engine.submit(request), counter.burn(3))
    assert isinstance(answer.error, NotEligible)
    assert len(pairs) == 3
    assert await counter.verified()


def with_routes(runtime: Runtime, slug: str, routes: Sequence[Any]) -> None:
    @api.hookimpl
    def marketplace_register_routes(host: api.Host) -> Sequence[Any]:
        return routes

    plugin = ModuleType(slug)
    plugin.marketplace_register_routes = marketplace_register_routes  # type: ignore[attr-defined]
    runtime.plugins.manager.register(plugin, name=slug)


async def test_a_statement_that_takes_too_long_is_ended_and_gives_its_thread_back(
    settings: Settings,
) -> None:
    quick = msgspec.structs.replace(settings, plugin_query_s=0.3, database_pool=1)
    database = open_database(quick, serving=True)
    runtime = Runtime(quick, database, open_vault(quick))
    host = PluginHost("acme", lambda: database, lambda: runtime.vault)

    @get("/sleeps/{seconds:float}", opt=PUBLIC, sync_to_thread=True)
    def sleeps(seconds: FromPath[float]) -> str:
        with host.transaction() as session:
            session.execute(sa.select(sa.func.pg_sleep(seconds)))
        return "at last"

    with_routes(runtime, "acme", [sleeps])
    app = create_app(runtime)
    transport = httpx.ASGITransport(app=app)
    try:
        async with (
            run_lifespan(app),
            httpx.AsyncClient(transport=transport, base_url="http://marketplace.test") as client,
        ):
            for _ in range(limits.THREADS + 1):
                slow = await client.get("/v1/acme/sleeps/600")
                problem(slow, 503, "busy")
            assert (await client.get("/v1/acme/sleeps/0")).text == "at last"
        async with database.begin() as session:
            found = await health.suppliers(session, runtime)
        (wrong,) = [each.wrong for each in found if each.plugin == "acme"]
        assert "longer than the database lets it" in wrong[0]
    finally:
        await database.close()


async def test_handlers_that_hang_leave_the_process_to_the_others(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "STEP_S", 60.0)  # a busy machine makes good handlers slow
    monkeypatch.setattr(limits, "REST_S", 600.0)
    end = threading.Event()

    @get("/waits", opt=PUBLIC, sync_to_thread=False)
    def waits() -> str:
        end.wait(60)
        return "at last"

    @get("/blocks", opt=PUBLIC)
    async def blocks() -> str:
        time.sleep(30)  # noqa: ASYNC251 - the point of it
        return "never"

    @get("/quick/{number:int}", opt=PUBLIC, sync_to_thread=True)
    def quick(number: FromPath[int]) -> str:
        return f"quick {number}"

    with_routes(runtime, "slow", [waits])
    with_routes(runtime, "rude", [blocks])
    with_routes(runtime, "fine", [quick])
    app = create_app(runtime)
    async with run_lifespan(app):
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://here.test") as client:
            waiting = [
                asyncio.create_task(client.get("/v1/slow/waits")) for _ in range(limits.THREADS)
            ]
            while sum(each.name == "routes-slow" for each in threading.enumerate()) < 4:
                assert not any(each.done() for each in waiting)
                await asyncio.sleep(0.01)
            full = await client.get("/v1/slow/waits")
            assert (full.status_code, full.json()["code"]) == (503, "busy")
            with monkeypatch.context() as short:
                short.setattr(limits, "STEP_S", 0.3)
                blocked = await client.get("/v1/rude/blocks")
            assert blocked.status_code == 503
            assert (await client.get("/v1/rude/blocks")).status_code == 503
            assert (await client.get("/v1/fine/quick/7")).text == "quick 7"
            assert (await client.get("/health/live")).status_code == 200
            end.set()
            assert {(await each).text for each in waiting} == {"at last"}
            assert (await client.get("/v1/slow/waits")).text == "at last"
    async with runtime.database.begin() as session:
        (rude,) = (
            each for each in await health.suppliers(session, runtime) if each.plugin == "rude"
        )
    assert "a handler kept the process" in rude.wrong[0]


async def test_an_observer_that_hangs_is_not_waited_for_again(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("marketplace.observers.WAIT_S", 0.1)
    end = threading.Event()
    heard: list[int] = []

    class Deaf:
        @api.hookimpl
        def marketplace_after_points_issued(self, fact: api.IssueFact) -> None:
            end.wait(30)

    class Attentive:
        @api.hookimpl
        def marketplace_after_points_issued(self, fact: api.IssueFact) -> None:
            heard.append(fact.points)

    runtime.plugins.manager.register(Deaf(), name="deaf")
    runtime.plugins.manager.register(Attentive(), name="attentive")
    for points in range(5):
        fact = api.IssueFact(issuer_id=uuid4(), issuances=1, points=points)
        runtime.plugins.tell("marketplace_after_points_issued", fact)
    assert heard == [0, 1, 2, 3, 4]
    end.set()
