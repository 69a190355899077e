"""Whatever goes wrong, the caller gets one kind of answer: problem+json."""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import AsyncIterator
from typing import Annotated, Any

import asyncpg
import httpx
import msgspec
import pytest
import pytest_asyncio
import sqlalchemy as sa
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, QueryParameter
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace import app as app_module
from marketplace.db import raw_connection
from marketplace.errors import Conflict
from marketplace.runtime import Runtime
from marketplace.web.access import access
from tests.conftest import run_lifespan
from tests.web.problems import problem

PUBLIC = access(public=True)


class Points(msgspec.Struct):
    points: Annotated[int, msgspec.Meta(gt=0)]
    lines: list[int] = []


@post("/v1/trial/points", opt=PUBLIC)
async def take_points(data: JSONBody[Points]) -> Points:
    return data


@get("/v1/trial/limit", opt=PUBLIC)
async def take_limit(limit: Annotated[int, QueryParameter(le=10)]) -> int:
    return limit


@get("/v1/trial/crash", opt=PUBLIC)
async def crash() -> None:
    raise RuntimeError("the password is hunter2")


@get("/v1/trial/text", opt=PUBLIC)
async def store(
    text: Annotated[str, QueryParameter()], session: NamedDependency[AsyncSession]
) -> Any:
    return (await session.execute(sa.select(sa.cast(text, sa.Text)))).scalar_one()


@post("/v1/trial/clock", opt=PUBLIC)
async def change_then_fail(session: NamedDependency[AsyncSession]) -> None:
    await session.execute(sa.text("update clock set shift = interval '1 day'"))
    raise Conflict("after the change")


@get("/v1/trial/cut", opt=PUBLIC)
async def cut_off(session: NamedDependency[AsyncSession]) -> None:
    connection = await raw_connection(session)
    connection.terminate()
    await connection.fetchval("select 1")


@get("/v1/trial/cut-while-sending", opt=PUBLIC)
async def cut_while_sending() -> None:
    raise asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is going")


@get("/v1/trial/no-socket", opt=PUBLIC)
async def no_socket() -> None:
    """PostgreSQL on a socket of this machine was stopped, and its socket went with it."""
    await asyncpg.connect("postgresql:///x?host=/nowhere/postgres")


@get("/v1/trial/no-file", opt=PUBLIC)
async def no_file() -> None:
    """Something of ours is missing."""
    raise FileNotFoundError("/nowhere/template")


@get("/v1/trial/full", opt=PUBLIC)
async def no_room(number: Annotated[int, QueryParameter()]) -> None:
    """A file of ours cannot be written."""
    raise OSError(number, os.strerror(number))


@get("/v1/trial/no-memory", opt=PUBLIC)
async def no_memory() -> None:
    """Something is larger than what is left."""
    raise MemoryError


@get("/v1/trial/no-thread", opt=PUBLIC)
async def no_thread(words: Annotated[str, QueryParameter()]) -> None:
    """As Python says it where the system starts no thread."""
    raise RuntimeError(words)


@post("/v1/trial/read-only", opt=PUBLIC)
async def write_on_a_standby(session: NamedDependency[AsyncSession]) -> None:
    await session.execute(sa.text("set transaction read only"))
    await session.execute(sa.text("update clock set shift = interval '1 day'"))


@get("/v1/trial/refused", opt=PUBLIC)
async def refused_with(
    sqlstate: Annotated[str, QueryParameter()], session: NamedDependency[AsyncSession]
) -> None:
    text = f"do $$ begin raise exception 'so it is' using errcode = '{sqlstate}'; end $$"
    await session.execute(sa.text(text))


TRIALS = [
    take_points,
    take_limit,
    crash,
    store,
    change_then_fail,
    cut_off,
    cut_while_sending,
    no_socket,
    no_file,
    no_room,
    no_memory,
    no_thread,
    write_on_a_standby,
    refused_with,
]


@pytest_asyncio.fixture
async def client(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application with some routes that misbehave."""
    monkeypatch.setattr(app_module, "ROUTES", [*app_module.ROUTES, *TRIALS])
    app = app_module.create_app(runtime)
    async with run_lifespan(app):
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://here.test") as opened:
            yield opened


async def test_an_unknown_address_is_404(client: httpx.AsyncClient) -> None:
    for path in ("/nothing", "/v1/nothing", "/schema/nothing", "/v1/burns/no-uuid"):
        problem(await client.get(path), 404, "not_found")


async def test_a_wrong_method_is_405_and_says_which_fit(client: httpx.AsyncClient) -> None:
    answer = await client.put("/v1/session")
    problem(answer, 405, "method_not_allowed")
    assert {"GET", "POST", "DELETE"} <= set(answer.headers["allow"].split(", "))
    problem(await client.get("/v1/burns"), 405, "method_not_allowed")


async def test_a_body_that_does_not_fit_names_its_fields(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/trial/points", json={"points": -1, "lines": [1, "x"]})
    errors = problem(answer, 400, "invalid_request")["errors"]
    assert {"field": "points", "message": "Expected `int` >= 1", "in": "body"} in errors

    answer = await client.post("/v1/trial/points", json={"points": 1, "lines": [1, "x"]})
    (error,) = problem(answer, 400, "invalid_request")["errors"]
    assert error["field"] == "lines[1]"

    answer = await client.post("/v1/trial/points")
    (error,) = problem(answer, 400, "invalid_request")["errors"]
    assert error["field"] == "body"


async def test_a_parameter_that_does_not_fit_is_named(client: httpx.AsyncClient) -> None:
    for query in ({"limit": "11"}, {"limit": "many"}):
        answer = await client.get("/v1/trial/limit", params=query)
        (error,) = problem(answer, 400, "invalid_request")["errors"]
        assert (error["field"], error["in"]) == ("limit", "query")
    problem(await client.get("/v1/trial/limit"), 400, "invalid_request")


async def test_malformed_json_is_400(client: httpx.AsyncClient) -> None:
    for body in (b"{", b"\xff\xfe", b'{"points": 1}}'):
        problem(await client.post("/v1/trial/points", content=body), 400, "invalid_request")


async def test_a_body_over_the_limit_is_413(client: httpx.AsyncClient) -> None:
    body = b"[" + b"1," * app_module.MAX_BODY_BYTES + b"1]"
    problem(await client.post("/v1/trial/points", content=body), 413, "too_large")


async def test_a_caller_that_leaves_before_its_body_is_no_crash(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    transport = client._transport
    assert isinstance(transport, httpx.ASGITransport)
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/trial/points",
        "raw_path": b"/v1/trial/points",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json"), (b"content-length", b"100")],
    }
    said: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        said.append(message)

    await transport.app(scope, receive, send)
    assert said[0]["status"] == 400
    assert not [each for each in caplog.records if each.levelno >= logging.WARNING]


@pytest.mark.parametrize("path", ["/v1/trial/cut", "/v1/trial/cut-while-sending"])
async def test_a_connection_that_breaks_in_the_middle_is_busy_not_broken(
    client: httpx.AsyncClient, path: str
) -> None:
    answer = await client.get(path)
    problem(answer, 503, "busy")
    assert answer.headers["retry-after"] == "1"


@pytest.mark.parametrize(
    "sqlstate", ["25P03", "25P04", "28000", "3D000", "53100", "54000", "55000", "55P03", "58030"]
)
async def test_what_the_database_will_do_later_is_busy(
    client: httpx.AsyncClient, sqlstate: str
) -> None:
    problem(await client.get("/v1/trial/refused", params={"sqlstate": sqlstate}), 503, "busy")


async def test_a_database_that_only_reads_is_busy_not_broken(client: httpx.AsyncClient) -> None:
    problem(await client.post("/v1/trial/read-only"), 503, "busy")


async def test_a_database_without_its_socket_is_away_and_a_missing_file_of_ours_a_crash(
    client: httpx.AsyncClient,
) -> None:
    problem(await client.get("/v1/trial/no-socket"), 503, "busy")
    problem(await client.get("/v1/trial/no-file"), 500, "internal_error")


@pytest.mark.parametrize("name", ["ENOSPC", "EDQUOT", "EMFILE", "ENFILE", "ENOMEM"])
async def test_a_machine_without_room_is_busy(
    client: httpx.AsyncClient, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    number = {"number": getattr(errno, name)}
    answer = await client.get("/v1/trial/full", params=number)
    problem(answer, 503, "busy")
    assert int(answer.headers["retry-after"]) > 1
    assert "no room on this machine" in caplog.text
    problem(await client.get("/v1/trial/full", params={"number": errno.EIO}), 500, "internal_error")


async def test_a_machine_without_memory_or_threads_is_busy(client: httpx.AsyncClient) -> None:
    problem(await client.get("/v1/trial/no-memory"), 503, "busy")
    words = {"words": "can't start new thread"}
    problem(await client.get("/v1/trial/no-thread", params=words), 503, "busy")
    words = {"words": "something else"}
    problem(await client.get("/v1/trial/no-thread", params=words), 500, "internal_error")


async def test_text_the_database_cannot_hold_is_the_callers_fault(
    client: httpx.AsyncClient,
) -> None:
    problem(await client.get("/v1/trial/text", params={"text": "a\0b"}), 400, "invalid_request")


async def test_text_a_plugins_session_cannot_hold_is_the_callers_fault_too(
    client: httpx.AsyncClient,
) -> None:
    """Plugins have another driver. Anybody at all can send this one."""
    answer = await client.post("/v1/remote/callbacks", params={"member": "a\0b"}, content=b"{}")
    problem(answer, 400, "invalid_request")


async def test_a_crash_shows_an_id_and_hides_the_reason(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        answer = await client.get("/v1/trial/crash", headers={"X-Request-Id": "quote-me-1"})
    body = problem(answer, 500, "internal_error")
    assert body["request_id"] == answer.headers["x-request-id"] == "quote-me-1"
    assert "hunter2" not in answer.text
    assert "quote-me-1" in caplog.text
    assert "hunter2" in caplog.text


async def test_an_error_undoes_what_the_request_changed(
    client: httpx.AsyncClient, runtime: Runtime
) -> None:
    problem(await client.post("/v1/trial/clock"), 409, "conflict")
    async with runtime.database.begin() as session:
        shifted = await session.execute(sa.text("select shift = interval '0' from clock"))
        assert shifted.scalar_one()


async def test_every_answer_has_an_id_and_safe_headers(client: httpx.AsyncClient) -> None:
    for path in ("/health/live", "/nothing", "/v1/session", "/v1/trial/crash"):
        headers = (await client.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert len(headers["x-request-id"]) >= 8
    strange = await client.get("/health/live", headers={"X-Request-Id": "a b\tc"})
    assert strange.headers["x-request-id"] != "a b\tc"
