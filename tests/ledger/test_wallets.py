"""People read their wallets: what they have, what expires next, what happened."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from marketplace.clock import now
from marketplace.identity.domain import Role, Scope
from marketplace.ids import uuid7
from tests.conftest import Headers
from tests.factories import Coalition, days
from tests.ledger.busy import make_busy
from tests.ledger.driver import Driver

ApiKey = Callable[..., Awaitable[Headers]]
SignIn = Callable[..., Awaitable[Headers]]


async def read(client: httpx.AsyncClient, path: str, headers: Headers) -> Any:
    answer = await client.get(f"/v1/wallets/{path}", headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_participant_sees_what_can_be_burnt_and_what_expires_next(
    client: httpx.AsyncClient, coalition: Coalition, drive: Driver, sign_in: SignIn
) -> None:
    async with coalition.runtime.database.begin() as session:
        start = await now(session)
    for life in (3, 8, 5, 4, 7, 6, 2):
        await coalition.issue("ann", life * 100, expires_at=start + days(life))
    await coalition.issue("ann", 50, issuer="beta", expires_at=start + days(3))
    await coalition.issue("ann", 1_000)
    await drive.burn("ann", "card")
    await drive.later(days(2))
    wallet = await read(client, str(coalition.wallets["ann"]), await sign_in(Role.PARTICIPANT))
    # The burn took what expires soonest: 200, 300, 50, 400 and 50 of the 500.
    assert wallet["available"] == 450 + 600 + 700 + 800 + 1_000
    assert wallet["held"] == 1_000
    assert [each["points"] for each in wallet["next_expiries"]] == [450, 600, 700, 800]


async def test_expired_points_do_not_count_before_they_are_swept(
    client: httpx.AsyncClient, coalition: Coalition, drive: Driver, sign_in: SignIn
) -> None:
    async with coalition.runtime.database.begin() as session:
        start = await now(session)
    await coalition.issue("ann", 300, expires_at=start + days(1))
    for life in range(10, 17):
        await coalition.issue("ann", life, expires_at=start + days(life))
    headers = await sign_in(Role.PARTICIPANT)
    await drive.later(days(2))
    before = await read(client, str(coalition.wallets["ann"]), headers)
    assert await drive.expire() == 1
    after = await read(client, str(coalition.wallets["ann"]), headers)
    assert before == after
    assert (after["available"], len(after["next_expiries"])) == (sum(range(10, 17)), 5)


async def test_the_history_is_paged_newest_first_and_sums_to_the_balance(
    client: httpx.AsyncClient, coalition: Coalition, sign_in: SignIn
) -> None:
    burns = await make_busy(coalition)
    wallet_id = coalition.wallets["bob"]
    headers = await sign_in(Role.PARTICIPANT, "bob")
    lines: list[dict[str, Any]] = []
    cursor: str | None = ""
    pages = 0
    while cursor is not None:
        query = f"?limit=4&cursor={cursor}" if cursor else "?limit=4"
        page = await read(client, f"{wallet_id}/history{query}", headers)
        assert len(page["items"]) <= 4
        lines += page["items"]
        cursor = page["next"]
        pages += 1
    assert pages == 3
    assert [line["code"] for line in lines] == [
        "refund", "expire", "capture", "hold", "capture", "hold", "issue", "issue", "issue",
    ]  # fmt: skip
    wallet = await read(client, str(wallet_id), headers)
    assert sum(line["available"] for line in lines) == wallet["available"]
    assert sum(line["held"] for line in lines) == wallet["held"] == 0
    refund, expiry, capture, hold, *_, first = lines
    assert (refund["points"], refund["offer"], refund["issuer"]) == (300, "Lamp", "gamma")
    assert (expiry["points"], expiry["lot"], expiry["issuer"]) == (-700, "G2", "gamma")
    assert (capture["points"], capture["available"]) == (-300, 0)
    assert (hold["points"], hold["held"], hold["burn_id"]) == (-300, 300, str(burns["refunded"]))
    assert (first["points"], first["lot"], first["burn_id"]) == (2_000, "G2", None)


async def test_the_lots_are_listed_as_a_burn_takes_them(
    client: httpx.AsyncClient,
    coalition: Coalition,
    drive: Driver,
    sign_in: SignIn,
) -> None:
    async with coalition.runtime.database.begin() as session:
        start = await now(session)
    await coalition.issue("ann", 700, reference="EVER")
    await coalition.issue("ann", 900, issuer="beta", reference="SOON", expires_at=start + days(9))
    await drive.burn("ann", "card")
    headers = await sign_in(Role.PARTICIPANT)
    path = f"{coalition.wallets['ann']}/lots"
    found = await read(client, path, headers)
    (lot,) = found["items"]
    assert (lot["issuer"], lot["reference"], lot["points"]) == ("Alpha", "EVER", 700)
    assert (lot["remaining"], lot["currency"], lot["expires_at"]) == (600, "EUR", None)
    await coalition.issue("ann", 10, reference="NEXT", expires_at=start + days(5))
    found = await read(client, path, headers)
    assert [each["reference"] for each in found["items"]] == ["NEXT", "EVER"]


@pytest.mark.parametrize("path", ["", "/history", "/lots"])
async def test_only_those_concerned_see_a_wallet(
    path: str,
    client: httpx.AsyncClient,
    coalition: Coalition,
    sign_in: SignIn,
    api_key: ApiKey,
) -> None:
    await coalition.add_firm("other", sponsor="beta")
    await coalition.add_participant("eve", firm="other")
    callers = {
        "ann": await sign_in(Role.PARTICIPANT),
        "bob": await sign_in(Role.PARTICIPANT, "bob"),
        "eve": await sign_in(Role.PARTICIPANT, "eve"),
        "manager of acme": await sign_in(Role.FIRM_MANAGER),
        "manager of other": await sign_in(Role.FIRM_MANAGER, "other"),
        "operator": await sign_in(Role.OPERATOR),
        "partner": await sign_in(Role.PARTNER),
        "key of the sponsor": await api_key("alpha", Scope.WALLETS_READ),
        "key of another": await api_key("beta", Scope.WALLETS_READ),
        "key of the operator": await api_key("operator", Scope.WALLETS_READ),
        "key without scope": await api_key("alpha", Scope.BURNS_WRITE),
    }
    address = f"/v1/wallets/{coalition.wallets['ann']}{path}"
    found = {
        name: (await client.get(address, headers=headers)).status_code
        for name, headers in callers.items()
    }
    assert found == {
        "ann": 200,
        "bob": 404,
        "eve": 404,
        "manager of acme": 200,
        "manager of other": 404,
        "operator": 200,
        "partner": 403,
        "key of the sponsor": 200,
        "key of another": 404,
        "key of the operator": 200,
        "key without scope": 403,
    }
    missing = await client.get(f"/v1/wallets/{uuid7()}{path}", headers=callers["operator"])
    assert missing.status_code == 404
    assert missing.json()["code"] == "not_found"


async def test_a_cursor_that_is_none_of_ours_is_refused(
    client: httpx.AsyncClient, coalition: Coalition, sign_in: SignIn
) -> None:
    address = f"/v1/wallets/{coalition.wallets['ann']}/history?cursor=nonsense"
    answer = await client.get(address, headers=await sign_in(Role.PARTICIPANT))
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_cursor")
