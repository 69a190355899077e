"""Every kind of page: accessible in both themes, fits a narrow window, has targets one can hit."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from marketplace.exchange.domain import FulfilmentState
from marketplace.identity.domain import Role
from tests.browser.conftest import OpenTab, Tab
from tests.browser.life import WAITS, Life
from tests.browser.looks import DESK, PHONE, THEMES, examine, misfits

pytestmark = pytest.mark.asyncio(loop_scope="session")


def none(wrong: list[str]) -> None:
    """Nothing is wrong."""
    assert not wrong, "\n".join(wrong)


async def sights(tab: Tab, places: dict[str, str], status: int = 200) -> list[str]:
    """What is wrong with the pages at these paths, by name."""
    wrong = []
    for name, path in places.items():
        answered = await tab.go(path)
        if answered != status:
            wrong.append(f"{name}: {path} answered {answered}")
        wrong += await examine(tab, name)
    return wrong


async def test_pages_of_strangers(open_tab: OpenTab) -> None:
    tab = await open_tab()
    places = {
        "sign-in": "/sign-in",
        "sign-in-link": "/sign-in?how=link",
        "catalog-stranger": "/catalog",
        "listing-stranger": "/catalog/buch",
        "style": "/_style",
        "offline": "/offline",
    }
    none(await sights(tab, places))
    none(await sights(tab, {"link-used": "/sign-in/link/ml_gone"}, 410))
    none(await sights(tab, {"error-404": "/nothing/here"}, 404))
    tab.forgive("status of 4")


async def test_pages_of_a_participant(open_tab: OpenTab, life: Life) -> None:
    nora = await life.newcomer(20_000, new=True)
    await life.give_points(nora, 700)
    tab = await open_tab(token=nora.token)
    none(await sights(tab, {"catalog-first-visit": "/catalog"}))
    await tab.page.get_by_role("button", name="Understood").click()
    await tab.go("/catalog/madeira")
    await tab.page.get_by_role("button", name="Put it on my wish list").click()
    await expect(tab.page.get_by_role("button", name="On my wish list", exact=True)).to_be_visible()
    places = {
        "catalog": "/catalog",
        "results": "/catalog?q=coffe&kind=gift&affordable=yes",
        "results-none": "/catalog?q=zzzzzz",
        "results-filtered-away": "/catalog?q=coffee&kind=seat",
        "listing": "/catalog/buch",
        "listing-short": "/catalog/madeira",
        "burn": f"/burn/{WAITS}?quantity=2",
        "burn-refused": "/burn/atlantico/madeira",
        "wallet": "/wallet",
        "wallet-none": "/wallet?topic=expired",
        "lots": "/wallet/lots",
        "rewards-none": "/rewards",
        "me": "/me",
        "guide": "/me/guide",
        "wishes": "/catalog/wishes",
    }
    none(await sights(tab, places))


async def test_pages_of_staff(open_tab: OpenTab, life: Life) -> None:
    nora = await life.newcomer(9_000)
    await life.deliver(await life.burn(nora))
    manager = await open_tab(role=Role.FIRM_MANAGER)
    none(await sights(manager, {"firm": "/firm"}))
    finance = await open_tab(role=Role.FINANCE)
    places = {
        "positions": "/settlement",
        "finance-windows": "/settlement/windows",
        "finance-settlements": "/settlement/settlements",
        "finance-bank": "/settlement/bank",
        "finance-reconcile": "/settlement/bank/reconcile",
        "finance-breaks": "/settlement/breaks",
        "finance-accounts": "/settlement/accounts",
        "finance-account": "/settlement/accounts/new?rail=sepa",
        "finance-daily": "/settlement/daily",
        "finance-disputes": "/settlement/disputes",
        "finance-liability": "/settlement/liability",
        "finance-stripe": "/stripe/overview",
    }
    none(await sights(finance, places))


async def test_pages_of_finance_with_figures(open_tab: OpenTab, life: Life) -> None:
    nora = await life.newcomer(9_000)
    await life.deliver(await life.burn(nora))
    tab = await open_tab(role=Role.FINANCE)

    async def first(path: str) -> str:
        found = tab.page.locator(f"main a[href^='{path}']").first
        return str(await found.get_attribute("href"))

    await tab.go("/settlement/liability")
    none(await sights(tab, {"finance-runoff": await first("/settlement/liability/")}))
    await tab.go("/settlement")
    window = await first("/settlement/windows/")
    await tab.go(f"{window}/close")
    await tab.page.get_by_role("button", name="Close it").click()
    none(await sights(tab, {"finance-window": window, "finance-lines": f"{window}/lines"}))
    none(await sights(tab, {"finance-trace": await first("/settlement/trace/")}))
    await tab.go("/settlement/windows")
    await tab.page.get_by_role("button", name="Net them").click()
    await tab.page.get_by_role("button", name="I have checked it").click()
    await expect(tab.page.get_by_text("You have checked it yourself.")).to_be_visible()
    none(await sights(tab, {"finance-settlement": await here(tab)}))
    none(await sights(tab, {"finance-home-with-tasks": "/settlement"}))


async def here(tab: Tab) -> str:
    """Path of the page that is open."""
    return str(await tab.page.evaluate("location.pathname"))


async def test_rewards_in_every_state(open_tab: OpenTab, life: Life) -> None:
    nora, piotr = await life.newcomer(90_000), await life.newcomer(9_000, name="Piotr")
    held, unknown, dead, ready, given, back = [await life.burn(nora) for _ in range(6)]
    received = await life.burn(piotr)
    await life.order(unknown, FulfilmentState.UNKNOWN)
    await life.order(dead, FulfilmentState.DEAD)
    for reward in (ready, given, received):
        await life.deliver(reward)
    await life.refuse(back)
    await life.give(given, nora, piotr)
    await life.give(received, piotr, nora)
    tab = await open_tab(token=nora.token)
    places = {
        "rewards-open": "/rewards?section=open",
        "rewards-ready": "/rewards?section=ready",
        "rewards-past": "/rewards?section=past",
        "reward-held": held,
        "reward-unknown": unknown,
        "reward-dead": dead,
        "reward-ready": ready,
        "reward-given": given,
        "reward-received": received,
        "reward-back": back,
        "gift": f"{ready}/gift?who=piotr",
        "notices": "/notices",
    }
    wrong = await sights(tab, places)
    await tab.go(ready)
    await tab.page.get_by_role("button", name="Show the code").click()
    await expect(tab.page.locator("#code-1")).to_be_visible()
    wrong += await examine(tab, "reward-shown")
    await tab.page.get_by_role("button", name="Print").click()
    await tab.page.wait_for_url("**/print")
    none(wrong + await examine(tab, "print"))


async def test_pages_that_refuse(open_tab: OpenTab, life: Life) -> None:
    tab = await open_tab(role=Role.FINANCE)
    none(await sights(tab, {"error-403": "/wallet"}, 403))
    await expect(tab.page.locator("summary", has_text="Your menu")).to_be_visible()
    nora = await life.newcomer(9_000)
    theirs = await open_tab(token=nora.token)
    none(await sights(theirs, {"reward-of-another": "/rewards/" + 36 * "0"}, 404))
    reward = await life.burn(nora)
    await life.deliver(reward)
    await life.spoil(reward)
    await theirs.go(reward)
    await theirs.page.get_by_role("button", name="Show the code").click()
    heading = theirs.page.get_by_role("heading", level=1)
    await expect(heading).to_have_text("Something went wrong on our side")
    none(await examine(theirs, "error-500"))
    tab.forgive("status of 403")
    theirs.forgive("status of 404")
    theirs.forgive("status of 500")


@pytest.mark.parametrize("language", ["en", "ru", "pl", "it"])
async def test_main_pages_fit_in_every_language(
    open_tab: OpenTab, life: Life, language: str
) -> None:
    nora, stranger = await life.newcomer(20_000), await open_tab(language=language)
    reward = await life.burn(nora)
    await life.deliver(reward)
    tab = await open_tab(token=nora.token, language=language)
    wrong = await pictures(stranger, f"sign-in-{language}", "/sign-in")
    for name, path in {
        "catalog": "/catalog",
        "listing": "/catalog/buch",
        "burn": f"/burn/{WAITS}",
        "reward": reward,
        "wallet": "/wallet",
        "me": "/me",
    }.items():
        wrong += await pictures(tab, f"{name}-{language}", path)
    none(wrong)


async def pictures(tab: Tab, name: str, path: str) -> list[str]:
    """Keep four pictures of a page; what sticks out on a phone."""
    await tab.page.set_viewport_size(DESK)  # type: ignore[arg-type]
    assert await tab.go(path) == 200
    for size in (DESK, PHONE):
        await tab.page.set_viewport_size(size)  # type: ignore[arg-type]
        for theme in THEMES:
            await tab.page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
            await tab.picture(f"{name}-{theme}-{size['width']}", whole=False)
    return [f"{name}: {each}" for each in await misfits(tab)]
