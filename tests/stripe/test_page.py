"""What finance opens to see Stripe: nothing before it is set up, and plainly a double then."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import httpx
import msgspec
from marketplace_stripe import sweeping
from marketplace_stripe.double import people
from marketplace_stripe.double.server import Double
from marketplace_stripe.rehearsal import settings_of

from marketplace.host import PluginHost
from marketplace.identity.domain import Role
from marketplace.registry import service
from tests.conftest import Headers
from tests.factories import Coalition

Make = Callable[..., Awaitable[Headers]]
PAGE = "/stripe/overview"


async def test_finance_sees_the_balance_and_that_it_is_a_double(
    coalition: Coalition, client: httpx.AsyncClient, sign_in: Make
) -> None:
    finance = await sign_in(Role.FINANCE)
    assert "Stripe is not set up yet" in (await client.get(PAGE, headers=finance)).text
    runtime = coalition.runtime
    with Double() as double:
        people.fill(double.world, 123_456)
        async with runtime.database.begin() as session:
            given = msgspec.to_builtins(settings_of(double))
            await service.configure(session, runtime, "stripe", given, actor="cli:test")
        host = PluginHost(
            "stripe",
            lambda: runtime.database,
            lambda: runtime.vault,
            asked=lambda: runtime.plugins.settings_of("stripe"),
        )
        shown = await client.get(PAGE, headers=finance)
        assert "The balance was not read yet" in shown.text
        await asyncio.to_thread(sweeping.run, host)
        shown = await client.get(PAGE, headers=finance)
        assert "Test double of Stripe: no money moves" in shown.text
        assert "€1,234.56" in shown.text
        assert "not asked" in shown.text
        people.fill(double.world, 100)
        assert "€1.00" in (await client.get(f"{PAGE}?ask=true", headers=finance)).text
        assert double.key not in shown.text
        with double.having("down"):
            down = await client.get(f"{PAGE}?ask=true", headers=finance)
    assert down.status_code == 200
    assert "Stripe cannot be asked now" in down.text


async def test_nobody_else_sees_it(
    coalition: Coalition, client: httpx.AsyncClient, sign_in: Make
) -> None:
    for role in (Role.PARTICIPANT, Role.PARTNER):
        answer = await client.get(PAGE, headers=await sign_in(role))
        assert answer.status_code == 403
