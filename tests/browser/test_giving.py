"""Giving in a browser: a cause, the second tap, one's gifts; nothing axe minds, on a phone too."""

from __future__ import annotations

from datetime import timedelta

import pytest
from playwright.async_api import expect

from charity import rescuing
from marketplace.clock import now
from marketplace.identity.domain import Role
from marketplace.ids import uuid7
from marketplace.ledger.models import Wallet
from tests.browser.conftest import OpenTab
from tests.browser.life import Life

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.usefixtures("wells")
async def test_giving_to_a_cause(life: Life, open_tab: OpenTab) -> None:
    giver = await life.newcomer(5_000, name="Greta")
    tab = await open_tab(token=giver.token, width=360, theme="dark")
    await tab.go("/charity")
    await tab.check("charity-causes")
    await tab.page.get_by_role("link", name="Ten wells").click()
    await tab.check("charity-cause")
    await tab.page.get_by_role("link", name="Give points").click()
    await tab.page.get_by_label("How many points?").fill("700")
    await tab.page.get_by_role("button", name="Reckon").click()
    await expect(tab.page.get_by_text("4,300")).to_be_visible()
    await tab.check("charity-give")
    await tab.page.get_by_role("button", name="Give", exact=True).click()
    await expect(tab.page.get_by_role("heading", name="My giving")).to_be_visible()
    await tab.check("charity-mine")
    wide = await open_tab(token=giver.token, width=1280, language="pl")
    await wide.go("/charity/c/wells")
    await wide.check("charity-cause-wide")
    await soon_lost(life, giver.name)
    await tab.go("/wallet")
    await tab.page.get_by_role("link", name="Have them given before they expire").click()
    await tab.page.get_by_role("button", name="Give what would expire").click()
    await expect(tab.page.get_by_text("You hear of it 7 days before.")).to_be_visible()
    assert (await rescuing.run(life.runtime.database, {}, lambda count: None)).announced == 1
    await tab.go("/charity/expiring")
    await expect(tab.page.get_by_text("announced", exact=True)).to_be_visible()
    await tab.check("charity-expiring")
    await wide.go("/charity/expiring")
    await wide.check("charity-expiring-wide")
    await tab.page.get_by_role("button", name="Stop").click()
    await expect(tab.page.get_by_role("heading", name="What you asked for")).to_have_count(0)


async def soon_lost(life: Life, who: str) -> None:
    """Somebody gets points that expire in a week."""
    async with life.runtime.database.begin() as session:
        expires_at = await now(session) + timedelta(days=7)
    await life.coalition.issue(who.lower(), 240, expires_at=expires_at)


@pytest.mark.usefixtures("wells")
async def test_a_manager_matches_gifts_from_the_pool_and_ends_it(
    life: Life, open_tab: OpenTab
) -> None:
    tab = await open_tab(role=Role.FIRM_MANAGER, width=1280)
    wallet_id = uuid7()
    pool = Wallet(
        id=wallet_id,
        firm_id=life.coalition.firms["acme"],
        sponsor_id=life.coalition.members["alpha"],
    )
    if "acme" not in life.coalition.wallets:
        life.coalition.wallets["acme"] = wallet_id
        await life.coalition._add(pool)
    await life.coalition.issue("acme", 1_000)
    await tab.go("/charity/mine")
    await tab.page.get_by_role("link", name="Matches of the firm").click()
    await expect(tab.page.get_by_text("No matches yet")).to_be_visible()
    await tab.page.get_by_label("Cap, in points").fill("many")
    await tab.page.get_by_role("button", name="Promise").click()
    await expect(tab.page.get_by_text("A whole number of points above zero.")).to_be_visible()
    await tab.page.get_by_label("Cap, in points").fill("1 000 000")
    await tab.page.get_by_role("button", name="Promise").click()
    await expect(tab.page.get_by_text("There are not enough points")).to_be_visible()
    await tab.page.get_by_label("Cap, in points").fill("400")
    await tab.page.get_by_role("button", name="Promise").click()
    await expect(tab.page.get_by_text("0 of 400 points, 400 left")).to_be_visible()
    await expect(tab.page.get_by_text("of 1,000,000 points")).to_have_count(0)
    await tab.check("charity-firm-matches")
    phone = await open_tab(role=Role.FIRM_MANAGER, width=390, theme="dark")
    await phone.go("/charity/firm/matches")
    await phone.check("charity-firm-matches-phone")
    await tab.page.get_by_role("button", name="End it").first.click()
    await expect(tab.page.get_by_text("What it has not added comes back")).to_be_visible()
    await expect(tab.page.get_by_text("ended on").first).to_be_visible()
    tab.forgive("status of 422")
    tab.forgive("status of 409")
