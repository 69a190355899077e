"""On a phone and at a desk: who comes is said before points are burnt for a partner's seat."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator

import msgspec
import pytest
from marketplace_pretix.double.server import Double
from marketplace_pretix.rehearsal import settings_of
from playwright.async_api import expect

from marketplace.identity.domain import Role
from marketplace.registry import service as registry
from tests.browser.conftest import OpenTab
from tests.browser.life import Life
from tests.browser.looks import examine

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture(scope="module")
def double() -> Iterator[Double]:
    """One for all, for another address of it would reach the shop's processes seconds later."""
    made = Double().start()
    yield made
    made.stop()


@pytest.mark.parametrize("javascript", [True, False])
async def test_who_comes_is_said_and_leads_on_to_the_points(
    open_tab: OpenTab, life: Life, double: Double, javascript: bool
) -> None:
    world, row = double.world, "A" if javascript else "B"
    item = world.add(10)
    world.items[item]["personalized"] = True
    world.settings.update(attendee_names_required=True, name_scheme="given_family")
    world.settings.update(attendee_addresses_asked=True)
    world.ask("What do you eat?", "C", item, options=["Everything", "No meat"])
    world.ask("Which workshops?", "M", item, options=["Saws", "Drills"], required=False)
    world.ask("When do you arrive?", "W", item, required=False)
    world.seat(item, f"{row}1", f"{row}2")
    coalition = life.coalition
    async with life.runtime.database.begin() as session:
        await registry.configure(
            session,
            life.runtime,
            "pretix",
            msgspec.to_builtins(settings_of(double)),
            actor="test",
            member_id=coalition.members["shop"],
        )
    await coalition.activate("pretix", "shop")
    offer = f"summit-{secrets.token_hex(4)}"
    sku = f"summit/{item}"
    await coalition.add_offer(offer, acceptor="shop", kind="seat", plugin="pretix", sku=sku)
    tab = await open_tab(role=Role.PARTICIPANT, of="ann", width=390, javascript=javascript)
    wrong: list[str] = []

    async def look(name: str) -> None:
        if javascript:
            wrong.extend(await examine(tab, f"pretix-{name}"))

    await tab.go(f"/pretix/who/{offer}?quantity=2")
    await tab.page.get_by_label("Given name").first.fill("Ann")
    if javascript:
        await tab.page.evaluate(
            "document.querySelector('main form[method=post]').noValidate = true"
        )
        await tab.page.get_by_role("button", name="On to the points").click()
        await expect(tab.page.get_by_role("alert").first).to_contain_text("Ticket 2, Given name")
        tab.forgive("status of 409")
    await look("who")
    await tab.go(f"/pretix/who/{offer}?quantity=1")
    await tab.page.get_by_label("Seat number").select_option(label=f"Stalls · {row} · 2")
    await tab.page.get_by_label("Given name").fill("Ann")
    await tab.page.get_by_label("Family name").fill("Lee")
    await tab.page.get_by_label("What do you eat?").select_option(label="No meat")
    await tab.page.get_by_label("Drills").check()
    await tab.page.get_by_role("button", name="On to the points").click()
    await expect(tab.page).to_have_url(re.compile(f"/burn/{offer}[?]quantity=1&selection="))
    if javascript:
        await tab.page.get_by_role("main").get_by_role("button", name="Burn").click()
        await tab.page.wait_for_url(re.compile("/rewards/"))
        show = tab.page.get_by_role("button", name="Show the code")
        await expect(show).to_be_visible()
        await show.click()
        await tab.page.get_by_role("link", name="Tickets").click()
        await expect(tab.page.get_by_role("img", name="QR code of")).to_be_visible()
        await look("tickets")
    partner = await open_tab(role=Role.PARTNER, of="shop", width=390, javascript=javascript)
    await partner.go("/pretix/partner")
    await expect(partner.page.get_by_role("main")).to_contain_text("people say first who comes")
    if javascript:
        wrong.extend(await examine(partner, "pretix-own"))
    assert wrong == []
