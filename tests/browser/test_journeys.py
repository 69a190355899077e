"""What participants come for, in a browser: on a phone and on a desk, with and without scripts."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import PATIENCE_MS, OpenTab, Shop, Tab
from tests.browser.life import CODE, WAITS, Life, Somebody
from tests.factories import PASSWORD

pytestmark = pytest.mark.asyncio(loop_scope="session")
PHONE, DESK = 390, 1280
WAYS = [(True, PHONE), (True, DESK), (False, PHONE), (False, DESK)]
"""Whether scripts run, and the width of the window."""
in_every_way = pytest.mark.parametrize(("javascript", "width"), WAYS)
with_and_without = pytest.mark.parametrize(("javascript", "width"), [WAYS[0], WAYS[3]])


# -- coming and going ------------------------------------------------------------------------------


@in_every_way
async def test_signing_in_with_a_password_leads_on_and_signing_out_ends_it(
    open_tab: OpenTab, life: Life, javascript: bool, width: int
) -> None:
    nora = await life.newcomer(500)
    tab = await open_tab(javascript=javascript, width=width)
    page = tab.page
    await tab.go("/wallet")
    await expect(page).to_have_url(re.compile(r"/sign-in\?next="))
    await page.get_by_label("E-mail").fill(nora.email)
    await page.get_by_label("Password").fill("not this one")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_text("E-mail and password do not match.")).to_be_visible()
    tab.forgive("status of 422")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page).to_have_url(tab.address + "/wallet")
    await page.locator("summary", has_text="Your menu").click()
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_text("You are signed out.")).to_be_visible()
    await tab.go("/wallet")
    await expect(page).to_have_url(re.compile(r"/sign-in\?next="))


@with_and_without
async def test_signing_in_with_a_mailed_link(
    open_tab: OpenTab, shop: Shop, life: Life, javascript: bool, width: int
) -> None:
    nora = await life.newcomer(500)
    tab = await open_tab(javascript=javascript, width=width)
    page = tab.page
    await tab.go("/sign-in?next=/rewards")
    await page.get_by_role("link", name="With a link by e-mail").click()
    await page.get_by_label("E-mail").fill(nora.email)
    await page.get_by_role("button", name="Mail me a link").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Look into your mail")
    path = await mailed_link(page, shop.mails, nora.email)
    await tab.go(path)
    await page.get_by_role("button", name="Sign me in").click()
    await expect(page).to_have_url(tab.address + "/rewards")
    assert await tab.go(path) == 410
    await expect(page.get_by_role("heading", level=1)).to_have_text("This link no longer works")
    tab.forgive("status of 410")


async def mailed_link(page: Page, folder: Path, email: str) -> str:
    """The path of the link in the mail, as soon as it is there."""
    for _ in range(PATIENCE_MS // 100):
        for mail in await asyncio.to_thread(mails_in, folder):
            found = re.search(r"/sign-in/link/[\w-]+", mail.replace("=\n", ""))
            if email in mail and found:
                return found[0]
        await page.wait_for_timeout(100)
    raise AssertionError(f"no mail for {email}")


def mails_in(folder: Path) -> list[str]:
    """What is written in the mails that came."""
    return [path.read_text() for path in folder.glob("*.eml")]


# -- the main way ----------------------------------------------------------------------------------


@in_every_way
async def test_from_a_misspelt_word_to_a_printed_code(
    open_tab: OpenTab, life: Life, javascript: bool, width: int
) -> None:
    nora = await life.newcomer(10_000)
    tab = await open_tab(token=nora.token, javascript=javascript, width=width)
    page = tab.page
    if javascript:
        await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await find_brunch(tab, javascript)
    await page.get_by_role("link", name="Sunday brunch for two").first.click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Sunday brunch for two")
    await page.get_by_role("button", name="Burn points for it").click()
    await expect(page.get_by_text("10,000")).to_be_visible()
    await expect(page.get_by_text("1,750")).to_be_visible()
    await page.get_by_role("button", name="Burn 8,250 points").click()
    await expect(page).to_have_url(re.compile(r"/rewards/[0-9a-f-]{36}$"))
    await expect(page.get_by_text("Waiting for the partner").first).to_be_visible()
    reward = page.url.removeprefix(tab.address)
    await life.deliver(reward)
    if not javascript:
        await page.reload()
    await expect(page.get_by_text("Ready for you").first).to_be_visible()
    await look_at_code(tab, javascript)
    await tab.go("/wallet")
    await expect(page.get_by_text("1,750").first).to_be_visible()
    await expect(page.get_by_text("Sunday brunch for two").first).to_be_visible()


async def find_brunch(tab: Tab, javascript: bool) -> None:
    """Search with a slip of the finger, narrow to what Nora can afford."""
    page = tab.page
    await tab.go("/catalog")
    await page.get_by_label("Search rewards").fill("bruntch")
    await page.get_by_label("Search rewards").press("Enter")
    await expect(page.get_by_text("Nothing is called “bruntch”")).to_be_visible()
    filters = page.locator(".filters > summary")
    if await filters.is_visible():
        await filters.click()
    await page.get_by_label("Within my points").check()
    if not javascript:
        await page.get_by_role("button", name="Show what fits").click()
    await expect(page).to_have_url(re.compile("affordable=yes"))
    await expect(page.locator("#found .offer")).to_have_count(1)


async def look_at_code(tab: Tab, javascript: bool) -> None:
    """Reveal, copy, and see the sheet for printing."""
    page = tab.page
    assert CODE not in await page.content()
    await page.get_by_role("button", name="Show the code").click()
    await expect(page.locator("#code-1")).to_have_text(CODE)
    if javascript:
        await page.get_by_role("button", name="Copy").click()
        assert await page.evaluate("navigator.clipboard.readText()") == CODE
    await page.get_by_role("button", name="Print").click()
    await expect(page).to_have_url(re.compile("/print$"))
    await expect(page.get_by_text(CODE)).to_be_visible()
    await page.emulate_media(media="print")
    await expect(page.get_by_role("link", name="Back to the reward")).to_be_hidden()
    await expect(page.locator("header.top")).to_be_hidden()
    await page.emulate_media(media="screen")


async def test_two_presses_of_the_button_burn_once(open_tab: OpenTab, life: Life) -> None:
    for javascript in (True, False):
        nora = await life.newcomer(20_000)
        tab = await open_tab(token=nora.token, javascript=javascript)
        await tab.go(f"/burn/{WAITS}")
        await tab.page.get_by_role("button", name="Burn 8,250 points").dblclick()
        await expect(tab.page).to_have_url(re.compile("/rewards/"))
        assert await life.rewards_of(nora) == 1


@with_and_without
async def test_cancelling_while_the_points_are_held(
    open_tab: OpenTab, life: Life, javascript: bool, width: int
) -> None:
    nora = await life.newcomer(9_000)
    reward = await life.burn(nora)
    tab = await open_tab(token=nora.token, javascript=javascript, width=width)
    page = tab.page
    await tab.go("/rewards")
    await page.get_by_role("link", name="Sunday brunch for two").click()
    await expect(page.get_by_text("held, not spent").first).to_be_visible()
    await page.get_by_role("button", name="Cancel").click()
    await expect(page).to_have_url(tab.address + reward)
    await expect(page.get_by_text("8,250 points are back in your wallet")).to_be_visible()
    await tab.go("/wallet")
    await expect(page.locator(".stats")).to_contain_text("9,000")


@with_and_without
async def test_a_reward_goes_to_a_colleague_who_looks_at_it(
    open_tab: OpenTab, life: Life, javascript: bool, width: int
) -> None:
    nora, piotr = await life.newcomer(9_000), await life.newcomer(name="Piotr")
    reward = await life.burn(nora)
    await life.deliver(reward)
    tab = await open_tab(token=nora.token, javascript=javascript, width=width)
    await give_away(tab, reward, piotr, javascript)
    theirs = await open_tab(token=piotr.token, javascript=javascript, width=width)
    await theirs.go("/notices")
    await theirs.page.get_by_role("button", name="Open your gift").click()
    await expect(theirs.page.get_by_text("Thank you for the summer")).to_be_visible()
    await theirs.page.get_by_role("button", name="Show the code").click()
    await expect(theirs.page.locator("#code-1")).to_have_text(CODE)
    await tab.go(reward)
    await expect(tab.page.get_by_text("They have accepted it.")).to_be_visible()


async def give_away(tab: Tab, reward: str, colleague: Somebody, javascript: bool) -> None:
    page = tab.page
    await tab.go(reward)
    await page.get_by_role("link", name="Give it to a colleague").click()
    await page.get_by_label("Their name or e-mail").press_sequentially(colleague.name)
    if not javascript:
        await page.get_by_role("button", name="Find").click()
    await page.get_by_role("radio", name=colleague.name).check()
    await page.get_by_label("A line to go with it").fill("Thank you for the summer")
    await page.get_by_role("button", name="Give it").click()
    await expect(page.get_by_text(f"Given to {colleague.name}").first).to_be_visible()
    await expect(page.get_by_role("button", name="Show the code")).to_have_count(0)


@with_and_without
async def test_a_wish_is_told_of_when_the_points_suffice(
    open_tab: OpenTab, life: Life, javascript: bool, width: int
) -> None:
    nora = await life.newcomer(3_000)
    tab = await open_tab(token=nora.token, javascript=javascript, width=width)
    page = tab.page
    await tab.go("/catalog/brunch")
    await page.get_by_role("button", name="Put it on my wish list").click()
    await expect(page.get_by_role("button", name="On my wish list", exact=True)).to_be_visible()
    await tab.go("/catalog/wishes")
    await expect(page.get_by_text("You are saving for 1 reward.")).to_be_visible()
    await life.give_points(nora, 6_000)
    await life.look_at_wishes()
    await tab.go("/notices")
    await expect(page.get_by_text("Sunday brunch for two").first).to_be_visible()
    await tab.go("/catalog/wishes")
    await expect(page.get_by_text("You have enough.")).to_be_visible()
    await page.get_by_role("button", name="Take it off").click()
    await expect(page.get_by_text("Nothing on your list yet")).to_be_visible()


@with_and_without
async def test_the_wallet_tells_what_happened_and_prints_it(
    open_tab: OpenTab, life: Life, javascript: bool, width: int
) -> None:
    nora = await life.newcomer(9_000)
    await life.refuse(await life.burn(nora))
    tab = await open_tab(token=nora.token, javascript=javascript, width=width)
    page = tab.page
    await tab.go("/wallet")
    history = page.locator("#history .rows > li")
    await expect(history).to_have_count(3)
    await page.get_by_role("link", name="Came back").click()
    await expect(history).to_have_count(1)
    await expect(page).to_have_url(re.compile("topic=returned"))
    if javascript:
        await page.go_back()
        await expect(history).to_have_count(3)
    async with page.expect_download() as waiting:
        await page.get_by_role("button", name="Download PDF").click()
    saved = await (await waiting.value).path()
    assert saved.read_bytes().startswith(b"%PDF")
    await page.get_by_role("link", name="Which points go first?").click()
    await expect(page.get_by_role("table")).to_contain_text("9,000")


@with_and_without
async def test_preferences_change_language_and_colours(
    open_tab: OpenTab, life: Life, javascript: bool, width: int
) -> None:
    nora = await life.newcomer()
    tab = await open_tab(token=nora.token, javascript=javascript, width=width)
    page = tab.page
    await tab.go("/me")
    await page.get_by_label("Language of pages and e-mails").select_option("pl")
    await page.get_by_role("radio", name="Dark").check()
    await page.get_by_role("button", name="Save language and look").click()
    await expect(page.locator("html")).to_have_attribute("lang", "pl")
    await expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    await tab.go("/wallet")
    await expect(page.locator("html")).to_have_attribute("lang", "pl")


@with_and_without
async def test_the_guide_is_there_until_it_is_put_away(
    open_tab: OpenTab, life: Life, javascript: bool, width: int
) -> None:
    nora = await life.newcomer(new=True)
    tab = await open_tab(token=nora.token, javascript=javascript, width=width)
    page = tab.page
    await tab.go("/")
    await expect(page.locator("#guide")).to_be_visible()
    await page.get_by_role("button", name="Understood").click()
    await expect(page.locator("#guide")).to_have_count(0)
    await tab.go("/wallet")
    await expect(page.locator("#guide")).to_have_count(0)
