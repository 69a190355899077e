"""The main way without a mouse: every stop is seen, in order, and none holds the reader fast."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import OpenTab
from tests.browser.life import CODE, WAITS, Life

pytestmark = pytest.mark.asyncio(loop_scope="session")
MOST_STOPS = 150
STOP = """() => {
  const each = document.activeElement;
  if (!each || each === document.body) return null;
  const ring = style => style.outlineStyle !== 'none' || style.boxShadow !== 'none';
  const shown = node => node
    && (ring(getComputedStyle(node)) || ring(getComputedStyle(node, '::after')));
  const box = (each.closest('label') ?? each).getBoundingClientRect();
  const named = each.labels?.length ? [...each.labels] : [each];
  return {
    name: each.getAttribute('aria-label')
      ?? named.map(node => node.textContent).join(' ').replace(/\\s+/g, ' ').trim(),
    html: each.outerHTML.slice(0, 160),
    // The parts of a date have rings of the browser's own.
    seen: shown(each) || shown(each.closest('label')) || each.matches('[type=date]'),
    inside: box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth,
  };
}"""
FOCUSABLE = """() => [...document.querySelectorAll(
  'a[href], button, input:not([type=hidden]), select, summary, textarea')]
  .filter(each => each.checkVisibility({visibilityProperty: true}) && !each.disabled
    && each.tabIndex >= 0 && !(each.type === 'radio' && !each.checked)).length"""


async def next_stop(page: Page) -> dict[str, Any] | None:
    """Press Tab; where one is then, None after the last stop."""
    await page.keyboard.press("Tab")
    stop: dict[str, Any] | None = await page.evaluate(STOP)
    if stop is not None:
        assert stop["seen"], f"nobody sees that this has the focus: {stop['html']}"
        assert stop["inside"], f"the focus is outside of the window: {stop['html']}"
    return stop


async def tab_to(page: Page, name: str) -> None:
    """Press Tab until what has the focus says this."""
    met = []
    for _ in range(MOST_STOPS):
        stop = await next_stop(page)
        if stop is not None:
            met.append(stop["name"])
            if stop["name"] == name:
                return
    raise AssertionError(f"no way to {name!r} over {met}")


async def test_a_reward_without_a_mouse(open_tab: OpenTab, life: Life) -> None:
    nora = await life.newcomer(10_000)
    tab = await open_tab(token=nora.token)
    page = tab.page
    await tab.go("/catalog")
    await tab_to(page, "Search rewards")
    await page.keyboard.type("brunch")
    await expect(page.locator("#found .offer")).to_have_count(1)
    await tab_to(page, "Sunday brunch for two")
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(re.compile("/catalog/brunch$"))
    await tab_to(page, "Burn points for it")
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(re.compile(f"/burn/{WAITS}"))
    await tab_to(page, "Burn 8,250 points")
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(re.compile("/rewards/"))
    await life.deliver(page.url.removeprefix(tab.address))
    await expect(page.get_by_role("button", name="Show the code")).to_be_visible()
    await tab_to(page, "Show the code")
    await page.keyboard.press("Enter")
    await expect(page.locator("#code-1")).to_have_text(CODE)


@pytest.mark.parametrize("path", ["/catalog/buch", f"/burn/{WAITS}", "/wallet", "/me"])
async def test_every_stop_is_reached_once_and_left_again(
    open_tab: OpenTab, life: Life, path: str
) -> None:
    nora = await life.newcomer(10_000)
    tab = await open_tab(token=nora.token)
    await tab.go(path)
    stops: list[str] = []
    while len(stops) < MOST_STOPS and (stop := await next_stop(tab.page)) is not None:
        stops.append(stop["html"])
    assert 5 < len(stops) < MOST_STOPS
    # A field for a date has a stop for each of its parts.
    assert len(set(stops)) >= await tab.page.evaluate(FOCUSABLE) - 3, stops
