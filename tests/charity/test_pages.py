"""What people see: causes, giving in two taps without scripts, their gifts and receipts."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable

import httpx
import sqlalchemy as sa

from charity.models import Gift, Schedule
from marketplace.identity.domain import Role
from tests.charity.conftest import Cause
from tests.conftest import Headers

SignIn = Callable[..., Awaitable[Headers]]


def fields(text: str) -> dict[str, str]:
    """The hidden fields of a page's forms."""
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', text))


async def test_giving_in_two_taps_and_looking_after_it(
    cause: Cause, client: httpx.AsyncClient, sign_in: SignIn
) -> None:
    await cause.match("alpha", cap=400)
    ann = await sign_in(Role.PARTICIPANT)
    assert "Wells" in (await client.get("/charity")).text
    page = (await client.get("/charity/c/wells", headers=ann)).text
    assert "VR 1234 (not checked)" in page
    form = (await client.get("/charity/give/wells?points=1234", headers=ann)).text
    assert "8,766" in form  # afterwards
    data = {**fields(form), "dedication": "For\r\n <Olga>\x07", "monthly": ""}
    for _ in range(2):
        sent = await client.post("/charity/give/wells", data=data, headers=ann)
        assert (sent.status_code, sent.headers["location"]) == (303, "/charity/mine")
    async with cause.runtime.database.begin() as session:
        (gift,) = await session.scalars(sa.select(Gift))
    await asyncio.to_thread(
        cause.work.fulfil, "charity", [(str(gift.burn_id), str(gift.wallet_id))], False
    )
    await cause.follow()
    mine = (await client.get("/charity/mine", headers=ann)).text
    assert "For &lt;Olga&gt;" in mine
    assert "In a settlement window: open" in mine
    found = re.search(r'href="(/charity/receipts/[^"]+)"', mine)
    assert found is not None
    receipt = await client.get(found[1], headers=ann)
    assert "Receipt aqua/" in receipt.text
    assert "9.255 EUR" in receipt.text
    assert (await client.get(f"{found[1]}/paper", headers=ann)).content.startswith(b"%PDF")
    year = gift.made_at.year
    summary = await client.get(f"/charity/years/person?year={year}", headers=ann)
    assert "1,234" in summary.text
    impact = (await client.get("/charity/c/wells", headers=ann)).text
    assert "400 of at most 400 points" in impact


async def test_what_cannot_be_given_says_why(
    cause: Cause, client: httpx.AsyncClient, sign_in: SignIn
) -> None:
    ann = await sign_in(Role.PARTICIPANT)
    form = (await client.get("/charity/give/wells?points=20000", headers=ann)).text
    assert "There are not enough points for that." in form
    data = {"key": "k", "points": "20000", "wallet": str(cause.coalition.wallets["ann"])}
    refused = await client.post("/charity/give/wells", data=data, headers=ann)
    assert refused.status_code == 409
    other = {**data, "wallet": str(cause.coalition.wallets["bob"])}
    assert (await client.post("/charity/give/wells", data=other, headers=ann)).status_code == 404


async def test_every_month_until_it_is_stopped(
    cause: Cause, client: httpx.AsyncClient, sign_in: SignIn
) -> None:
    await cause.pool()
    await cause.coalition.issue("acme", 5_000)
    manager = await sign_in(Role.FIRM_MANAGER)
    form = (await client.get("/charity/give/wells?points=50", headers=manager)).text
    assert "the receipt is the firm" in form
    data = {**fields(form), "monthly": "9"}
    assert (await client.post("/charity/give/wells", data=data, headers=manager)).status_code == 303
    mine = (await client.get("/charity/mine", headers=manager)).text
    found = re.search(r'action="(/charity/monthly/[^"]+/stop)"', mine)
    assert found is not None
    ann = await sign_in(Role.PARTICIPANT)
    assert (await client.post(found[1], headers=ann)).status_code == 404
    assert (await client.post(found[1], headers=manager)).status_code == 303
    async with cause.runtime.database.begin() as session:
        (schedule,) = await session.scalars(sa.select(Schedule))
    assert schedule.stopped_at is not None


async def test_points_that_would_expire_are_asked_for_and_stopped_with_one_click(
    cause: Cause, client: httpx.AsyncClient, sign_in: SignIn
) -> None:
    ann = await sign_in(Role.PARTICIPANT)
    assert "/charity/expiring" in (await client.get("/charity/mine", headers=ann)).text
    page = (await client.get("/charity/expiring", headers=ann)).text
    assert "Wells, Fondazione Aqua" in page
    data = {"campaign": "wells", "notice_days": "7", "fallback": "yes"}
    sent = await client.post("/charity/expiring", data=data, headers=ann)
    assert (sent.status_code, sent.headers["location"]) == (303, "/charity/expiring")
    page = (await client.get("/charity/expiring", headers=ann)).text
    assert "You hear of it 7 days before." in page
    assert "nothing is given" in page  # there is no other campaign to be the general fund
    assert (await client.post("/charity/expiring/stop", headers=ann)).status_code == 303
    assert "What you asked for" not in (await client.get("/charity/expiring", headers=ann)).text
    wrong = await client.post("/charity/expiring", data={**data, "campaign": "x"}, headers=ann)
    assert wrong.status_code == 409
    odd = await client.post("/charity/expiring", data={**data, "notice_days": "x"}, headers=ann)
    assert odd.status_code == 400


async def test_expiring_points_and_matches_of_firms_over_http(
    cause: Cause, client: httpx.AsyncClient, sign_in: SignIn
) -> None:
    ann = await sign_in(Role.PARTICIPANT)
    there = "/v1/charity/expiring"
    assert (await client.get(there, headers=ann)).status_code == 404
    asked = await client.put(there, json={"campaign": "wells", "notice_days": 3}, headers=ann)
    assert (asked.status_code, asked.json()["notice_days"]) == (200, 3)
    assert (await client.delete(there, headers=ann)).status_code == 204
    assert (await client.get(there, headers=ann)).json()["stopped_at"] is not None
    await cause.pool()
    await cause.coalition.issue("acme", 5_000)
    body = {
        "campaign": "wells",
        "wallet_id": str(cause.coalition.wallets["acme"]),
        "cap_points": 800,
        "key": "m1",
    }
    assert (
        await client.post("/v1/charity/firm/matches", json=body, headers=ann)
    ).status_code == 403
    manager = await sign_in(Role.FIRM_MANAGER)
    made = await client.post("/v1/charity/firm/matches", json=body, headers=manager)
    assert made.status_code == 201, made.text
    assert made.json()["funded_at"] is None
    again = await client.post("/v1/charity/firm/matches", json=body, headers=manager)
    assert again.json()["id"] == made.json()["id"]
    ended = await client.post(f"/v1/charity/firm/matches/{made.json()['id']}/end", headers=manager)
    assert ended.json()["ended_at"] is not None
    (item,) = (await client.get("/v1/charity/firm/matches", headers=manager)).json()["items"]
    assert (item["cap_points"], item["campaign"]) == (800, "wells")
