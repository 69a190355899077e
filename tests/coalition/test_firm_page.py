"""What a firm manager sees of the firm: sums, and nobody's own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import httpx

from marketplace.clock import now
from marketplace.identity.domain import Role
from tests.conftest import Headers
from tests.exchange.browsing import Browser
from tests.factories import Coalition, days

Make = Callable[..., Awaitable[Headers]]


async def test_a_firm_manager_comes_in_to_the_firm_in_sums(
    client: httpx.AsyncClient, coalition: Coalition, sign_in: Make
) -> None:
    async with coalition.runtime.database.begin() as session:
        start = await now(session)
    await coalition.issue("ann", 700, reference="A", expires_at=start + days(9))
    await coalition.issue("ann", 5_000, reference="B")
    await coalition.add_firm("zeta", sponsor="beta")
    await coalition.add_participant("zoe", firm="zeta")
    await coalition.issue("bob", 300, reference="C")
    await coalition.issue("zoe", 40_000, reference="D")
    boss = Browser(client, await sign_in(Role.FIRM_MANAGER))
    home = await client.get("/", headers=boss.who)
    assert home.headers["location"] == "/firm"
    said = await boss.open("/firm")
    assert "To burn 6,000 points" in said
    assert "Expire within 30 days 700 points" in said
    assert "People who earn points 2" in said
    assert "40,000" not in said
    for name in ("Ann", "Bob"):
        assert name not in said.split("Your people")[1]


async def test_nobody_else_sees_a_firm(
    client: httpx.AsyncClient, coalition: Coalition, sign_in: Make
) -> None:
    for role in (Role.PARTICIPANT, Role.PARTNER, Role.FINANCE):
        await Browser(client, await sign_in(role)).open("/firm", status=403)
