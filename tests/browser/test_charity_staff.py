"""Staff of charity in a browser: nothing axe minds, on a desk and a phone, light and dark."""

from __future__ import annotations

import pytest

from charity import campaigns, drafts, pictures
from charity.domain import Surplus
from marketplace.demo.pictures import draw
from marketplace.identity.domain import Role
from marketplace.web.pictures import encode
from tests.browser.conftest import OpenTab
from tests.browser.life import Life
from tests.browser.test_sights import none, sights
from tests.charity.conftest import RATE_MICROS

pytestmark = pytest.mark.asyncio(loop_scope="session")
STAFF = "/charity/staff"


async def write(life: Life) -> None:
    """The wells have a picture, and the next campaign is a draft."""
    new = campaigns.NewCampaign(
        slug="pumps",
        charity="aqua",
        currency="EUR",
        rate_micros=RATE_MICROS,
        goal_micros=100_000_000,
        surplus=Surplus.GENERAL_FUND,
        texts={"en": campaigns.Text(title="Pumps", story="Ten pumps.")},
    )
    encoded = encode(draw("wells", "donation"))
    async with life.runtime.database.begin() as session:
        await drafts.save(session, new, actor="test")
        wells = await campaigns.find(session, "wells", lock=True)
        await pictures.add(session, wells.id, encoded, {"en": "A drop of water"}, actor="test")


@pytest.mark.usefixtures("wells")
async def test_pages_of_charity_for_staff(life: Life, open_tab: OpenTab) -> None:
    await write(life)
    tab = await open_tab(role=Role.OPERATOR)
    places = {
        "charity-registry": STAFF,
        "charity-register": f"{STAFF}/register",
        "charity-charity": f"{STAFF}/charities/aqua",
        "charity-draft": f"{STAFF}/campaigns/pumps",
        "charity-draft-new": f"{STAFF}/campaigns/new?charity=aqua",
        "charity-campaign": f"{STAFF}/campaigns/wells",
        "charity-gifts": f"{STAFF}/gifts",
        "charity-causes-pictured": "/charity",
        "charity-cause-pictured": "/charity/c/wells",
    }
    none(await sights(tab, places))
    partner = await open_tab(role=Role.PARTNER)
    none(await sights(partner, {"charity-own": "/charity/partner"}))
    await tab.go(f"{STAFF}/campaigns/pumps")
    await tab.page.get_by_role("button", name="Start the campaign").click()
    await tab.page.get_by_label("Why").fill("The pumps are there.")
    await tab.page.get_by_role("button", name="Close the campaign").click()
    await tab.page.get_by_role("link", name="As people see it").click()
    await tab.check("charity-cause-closed")
