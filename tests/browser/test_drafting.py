"""An organiser drafts an event by form on a phone and sells it; somebody has a seat of it."""

from __future__ import annotations

import re
import secrets
from collections.abc import Awaitable, Callable

import pytest
from playwright.async_api import Page, expect

from marketplace.identity.domain import Role
from tests.browser.conftest import OpenTab
from tests.browser.life import Life
from tests.browser.looks import examine

Look = Callable[[str], Awaitable[None]]
pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize("javascript", [True, False])
async def test_an_event_with_two_categories_is_drafted_sold_and_found(
    open_tab: OpenTab, life: Life, javascript: bool
) -> None:
    await life.coalition.activate("conference", "shop")
    slug = f"forum-{secrets.token_hex(4)}"
    desk = await open_tab(role=Role.PARTNER, of="shop", width=390, javascript=javascript)
    page, wrong = desk.page, list[str]()

    async def look(name: str) -> None:
        if javascript:
            wrong.extend(await examine(desk, f"draft-{name}"))

    await desk.go("/conference/partner")
    await page.get_by_role("link", name="New event").first.click()
    await page.get_by_role("button", name="Make the draft").click()
    await expect(page.get_by_role("alert")).to_contain_text("Fill this in.")
    await look("new")
    await frame(page, slug)
    await expect(page.locator("main")).to_contain_text("Nothing is sold of it yet.")
    await categories(page, slug, look)
    await expect(page.locator("main")).to_contain_text("“Row seat” has no seats yet.")
    await questions(page, look)
    await look("parts")
    await page.get_by_role("link", name="Upload a plan").click()
    rows = "\n".join(f"{slug}-row,{row},{number}" for row in "AB" for number in range(1, 5))
    plan = {
        "name": "plan.csv",
        "mimeType": "text/csv",
        "buffer": f"sku,row,number\n{rows}".encode(),
    }
    await page.get_by_label("File with seats").set_input_files(plan)  # type: ignore[arg-type]
    await page.get_by_role("button", name="Take it").click()
    await page.get_by_role("link", name="Edit", exact=True).click()
    await page.get_by_role("button", name="Publish").click()
    await expect(page.locator("main")).to_contain_text("It is published")
    await look("published")
    await page.get_by_role("button", name="Make its listing").click()
    await page.get_by_role("button", name="Publish").click()
    await expect(page.locator("main")).to_contain_text("people see it now")
    await somebody_has_a_seat(open_tab, life, slug, javascript)
    desk.forgive("status of 422")
    assert not wrong, "\n".join(wrong)


async def frame(page: Page, slug: str) -> None:
    """When and where it is."""
    await page.get_by_label("Name", exact=True).fill(f"The {slug}")
    await page.get_by_label("Address (optional)").fill(slug)
    await page.get_by_label("Place", exact=True).fill("Hall 1")
    await page.get_by_label("Time zone").fill("Europe/Warsaw")
    await page.get_by_label("Begins").fill("2999-05-04T09:00")
    await page.get_by_label("Ends").fill("2999-05-04T18:00")
    await page.get_by_role("button", name="Make the draft").click()


async def categories(page: Page, slug: str, look: Look) -> None:
    """Seats with numbers, and a floor; the first price is below what they would cost."""
    await page.get_by_role("link", name="Add a category").first.click()
    await page.get_by_label("Name", exact=True).fill("Row seat")
    await page.get_by_role("checkbox", name=re.compile("^Numbered seats")).check()
    await page.get_by_label("SKU (optional)").fill(f"{slug}-row")
    await page.get_by_label("As many as the plan has seats").check()
    await page.get_by_label("Points for a place (optional)").fill("500")
    await page.get_by_label("What you are paid for a place, in EUR (optional)").fill("9")
    await page.get_by_role("button", name="Save").click()
    await expect(page.locator("#cost-error")).to_contain_text("may bring no more than")
    await look("category")
    await page.get_by_label("Points for a place (optional)").fill("1500")
    await page.get_by_role("button", name="Save").click()
    await page.get_by_role("link", name="Add a category").last.click()
    await page.get_by_label("Name", exact=True).fill("Floor")
    await page.get_by_label("Places", exact=True).fill("40")
    await page.get_by_label("Points for a place (optional)").fill("1000")
    await page.get_by_label("What you are paid for a place, in EUR (optional)").fill("6")
    await page.get_by_role("button", name="Save").click()
    await page.get_by_role("link", name=f"The {slug}", exact=True).click()
    await page.get_by_label("Room (optional)").fill("Great hall")
    await look("session")
    await page.get_by_role("button", name="Save").click()


async def questions(page: Page, look: Look) -> None:
    """What is asked about who comes."""
    await page.get_by_role("link", name="Change the questions").click()
    first = page.get_by_role("group", name="Question 1")
    await first.get_by_label("What is asked (optional)").fill("Meal")
    await first.get_by_label("Answered by").select_option("choice")
    await first.get_by_label("Answers to choose from (optional)").fill("fish\nnone")
    await look("questions")
    await page.get_by_role("button", name="Save").click()


async def somebody_has_a_seat(open_tab: OpenTab, life: Life, slug: str, javascript: bool) -> None:
    """They find the event in the catalog, choose a seat, say who comes and burn points."""
    who = await life.newcomer(5_000)
    tab = await open_tab(token=who.token, width=390, javascript=javascript)
    page = tab.page
    await tab.go(f"/catalog/{slug}")
    await page.get_by_text(f"The {slug}, Row seat").first.click()
    await page.get_by_role("button", name=re.compile("Burn|Choose|Continue")).first.click()
    await page.get_by_role("checkbox", name="Seat A-2").focus()
    await page.keyboard.press("Space")
    await page.get_by_role("button", name="Reserve these seats").click()
    await page.get_by_label("Full name").fill("Nora Nowak")
    await page.get_by_label("Meal").select_option("fish")
    await page.get_by_role("button", name="On to the points").click()
    await page.get_by_role("button", name="Burn 1,500 points").click()
    await expect(page).to_have_url(re.compile("/rewards/"))
    while not await page.get_by_role("button", name="Show the code").count():
        await page.wait_for_timeout(500)
        await page.reload()
    await page.get_by_role("button", name="Show the code").click()
    await page.get_by_role("link", name="Tickets").last.click()
    await expect(page.locator("main")).to_contain_text("Nora Nowak")
    await expect(page.locator("main")).to_contain_text("A-2")
