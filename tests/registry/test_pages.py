"""Plugins in the console: settings, tests, trial orders, enabling; what is the operator's alone."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from marketplace.exchange.models import Burn
from marketplace.identity.domain import Role
from marketplace.ids import uuid7
from tests.conftest import Headers
from tests.factories import Coalition
from tests.registry.conftest import AcmeShop

SignIn = Callable[..., Awaitable[Headers]]
PLUGINS = "/partner/plugins"
ACME = f"{PLUGINS}/acme"
DEAD = f"{PLUGINS}/dead-letters"
GOOD = {"which": "member", "set:account": "4711", "set:token": "sesame"}


async def test_settings_are_kept_tested_and_never_shown(
    acme: AcmeShop, client: httpx.AsyncClient, sign_in: SignIn
) -> None:
    partner = await sign_in(Role.PARTNER)
    assert "acme" in (await client.get(PLUGINS, headers=partner)).text
    wrong = {**GOOD, "set:account": "", "set:token": "sesame"}
    refused = await client.post(f"{ACME}/settings", data=wrong, headers=partner)
    assert (refused.status_code, 'id="member-account-error"' in refused.text) == (422, True)
    assert "sesame" not in refused.text
    saved = await client.post(
        f"{ACME}/settings", data={**GOOD, "set:token": "wrong-one"}, headers=partner
    )
    assert saved.status_code == 303, saved.text
    tested = await client.post(f"{ACME}/test", data={"which": "member"}, headers=partner)
    assert "The test failed" in tested.text
    await client.post(f"{ACME}/settings", data=GOOD, headers=partner)
    kept = {"which": "member", "set:account": "4712", "set:token": ""}
    assert (await client.post(f"{ACME}/settings", data=kept, headers=partner)).status_code == 303
    page = (await client.get(ACME, headers=partner)).text
    assert 'value="4712"' in page
    assert "One is stored, and never shown." in page
    tested = await client.post(f"{ACME}/test", data={"which": "member"}, headers=partner)
    assert "The test passed" in tested.text
    for text in (page, tested.text):
        assert "sesame" not in text
        assert "wrong-one" not in text


async def test_a_trial_order_is_sent_and_shown_once(
    acme: AcmeShop, client: httpx.AsyncClient, sign_in: SignIn, coalition: Coalition
) -> None:
    partner = await sign_in(Role.PARTNER)
    await client.post(f"{ACME}/settings", data={**GOOD, "which": "trial"}, headers=partner)
    wrong = await client.post(f"{ACME}/try", data={"sku": "", "quantity": "x"}, headers=partner)
    assert (wrong.status_code, 'id="sku-error"' in wrong.text) == (422, True)
    many = {"sku": "lamp", "quantity": "9" * 5_000}
    assert (await client.post(f"{ACME}/try", data=many, headers=partner)).status_code == 422
    tried = await client.post(f"{ACME}/try", data={"sku": "lamp", "quantity": "2"}, headers=partner)
    assert "CODE-0" in tried.text
    assert "CODE-1" in tried.text
    assert tried.headers["cache-control"] == "no-store"
    assert acme.orders[0].sandbox
    assert "CODE-0" not in (await client.get(ACME, headers=partner)).text
    await client.post(f"{ACME}/sandbox", data={"on": "yes"}, headers=partner)
    page = (await client.get(ACME, headers=partner)).text
    assert "Switch the sandbox off" in page
    assert "only trial orders reach it" in page
    await client.post(f"{ACME}/sandbox", data={"on": "no"}, headers=partner)
    assert "Switch the sandbox on" in (await client.get(ACME, headers=partner)).text


async def test_an_operator_enables_disables_stops_and_starts(
    acme: AcmeShop, client: httpx.AsyncClient, sign_in: SignIn, coalition: Coalition
) -> None:
    operator = await sign_in(Role.OPERATOR)
    shop = "?member=shop"
    failed = await client.post(f"{ACME}/enable{shop}", headers=operator)
    assert (failed.status_code, "Its test failed" in failed.text) == (422, True)
    forced = {"force": "yes", "reason": "They pay by invoice."}
    done = await client.post(f"{ACME}/enable{shop}", data=forced, headers=operator)
    assert done.status_code == 303
    assert "Enabled for Shop" in (await client.get(f"{ACME}{shop}", headers=operator)).text
    assert (
        "Enabled for Tickets"
        not in (await client.get(f"{ACME}?member=tickets", headers=operator)).text
    )
    for act, said in (("disable", "not enabled for this member"), ("stop", "closed its offers")):
        assert "danger" in (await client.get(f"{ACME}/{act}{shop}", headers=operator)).text
        reason = {"reason": f"Because of {act}."}
        await client.post(f"{ACME}/{act}{shop}", data=reason, headers=operator)
        page = (await client.get(f"{ACME}{shop}", headers=operator)).text
        assert (said in page, f"Because of {act}." in page) == (True, True)
    await client.post(f"{ACME}/start{shop}", headers=operator)
    page = (await client.get(f"{ACME}{shop}", headers=operator)).text
    assert "Because of stop." not in page
    house = {"which": "house", "set:region": "us"}
    assert (
        await client.post(f"{ACME}/settings{shop}", data=house, headers=operator)
    ).status_code == 303
    assert 'value="us"' in (await client.get(f"{ACME}{shop}", headers=operator)).text
    bad = await client.post(
        f"{PLUGINS}/giftfund/activate{shop}", data={"reason": ""}, headers=operator
    )
    assert (bad.status_code, "There is no report of giftfund" in bad.text) == (422, True)


async def test_a_partner_does_nothing_of_the_operators_or_of_anothers(
    acme: AcmeShop, client: httpx.AsyncClient, sign_in: SignIn
) -> None:
    partner, other = await sign_in(Role.PARTNER), await sign_in(Role.PARTNER, "tickets")
    await client.post(f"{ACME}/settings", data=GOOD, headers=partner)
    assert "4711" not in (await client.get(ACME, headers=other)).text
    for act in ("enable", "disable", "stop", "start", "activate"):
        answer = await client.post(f"{ACME}/{act}", data={"reason": "x"}, headers=partner)
        assert answer.status_code == 403, act
    for path in (f"{ACME}/stop", f"{PLUGINS}/add-plugin"):
        assert (await client.get(path, headers=partner)).status_code == 403
    house = {"which": "house", "set:region": "us"}
    assert (await client.post(f"{ACME}/settings", data=house, headers=partner)).status_code == 400
    for act, data in (("settings", GOOD), ("test", {}), ("sandbox", {"on": "yes"}), ("try", {})):
        answer = await client.post(f"{ACME}/{act}?member=shop", data=data, headers=other)
        assert answer.status_code == 403, act
    page = (await client.get(ACME, headers=partner)).text
    assert "For the operator" not in page
    assert (await client.get(f"{PLUGINS}/nobody", headers=partner)).status_code == 404


async def test_orders_given_up_are_asked_about_again_by_their_own_member(
    coalition: Coalition, client: httpx.AsyncClient, sign_in: SignIn
) -> None:
    await coalition.issue("ann", 5_000)
    ann, partner, other = (
        await sign_in(Role.PARTICIPANT),
        await sign_in(Role.PARTNER),
        await sign_in(Role.PARTNER, "tickets"),
    )
    body = {
        "wallet_id": str(coalition.wallets["ann"]),
        "offer_id": str(coalition.offers["card"]),
    }
    made: list[Any] = []
    for _ in range(2):
        key = {"Idempotency-Key": str(uuid7())}
        made.append((await client.post("/v1/burns", json=body, headers={**ann, **key})).json())
    async with coalition.runtime.database.begin() as session:
        await session.execute(
            sa.update(Burn).values(fulfilment="dead", due_at=sa.text("'infinity'"), attempts=9)
        )
    page = (await client.get(DEAD, headers=partner)).text
    assert made[0]["id"] in page
    assert made[0]["id"] not in (await client.get(DEAD, headers=other)).text
    first = {"do": "ticked", "burn": made[0]["id"]}
    await client.post(DEAD, data=first, headers=other)
    assert made[0]["id"] in (await client.get(DEAD, headers=partner)).text
    assert (await client.post(DEAD, data={"do": "ticked"}, headers=partner)).status_code == 303
    await client.post(DEAD, data=first, headers=partner)
    page = (await client.get(DEAD, headers=partner)).text
    assert (made[0]["id"] in page, made[1]["id"] in page) == (False, True)
    nonsense = {"do": "ticked", "burn": "x"}
    assert (await client.post(DEAD, data=nonsense, headers=partner)).status_code == 404
    await client.post(DEAD, data={"do": "all"}, headers=partner)
    assert "Every order has an answer" in (await client.get(DEAD, headers=partner)).text


@pytest.mark.parametrize("content", [b"", b"no wheel", None])
async def test_what_is_no_plugin_is_not_installed_and_says_why(
    coalition: Coalition, client: httpx.AsyncClient, sign_in: SignIn, content: bytes | None
) -> None:
    operator = await sign_in(Role.OPERATOR)
    if content is None:
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("acme-1.dist-info/METADATA", "Name: acme\nVersion: 1\n")
        content = archive.getvalue()
    files = {"file": ("../../acme-1-py3-none-any.whl", content, "application/zip")}
    path = f"{PLUGINS}/add-plugin?member=shop"
    answer = await client.post(path, files=files, headers=operator)
    assert (answer.status_code, "It was not installed" in answer.text) == (422, True)
    for name in ("", "/etc", "x" * 3 + "/y"):
        answer = await client.post(path, data={"name": name}, headers=operator)
        assert answer.status_code == 422
