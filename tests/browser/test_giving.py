"""Giving in a browser: a cause, the second tap, one's gifts; nothing axe minds, on a phone too."""

from __future__ import annotations

from datetime import timedelta

import pytest
from playwright.async_api import expect

from charity import rescuing
from marketplace.clock import now
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
    await tab.go("/charity/mine")
    await tab.page.get_by_role("link", name="Points that would expire").click()
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
