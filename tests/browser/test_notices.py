"""Notices as people read them: with and without scripts, on a phone and on a desk."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from marketplace.identity.domain import Role
from marketplace.ids import uuid7
from marketplace.notices.addresses import StopMails, unsubscribe_token
from marketplace.notices.domain import Category
from marketplace.notices.service import notify
from marketplace.runtime import open_runtime
from tests.browser.conftest import OpenTab, Shop, Tab
from tests.factories import make_person

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def tell_bob(shop: Shop, sender: str = "Ann") -> None:
    """Tell everybody who signs in as bob of two gifts and a wish."""
    bob = shop.coalition.participants["bob"]
    occasion = str(uuid7())
    wish = {"title": "Noise-cancelling headphones", "points": 12_000, "path": "/catalog"}
    async with open_runtime(shop.settings) as runtime, runtime.database.begin() as session:
        for number, offer in enumerate(("A cinema evening for two", "Mug")):
            await notify(
                session,
                kind="gift_received",
                once_key=f"{occasion}:{number}",
                context={"sender": sender, "offer": offer, "path": "/wallet"},
                participant_id=bob,
            )
        await notify(
            session,
            kind="wish_affordable",
            once_key=occasion,
            context=wish,
            participant_id=bob,
        )


async def inbox(open_tab: OpenTab, shop: Shop, **more: Any) -> Tab:
    tab = await open_tab(role=Role.PARTICIPANT, of="bob", **more)
    await tell_bob(shop)
    assert await tab.go("/notices") == 200
    return tab


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_the_inbox_is_accessible_and_fits(
    open_tab: OpenTab, shop: Shop, theme: str, width: int
) -> None:
    tab = await inbox(open_tab, shop, theme=theme, width=width)
    await tab.page.get_by_text("3 unread notices").wait_for()
    await tab.check(f"notices-{theme}-{width}")


async def test_one_is_marked_as_read_in_place(open_tab: OpenTab, shop: Shop) -> None:
    tab = await inbox(open_tab, shop)
    await tab.page.get_by_role("button", name="Mark as read").first.click()
    await tab.page.get_by_role("button", name="Mark as read").nth(2).wait_for(state="detached")
    assert await tab.page.get_by_role("button", name="Mark as read").count() == 2
    await tab.go("/notices")
    await tab.page.get_by_text("2 unread notices").wait_for()


@pytest.mark.parametrize("javascript", [True, False])
async def test_a_notice_leads_on_and_all_can_be_marked(
    open_tab: OpenTab, shop: Shop, javascript: bool
) -> None:
    tab = await inbox(open_tab, shop, javascript=javascript)
    await tab.page.get_by_role("button", name="Open your gift").first.click()
    await tab.page.wait_for_url("**/wallet")
    await tab.go("/notices")
    await tab.page.get_by_text("2 unread notices").wait_for()
    await tab.page.get_by_role("button", name="Mark all as read").click()
    await tab.page.get_by_text("You have read everything.").wait_for()


async def test_an_empty_inbox_says_so(open_tab: OpenTab, shop: Shop) -> None:
    tab = await open_tab(role=Role.FINANCE)
    await tab.go("/notices")
    await tab.check("notices-empty")


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_mails_are_ended_signed_out_on_a_page(
    open_tab: OpenTab, shop: Shop, theme: str
) -> None:
    async with open_runtime(shop.settings) as runtime:
        person = await make_person(replace(shop.coalition, runtime=runtime), Role.PARTICIPANT)
        token = unsubscribe_token(runtime.vault, StopMails(person.id, Category.GIFTS))
    tab = await open_tab(theme=theme, width=360)
    await tab.go(f"/unsubscribe/{token}")
    await tab.check(f"unsubscribe-{theme}")
    await tab.page.get_by_role("button", name="No more of these").click()
    await tab.page.get_by_role("heading", name="Done").wait_for()
    await tab.check(f"unsubscribed-{theme}")


@pytest.mark.parametrize("width", [360, 1280])
async def test_what_one_hears_is_chosen_on_ones_own_page(
    open_tab: OpenTab, shop: Shop, width: int
) -> None:
    tab = await open_tab(role=Role.PARTICIPANT, of="bob", width=width)
    await tab.go("/me")
    group = tab.page.get_by_role("group", name="Gifts")
    await group.get_by_label("By e-mail").select_option("weekly")
    await tab.page.get_by_role("button", name="Save what you hear from us").click()
    await tab.page.get_by_role("status").first.wait_for()
    assert await group.get_by_label("By e-mail").input_value() == "weekly"
    await tab.check(f"notices-preferences-{width}")
