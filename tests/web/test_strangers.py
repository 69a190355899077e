"""Strangers who send too much, or nothing: they take neither memory nor connections for long."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import msgspec
import pytest
import uvicorn
from litestar import Litestar
from uvicorn.server import ServerState

from marketplace.web import direct
from marketplace.web.direct import (
    LARGEST_HEAD,
    LEAST_BYTES,
    DirectProtocol,
)
from tests.wire import Clock, Connect, Recorder, Reply, Wire, answer_later

HEAD = b"GET /health/live HTTP/1.1\r\nHost: marketplace.test\r\n"
LIVE = HEAD + b"\r\n"
MANY = b"".join(b"X-%05d: a\r\n" % number for number in range(100_000))  # more than a megabyte
ONE = b"Cookie: " + b"a" * 1_000_000
UPLOAD = (
    b"POST /v1/session HTTP/1.1\r\nHost: marketplace.test\r\nContent-Type: application/json\r\n"
)


async def refusal(wire: Wire) -> Reply:
    """The last answer of a connection, which ends with it."""
    answer = await wire.reply()
    assert answer[1]["connection"] == "close"
    assert await wire.ended()
    return answer


@pytest.mark.parametrize("endless", [MANY, ONE, b"X: "], ids=["many", "one", "pieces"])
async def test_a_head_without_end_is_refused_while_it_comes(
    connect: Connect, endless: bytes
) -> None:
    wire = await connect()
    assert (await wire.ask(LIVE))[0] == 200
    wire.writer.write(HEAD + endless)
    if endless == b"X: ":
        for _ in range(LARGEST_HEAD // 1_000 + 1):
            wire.writer.write(b"a" * 1_000)
            await wire.writer.drain()
            await asyncio.sleep(0)
    status, headers, body = await refusal(wire)
    assert (status, headers["content-type"]) == (431, "application/problem+json")
    assert headers["x-request-id"]
    assert msgspec.json.decode(body)["code"] == "head_too_large"


async def test_an_address_without_end_is_refused(connect: Connect) -> None:
    wire = await connect()
    wire.writer.write(b"GET /" + b"a" * 1_000_000)
    assert (await refusal(wire))[0] == 431


async def test_a_head_that_ends_too_late_is_refused_in_one_piece_too(connect: Connect) -> None:
    wire = await connect()
    wire.writer.write(HEAD + b"Cookie: " + b"a" * (LARGEST_HEAD + 1) + b"\r\n\r\n")
    assert (await refusal(wire))[0] == 431


async def test_trailers_without_end_are_not_read(connect: Connect) -> None:
    wire = await connect()
    wire.writer.write(UPLOAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n" + MANY)
    with suppress(ConnectionResetError):
        assert await wire.ended()


async def test_big_heads_and_bodies_that_are_legal_pass(connect: Connect) -> None:
    wire = await connect()
    cookie = b"Cookie: " + b"a" * 30_000 + b"\r\n\r\n"
    long_body = b"Content-Length: 500000\r\n\r\n" + b" " * 500_000
    for _ in range(3):
        assert (await wire.ask(HEAD + cookie))[0] == 200
        assert (await wire.ask(UPLOAD + long_body))[0] == 400
    # Heads in pieces behind bodies, all at once, are counted each by itself.
    wire.writer.write((UPLOAD + long_body + HEAD + cookie) * 3)
    assert [(await wire.reply())[0] for _ in range(6)] == [400, 200] * 3
    chunk = b"10000\r\n" + b" " * 65_536 + b"\r\n"
    chunked = b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 8 + b"0\r\n\r\n"
    assert (await wire.ask(UPLOAD + chunked))[0] == 400
    assert (await wire.ask(LIVE))[0] == 200


async def test_a_refusal_is_not_taken_for_the_answer_of_the_request_before(
    connect: Connect, app: Litestar
) -> None:
    answers = answer_later(app)
    for nonsense in (HEAD + ONE, b"nonsense\r\n\r\n"):
        wire = await connect()
        wire.writer.write(LIVE + nonsense)
        with suppress(ConnectionResetError):
            assert await wire.ended()
    assert len(answers) == 2


async def test_what_is_no_request_is_told_so_as_everything_is(connect: Connect) -> None:
    wire = await connect()
    wire.writer.write(b"nonsense\r\n\r\n")
    status, _, body = await refusal(wire)
    assert (status, msgspec.json.decode(body)["code"]) == (400, "invalid_request")


async def drip(wire: Wire, first: bytes, drop: bytes) -> None:
    """Send something, then little by little more, until the connection is closed."""
    wire.writer.write(first)
    ended = asyncio.create_task(wire.rest())
    while drop and not ended.done():
        wire.writer.write(drop)
        await asyncio.sleep(0.01)
    with suppress(ConnectionError):
        await ended


async def test_whoever_says_nothing_or_never_ends_is_given_up(
    connect: Connect, app: Litestar, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = answer_later(app)
    monkeypatch.setattr(direct, "PATIENCE_S", 0.1)
    waiting = await connect()
    waiting.writer.write(LIVE + HEAD[:20])  # whoever waits for an answer of ours is not
    for first, drop in (
        (b"", b""),
        (b"", b"\r\n"),
        (HEAD, b""),
        (HEAD, b"X-Y: z\r\n"),
        (UPLOAD + b"Content-Length: 100000\r\n\r\n", b""),
        (UPLOAD + b"Content-Length: 100000\r\n\r\n", b" "),
        (UPLOAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
        (UPLOAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X-Y: z\r\n"),
        # Answered before its body has come: nobody is signed in.
        (UPLOAD.replace(b"session", b"offers") + b"Content-Length: 1000000\r\n\r\n", b" " * 1_024),
    ):
        await drip(await connect(), first, drop)
    answers.pop()(200, b"", b"well")
    assert (await waiting.reply())[2] == b"well"
    assert await waiting.ended()


@pytest.fixture
async def clocked(app: Litestar) -> tuple[DirectProtocol, Clock, Recorder]:
    """A connection whose time passes as the test says."""
    config = uvicorn.Config(app, proxy_headers=False, timeout_keep_alive=75, log_config=None)
    config.load()
    clock, recorder = Clock(), Recorder()
    protocol = DirectProtocol(config, ServerState(), {}, clock)  # type: ignore[arg-type]
    protocol.connection_made(recorder)  # type: ignore[arg-type]
    return protocol, clock, recorder


@pytest.mark.parametrize("length", [b"Content-Length: 40960", b"Transfer-Encoding: chunked"])
async def test_an_upload_may_be_slow_while_it_comes(
    clocked: tuple[DirectProtocol, Clock, Recorder], length: bytes
) -> None:
    protocol, clock, recorder = clocked
    clock.pass_by(29)
    protocol.data_received(UPLOAD[:30])
    clock.pass_by(29)
    protocol.data_received(UPLOAD[30:] + length + b"\r\n\r\n")
    piece = b" " * LEAST_BYTES if b"Length" in length else b"400\r\n" + b" " * 1_024 + b"\r\n"
    for _ in range(39):
        protocol.data_received(piece)
        clock.pass_by(29)
        assert not recorder.closed
    protocol.data_received(piece[:-1])
    clock.pass_by(2)
    assert recorder.closed == (b"Length" in length), "of one, not a kilobyte came in 30 s"
    assert not clock.later or len(clock.later) == 1


async def test_what_is_not_read_for_now_is_not_waited_for(
    clocked: tuple[DirectProtocol, Clock, Recorder],
) -> None:
    protocol, clock, recorder = clocked
    protocol.data_received(UPLOAD + b"Content-Length: 500000\r\n\r\n" + b" " * 100_000)
    assert protocol.flow.read_paused
    clock.pass_by(1_000)
    assert not recorder.closed
    protocol.flow.resume_reading()
    clock.pass_by(30)
    assert not recorder.closed
    clock.pass_by(30)
    assert recorder.closed
