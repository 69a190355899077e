"""Finance comes in to the positions of this month and the last."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import httpx

from marketplace.clock import now, travel_to
from marketplace.identity.domain import Role
from tests.conftest import Headers
from tests.exchange.browsing import Browser
from tests.exchange.test_http import burn, burn_body, deliver
from tests.factories import Coalition, days

Make = Callable[..., Awaitable[Headers]]


async def test_positions_of_this_month_and_the_last(
    client: httpx.AsyncClient, coalition: Coalition, sign_in: Make
) -> None:
    finance = Browser(client, await sign_in(Role.FINANCE))
    assert (await client.get("/", headers=finance.who)).headers["location"] == "/settlement"
    assert "Nobody owes anybody anything yet" in await finance.open("/settlement")
    await coalition.issue("ann", 2_000)
    burnt = await burn(client, await sign_in(Role.PARTICIPANT), burn_body(coalition))
    await deliver(coalition.runtime, burnt.json()["id"])
    said = await finance.open("/settlement")
    assert "shop is owed €7.00" in said
    assert "alpha owes €8.00" in said
    async with coalition.runtime.database.begin() as session:
        await travel_to(session, await now(session) + days(70), allowed=True)
    assert "Nobody owes anybody anything yet" in await Browser(
        client, await sign_in(Role.FINANCE)
    ).open("/settlement")


async def test_positions_are_for_finance(
    client: httpx.AsyncClient, coalition: Coalition, sign_in: Make
) -> None:
    for role in (Role.PARTICIPANT, Role.PARTNER, Role.FIRM_MANAGER):
        await Browser(client, await sign_in(role)).open("/settlement", status=403)
