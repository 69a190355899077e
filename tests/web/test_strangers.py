"""Strangers who send too much, or nothing: they take neither memory nor connections for long."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import msgspec
import pytest
from litestar import Litestar

from marketplace.web.direct import LARGEST_HEAD, Answer, DirectRequest
from tests.wire import Connect, Reply, Wire

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
    answers: list[Answer] = []

    def wait(request: DirectRequest, answer: Answer) -> bool:
        answers.append(answer)
        return True

    app.state.direct[b"GET", b"/health/live"] = wait
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
