"""Partners sell in a real browser: offers, listings, prices and codes; looked at on every size."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.async_api import expect

from marketplace.identity.domain import Role
from tests.browser.conftest import OpenTab, Shop, Tab
from tests.browser.life import Life
from tests.browser.looks import examine
from tests.browser.test_sights import none, pictures, sights

pytestmark = pytest.mark.asyncio(loop_scope="session")
HOUSE = "kartenkontor"
"""A member with offers, listings and pools."""
PAGES = {
    "offers": "/partner/offers",
    "offer-new": "/partner/offers/new",
    "offers-bulk": "/partner/offers/bulk",
    "listings": "/catalog/partner/listings",
    "listing-new": "/catalog/partner/listings/new",
    "listing-edit": "/catalog/partner/listings/buch",
    "listings-bulk": "/catalog/partner/bulk",
    "prices": "/catalog/partner/prices",
    "pools": "/giftfund/partner",
    "pool": "/giftfund/partner/pool?sku=buch-10",
    "plugins": "/partner/plugins",
    "plugin": "/partner/plugins/giftfund",
    "plugin-certificate": "/partner/plugins/giftfund/certificate",
    "dead-letters": "/partner/plugins/dead-letters",
}


async def open_offer(tab: Tab) -> str:
    """Open the first offer of the list; its path."""
    await tab.go("/partner/offers")
    await tab.page.locator("tbody a").first.click()
    await tab.page.wait_for_url(re.compile("/partner/offers/[0-9a-f-]{36}"))
    return tab.page.url.removeprefix(tab.address)


async def test_pages_of_a_seller(open_tab: OpenTab, shop: Shop) -> None:
    tab = await open_tab(role=Role.PARTNER, of=HOUSE)
    wrong = await sights(tab, PAGES)
    offer = await open_offer(tab)
    wrong += await sights(tab, {"offer": offer, "offer-retire": f"{offer}/retire"})
    none(wrong)


async def test_pages_of_the_operator(open_tab: OpenTab, shop: Shop) -> None:
    tab = await open_tab(role=Role.OPERATOR)
    member = f"?member={HOUSE}"
    places = {
        "plugins-operator": f"/partner/plugins{member}",
        "plugin-operator": f"/partner/plugins/giftfund{member}",
        "plugin-stop": f"/partner/plugins/giftfund/stop{member}",
        "plugin-install": f"/partner/plugins/add-plugin{member}",
        "offers-operator": f"/partner/offers{member}",
    }
    none(await sights(tab, places))


async def test_forms_that_do_not_fit_say_so(open_tab: OpenTab, tmp_path: Path) -> None:
    tab = await open_tab(role=Role.PARTNER, of=HOUSE)
    page = tab.page
    await tab.go("/partner/offers/new")
    await page.get_by_label("Name").fill("Tea for two")
    await page.get_by_role("button", name="Make the offer").click()
    await expect(page.get_by_role("alert")).to_contain_text("things need another look")
    await expect(page.get_by_label("Name")).to_have_value("Tea for two")
    wrong = await examine(tab, "offer-new-wrong")
    await tab.go("/catalog/partner/listings/buch")
    await page.get_by_label("Title").first.fill("")
    await page.get_by_role("button", name="Save", exact=True).click()
    await expect(page.get_by_role("alert")).to_be_visible()
    wrong += await examine(tab, "listing-wrong")
    bad = tmp_path / "codes.csv"
    bad.write_text("code,expires_on\nA-1,31.1.2031\nA-1,\nA-1,\n")
    await tab.go(PAGES["pool"])
    await page.get_by_label("CSV file").set_input_files(bad)
    await page.get_by_role("button", name="Take the codes").click()
    await expect(page.get_by_role("alert")).to_contain_text("Nothing was taken")
    wrong += await examine(tab, "pool-wrong")
    tab.forgive("status of 422")
    none(wrong)


@pytest.mark.parametrize("javascript", [True, False], ids=["scripts", "no-scripts"])
async def test_a_reward_is_put_on_the_shelf(
    open_tab: OpenTab, life: Life, tmp_path: Path, javascript: bool
) -> None:
    """From nothing to something people see: offer, codes, listing, preview, published."""
    name = f"tea-{'with' if javascript else 'without'}"
    tab = await open_tab(role=Role.PARTNER, of=HOUSE, javascript=javascript)
    page = tab.page
    await tab.go("/partner/offers")
    await page.get_by_role("link", name="Make an offer").click()
    await page.get_by_label("Reference").fill(name)
    await page.get_by_label("Name").fill("Tea for two")
    await page.get_by_label("Delivered by").select_option("giftfund")
    await page.get_by_label("SKU").fill(name)
    await page.get_by_label("Points of one unit").fill("1500")
    await page.get_by_label("What you are paid for one unit").fill("9.00")
    await page.get_by_label("Put it on sale").check()
    await page.get_by_role("button", name="Make the offer").click()
    await expect(page.get_by_text("The offer is made.")).to_be_visible()

    await page.get_by_role("link", name="Codes", exact=True).click()
    await page.get_by_role("link", name=name).click()
    codes = tmp_path / "codes.csv"
    codes.write_text("code\n" + "".join(f"{name}-{number}\n" for number in range(12)))
    await page.get_by_label("CSV file").set_input_files(codes)
    await page.get_by_role("button", name="Take the codes").click()
    await expect(page.get_by_text("Taken: 12 new codes, 0 were there already.")).to_be_visible()

    await page.get_by_role("link", name="Listings", exact=True).click()
    await page.get_by_role("link", name="Make a listing").click()
    await page.get_by_label("Address in the catalog").fill(name)
    await page.get_by_label("Title").first.fill("Tea for two, on us")
    await page.get_by_role("group", name="Choice 1").get_by_label("Offer").select_option(name)
    await page.get_by_role("button", name="Save and preview").click()
    await expect(page.get_by_text("This is a draft: people do not see it yet.")).to_be_visible()
    await tab.go(f"/catalog/partner/listings/{name}")
    await page.get_by_role("button", name="Publish").click()
    await expect(page.get_by_text("Published: people see it now.")).to_be_visible()

    nora = await life.newcomer(2_000)
    theirs = await open_tab(token=nora.token, javascript=javascript)
    await theirs.go(f"/catalog/{name}")
    await expect(theirs.page.get_by_role("heading", level=1)).to_have_text("Tea for two, on us")
    await expect(theirs.page.get_by_text("1,500").first).to_be_visible()


@pytest.mark.parametrize("language", ["en", "ru", "pl", "it"])
async def test_pages_of_a_seller_fit_in_every_language(open_tab: OpenTab, language: str) -> None:
    tab = await open_tab(role=Role.PARTNER, of=HOUSE, language=language)
    wrong = []
    for name in ("offers", "offer-new", "listing-edit", "prices", "pool"):
        wrong += await pictures(tab, f"{name}-{language}", PAGES[name])
    wrong += await pictures(tab, f"offer-{language}", await open_offer(tab))
    none(wrong)
