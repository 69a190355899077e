"""Burns answered on the connection: as the application answers, whatever the client does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
import sqlalchemy as sa
import uvicorn
from litestar import Litestar
from uvicorn.server import ServerState

from marketplace.exchange.domain import OfferStatus
from marketplace.exchange.models import Offer
from marketplace.identity.domain import Scope
from marketplace.ledger.models import Wallet
from marketplace.web.direct import Answer, DirectProtocol, DirectRequest
from marketplace.web.one_write import CorkedTransport
from tests.factories import Coalition
from tests.wire import Clock, Connect, Recorder, Reply, Wire, answer_later

Headers = dict[str, str]


@pytest.fixture
async def burn(
    coalition: Coalition, api_key: Callable[..., Awaitable[Headers]]
) -> Callable[..., bytes]:
    """`burn("key")`: the bytes of a burn of Ann's."""
    await coalition.issue("ann", 50_000)
    authorization = (await api_key("alpha", Scope.BURNS_WRITE))["Authorization"]

    def make(
        key: str, *more: str, quantity: str = "1", auth: str = authorization, version: str = "1.1"
    ) -> bytes:
        wallet, offer = coalition.wallets["ann"], coalition.offers["card"]
        body = f'{{"wallet_id":"{wallet}","offer_id":"{offer}","quantity":{quantity}}}'
        head = (
            f"POST /v1/burns HTTP/{version}",
            "Host: marketplace.test",
            f"Authorization: {auth}",
            f"Idempotency-Key: {key}",
            *more,
            f"Content-Length: {len(body)}",
        )
        return ("\r\n".join(head) + "\r\n\r\n" + body).encode()

    return make


async def held(coalition: Coalition) -> int:
    """Ann's points that are held."""
    async with coalition.runtime.database.begin() as session:
        wallet = await session.get_one(Wallet, coalition.wallets["ann"])
    return wallet.held


async def test_the_short_way_answers_as_the_long_one(
    connect: Connect, burn: Callable[..., bytes], coalition: Coalition
) -> None:
    wire = await connect()
    # Nobody has met this caller yet, so the application answers; then the connection does.
    long = await wire.ask(burn("a"))
    short = await wire.ask(burn("a", "X-Request-Id: mine-12345"))
    assert (long[0], long[2]) == (short[0], short[2])
    assert long[0] == 201
    assert short[1]["idempotent-replayed"] == "true"
    assert short[1]["x-request-id"] == "mine-12345"
    same = {"content-type", "cache-control", "x-content-type-options", "date", "x-request-id"}
    assert same <= short[1].keys()
    assert {name: long[1][name] for name in same - {"date", "x-request-id"}}.items() <= (
        short[1].items()
    )
    async with coalition.runtime.database.begin() as session:
        await session.execute(
            sa.update(Offer).values(status=OfferStatus.PAUSED, version=Offer.version + 1)
        )
    refused = await wire.ask(burn("b"))
    assert refused[0] == 409
    assert b"offer_not_on_sale" in refused[2]
    assert refused[1]["content-type"] == "application/problem+json"


async def test_what_is_out_of_the_ordinary_goes_to_the_application(
    connect: Connect, burn: Callable[..., bytes]
) -> None:
    wire = await connect()
    assert (await wire.ask(burn("met")))[0] == 201
    for request, status, text in (
        (burn("x", quantity='"many"'), 400, b"The body is not a burn"),
        (burn("x", auth="Bearer nonsense"), 401, b"not_authenticated"),
        (burn("k" * 201), 400, b"Idempotency-Key"),
        (burn("x", quantity="1" + " " * 9_000), 413, b"at most 4096 bytes"),
        (burn("y").replace(b"POST", b"GET "), 405, b"made with POST"),
    ):
        answer = await wire.ask(request)
        assert answer[0] == status, answer
        assert text in answer[2]
        assert answer[1]["x-request-id"]
        if answer[1].get("connection") == "close":
            wire = await connect()
    waiting = burn("expects", "Expect: 100-continue").partition(b"\r\n\r\n")
    wire.writer.write(waiting[0] + waiting[1])
    await asyncio.sleep(0.05)
    wire.writer.write(waiting[2])
    status, _, _ = await _after_continue(wire)
    assert status == 201


async def test_a_field_that_comes_twice_means_what_it_means_to_the_application(
    connect: Connect, burn: Callable[..., bytes], coalition: Coalition
) -> None:
    wire = await connect()
    assert (await wire.ask(burn("first")))[0] == 201
    again = await wire.ask(burn("first", "Idempotency-Key: second"))
    assert (again[0], again[1]["idempotent-replayed"]) == (201, "true")
    assert await held(coalition) == 1_000


async def test_a_key_met_before_is_refused_once_it_is_revoked(
    connect: Connect, burn: Callable[..., bytes], coalition: Coalition
) -> None:
    wire = await connect()
    for key in ("met", "remembered", "known by its header"):
        assert (await wire.ask(burn(key)))[0] == 201
    async with coalition.runtime.database.begin() as session:
        await session.execute(sa.text("update api_key set revoked_at = now()"))
    refused = await wire.ask(burn("late"))
    assert (refused[0], b"revoked" in refused[2]) == (401, True)
    assert await held(coalition) == 3_000


async def _after_continue(wire: Wire) -> Reply:
    assert (await wire._reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100")
    return await wire.reply()


async def test_pipelined_requests_are_answered_in_their_order(
    connect: Connect, burn: Callable[..., bytes], coalition: Coalition
) -> None:
    wire = await connect()
    await wire.ask(burn("met"))
    other = b"GET /health/live HTTP/1.1\r\nHost: marketplace.test\r\n\r\n"
    wire.writer.write(burn("1") + other + burn("2") + burn("3") + other)
    answers = [await wire.reply() for _ in range(5)]
    assert [status for status, _, _ in answers] == [201, 200, 201, 201, 200]
    assert len({body for _, _, body in answers}) == 4
    assert await held(coalition) == 4_000


async def test_each_of_pipelined_requests_gets_its_own_id_back(
    connect: Connect, burn: Callable[..., bytes]
) -> None:
    wire = await connect()
    await wire.ask(burn("met"))
    ids = [f"request-{number}" for number in range(4)]
    wire.writer.write(b"".join(burn(each, f"X-Request-Id: {each}") for each in ids))
    assert [(await wire.reply())[1]["x-request-id"] for _ in ids] == ids


async def test_a_slow_client_and_one_that_leaves(
    connect: Connect, burn: Callable[..., bytes], coalition: Coalition
) -> None:
    wire = await connect()
    await wire.ask(burn("met"))
    for at in range(0, len(request := burn("slow")), 40):
        wire.writer.write(request[at : at + 40])
        await asyncio.sleep(0.001)
    assert (await wire.reply())[0] == 201
    leaver = await connect()
    leaver.writer.write(burn("left"))
    await leaver.writer.drain()
    leaver.writer.transport.abort()
    while (await wire.ask(burn("left")))[1].get("idempotent-replayed") != "true":  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    assert await held(coalition) == 3_000


async def test_connections_close_when_asked_to(
    connect: Connect, burn: Callable[..., bytes]
) -> None:
    wire = await connect()
    await wire.ask(burn("met"))
    answer = await wire.ask(burn("last", "Connection: close"))
    assert (answer[0], answer[1]["connection"]) == (201, "close")
    assert await wire.ended()
    old = await connect()
    assert (await old.ask(burn("old", version="1.0")))[0] == 201


async def test_a_connection_is_closed_once_it_has_been_quiet_for_long(
    app: Litestar,
) -> None:
    answers = answer_later(app)
    clock, recorder = Clock(), Recorder()
    config = uvicorn.Config(
        app, http=DirectProtocol, proxy_headers=False, timeout_keep_alive=75, log_config=None
    )
    config.load()
    protocol = DirectProtocol(config, ServerState(), {}, clock)
    protocol.connection_made(recorder)  # type: ignore[arg-type]
    for _ in range(3):
        protocol.data_received(b"GET /health/live HTTP/1.1\r\nHost: marketplace.test\r\n\r\n")
        clock.pass_by(100)
        assert not recorder.closed, "a request in hand is waited for"
        answers.pop()(200, b"", b"well")
        clock.pass_by(70)
        assert not recorder.closed, "it has not been quiet for long"
    assert len(clock.later) == 1, "one timer, however many requests"
    clock.pass_by(6)
    assert recorder.closed


async def test_a_crash_of_a_direct_handler_leaves_the_answer_to_the_application(
    connect: Connect, app: Litestar, caplog: pytest.LogCaptureFixture
) -> None:
    def crash(request: DirectRequest, answer: Answer) -> bool:
        raise RuntimeError("broken")

    def answer_and_crash(request: DirectRequest, answer: Answer) -> bool:
        answer(200, b"", b"only this")
        raise RuntimeError("broken")

    app.state.direct[b"GET", b"/health/live"] = crash
    wire = await connect()
    request = b"GET /health/live?x=1 HTTP/1.1\r\nHost: marketplace.test\r\n\r\n"
    assert (await wire.ask(request))[0] == 200
    app.state.direct[b"GET", b"/health/live"] = answer_and_crash
    for _ in range(2):
        assert (await wire.ask(request))[2] == b"only this"
    assert "a direct handler crashed" in caplog.text


async def test_an_answer_to_a_client_that_has_cut_its_connection_goes_nowhere() -> None:
    recorder = Recorder()
    corked = CorkedTransport(recorder, asyncio.get_running_loop())  # type: ignore[arg-type]
    failures: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, what: failures.append(what))
    corked.write(b"head ")
    recorder.close()
    await asyncio.sleep(0)
    corked.write(b"body")
    corked.write_now(b"whole")
    corked.close()
    assert (recorder.sent, failures) == ([], [])


async def test_head_and_body_leave_in_one_write() -> None:
    recorder = Recorder()
    corked = CorkedTransport(recorder, asyncio.get_running_loop())  # type: ignore[arg-type]
    corked.write(b"head ")
    corked.write(b"body")
    assert recorder.sent == []
    await asyncio.sleep(0)
    corked.write(b"next")
    corked.write_now(b"whole")
    corked.close()
    assert (recorder.sent, recorder.closed) == ([b"head body", b"next", b"whole"], True)
    await asyncio.sleep(0)
    assert recorder.sent == [b"head body", b"next", b"whole"]
