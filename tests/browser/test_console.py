"""The partner console in a browser: every page in both themes, a file with and without scripts."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import expect

from marketplace.exchange.domain import FulfilmentState
from marketplace.identity.domain import Role
from tests.browser.conftest import OpenTab, Tab
from tests.browser.life import Life
from tests.browser.looks import DESK, examine
from tests.browser.test_sights import none, pictures, sights

pytestmark = pytest.mark.asyncio(loop_scope="session")
ACCEPTOR = "atlantico"
HEADER = "reference,participant,points\n"


def order_of(reward: str) -> str:
    """The partner's page of what is a reward to the participant."""
    return reward.replace("/rewards/", "/partner/orders/")


async def send(tab: Tab, content: str, name: str) -> None:
    """Choose a file and send it."""
    await tab.go("/partner/issue/files")
    sent = {"name": name, "mimeType": "text/csv", "buffer": content.encode()}
    await tab.page.get_by_label("CSV file").set_input_files(sent)  # type: ignore[arg-type]
    await tab.page.get_by_role("button", name="Check the file").click()


async def test_pages_of_a_partner_who_is_paid(open_tab: OpenTab, life: Life) -> None:
    nora = await life.newcomer(60_000, name="Olga")
    held, dead, came, back = [await life.burn(nora) for _ in range(4)]
    await life.order(dead, FulfilmentState.DEAD)
    await life.deliver(came)
    await life.refuse(back)
    tab = await open_tab(role=Role.PARTNER, of=ACCEPTOR)
    places = {
        "console": "/partner",
        "orders": "/partner/orders",
        "orders-filtered": "/partner/orders?state=delivered&since=2025-01-01",
        "orders-none": "/partner/orders?q=zzzz",
        "order-waiting": order_of(held),
        "order-stuck": order_of(dead),
        "order-delivered": order_of(came),
        "order-returned": order_of(back),
        "order-refund": f"{order_of(came)}/refund",
        "issue-not-yours": "/partner/issue",
        "keys": "/partner/keys",
    }
    wrong = await sights(tab, places)
    page = tab.page
    await page.get_by_label("What is it for?").fill("Till")
    await page.get_by_label("Read orders").check()
    await page.get_by_role("button", name="Make the key").click()
    await expect(page.locator("#key")).to_have_text(re.compile(r"^mk_"))
    none(wrong)


async def test_pages_of_a_partner_who_issues(open_tab: OpenTab, life: Life) -> None:
    tim = await life.newcomer(name="Timur")
    tab = await open_tab(role=Role.PARTNER, of="alpha")
    reference = f"P-{tim.name.lower()}"
    wrong = await sights(
        tab,
        {
            "console-issuer": "/partner",
            "issue": "/partner/issue",
            "issue-found": f"/partner/issue?who={tim.name}",
            "issue-nobody": "/partner/issue?who=zzzz",
            "issue-files": "/partner/issue/files",
            "issue-history-none": "/partner/issue/history",
        },
    )
    page = tab.page
    await tab.go(f"/partner/issue?who={reference}")
    await page.get_by_role("link", name=tim.name).click()
    await page.get_by_label("Points").fill("1200")
    await page.get_by_label("Your reference").fill(f"INV-{tim.name}")
    wrong += await sights_here(tab, "issue-form")
    await page.get_by_role("button", name="See what it costs").click()
    await expect(page.get_by_text("It costs you")).to_be_visible()
    wrong += await sights_here(tab, "issue-confirm")
    await page.get_by_role("button", name="Issue 1,200 points").click()
    await expect(page.get_by_role("status").first).to_have_text(f"1,200 points for {tim.name}.")
    # With scripts the page follows the work by itself.
    lines = "".join(f"S-{tim.name}-{at},{reference},{at + 1}\n" for at in range(40))
    await send(tab, HEADER + lines + "S-X,nobody,5\nS-Y,nobody,many\n", "bad.csv")
    await expect(page.get_by_text("2 things are wrong, so nothing was issued")).to_be_visible()
    wrong += await sights_here(tab, "file-bad")
    await send(tab, HEADER + lines, "good.csv")
    await page.get_by_role("button", name="Issue 820 points").click()
    await expect(page.get_by_text("Every line of the file is issued.")).to_be_visible()
    wrong += await sights_here(tab, "file-done")
    wrong += await sights(tab, {"issue-history": "/partner/issue/history"})
    none(wrong)


async def sights_here(tab: Tab, name: str) -> list[str]:
    """What is wrong with the page as it is; the window is then as wide as before."""
    wrong = await examine(tab, name)
    await tab.page.set_viewport_size(DESK)  # type: ignore[arg-type]
    return wrong


async def test_a_file_is_issued_on_a_phone_without_scripts(open_tab: OpenTab, life: Life) -> None:
    una = await life.newcomer(name="Una")
    tab = await open_tab(role=Role.PARTNER, of="alpha", width=360, javascript=False)
    await send(tab, f"{HEADER}N-{una.name},P-{una.name.lower()},77\n", "phone.csv")
    issue = tab.page.get_by_role("button", name="Issue 77 points")
    await issue.click()  # there once the page has loaded itself again
    await expect(tab.page.get_by_text("Every line of the file is issued.")).to_be_visible()


async def test_an_operator_chooses_the_member(open_tab: OpenTab) -> None:
    tab = await open_tab(role=Role.OPERATOR, width=360, theme="dark")
    none(await sights(tab, {"console-members": "/partner/members"}))
    await tab.go("/partner/orders")
    await tab.page.get_by_role("link", name="Alpha", exact=True).click()
    await tab.page.get_by_label("Member", exact=True).select_option("tickets")
    await tab.page.get_by_role("button", name="Go", exact=True).click()
    await tab.page.wait_for_url("**/partner/orders?member=tickets")
    await expect(tab.page.locator(".console__name")).to_contain_text("Tickets")


@pytest.mark.parametrize("language", ["en", "ru", "pl", "it"])
async def test_the_console_fits_in_every_language(
    open_tab: OpenTab, life: Life, language: str
) -> None:
    vera = await life.newcomer(20_000, name="Vera")
    came = await life.burn(vera)
    await life.deliver(came)
    paid = await open_tab(role=Role.PARTNER, of=ACCEPTOR, language=language)
    issuer = await open_tab(role=Role.PARTNER, of="alpha", language=language)
    wrong: list[str] = []
    for name, path in {
        "console": "/partner",
        "orders": "/partner/orders",
        "order": order_of(came),
        "refund": f"{order_of(came)}/refund",
        "keys": "/partner/keys",
        "own-money": "/settlement/partner",
        "own-statements": "/settlement/partner/statements",
    }.items():
        wrong += await pictures(paid, f"{name}-{language}", path)
    for name, path in {
        "issue": "/partner/issue?who=ann",
        "issue-form": f"/partner/issue?wallet={life.coalition.wallets['ann']}",
        "files": "/partner/issue/files",
    }.items():
        wrong += await pictures(issuer, f"{name}-{language}", path)
    none(wrong)
