"""A member's people look after its own money: what they see, dispute and put forward, and whose."""

from __future__ import annotations

import io
import re
from collections.abc import Awaitable, Callable
from html import unescape
from uuid import UUID

import httpx
import pytest

from marketplace.clock import now, travel_to
from marketplace.identity.domain import Role
from settlement.clearing.defaulting import Cover, default
from settlement.statements.verify.checker import verify
from tests.conftest import Headers
from tests.exchange.browsing import Browser
from tests.exchange.test_http import burn, burn_body, deliver
from tests.factories import Coalition, days
from tests.ledger.driver import Driver
from tests.settlement.clearing.house import ANNA, House
from tests.settlement.clearing.test_members import capped, pay_ahead
from tests.settlement.closing import catch_up

Make = Callable[..., Awaitable[Headers]]
OWN = "/settlement/partner"
WINDOW = rf"{OWN}/windows/[0-9a-f-]{{36}}"
LINE = rf"{OWN}/lines/[0-9a-f-]{{36}}:\d+"


@pytest.fixture
def house(coalition: Coalition) -> House:
    """Steps of finance."""
    return House(coalition)


async def spend(client: httpx.AsyncClient, coalition: Coalition, sign_in: Make) -> UUID:
    """Ann burns 1,000 points of alpha, worth EUR 8, for a card of the shop, which gets EUR 7."""
    await coalition.issue("ann", 2_000)
    burnt = await burn(client, await sign_in(Role.PARTICIPANT), burn_body(coalition))
    await deliver(coalition.runtime, burnt.json()["id"])
    await catch_up(coalition.runtime.database)
    return UUID(burnt.json()["id"])


def found(pattern: str, browser: Browser) -> str:
    """The first address of that form on the page."""
    match = re.search(pattern, unescape(browser.html))
    assert match is not None, pattern
    return match[0]


async def test_a_month_of_a_member(
    client: httpx.AsyncClient, coalition: Coalition, sign_in: Make, house: House
) -> None:
    """Statement, dispute, decision, and the adjustment in the window that is open."""
    await spend(client, coalition, sign_in)
    window = await house.close_window()
    shop = Browser(client, await sign_in(Role.PARTNER))
    said = await shop.open(OWN)
    assert "you are owed €7.00" in said
    assert "Its figures are final. It waits to be settled. You can dispute lines until" in said

    said = await shop.open(f"{OWN}/statements")
    assert "It is issued, numbered and signed when you first download it." in said
    at = f"/v1/settlement/windows/{window}/statements/shop"
    files = {}
    for form in ("pdf", "csv", "json"):
        address = found(rf"{at}\.{form}\?locale=en", shop)
        answer = await client.get(address, headers=shop.who)
        assert answer.status_code == 200
        files[form] = answer.content
    assert files["pdf"].startswith(b"%PDF")
    checked = verify("statement", io.BytesIO(files["json"]))
    assert (checked.faults, checked.lines) == ([], 1)
    assert "Statement 1, issued" in await shop.open(f"{OWN}/statements")

    said = await shop.open(f"{OWN}/windows/{window}")
    line = found(LINE, shop).rsplit("/", 1)[1]
    action = f"{OWN}/windows/{window}/dispute"
    assert "Tick the lines that are wrong." in await shop.send(action, status=422, reason="why")
    assert "Say what is wrong" in await shop.send(action, status=422, line=line)
    assert f'value="{line}" checked' in shop.html
    said = await shop.send(action, line=line, reason="The card was worth more.")
    assert "Only these lines wait" in said
    assert "Without a decision by" in said
    here = shop.address
    assert "Disputed" in await shop.open(f"{OWN}/windows/{window}")
    again = await shop.post(action, line=line, reason="Once more.")
    assert again.status_code == 409
    assert "1 dispute waits" in await shop.open(OWN)

    finance = Browser(client, await sign_in(Role.FINANCE))
    decide = here.replace("/partner", "")
    await finance.open(decide)
    await finance.send(f"{decide}/decide", outcome="upheld", note="The courier agrees.")
    await catch_up(coalition.runtime.database)
    said = await shop.open(here)
    for words in ("Upheld", "The courier agrees.", "you owe €7.00", "operator"):
        assert words in said
    assert "€8.00" not in said  # what alpha gets back is no concern of the shop's
    alpha = Browser(client, await sign_in(Role.PARTNER, "alpha"))
    said = await alpha.open(found(WINDOW, shop))
    assert "you are owed €8.00" in said
    assert "€7.00" not in said
    said = await shop.open(found(WINDOW, shop))
    assert "Adjustment after a dispute" in said
    assert "you owe €7.00" in said


async def test_nobody_sees_what_another_member_is_paid(
    client: httpx.AsyncClient, coalition: Coalition, sign_in: Make, house: House
) -> None:
    await spend(client, coalition, sign_in)
    window = await house.close_window()
    shop = Browser(client, await sign_in(Role.PARTNER))
    alpha = Browser(client, await sign_in(Role.PARTNER, "alpha"))
    for who, own, other in ((shop, "€7.00", "€8.00"), (alpha, "€8.00", "€7.00")):
        for path in (OWN, f"{OWN}/windows/{window}", f"{OWN}/statements"):
            said = await who.open(path)
            assert own in said, path
            assert other not in said, path
        await who.open(f"{OWN}/windows/{window}")
        said = await who.open(found(LINE, who))
        assert own in said
        assert other not in said


async def test_nobody_reaches_what_is_another_members(
    client: httpx.AsyncClient, coalition: Coalition, sign_in: Make, house: House
) -> None:
    burn_id = await spend(client, coalition, sign_in)
    window = await house.close_window()
    shop = Browser(client, await sign_in(Role.PARTNER))
    await shop.open(f"{OWN}/windows/{window}")
    line = found(LINE, shop)
    name = line.rsplit("/", 1)[1]
    await shop.send(f"{OWN}/windows/{window}/dispute", line=name, reason="Too little.")
    dispute = shop.address
    tickets = Browser(client, await sign_in(Role.PARTNER, "tickets"))
    said = await tickets.open(f"{OWN}/windows/{window}")
    assert "Nothing in this window is yours." in said
    assert "No statements yet" in await tickets.open(f"{OWN}/statements")
    for path in (line, f"{OWN}/lines/{burn_id}", f"{OWN}/lines/debt:1", dispute):
        await tickets.open(path, status=404)
    for address in (f"/v1/settlement/windows/{window}/statements/shop.json",):
        assert (await client.get(address, headers=tickets.who)).status_code == 404
    stolen = await tickets.post(f"{OWN}/windows/{window}/dispute", line=name, reason="Mine.")
    assert stolen.status_code == 404
    assert (await tickets.post(f"{dispute}/withdraw")).status_code == 404
    assert (await client.get(f"{OWN}?member=shop", headers=tickets.who)).status_code == 403
    assert "Too little." in await shop.open(f"{OWN}/disputes")
    await shop.open(dispute)
    assert "Taken back" in await shop.send(f"{dispute}/withdraw", note="All is well.")
    assert "All is well." in await shop.open(dispute)
    assert "Withdrawn" in await shop.open(f"{OWN}/disputes?all=yes")


@pytest.mark.parametrize("role", [Role.PARTICIPANT, Role.FIRM_MANAGER, Role.FINANCE])
async def test_the_pages_are_for_people_of_members(
    client: httpx.AsyncClient, coalition: Coalition, sign_in: Make, role: Role
) -> None:
    who = Browser(client, await sign_in(role))
    for path in ("", "/statements", "/disputes", "/accounts", "/cap"):
        await who.open(f"{OWN}{path}", status=403)
    for path in ("/accounts/new", f"/windows/{UUID(int=0)}/dispute"):
        assert (await who.post(f"{OWN}{path}")).status_code == 403


async def test_an_operator_looks_after_a_member(
    client: httpx.AsyncClient, coalition: Coalition, sign_in: Make, house: House
) -> None:
    await spend(client, coalition, sign_in)
    window = await house.close_window()
    operator = Browser(client, await sign_in(Role.OPERATOR))
    assert "you are owed €7.00" in await operator.open(f"{OWN}?member=shop")
    assert "€1.00" in await operator.open(f"{OWN}/windows/{window}?member=operator")
    await operator.open(f"{OWN}/windows/{window}?member=shop")
    line = found(LINE, operator).rsplit("/", 1)[1]
    action = f"{OWN}/windows/{window}/dispute"
    unsaid = await operator.post(action, line=line, reason="Whose?")
    assert unsaid.status_code == 409
    said = await operator.send(f"{action}?member=shop", line=line, reason="By telephone.")
    assert "By telephone." in said


async def test_lines_cannot_be_disputed_after_the_deadline(
    client: httpx.AsyncClient, coalition: Coalition, sign_in: Make, house: House
) -> None:
    await spend(client, coalition, sign_in)
    window = await house.close_window()
    shop = Browser(client, await sign_in(Role.PARTNER))
    await shop.open(f"{OWN}/windows/{window}")
    line = found(LINE, shop).rsplit("/", 1)[1]
    await house.accounts("online")
    async with coalition.runtime.database.begin() as session:
        await travel_to(session, await now(session) + days(28), allowed=True)
    soon = Browser(client, await sign_in(Role.PARTNER))
    assert "Look at the lines before" in await soon.open(OWN)
    async with coalition.runtime.database.begin() as session:
        await travel_to(session, await now(session) + days(400), allowed=True)
    late = Browser(client, await sign_in(Role.PARTNER))
    said = await late.open(f"{OWN}/windows/{window}")
    assert "You can dispute" not in said
    assert not late.has(f"{OWN}/windows/{window}/dispute")
    refused = await late.post(f"{OWN}/windows/{window}/dispute", line=line, reason="Late.")
    assert refused.status_code == 409


async def test_what_is_paid_when_is_told(
    client: httpx.AsyncClient, coalition: Coalition, sign_in: Make, house: House
) -> None:
    await spend(client, coalition, sign_in)
    await house.close_window()
    shop = Browser(client, await sign_in(Role.PARTNER))
    alpha = Browser(client, await sign_in(Role.PARTNER, "alpha"))
    made = await house.draft()
    await house.record(made)
    said = await shop.open(OWN)
    assert f"{made.reference} settles it. Two people of finance check it" in said
    await house.approve(made)
    assert "€7.00 will be paid to you on" in await shop.open(OWN)
    assert "€8.00 will be collected from you on" in await alpha.open(OWN)
    at = f"/v1/settlement/settlements/{made.reference}/statements/alpha.json"
    await alpha.open(f"{OWN}/statements")
    answer = await client.get(found(re.escape(at), alpha), headers=alpha.who)
    assert verify("x", io.BytesIO(answer.content)).faults == []
    await house.accounts("online")
    house.online.refuses["Alpha"] = "no mandate"
    await house.submit(made)
    await house.drive()
    said = await alpha.open(OWN)
    assert "A payment failed" in said
    assert "The payment of €8.00 failed: no mandate" in said

    leg = (await house.legs(made))["alpha"]
    async with coalition.runtime.database.begin() as session:
        cover = await default(session, leg.id, cover=Cover.CREDITORS, actor=ANNA, note="broke")
    assert "What others failed to pay" not in await shop.open(OWN)
    await house.record(cover)
    await house.approve(cover)
    said = await shop.open(OWN)
    assert f"What others failed to pay {cover.reference}" in said
    assert "will be collected from you on" in said
    assert "A payment failed" not in await alpha.open(OWN)


async def test_an_account_is_put_forward_and_approved_by_finance(
    client: httpx.AsyncClient, coalition: Coalition, sign_in: Make
) -> None:
    shop = Browser(client, await sign_in(Role.PARTNER))
    assert "No account yet" in await shop.open(f"{OWN}/accounts")
    new = f"{OWN}/accounts/new"
    await shop.open(f"{new}?rail=sepa")
    given = {"currency": "EUR", "set:holder": "Shop", "set:iban": "DE00370400440532013000"}
    said = await shop.send(new, status=422, **given)
    assert "DE00370400440532013000" in shop.html
    await shop.open(f"{new}?rail=sepa")
    given["set:iban"] = "DE89370400440532013000"
    said = await shop.send(new, **given)
    assert "Waits for approval" in said
    action = found(rf"{OWN}/accounts/[0-9a-f-]{{36}}/withdraw", shop)
    other = Browser(client, await sign_in(Role.PARTNER, "alpha"))
    assert (await other.post(action)).status_code == 404
    assert "DE89" not in await other.open(f"{OWN}/accounts")
    finance = Browser(client, await sign_in(Role.FINANCE))
    approve = action.replace("/partner", "").replace("/withdraw", "/approve")
    assert (await shop.post(approve)).status_code == 403
    await finance.open("/settlement/accounts")
    await finance.send(approve)
    said = await shop.open(f"{OWN}/accounts")
    assert "Waits for approval" not in said
    assert "DE89370400440532013000" in said
    assert (await shop.post(action)).status_code == 409


async def test_a_capped_member_sees_what_is_left(
    client: httpx.AsyncClient, coalition: Coalition, sign_in: Make, house: House
) -> None:
    await capped(coalition)
    member = Browser(client, await sign_in(Role.PARTNER, "capped"))
    assert "€0.00 of €20.00, 0%" in await member.open(f"{OWN}/cap")
    await pay_ahead(house, "capped", 5_000_000)
    said = await member.open(f"{OWN}/cap")
    assert "€0.00 of €25.00, 0%" in said
    assert "Paid ahead EUR €5.00" in said
    async with Driver.start(coalition) as drive:
        for _ in range(3):
            await drive.capture("ann", await drive.burn("ann", "card"))
    assert "96% of your cap is used" in await member.open(OWN)
    assert "Nearly all of it is used" in await member.open(f"{OWN}/cap")
    shop = Browser(client, await sign_in(Role.PARTNER))
    assert "Your contract sets no limit" in await shop.open(f"{OWN}/cap")
