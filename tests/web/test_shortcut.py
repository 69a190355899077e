"""The short way to the burn endpoint answers as the long way does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from litestar import Litestar

from marketplace.exchange import burn_endpoint
from marketplace.identity.domain import Scope
from marketplace.web.one_write import CorkedTransport
from marketplace.web.shortcut import Shortcut
from tests.factories import Coalition

Headers = dict[str, str]


def through(app: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), base_url="http://marketplace.test"
    )


async def test_burns_take_the_short_way_and_all_else_the_long_one(
    app: Litestar, coalition: Coalition, api_key: Callable[..., Awaitable[Headers]]
) -> None:
    await coalition.issue("ann", 5_000)
    key = await api_key("alpha", Scope.BURNS_WRITE, Scope.WALLETS_READ)
    body = {
        "wallet_id": str(coalition.wallets["ann"]),
        "offer_id": str(coalition.offers["card"]),
    }
    keyed = {**key, "Idempotency-Key": "k"}
    async with through(Shortcut(app, burn_endpoint.PATH, burn_endpoint.answer_burn)) as client:
        short = await client.post("/v1/burns", json=body, headers=keyed)
        wallet = await client.get(f"/v1/wallets/{body['wallet_id']}", headers=key)
        refused = await client.post("/v1/burns", json=body)
    async with through(app) as client:
        long = await client.post("/v1/burns", json=body, headers=keyed)
        refused_too = await client.post("/v1/burns", json=body)
    assert (short.status_code, short.content) == (201, long.content)
    for answer in (short, refused):
        assert answer.headers["x-request-id"]
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert refused.headers["www-authenticate"] == "Bearer"
    assert (refused.status_code, refused.content) == (401, refused_too.content)
    assert wallet.json()["held"] == 1_000


async def test_a_crash_is_a_problem_with_an_id(
    app: Litestar, caplog: pytest.LogCaptureFixture
) -> None:
    async def crash(*_: Any) -> None:
        raise RuntimeError("the secret cause")

    async with through(Shortcut(app, "/v1/burns", crash)) as client:
        answer = await client.post("/v1/burns")
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (500, "internal_error")
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert "secret" not in answer.text
    assert "the secret cause" in caplog.text


class Recorder:
    """A transport that remembers what was sent in one go."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        self.sent.append(data)

    def close(self) -> None:
        self.closed = True


async def test_head_and_body_leave_in_one_write() -> None:
    recorder = Recorder()
    corked = CorkedTransport(recorder, asyncio.get_running_loop())  # type: ignore[arg-type]
    corked.write(b"head ")
    corked.write(b"body")
    assert recorder.sent == []
    await asyncio.sleep(0)
    corked.write(b"next")
    corked.close()
    assert (recorder.sent, recorder.closed) == ([b"head body", b"next"], True)
    await asyncio.sleep(0)
    assert recorder.sent == [b"head body", b"next"]
