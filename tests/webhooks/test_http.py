"""A partner's developer sets webhooks up over HTTP; nobody else sees or touches them."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from marketplace.cli import main
from marketplace.identity.domain import Role, Scope
from marketplace.settings import Settings
from marketplace.webhooks.domain import MOST_ENDPOINTS, EventType
from tests.conftest import SECRET_KEY, Headers
from tests.factories import Coalition
from tests.webhooks.conftest import Subscribe, Worker, endpoint
from tests.webhooks.receiver import Receiver, failing, ok

Key = Callable[..., Awaitable[Headers]]
SignIn = Callable[..., Awaitable[Headers]]
EVENTS = ["burn.fulfilled", "points.issued"]


@pytest.fixture
async def shop(api_key: Key) -> Headers:
    return await api_key("shop", Scope.WEBHOOKS_READ, Scope.WEBHOOKS_WRITE)


async def made(client: httpx.AsyncClient, headers: Headers, url: str) -> dict[str, Any]:
    answer = await client.post("/v1/webhooks", json={"url": url, "events": EVENTS}, headers=headers)
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def test_from_subscription_to_replay(
    client: httpx.AsyncClient, shop: Headers, worker: Worker, receiver: Receiver
) -> None:
    first = await made(client, shop, receiver.url)
    path = f"/v1/webhooks/{first['endpoint']['id']}"
    assert first["secret"].startswith("whsec_")
    shown = (await client.get(path, headers=shop)).json()
    assert shown == first["endpoint"]
    assert "secret" not in shown
    receiver.answer = failing(500)
    queued = await client.post(f"{path}/test", headers=shop)
    assert queued.status_code == 202
    message_id = queued.json()["id"]
    await worker.deliver()
    detail = (await client.get(f"{path}/messages/{message_id}", headers=shop)).json()
    assert detail["payload"]["type"] == "webhook.test"
    assert [each["status"] for each in detail["attempts"]] == [500]
    # It waits already, so a replay of what failed finds nothing; stopping gives it up.
    answer = await client.post(f"{path}/replay", json={}, headers=shop)
    assert answer.json() == {"replayed": 0}
    await client.patch(path, json={"active": False}, headers=shop)
    refused = await client.post(f"{path}/replay", json={}, headers=shop)
    assert (refused.status_code, refused.json()["code"]) == (409, "webhook_not_active")
    await client.patch(path, json={"active": True}, headers=shop)
    receiver.answer = ok
    answer = await client.post(f"{path}/replay", json={"ids": [message_id]}, headers=shop)
    assert answer.json() == {"replayed": 1}
    await worker.deliver()
    listed = (await client.get(f"{path}/messages?status=delivered", headers=shop)).json()
    assert [each["id"] for each in listed["items"]] == [message_id]
    since = listed["items"][0]["created_at"]
    body = {"since": since, "failed_only": False}
    assert (await client.post(f"{path}/replay", json=body, headers=shop)).json() == {"replayed": 1}
    rotated = (await client.post(f"{path}/secret", headers=shop)).json()
    assert rotated["secret"] != first["secret"]
    await worker.deliver()
    assert receiver.heard[-1].is_signed_by(first["secret"])
    assert receiver.heard[-1].is_signed_by(rotated["secret"])
    assert (await client.delete(path, headers=shop)).status_code == 204
    assert (await client.get(path, headers=shop)).status_code == 404


async def test_bad_input_is_said(
    client: httpx.AsyncClient, shop: Headers, receiver: Receiver
) -> None:
    for body, status, code in (
        ({"url": "https://10.0.0.1/", "events": EVENTS}, 422, "address_refused"),
        ({"url": "http://user:x@partner.example/", "events": EVENTS}, 422, "address_refused"),
        ({"url": receiver.url, "events": []}, 400, "unknown_event"),
        ({"url": receiver.url, "events": ["webhook.test"]}, 400, "unknown_event"),
        ({"url": receiver.url, "events": ["burn.held"]}, 400, "unknown_event"),
        ({"url": receiver.url, "events": EVENTS, "description": "x" * 201}, 400, "invalid_request"),
        ({"url": receiver.url, "events": EVENTS, "secret": "mine"}, 400, "invalid_request"),
    ):
        answer = await client.post("/v1/webhooks", json=body, headers=shop)
        assert (answer.status_code, answer.json()["code"]) == (status, code), body
    path = f"/v1/webhooks/{(await made(client, shop, receiver.url))['endpoint']['id']}"
    for body, status in (
        ({"ids": ["msg_1"]}, 404),
        ({"ids": ["msg_"]}, 400),
        ({"ids": ["msg_99999999999999999999999"]}, 400),
        ({"failed_only": False}, 400),
        ({"since": "2026-01-01T00:00:00"}, 400),
    ):
        answer = await client.post(f"{path}/replay", json=body, headers=shop)
        assert answer.status_code == status, body
    for _ in range(MOST_ENDPOINTS - 1):
        await made(client, shop, receiver.url)
    body = {"url": receiver.url, "events": EVENTS}
    answer = await client.post("/v1/webhooks", json=body, headers=shop)
    assert answer.json()["code"] == "too_many_webhooks"


async def test_others_see_nothing(
    client: httpx.AsyncClient,
    shop: Headers,
    api_key: Key,
    sign_in: SignIn,
    receiver: Receiver,
) -> None:
    path = f"/v1/webhooks/{(await made(client, shop, receiver.url))['endpoint']['id']}"
    tickets = await api_key("tickets", Scope.WEBHOOKS_READ, Scope.WEBHOOKS_WRITE)
    assert (await client.get("/v1/webhooks", headers=tickets)).json() == {"items": []}
    for method, below in (
        ("GET", ""),
        ("DELETE", ""),
        ("POST", "/test"),
        ("POST", "/secret"),
        ("GET", "/messages"),
    ):
        assert (await client.request(method, path + below, headers=tickets)).status_code == 404
    assert (await client.get("/v1/webhooks?member=shop", headers=tickets)).status_code == 403
    other = {"url": receiver.url, "events": EVENTS, "member": "shop"}
    assert (await client.post("/v1/webhooks", json=other, headers=tickets)).status_code == 403
    reader = await api_key("shop", Scope.WEBHOOKS_READ)
    assert (await client.post(f"{path}/test", headers=reader)).status_code == 403
    operator = await sign_in(Role.OPERATOR)
    assert len((await client.get("/v1/webhooks", headers=operator)).json()["items"]) == 1
    assert (await client.post("/v1/webhooks", json=other, headers=operator)).status_code == 201
    listed = await client.get("/v1/webhooks?member=tickets", headers=operator)
    assert listed.json() == {"items": []}


async def test_examples_are_listed(client: httpx.AsyncClient, shop: Headers) -> None:
    items = (await client.get("/v1/webhook-events", headers=shop)).json()["items"]
    assert [each["type"] for each in items] == [each.value for each in EventType]
    for each in items:
        assert set(each["example"]) == {"id", "type", "timestamp", "data"}


def test_from_the_command_line(
    coalition: Coalition, settings: Settings, monkeypatch: pytest.MonkeyPatch, receiver: Receiver
) -> None:
    monkeypatch.setenv("MARKETPLACE_DATABASE_URL", settings.database_url or "")
    monkeypatch.setenv("MARKETPLACE_SECRET_KEYS", SECRET_KEY)
    monkeypatch.setenv("MARKETPLACE_OUTBOUND_ALLOW", "127.0.0.1")

    def run(*words: str, status: int = 0) -> str:
        done = CliRunner().invoke(main, ["webhooks", *words])
        assert done.exit_code == status, done.output
        return done.output

    assert "no webhook endpoints" in run("list")
    told = run("create", "--member", "shop", "--url", receiver.url, "--event", "burn.voided")
    endpoint_id = told.split()[1]
    assert "whsec_" in told
    assert f"{endpoint_id}  active" in run("list", "--member", "shop")
    assert "is due" in run("test", endpoint_id)
    assert "webhook.test" in run("log", endpoint_id)
    assert "no such messages" in run("log", endpoint_id, "--status", "failed")
    assert run("replay", endpoint_id) == "0 messages are due again.\n"
    assert "error: The endpoint has no message 7" in run("replay", endpoint_id, "msg_7", status=2)
    assert "There is no webhook endpoint" in run("log", str(coalition.members["shop"]), status=2)


async def test_a_host_that_is_not_there_is_said_at_once(
    client: httpx.AsyncClient, shop: Headers, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    body = {"url": "https://typo.example/", "events": EVENTS}
    answer = await client.post("/v1/webhooks", json=body, headers=shop)
    assert (answer.status_code, answer.json()["code"]) == (502, "partner_unreachable")


async def test_a_changed_address_is_checked_too(
    client: httpx.AsyncClient,
    coalition: Coalition,
    shop: Headers,
    subscribe: Subscribe,
    receiver: Receiver,
) -> None:
    endpoint_id, _ = await subscribe("shop")
    path = f"/v1/webhooks/{endpoint_id}"
    refused = await client.patch(path, json={"url": "https://192.168.1.1/"}, headers=shop)
    assert refused.status_code == 422
    changed = await client.patch(
        path, json={"events": ["burn.voided"], "description": " Shop "}, headers=shop
    )
    assert changed.json()["events"] == ["burn.voided"]
    stands = await endpoint(coalition, endpoint_id)
    assert (stands.url, stands.description) == (receiver.url, "Shop")
