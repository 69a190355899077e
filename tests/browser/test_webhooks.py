"""Webhooks in the partner console: from a first endpoint to a replay, in a real browser."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.async_api import expect

from marketplace.identity.domain import Role
from tests.browser.conftest import OpenTab, Tab
from tests.browser.looks import DESK, examine
from tests.browser.test_sights import none, pictures, sights
from tests.webhooks.receiver import Receiver, failing, ok

pytestmark = pytest.mark.asyncio(loop_scope="session")
HOME = "/partner/webhooks"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """The member's server."""
    made = Receiver()
    yield made
    made.close()


async def here(tab: Tab, name: str) -> list[str]:
    """What is wrong with the page as it is; the window is then as wide as before."""
    wrong = await examine(tab, name)
    await tab.page.set_viewport_size(DESK)  # type: ignore[arg-type]
    return wrong


async def make_endpoint(tab: Tab, receiver: Receiver, description: str) -> str:
    """Through the form; returns the secret. The page of the secret is shown."""
    await tab.go(f"{HOME}/new")
    await tab.page.get_by_label("Address").fill(receiver.url)
    await tab.page.get_by_label("What it is for").fill(description)
    await tab.page.get_by_role("button", name="Save").click()
    await expect(tab.page.locator("#secret")).to_have_text(re.compile(r"^whsec_"))
    return await tab.page.locator("#secret").inner_text()


async def test_pages_of_webhooks_from_the_first_endpoint_to_a_replay(
    open_tab: OpenTab, receiver: Receiver
) -> None:
    """The background process delivers meanwhile; the member's server fails first."""
    tab = await open_tab(role=Role.PARTNER, of="beta")
    page = tab.page
    wrong = await sights(tab, {"webhooks-none": HOME, "webhook-new": f"{HOME}/new"})
    await page.get_by_label("Address").fill("https://10.0.0.1/")
    await page.get_by_role("button", name="Save").click()
    await expect(
        page.get_by_text("network that this marketplace does not call").first
    ).to_be_visible()
    wrong += await here(tab, "webhook-refused")
    tab.forgive("status of 422")
    secret = await make_endpoint(tab, receiver, "Warehouse")
    wrong += await here(tab, "webhook-secret")
    await page.get_by_role("link", name="I have copied it").click()
    receiver.answer = failing(500)
    await page.get_by_role("button", name="Send a test").click()
    await asyncio.to_thread(receiver.wait_for_call)
    assert receiver.heard[0].is_signed_by(secret)
    address = urlsplit(page.url).path
    # The call is written down a moment after it was answered.
    for _ in range(100):
        await tab.go(address)
        if await page.get_by_text("It has been failing since").count():
            break
    wrong += await here(tab, "webhook-failing")
    await page.get_by_role("link", name="webhook.test").click()
    wrong += await here(tab, "webhook-message")
    await tab.go(address)
    await page.get_by_role("button", name="Stop calling it").click()
    wrong += await here(tab, "webhook-stopped")
    await page.get_by_role("button", name="Activate").click()
    receiver.answer = ok
    await page.get_by_role("button", name="Deliver 1 failed again").click()
    await asyncio.to_thread(receiver.wait_for_call)
    assert receiver.heard[0].id == receiver.heard[1].id
    wrong += await sights(tab, {"webhooks": HOME})
    none(wrong)


async def test_an_endpoint_is_made_and_removed_on_a_phone_without_scripts(
    open_tab: OpenTab, receiver: Receiver
) -> None:
    tab = await open_tab(role=Role.PARTNER, of="tickets", width=360, javascript=False)
    page = tab.page
    await make_endpoint(tab, receiver, "Phone")
    await page.get_by_role("link", name="I have copied it").click()
    await page.get_by_role("link", name="Change", exact=True).click()
    await page.get_by_label("What it is for").fill("Till")
    for box in await page.get_by_role("checkbox").all():
        await box.uncheck()
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_text("Choose one event at least.").first).to_be_visible()
    tab.forgive("status of 422")
    await page.get_by_role("checkbox").first.check()
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("heading", name="Till")).to_be_visible()
    await page.get_by_role("button", name="Make a new secret").click()
    await expect(page.get_by_text("The secret before signs too")).to_be_visible()
    await page.get_by_role("link", name="I have copied it").click()
    await page.get_by_text("Remove this endpoint").click()
    await page.get_by_role("button", name="Remove").click()
    await expect(page.get_by_text("No endpoints yet")).to_be_visible()


@pytest.mark.parametrize("language", ["ru", "pl", "it"])
async def test_webhooks_fit_in_every_language(
    open_tab: OpenTab, receiver: Receiver, language: str
) -> None:
    english = await open_tab(role=Role.PARTNER, of="shop")
    await make_endpoint(english, receiver, "Warehouse")
    address = await english.page.get_by_role("link", name="I have copied it").get_attribute("href")
    tab = await open_tab(role=Role.PARTNER, of="shop", language=language)
    wrong: list[str] = []
    for name, path in {"webhooks": HOME, "webhook": str(address), "new": f"{HOME}/new"}.items():
        wrong += await pictures(tab, f"{name}-{language}", path)
    none(wrong)
