"""The till: a cashier of another partner takes a voucher on a phone, with scripts and without."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from uuid import uuid4

import pytest
from marketplace_vouchers import series
from marketplace_vouchers.domain import AcceptedBy, Use
from marketplace_vouchers.schemas import NewSeries
from marketplace_vouchers.supplier import Vouchers
from playwright.async_api import expect

from marketplace.api import Fulfilled
from marketplace.host import PluginHost
from marketplace.identity.domain import Role
from marketplace.testing import SupplierConformance
from tests.browser.conftest import OpenTab, Tab
from tests.browser.life import Life
from tests.browser.looks import examine

pytestmark = pytest.mark.asyncio(loop_scope="session")

# A camera and a browser that reads QR codes lie outside this machine.
CAMERA = """code => {
  window.BarcodeDetector = class {
    static async getSupportedFormats() { return ['qr_code']; }
    async detect() { return [{rawValue: code}]; }
  };
  navigator.mediaDevices.getUserMedia = async () => {
    const canvas = document.createElement('canvas');
    canvas.getContext('2d').fillRect(0, 0, 9, 9);
    return canvas.captureStream(5);
  };
}"""


@pytest.fixture
def sell(life: Life) -> Callable[..., str]:
    """`sell(use=...)`: a new voucher of the shop, worth EUR 50; its code."""

    def issue(use: Use = Use.STORED) -> str:
        host = PluginHost("vouchers", lambda: life.runtime.database, lambda: life.runtime.vault)
        sku = f"till-{uuid4()}"
        new = NewSeries(
            sku=sku,
            name="Thermal day for two in Chaves",
            value_micros=50_000_000,
            currency="EUR",
            use=use,
            valid_days=365,
            accepted_by=AcceptedBy.COALITION,
        )
        series.make(host, life.coalition.members["shop"], new, actor="cli:test")
        (answer,) = Vouchers(host).fulfil([SupplierConformance.order(sku)])
        assert isinstance(answer, Fulfilled)
        return answer.artefacts[0].secret

    return issue


async def enter(tab: Tab, code: str) -> None:
    """Type a code and send it."""
    await tab.page.get_by_label("Code of the voucher").fill(code)
    await tab.page.get_by_role("button", name="Check the voucher").click()


@pytest.mark.parametrize("javascript", [True, False])
async def test_a_cashier_takes_a_part_undoes_it_and_takes_all(
    open_tab: OpenTab, sell: Callable[..., str], javascript: bool
) -> None:
    code = await asyncio.to_thread(sell)
    tab = await open_tab(role=Role.PARTNER, of="tickets", width=390, javascript=javascript)
    await tab.go("/")
    await tab.page.get_by_role("link", name="Till", exact=True).click()
    await enter(tab, code.lower().replace("-", " "))
    heading = tab.page.get_by_role("heading", level=1)
    await expect(heading).to_have_text("Thermal day for two in Chaves")
    assert code not in tab.page.url
    amount = tab.page.get_by_label("Amount in EUR")
    part = tab.page.get_by_role("button", name="Redeem this amount")
    for wrong, words in (("lots", "Enter an amount"), ("50.01", "Less than that is left")):
        await amount.fill(wrong)
        await part.click()
        await expect(tab.page.locator("#amount-error")).to_contain_text(words)
        await expect(amount).to_have_value(wrong)
    await amount.fill("12,50")
    await part.click()
    await expect(heading).to_contain_text("Receipt")
    await expect(tab.page.locator("main")).to_contain_text("€37.50 left right after")
    await expect(tab.page.locator("main")).to_contain_text("Shop owes Tickets this amount")
    await tab.page.get_by_role("button", name="Undo this").click()
    await expect(tab.page.locator("main")).to_contain_text("Undone: the value is back.")
    await expect(tab.page.get_by_role("button", name="Undo this")).to_have_count(0)
    await tab.page.get_by_role("link", name="Next voucher").click()
    await expect(tab.page.locator(".till__recent")).to_contain_text("undone")
    await enter(tab, code)
    await tab.page.get_by_role("button", name="Redeem all: €50.00").click()
    await expect(tab.page.locator("main")).to_contain_text("€0.00 left right after")
    await tab.page.get_by_role("link", name="Next voucher").click()
    await enter(tab, code)
    await expect(tab.page.get_by_role("alert")).to_contain_text("Nothing is left on the voucher")
    tab.forgive("status of 4")


async def test_two_tills_and_a_form_that_is_sent_twice(
    open_tab: OpenTab, sell: Callable[..., str]
) -> None:
    code = await asyncio.to_thread(sell)
    one = await open_tab(role=Role.PARTNER, of="tickets", width=360, javascript=False)
    two = await open_tab(role=Role.PARTNER, of="shop", width=360)
    for tab in (one, two):
        await tab.go("/vouchers/till")
        await enter(tab, code)
    await expect(two.page.get_by_role("alert")).to_contain_text("Another till is using")
    kept = one.page.url
    await one.page.get_by_label("Amount in EUR").fill("10")
    await one.page.get_by_role("button", name="Redeem this amount").click()
    receipt = one.page.url
    twice = await one.page.request.post(
        kept, form={"amount": "10", "how": "part"}, headers={"Origin": one.address}
    )
    assert (twice.status, twice.url) == (200, receipt)
    await one.page.goto(kept)
    await expect(one.page.locator("main")).to_contain_text("The time for this voucher is over")
    await enter(two, code)
    await two.page.get_by_role("button", name="Do not redeem").click()
    await enter(one, code)
    await expect(one.page.locator("main")).to_contain_text("€40.00")
    two.forgive("status of 409")


async def test_the_camera_reads_the_code(open_tab: OpenTab, sell: Callable[..., str]) -> None:
    code = await asyncio.to_thread(sell, Use.SINGLE)
    tab = await open_tab(role=Role.PARTNER, width=390)
    await tab.page.add_init_script(f"({CAMERA})('{code}')")
    await tab.go("/vouchers/till")
    await tab.page.get_by_role("button", name="Scan with the camera").click()
    await expect(tab.page.get_by_role("button", name="Redeem: €50.00")).to_be_visible()


async def test_where_nothing_reads_codes_no_camera_is_offered(open_tab: OpenTab) -> None:
    tab = await open_tab(role=Role.PARTNER, width=390)
    await tab.go("/vouchers/till")
    await expect(tab.page.get_by_role("button", name="Scan with the camera")).to_have_count(0)


async def test_what_the_till_looks_like(open_tab: OpenTab, sell: Callable[..., str]) -> None:
    tab = await open_tab(role=Role.PARTNER, of="tickets")
    await tab.go("/vouchers/till")
    wrong = await examine(tab, "till")
    await enter(tab, "K7QX")
    await expect(tab.page.get_by_role("alert")).to_contain_text("check each character")
    wrong += await examine(tab, "till-mistyped")
    await enter(tab, await asyncio.to_thread(sell))
    wrong += await examine(tab, "till-voucher")
    await tab.page.get_by_label("Amount in EUR").fill("20")
    await tab.page.get_by_role("button", name="Redeem this amount").click()
    wrong += await examine(tab, "till-receipt")
    assert not wrong, "\n".join(wrong)
    tab.forgive("status of 422")


@pytest.mark.parametrize("language", ["ru", "pl", "it"])
async def test_the_till_fits_in_every_language(
    open_tab: OpenTab, sell: Callable[..., str], language: str
) -> None:
    code = await asyncio.to_thread(sell)
    tab = await open_tab(role=Role.PARTNER, of="tickets", width=320, language=language)
    await tab.go("/vouchers/till")
    await tab.picture(f"till-{language}-320")
    await tab.page.locator("#code").fill(code)
    await tab.page.locator("main form button[type=submit]").first.click()
    await tab.page.wait_for_url("**/till/*-*")
    await tab.picture(f"till-voucher-{language}-320")
    await tab.page.locator("button[value=all]").click()
    await tab.page.wait_for_url("**/receipts/*")
    await tab.picture(f"till-receipt-{language}-320")
    assert await tab.axe() == []
