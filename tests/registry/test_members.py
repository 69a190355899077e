"""A member's way with a plugin: settings, test, enabling, trial orders. Over HTTP, as the pages."""

from __future__ import annotations

import json
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from msgspec.structs import replace

from marketplace.exchange.models import Burn
from marketplace.fulfilment.models import Artefact
from marketplace.identity.domain import Role
from marketplace.identity.models import AuditEntry
from marketplace.registry import activation
from marketplace.registry.trying import MOST_AT_ONCE
from tests.conftest import Headers
from tests.factories import Coalition
from tests.registry.conftest import AcmeShop

SignIn = Callable[..., Awaitable[Headers]]
SHOP = "/v1/plugins/acme/members/shop"


@pytest.fixture
async def operator(sign_in: SignIn) -> Headers:
    return await sign_in(Role.OPERATOR)


@pytest.fixture
async def partner(sign_in: SignIn) -> Headers:
    """Somebody who works for `shop`."""
    return await sign_in(Role.PARTNER)


async def admitted(coalition: Coalition) -> None:
    """An offer of acme comes in by a file; ann has points for it."""
    await coalition.add_offer("lamp", acceptor="shop", plugin="acme")
    await coalition.issue("ann", 10_000)
    async with coalition.runtime.database.begin() as session:
        await activation.admit(session, [("acme", coalition.members["shop"])])


async def burn(client: httpx.AsyncClient, coalition: Coalition, headers: Headers, key: str) -> Any:
    body = {
        "wallet_id": str(coalition.wallets["ann"]),
        "offer_id": str(coalition.offers["lamp"]),
    }
    return await client.post("/v1/burns", json=body, headers=headers | {"Idempotency-Key": key})


async def trail(coalition: Coalition) -> list[AuditEntry]:
    async with coalition.runtime.database.begin() as session:
        return list(
            await session.scalars(
                sa.select(AuditEntry)
                .where(AuditEntry.subject_kind == "plugin", AuditEntry.subject_id == "acme")
                .order_by(AuditEntry.id)
            )
        )


async def test_from_settings_to_a_burn_and_back(
    client: httpx.AsyncClient,
    coalition: Coalition,
    acme: AcmeShop,
    operator: Headers,
    partner: Headers,
    sign_in: SignIn,
) -> None:
    ann = await sign_in(Role.PARTICIPANT)
    await admitted(coalition)
    refused = await burn(client, coalition, ann, "1")
    assert (refused.status_code, refused.json()["code"]) == (409, "plugin_closed")

    # The partner gives the settings of its member; what it cannot give is named.
    wrong = await client.put(f"{SHOP}/settings", json={"values": {"token": 1}}, headers=partner)
    assert wrong.status_code == 422
    assert {each["field"] for each in wrong.json()["errors"]} == {"account", "token"}
    given = {"values": {"account": "S-1", "token": "wrong"}}
    stored = await client.put(f"{SHOP}/settings", json=given, headers=partner)
    assert stored.status_code == 200, stored.text
    (mine,) = stored.json()["members"]
    assert mine["settings"]["values"] == {"account": "S-1"}
    assert mine["settings"]["secrets_given"] == ["token"]
    assert mine["settings"]["missing"] == []

    # The plugin says they do not work: it cannot be enabled. The message keeps the secret.
    tested = await client.post(f"{SHOP}/test", json={}, headers=partner)
    assert tested.json() == {"ok": False, "message": "••• is not known here"}
    failed = await client.post(f"{SHOP}/enable", json={}, headers=operator)
    assert (failed.status_code, failed.json()["code"]) == (409, "connection_failed")
    await client.put(f"{SHOP}/settings", json={"values": {"token": "sesame"}}, headers=partner)
    enabled = await client.post(f"{SHOP}/enable", json={}, headers=operator)
    assert enabled.status_code == 200, enabled.text
    assert [each["cause"] for each in enabled.json()["closures"]] == ["not_active"]

    # Enabled, not yet active: activation is another's decision (here by the tables alone).
    assert (await burn(client, coalition, ann, "2")).json()["code"] == "plugin_closed"
    async with coalition.runtime.database.begin() as session:
        await activation.closures.reopen(session, "acme", activation.Cause.NOT_ACTIVE, actor="test")
    assert (await burn(client, coalition, ann, "3")).status_code in (201, 202)

    closed = await client.post(f"{SHOP}/disable", json={"reason": "Holidays."}, headers=operator)
    assert closed.status_code == 200
    again = await burn(client, coalition, ann, "4")
    assert again.json()["detail"].endswith("Holidays.")

    everything = json.dumps(
        [each.details for each in await trail(coalition)]
        + [closed.json(), stored.json(), tested.json()]
    )
    assert "sesame" not in everything
    assert [each.action for each in await trail(coalition)][-3:] == [
        "plugin.reopened",
        "plugin.disabled",
        "plugin.closed",
    ]


async def test_enabling_in_spite_of_a_failed_test_needs_a_reason_and_is_on_record(
    client: httpx.AsyncClient, coalition: Coalition, acme: AcmeShop, operator: Headers
) -> None:
    acme.mood = "ill"
    given = {"values": {"account": "S-1", "token": "sesame"}}
    await client.put(f"{SHOP}/settings", json=given, headers=operator)
    for body, status in (
        ({}, 409),
        ({"force": True}, 400),
        ({"force": True, "reason": "They repair it tonight."}, 200),
    ):
        answer = await client.post(f"{SHOP}/enable", json=body, headers=operator)
        assert answer.status_code == status, answer.text
    enabled = next(each for each in await trail(coalition) if each.action == "plugin.enabled")
    assert enabled.details["forced"] == "They repair it tonight."
    assert "on fire" in enabled.details["failure"]


async def test_what_is_missing_is_named_before_the_plugin_is_asked(
    client: httpx.AsyncClient, acme: AcmeShop, operator: Headers
) -> None:
    answer = await client.post(f"{SHOP}/test", json={}, headers=operator)
    assert answer.json()["ok"] is False
    assert "account: It is needed.; token: It is needed." in answer.json()["message"]


async def test_a_partner_sees_and_sets_its_own_member_alone(
    client: httpx.AsyncClient, acme: AcmeShop, operator: Headers, partner: Headers
) -> None:
    values = {"values": {"account": "T-1", "token": "sesame"}}
    theirs = "/v1/plugins/acme/members/tickets"
    await client.put(f"{theirs}/settings", json=values, headers=operator)
    await client.post(f"{theirs}/enable", json={}, headers=operator)
    for path in ("settings", "sandbox-settings"):
        assert (
            await client.put(f"{theirs}/{path}", json=values, headers=partner)
        ).status_code == 404
    for path, body in (("test", {}), ("try", {"sku": "X"})):
        answer = await client.post(f"{theirs}/{path}", json=body, headers=partner)
        assert answer.status_code == 404
    listed = {
        each["slug"]: each
        for each in (await client.get("/v1/plugins", headers=partner)).json()["items"]
    }
    assert listed["acme"]["enabled_for"] == []
    assert listed["catalog"]["state"] == "house"
    shown = (await client.get("/v1/plugins/acme", headers=partner)).json()
    assert [each["member"] for each in shown["members"]] == ["shop"]
    assert shown["settings"] is None
    seen = (await client.get("/v1/plugins/acme", headers=operator)).json()
    assert seen["plugin"]["enabled_for"] == ["tickets"]
    assert seen["settings"]["fields"][0]["name"] == "region"
    for path, body in (("enable", {}), ("disable", {}), ("activate", {})):
        answer = await client.post(f"/v1/plugins/acme/{path}", json=body, headers=partner)
        assert answer.status_code == 403
    unknown = await client.get("/v1/plugins/nobody", headers=partner)
    assert unknown.json()["code"] == "unknown_plugin"


async def test_in_the_sandbox_only_trial_orders_reach_it(
    client: httpx.AsyncClient,
    coalition: Coalition,
    acme: AcmeShop,
    partner: Headers,
    sign_in: SignIn,
) -> None:
    await coalition.add_offer("lamp", acceptor="shop", plugin="acme", cost_micros=3_000_000)
    await coalition.issue("ann", 10_000)
    on = await client.put(f"{SHOP}/sandbox", json={"on": True}, headers=partner)
    assert on.json()["members"][0]["sandbox"] is True
    refused = await burn(client, coalition, await sign_in(Role.PARTICIPANT), "1")
    assert "trying out" in refused.json()["detail"]

    trial = {"values": {"account": "TRIAL", "token": "x"}}
    assert (await client.post(f"{SHOP}/try", json={"sku": "lamp"}, headers=partner)).json()[
        "outcome"
    ] == "unknown"  # its sandbox settings are missing
    await client.put(f"{SHOP}/sandbox-settings", json=trial, headers=partner)
    tried = await client.post(f"{SHOP}/try", json={"sku": "lamp", "quantity": 2}, headers=partner)
    assert tried.headers["cache-control"] == "no-store"
    found = tried.json()
    assert (found["outcome"], found["supplier_reference"]) == ("fulfilled", "TRIAL")
    assert [each["secret"] for each in found["artefacts"]] == ["CODE-0", "CODE-1"]
    order = acme.orders[-1]
    assert (order.sandbox, order.acceptor_id) == (True, coalition.members["shop"])
    assert (order.offer_reference, order.cost_micros) == ("lamp", 6_000_000)
    async with coalition.runtime.database.begin() as session:
        assert (await session.scalars(sa.select(Burn).where(Burn.status == "held"))).all() == []
        assert (await session.scalars(sa.select(Artefact))).all() == []
    entry = (await trail(coalition))[-1]
    assert (entry.action, entry.details["outcome"]) == ("plugin.tried", "fulfilled")
    assert "CODE" not in json.dumps(entry.details)

    acme.mood = "raise"
    broken = (await client.post(f"{SHOP}/try", json={"sku": "lamp"}, headers=partner)).json()
    assert broken["outcome"] == "unknown"
    assert broken["faults"] == ["ConnectionError: the shop is closed"]

    await client.put(f"{SHOP}/sandbox", json={"on": False}, headers=partner)
    held = await burn(client, coalition, await sign_in(Role.PARTICIPANT), "2")
    assert held.status_code in (201, 202), held.text


async def test_a_supplier_that_does_not_know_trial_orders_gets_none(
    client: httpx.AsyncClient,
    acme: AcmeShop,
    partner: Headers,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(AcmeShop, "takes_trials", False)
    answer = await client.post(f"{SHOP}/try", json={"sku": "lamp"}, headers=partner)
    assert answer.status_code == 409
    assert acme.orders == []


async def test_the_operator_stops_a_plugin_for_everybody(
    client: httpx.AsyncClient,
    coalition: Coalition,
    operator: Headers,
    sign_in: SignIn,
) -> None:
    await coalition.issue("ann", 10_000)
    ann = await sign_in(Role.PARTICIPANT)
    coalition.offers["lamp"] = coalition.offers["card"]
    stopped = await client.post(
        "/v1/plugins/giftfund/disable", json={"reason": "Codes leaked."}, headers=operator
    )
    assert stopped.json()["plugin"]["state"] == "stopped"
    assert (await burn(client, coalition, ann, "1")).json()["detail"].endswith("Codes leaked.")
    suppliers = (await client.get("/v1/suppliers", headers=operator)).json()
    (fund,) = [each for each in suppliers if each["plugin"] == "giftfund"]
    assert (fund["state"], fund["reason"]) == ("stopped", "Codes leaked.")
    await client.post("/v1/plugins/giftfund/enable", headers=operator)
    assert (await burn(client, coalition, ann, "2")).status_code in (201, 202)
    room = await client.post("/v1/plugins/catalog/disable", json={}, headers=operator)
    assert room.status_code == 409


async def test_a_plugin_that_hangs_when_it_is_tried_takes_few_threads(
    acme: AcmeShop,
    coalition: Coalition,
    client: httpx.AsyncClient,
    partner: Headers,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    coalition.runtime.settings = replace(coalition.runtime.settings, supplier_timeout_s=0.5)
    asked: list[object] = []
    over = threading.Event()

    def hang(orders: object) -> list[object]:
        asked.append(orders)
        over.wait(600)
        return []

    monkeypatch.setattr(acme, "fulfil", hang)
    answers = [
        await client.post(f"{SHOP}/try", json={"sku": "LAMP"}, headers=partner)
        for _ in range(MOST_AT_ONCE + 1)
    ]
    over.set()
    assert [each.status_code for each in answers] == [200] * MOST_AT_ONCE + [503]
    assert len(asked) == MOST_AT_ONCE


async def test_a_trial_order_s_answer_repeats_no_secret_of_the_settings(
    acme: AcmeShop,
    client: httpx.AsyncClient,
    partner: Headers,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    values = {"account": "4711", "token": "sesame"}
    for which in ("settings", "sandbox-settings"):
        await client.put(f"{SHOP}/{which}", json={"values": values}, headers=partner)

    def repeats(orders: object) -> list[object]:
        raise PermissionError("401 for token sesame")

    monkeypatch.setattr(acme, "fulfil", repeats)
    tried = await client.post(f"{SHOP}/try", json={"sku": "LAMP"}, headers=partner)
    assert "401 for token" in tried.text
    assert "sesame" not in tried.text
