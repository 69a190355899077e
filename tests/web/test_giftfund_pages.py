"""Pools of codes in the console: filled from files that are checked first, by their owner alone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import sqlalchemy as sa

from marketplace.identity.domain import Role, Scope
from tests.conftest import Headers
from tests.factories import Coalition
from tests.web.problems import problem

Make = Callable[..., Awaitable[Headers]]
POOL = "/giftfund/partner/pool?sku=card"
GOOD = "code,expires_on,label\nTOP-SECRET-1,2031-01-31,EUR 25\nTOP-SECRET-2,,\n"


async def send(
    client: httpx.AsyncClient, headers: Headers, text: str | bytes, do: str = "take"
) -> httpx.Response:
    body = text.encode() if isinstance(text, str) else text
    files = {"file": ("codes.csv", body, "text/csv")}
    return await client.post(POOL, files=files, data={"do": do}, headers=headers)


async def test_codes_are_checked_taken_and_never_shown(
    coalition: Coalition, client: httpx.AsyncClient, sign_in: Make
) -> None:
    partner = await sign_in(Role.PARTNER)
    assert "Empty" in (await client.get("/giftfund/partner", headers=partner)).text
    checked = await send(client, partner, GOOD, "check")
    assert (checked.status_code, "It would add 2 codes" in checked.text) == (200, True)
    assert "Nothing in this time" in checked.text
    taken = await send(client, partner, GOOD)
    assert taken.status_code == 303
    page = (await client.get(POOL, headers=partner)).text
    assert "Low" in page
    assert "31 Jan 2031" in page
    bad = await send(client, partner, GOOD + "NEW-1,31.1.2031,\nNEW-2,,\nNEW-2,,\n")
    assert bad.status_code == 422
    assert "is no date like" in bad.text
    assert "the same code as line 5" in bad.text
    clash = await send(client, partner, "code\nTOP-SECRET-1\nNEW-1\n")
    assert "the code is in this pool already" in clash.text
    for answer in (checked, page, bad, clash):
        text = answer if isinstance(answer, str) else answer.text
        assert "TOP-SECRET" not in text
    own: Any = (await client.get("/v1/offers/own", headers=partner)).json()["items"][0]
    assert own["stock"] == 2


async def test_what_is_no_file_of_codes_is_said_beside_the_field(
    coalition: Coalition, client: httpx.AsyncClient, sign_in: Make
) -> None:
    partner = await sign_in(Role.PARTNER)
    for body in (b"", "code\nzażółć".encode("cp1250")):
        answer = await send(client, partner, body)
        assert (answer.status_code, 'id="file-error"' in answer.text) == (422, True)
    answer = await client.post(POOL, data={"do": "take"}, headers=partner)
    assert (answer.status_code, "Choose a file." in answer.text) == (422, True)
    low = POOL.replace("pool?", "low?")
    wrong = await client.post(low, data={"low_at": "many"}, headers=partner)
    assert (wrong.status_code, 'value="many"' in wrong.text) == (422, True)
    wrong = await client.post(low, data={"low_at": "9" * 5_000}, headers=partner)
    assert wrong.status_code == 422
    assert (await client.post(low, data={"low_at": "1"}, headers=partner)).status_code == 303
    await send(client, partner, GOOD)
    assert "Enough" in (await client.get(POOL, headers=partner)).text


async def test_a_pool_is_stocked_by_those_whose_every_offer_it_serves(
    coalition: Coalition, client: httpx.AsyncClient, sign_in: Make, api_key: Make
) -> None:
    partner, other = await sign_in(Role.PARTNER), await sign_in(Role.PARTNER, "tickets")
    operator = await sign_in(Role.OPERATOR)
    assert (await send(client, other, GOOD)).status_code == 404
    assert (await client.get(POOL, headers=other)).status_code == 404
    low = POOL.replace("pool?", "low?")
    assert (await client.post(low, data={"low_at": "1"}, headers=other)).status_code == 404
    assert (await client.get(f"{POOL}&member=tickets", headers=operator)).status_code == 404
    assert (await client.get(f"{POOL}&member=shop", headers=operator)).status_code == 200
    assert (await client.get(f"{POOL}&member=tickets", headers=partner)).status_code == 403
    assert (await client.get(POOL, headers=await sign_in(Role.FINANCE))).status_code == 403
    # An offer of another member with this sku (the operator imported it) closes the pool to both.
    await coalition.add_offer("trick", acceptor="tickets", sku="card")
    for headers in (partner, other):
        assert (await client.get(POOL, headers=headers)).status_code == 404
    key = await api_key("tickets", Scope.STOCK_WRITE)
    answer = await client.post("/v1/giftfund/pools/card/codes", content=GOOD, headers=key)
    problem(answer, 404, "not_found")
    assert (await client.get(f"{POOL}&member=shop", headers=operator)).status_code == 404


async def test_the_history_says_what_came_and_went(
    coalition: Coalition, client: httpx.AsyncClient, sign_in: Make
) -> None:
    partner = await sign_in(Role.PARTNER)
    await send(client, partner, GOOD + "TOP-SECRET-3,,\nTOP-SECRET-4,2032-01-01,\n")
    async with coalition.runtime.database.begin() as session:
        for statement in (
            "update giftfund_code set uploaded_at = now() - interval '5 days'",
            "update giftfund_code set expires_on = current_date - 2 where label is not null",
            "insert into giftfund_order (reference, sku, quantity, given, answered_at) "
            "values ('o', 'card', 1, true, now() - interval '3 days')",
            "update giftfund_code set order_reference = 'o', position = 0 "
            "where id = (select max(id) from giftfund_code where label is null)",
        ):
            await session.execute(sa.text(statement))
    page = (await client.get(POOL, headers=partner)).text
    table = page.partition("<table")[2].partition("</table>")[0]
    left = [cell.split("<")[0] for cell in table.split('data-label="Left" class="number">')[1:]]
    assert len(left) == 60
    assert left[-7:] == ["0", "4", "4", "3", "3", "2", "2"]
