"""A member's months in the browser: paid, netted, closed and disputed, open; and what it proves."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.async_api import expect

from marketplace.identity.domain import Role
from settlement.clearing.domain import LegStatus
from tests.browser.conftest import OpenTab, Tab
from tests.browser.life import Life, Somebody
from tests.browser.test_sights import none, sights
from tests.settlement.clearing.house import House
from tests.settlement.closing import catch_up

pytestmark = pytest.mark.asyncio(loop_scope="session")
ACCEPTOR = "atlantico"
OWN = "/settlement/partner"
FORMS = ("PDF", "CSV", "JSON")


async def month(life: Life, house: House, who: Somebody) -> str:
    """A reward is delivered, and the window is closed; its address in the console."""
    await life.deliver(await life.burn(who))
    return f"{OWN}/windows/{await house.close_window()}"


async def download(tab: Tab, label: str, folder: Path) -> Path:
    """The file behind a link of the page."""
    async with tab.page.expect_download() as waiting:
        await tab.page.get_by_role("link", name=label).first.click()
    file = await waiting.value
    path = folder / file.suggested_filename
    await file.save_as(path)
    return path


def prove(file: Path) -> str:
    """What the verifier says, run as the member runs it: with nothing but the file."""
    command = [sys.executable, "-m", "settlement.statements.verify", str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


async def test_a_member_proves_and_disputes_and_sees_the_adjustment(
    open_tab: OpenTab, life: Life, tmp_path: Path
) -> None:
    nora = await life.newcomer(60_000, name="Sophia")
    house = House(life.coalition)
    paid = await month(life, house, nora)
    made = await house.approved()
    await house.submit(made, without_account=True)
    for leg in (await house.legs(made)).values():
        if leg.status is not LegStatus.BOOKED:
            await house.book(leg)
    netted = await month(life, house, nora)
    await house.approved()
    closed = await month(life, house, nora)
    tab = await open_tab(role=Role.PARTNER, of=ACCEPTOR)
    page = tab.page

    await tab.go(closed)
    files = {form: await download(tab, f"{form} Of this window", tmp_path) for form in FORMS}
    assert files["PDF"].read_bytes().startswith(b"%PDF")
    assert files["CSV"].read_bytes().startswith(b"\xef\xbb\xbfline,")
    assert "right" in await asyncio.to_thread(prove, files["JSON"])

    wrong = await sights(tab, {"own-window": closed})
    await page.get_by_label("It is wrong").first.check()
    await page.get_by_label("What is wrong with the lines").fill("The brunch was for four.")
    await page.get_by_role("button", name="Dispute them").click()
    await expect(page.get_by_text("Only these lines wait")).to_be_visible()
    dispute = re.sub(r"^https?://[^/]+", "", page.url)
    wrong += await sights(tab, {"own-dispute": dispute, "own-disputes": f"{OWN}/disputes"})

    finance = await open_tab(role=Role.FINANCE)
    await finance.go(dispute.replace("/partner", ""))
    await finance.page.get_by_label("Uphold it").check()
    await finance.page.get_by_label("Why").fill("It was.")
    await finance.page.get_by_role("button", name="Decide").click()
    await expect(finance.page.get_by_text("Adjustments are in the window")).to_be_visible()
    await life.deliver(await life.burn(nora))
    await catch_up(life.runtime.database)
    wrong += await sights(tab, {"own-dispute-upheld": dispute})
    await page.get_by_role("link", name="The window they are in").click()
    await expect(page.get_by_text("Adjustment after a dispute").first).to_be_visible()
    await page.get_by_role("link", name="Trace it").first.click()
    places = {
        "own-line": re.sub(r"^https?://[^/]+", "", page.url),
        "own-overview": OWN,
        "own-window-paid": paid,
        "own-window-netted": netted,
        "own-statements": f"{OWN}/statements",
        "own-accounts": f"{OWN}/accounts",
        "own-account": f"{OWN}/accounts/new?rail=sepa",
        "own-cap": f"{OWN}/cap",
    }
    none(wrong + await sights(tab, places))
