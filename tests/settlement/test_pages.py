"""Finance's month, page by page: what is open, closing, netting, two people, sending off."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from html import unescape

import httpx

from marketplace.clock import now, travel_to
from marketplace.identity.domain import Role
from tests.conftest import Headers
from tests.exchange.browsing import Browser
from tests.exchange.test_http import burn, burn_body, deliver
from tests.factories import Coalition, days
from tests.settlement.closing import catch_up

Make = Callable[..., Awaitable[Headers]]


async def spend(client: httpx.AsyncClient, coalition: Coalition, sign_in: Make) -> None:
    """Ann burns 1,000 points of alpha at the shop; the running totals have counted it."""
    await coalition.issue("ann", 2_000)
    burnt = await burn(client, await sign_in(Role.PARTICIPANT), burn_body(coalition))
    await deliver(coalition.runtime, burnt.json()["id"])
    await catch_up(coalition.runtime.database)


def found(pattern: str, browser: Browser) -> str:
    """The first address of that form on the page."""
    match = re.search(pattern, unescape(browser.html))
    assert match is not None, pattern
    return match[0]


WINDOW = r"/settlement/windows/[0-9a-f-]{36}"


async def test_finance_comes_in_to_what_is_open(
    client: httpx.AsyncClient, coalition: Coalition, sign_in: Make
) -> None:
    finance = Browser(client, await sign_in(Role.FINANCE))
    assert (await client.get("/", headers=finance.who)).headers["location"] == "/settlement"
    said = await finance.open("/settlement")
    assert "Nobody owes anybody anything yet" in said
    assert "Nothing waits for you" in said
    await spend(client, coalition, sign_in)
    said = await finance.open("/settlement")
    assert "is owed €7.00" in said
    assert "owes €8.00" in said
    async with coalition.runtime.database.begin() as session:
        await travel_to(session, await now(session) + days(40), allowed=True)
    late = Browser(client, await sign_in(Role.FINANCE))
    assert "It has been open for more than a month." in await late.open("/settlement")


async def test_a_month_is_closed_netted_approved_by_a_second_person_and_sent_off(
    client: httpx.AsyncClient, coalition: Coalition, sign_in: Make
) -> None:
    await spend(client, coalition, sign_in)
    one = Browser(client, await sign_in(Role.FINANCE))
    two = Browser(client, await sign_in(Role.FINANCE))
    await one.open("/settlement")
    window = found(WINDOW, one)
    assert "The next window opens at the same moment" in await one.open(f"{window}/close")
    said = await one.send(f"{window}/close", note="November")
    assert "Its figures are final" in said
    for words in ("November", "Rewards delivered", "€8.00", "Margin of the operator"):
        assert words in said
    assert "1,000" in await one.open(found(rf"{WINDOW}/lines\?debtor=alpha&creditor=shop", one))

    assert "Net the window that is closed" in await one.open("/settlement")
    await one.open("/settlement/windows")
    said = await one.send("/settlement/windows/net", mode="multilateral")
    assert "Look through positions and payments below" in said
    here = one.address
    reference = here.rsplit("/", 1)[1]
    said = await one.send(f"{here}/record")
    assert "You have checked it yourself." in said
    assert (await one.post(f"{here}/approve")).status_code == 403
    assert f"Approve {reference}" in await two.open("/settlement")
    await two.open(here)
    said = await two.send(f"{here}/approve", note="looks right")
    assert "Payments go to their rails" in said
    said = await two.send(f"{here}/submit", without_account="yes")
    assert "Sent off" in said
    assert "looks right" in said
    assert "waits for the bank" in await one.open("/settlement")


async def test_what_was_not_sent_can_be_aborted_with_a_reason(
    client: httpx.AsyncClient, coalition: Coalition, sign_in: Make
) -> None:
    await spend(client, coalition, sign_in)
    finance = Browser(client, await sign_in(Role.FINANCE))
    await finance.open("/settlement")
    window = found(WINDOW, finance)
    await finance.open(f"{window}/close")
    await finance.send(f"{window}/close")
    assert (await client.get(f"{window}/close", headers=finance.who)).status_code == 409
    await finance.open("/settlement/windows")
    await finance.send("/settlement/windows/net", mode="bilateral")
    here = finance.address
    assert (await finance.post(f"{here}/abort", note=" ")).status_code == 400
    assert (await finance.post(f"{here}/explode")).status_code == 400
    await finance.open(here)
    said = await finance.send(f"{here}/abort", note="wrong month")
    assert "wrong month" in said
    assert "Net the window that is closed" in await finance.open("/settlement")


async def test_settlement_is_for_finance(
    client: httpx.AsyncClient, coalition: Coalition, sign_in: Make
) -> None:
    for role in (Role.PARTICIPANT, Role.PARTNER, Role.FIRM_MANAGER):
        who = Browser(client, await sign_in(role))
        for path in ("/settlement", "/settlement/windows", "/settlement/settlements"):
            await who.open(path, status=403)
