"""An organiser at a desk and on a phone: plan, allotments, who comes, calling off."""

from __future__ import annotations

import json
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from playwright.async_api import expect

from marketplace.identity.domain import Role
from tests.browser.conftest import OpenTab, Tab
from tests.browser.life import Life
from tests.browser.looks import examine
from tests.conference.test_on_sale import FORUM

Look = Callable[[str], Awaitable[None]]
pytestmark = pytest.mark.asyncio(loop_scope="session")


def document() -> dict[str, Any]:
    """A forum of the shop's own for a test."""
    slug = f"forum-{secrets.token_hex(4)}"
    (category,) = FORUM["categories"]
    return {
        **FORUM,
        "slug": slug,
        "organiser": "shop",
        "categories": [{**category, "sku": f"{slug}-row"}],
    }


async def upload(tab: Tab, label: str, name: str, text: str, button: str) -> None:
    """Choose a file and press a button."""
    file = {"name": name, "mimeType": "text/plain", "buffer": text.encode()}
    await tab.page.get_by_label(label).set_input_files(file)  # type: ignore[arg-type]
    await tab.page.get_by_role("button", name=button).click()


@pytest.mark.parametrize("javascript", [True, False])
async def test_an_organiser_makes_an_event_and_runs_it(
    open_tab: OpenTab, life: Life, javascript: bool
) -> None:
    forum = document()
    sku = forum["categories"][0]["sku"]
    await life.coalition.add_offer(sku, acceptor="shop", kind="seat", plugin="conference", sku=sku)
    desk = await open_tab(role=Role.PARTNER, of="shop", width=390, javascript=javascript)
    wrong: list[str] = []

    async def look(name: str) -> None:
        if javascript:
            wrong.extend(await examine(desk, f"organiser-{name}"))

    await desk.go("/conference/partner")
    await desk.page.get_by_role("link", name="New event").first.click()
    await desk.page.get_by_role("link", name="Or make it from a file").click()
    bad = json.dumps({**forum, "time_zone": "Mars/Olympus"}, indent=1)
    await upload(desk, "JSON file", "forum.json", bad, "Only check it")
    await expect(desk.page.get_by_role("alert")).to_contain_text("is no time zone")
    await look("new")
    await upload(desk, "JSON file", "forum.json", json.dumps(forum), "Take it")
    await expect(desk.page.locator("main")).to_contain_text("Nothing is sold before you publish it")
    await desk.page.get_by_role("link", name="Plan", exact=True).click()
    rows = [f"{sku},{row},{number}" for row in "AB" for number in range(1, 7)]
    plan = "\n".join(["sku,row,number", *rows])
    await upload(desk, "File with seats", "plan.csv", f"{plan}\nx,A,1", "Take it")
    await expect(desk.page.get_by_role("alert")).to_contain_text("no numbered category 'x'")
    await upload(desk, "File with seats", "plan.csv", plan, "Take it")
    await expect(desk.page.get_by_role("img", name="12 free")).to_be_visible()
    await look("plan")
    await desk.page.get_by_role("link", name="How it stands").click()
    await desk.page.get_by_role("button", name="Publish").click()
    await expect(desk.page.locator("main")).to_contain_text("It is published")
    await look("event")
    await desk.page.get_by_role("link", name="Allotments").click()
    await desk.page.get_by_role("combobox", name="Firm").fill("acme")
    await desk.page.get_by_role("textbox", name="Places").fill("12")
    await desk.page.get_by_label("Kept until").fill("2998-03-01")
    await desk.page.get_by_role("button", name="Save").click()
    await expect(desk.page.get_by_role("table")).to_contain_text("acme")
    await look("allotments")
    await somebody_waits(life, sku)
    await desk.page.get_by_role("link", name="The waiting list").click()
    await expect(desk.page.get_by_role("table")).to_contain_text("waits")
    await look("waiting")
    await desk.page.get_by_role("link", name="Allotments").click()
    await desk.page.get_by_role("button", name="Release what is left for acme").click()
    await expect(desk.page.locator("main")).to_contain_text("they are everybody's now")
    await desk.page.get_by_role("link", name="Who comes").click()
    await expect(desk.page.locator("main")).to_contain_text("Nobody has a place yet.")
    await look("people")
    await terms_and_a_move(desk, look)
    await desk.page.get_by_role("link", name="Call off").click()
    await desk.page.get_by_role("textbox", name="Reason").fill("The hall is flooded.")
    await desk.page.get_by_role("button", name="Call it off for good").click()
    await expect(desk.page.locator("#slug-error")).to_be_visible()
    await look("call-off")
    await desk.page.get_by_label(f"Type {forum['slug']} to confirm").fill(forum["slug"])
    await desk.page.get_by_role("button", name="Call it off for good").click()
    await expect(desk.page.locator("main")).to_contain_text("everybody has their points back")
    await desk.go("/conference/partner")
    await expect(desk.page.locator("main")).to_contain_text("Cancelled")
    await look("events")
    desk.forgive("status of 422")
    assert not wrong, "\n".join(wrong)


async def terms_and_a_move(desk: Tab, look: Look) -> None:
    """What comes back is said; then the event is at another place."""
    await desk.page.get_by_role("link", name="Terms").click()
    first = desk.page.get_by_role("group", name="Step 1")
    await first.get_by_label("Days before the session").fill("30")
    await desk.page.get_by_role("button", name="Save").first.click()
    await expect(desk.page.locator("#percent-1-error")).to_be_visible()
    await look("policy")
    await first.get_by_label("Percent of the points").fill("80")
    await desk.page.get_by_role("button", name="Save").first.click()
    await expect(desk.page.locator("main")).to_contain_text("80 % until 30 days before")
    await desk.page.get_by_role("link", name="Move", exact=True).click()
    await desk.page.get_by_role("textbox", name="Reason").fill("The hall is being rebuilt.")
    await desk.page.get_by_label("Place", exact=True).fill("Depot 2")
    await desk.page.get_by_role("button", name="See whom it concerns").click()
    await expect(desk.page.locator("#refund_until-error")).to_be_visible()
    await look("move")
    await desk.page.get_by_label("All points back until the end of").fill("2998-01-01")
    await desk.page.get_by_label("Begins").fill("2999-06-04T10:00")
    await desk.page.get_by_label("Ends").fill("2999-06-04T18:00")
    await desk.page.get_by_role("button", name="See whom it concerns").click()
    await expect(desk.page.locator(".confirm")).to_contain_text("Depot 2")
    await look("move-preview")
    await desk.page.get_by_role("button", name="Move it and tell everybody").click()
    await expect(desk.page.locator("main")).to_contain_text("everybody it is about has been told")
    await look("moved")


async def somebody_waits(life: Life, sku: str) -> None:
    """A participant of another firm joins the waiting list."""
    if "glaz" not in life.coalition.firms:
        await life.coalition.add_firm("glaz", sponsor="alpha")
    who = await life.newcomer(firm="glaz")
    async with httpx.AsyncClient(
        base_url=life.address, headers={"Authorization": f"Bearer {who.token}"}, timeout=60
    ) as client:
        joined = await client.post("/v1/conference/waiting", json={"skus": [sku]})
        assert joined.status_code == 201, joined.text
