"""The frame of every page, used by keyboard, without scripts, without a network."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import expect

from marketplace.identity.domain import Role
from tests.browser.conftest import OpenTab

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
async def test_an_unknown_address_is_a_page_that_helps(
    open_tab: OpenTab, theme: str, width: int
) -> None:
    tab = await open_tab(theme=theme, width=width, language="ru")
    assert await tab.go("/nothing/here") == 404
    tab.forgive("status of 404")
    await expect(tab.page.get_by_role("heading", level=1)).to_have_text(
        "По этому адресу ничего нет"
    )
    await tab.check(f"error-404-{theme}-{width}")


@pytest.mark.parametrize("javascript", [True, False])
async def test_language_and_theme_are_switched_in_the_header(
    open_tab: OpenTab, javascript: bool
) -> None:
    tab = await open_tab(javascript=javascript)
    page = tab.page
    await tab.go("/_style")
    for summary, choice in (
        ("Language and theme", "Polski"),
        ("Język i motyw", "Ciemny"),
    ):
        await page.locator("summary", has_text=summary).click()
        await page.get_by_role("button", name=choice, exact=True).first.click()
        await page.wait_for_url("**/_style")
    html = page.locator("html")
    await expect(html).to_have_attribute("lang", "pl")
    await expect(html).to_have_attribute("data-theme", "dark")


async def test_the_first_tab_stop_skips_to_the_content(open_tab: OpenTab) -> None:
    tab = await open_tab()
    await tab.go("/_style")
    await tab.page.keyboard.press("Tab")
    skip = tab.page.get_by_role("link", name="Skip to the content")
    await expect(skip).to_be_focused()
    await expect(skip).to_be_in_viewport()
    await tab.page.keyboard.press("Enter")
    await expect(tab.page.locator("main")).to_be_focused()


async def test_escape_closes_a_menu_and_returns_to_its_button(open_tab: OpenTab) -> None:
    tab = await open_tab()
    await tab.go("/_style")
    button = tab.page.locator("summary", has_text="Language and theme")
    await button.press("Enter")
    await expect(tab.page.get_by_role("button", name="Italiano")).to_be_visible()
    await tab.picture("menu-open", whole=False)
    await tab.page.keyboard.press("Escape")
    await expect(tab.page.get_by_role("button", name="Italiano")).to_be_hidden()
    await expect(button).to_be_focused()


@pytest.mark.parametrize("width", [360, 1280])
async def test_the_header_of_a_signed_in_person_fits(open_tab: OpenTab, width: int) -> None:
    tab = await open_tab(role=Role.PARTICIPANT, width=width, language="ru", theme="dark")
    assert await tab.go("/_style") == 200
    await tab.page.locator("summary").filter(has_text="Ваше меню").click()
    await expect(tab.page.get_by_role("button", name="Выйти")).to_be_visible()
    await tab.picture(f"header-{width}", whole=False)


async def test_a_code_is_copied_in_one_press(open_tab: OpenTab) -> None:
    tab = await open_tab()
    await tab.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await tab.go("/_style")
    button = tab.page.locator("[data-copy=light-code]")
    await button.click()
    await expect(button).to_have_text("Copied")
    assert await tab.page.evaluate("navigator.clipboard.readText()") == "KINO-7F3K-99QX-2MPA"


async def test_without_scripts_nothing_is_shown_that_needs_them(open_tab: OpenTab) -> None:
    tab = await open_tab(javascript=False)
    await tab.go("/_style")
    await expect(tab.page.get_by_role("button", name=re.compile("Copy"))).to_have_count(0)


async def test_without_a_network_a_page_says_so_and_comes_back(open_tab: OpenTab) -> None:
    tab = await open_tab()
    page = tab.page
    await tab.go("/_style")
    await page.evaluate("navigator.serviceWorker.ready")
    await page.context.set_offline(True)
    await expect(page.locator("#offline-bar")).to_be_visible()
    await page.goto(tab.address + "/wallet")
    await expect(page.get_by_role("heading", level=1)).to_have_text("You are offline")
    await tab.check("offline")
    await page.context.set_offline(False)
    await tab.go("/_style")
    await expect(page.locator("#offline-bar")).to_be_hidden()
    tab.forgive("ERR_INTERNET_DISCONNECTED")


async def test_a_part_that_cannot_be_fetched_is_said_in_the_corner(open_tab: OpenTab) -> None:
    tab = await open_tab()
    page = tab.page
    await tab.go("/_style")
    await page.evaluate("htmx.ajax('GET', '/nothing', {target: 'main', swap: 'innerHTML'})")
    toast = page.locator("#toasts .toast")
    await expect(toast).to_contain_text("There is nothing at this address")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Style")
    await page.route("**/elsewhere", lambda route: route.abort())
    await page.evaluate("htmx.ajax('GET', '/elsewhere', {target: 'main'}).catch(() => {})")
    await expect(toast.last).to_contain_text("cannot be reached")
    assert await tab.axe() == []
    await toast.last.get_by_role("button", name="Close").click()
    await expect(toast).to_have_count(1)
    for expected in ("status of 404", "Response Status Error Code 404", "ERR_FAILED", "htmx:"):
        tab.forgive(expected)
