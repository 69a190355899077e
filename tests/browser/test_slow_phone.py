"""What makes pages open soon on a slow phone, whatever the machine: no figure here is a time.

`bench/phone.py` measures times; docs/operations/performance.md has them.
"""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import Route

from tests.browser.conftest import OpenTab
from tests.browser.life import WAITS, Life

pytestmark = pytest.mark.asyncio(loop_scope="session")
BLOCKING = """() => performance.getEntriesByType('resource')
  .filter(each => each.renderBlockingStatus === 'blocking').map(each => each.name)"""
WITHOUT_SIZE = """() => [...document.images]
  .filter(each => !(each.getAttribute('width') > 0 && each.getAttribute('height') > 0))
  .map(each => each.outerHTML)"""
OBSERVE = """window.moves = [];
window.observer = new PerformanceObserver(list => window.moves.push(...list.getEntries()));
window.observer.observe({type: 'layout-shift', buffered: true});"""
SETTLED = """async () => {
  await Promise.all([...document.fonts].map(each => each.status === 'loading' && each.loaded));
  const drawn = () => new Promise(requestAnimationFrame);
  await drawn(); await drawn(); await drawn();
  return performance.now();
}"""
"""Draws the page with its own letters, which replace the stand-in's; the page's time then."""
MOVED_SINCE = """since => [...window.moves, ...window.observer.takeRecords()]
  .filter(each => each.startTime > since)
  .map(each => each.sources.map(source => source.node?.outerHTML?.slice(0, 120)))"""
WIDTHS = """async () => {
  const line = document.createElement('span');
  line.textContent = document.querySelector('main').textContent.replace(/\\s+/g, ' ');
  line.style.cssText = 'position: absolute; white-space: nowrap';
  document.body.append(line);
  const widths = {};
  for (const face of document.fonts) {
    const there = await face.load().then(() => true, () => false);
    if (!there) continue;
    line.style.fontFamily = face.family;
    widths[face.family.replaceAll('"', '')] = line.getBoundingClientRect().width;
  }
  return widths;
}"""
"""Family -> how wide the words of the page are in it, where this machine has it."""
BEFORE_WORDS_BYTES = 40_000
"""What must come before the first words: the page itself and its one style sheet."""


@pytest.mark.parametrize("path", ["/catalog", "/catalog/buch", f"/burn/{WAITS}"])
async def test_words_wait_for_one_style_sheet_and_pictures_move_nothing(
    open_tab: OpenTab, life: Life, path: str
) -> None:
    nora = await life.newcomer(20_000)
    tab = await open_tab(token=nora.token, width=360)
    await tab.page.add_init_script(OBSERVE)
    released = asyncio.Event()

    async def hold(route: Route) -> None:
        await released.wait()
        await route.continue_()

    await tab.page.route("**/pictures/**", hold)
    answer = await tab.page.goto(tab.address + path, wait_until="domcontentloaded")
    assert answer is not None
    blocking = await tab.page.evaluate(BLOCKING)
    assert [each.rsplit("/", 1)[-1] for each in blocking] == ["all.css"]
    sizes = await answer.request.sizes()
    style = await tab.page.evaluate(
        "name => performance.getEntriesByName(name)[0].transferSize", blocking[0]
    )
    assert sizes["responseBodySize"] + style < BEFORE_WORDS_BYTES
    assert await tab.page.evaluate(WITHOUT_SIZE) == []
    settled = await tab.page.evaluate(SETTLED)
    height = await tab.page.evaluate("document.documentElement.scrollHeight")
    released.set()
    await tab.page.wait_for_load_state("networkidle")
    assert await tab.page.evaluate("document.documentElement.scrollHeight") == height
    await tab.page.evaluate(SETTLED)
    assert await tab.page.evaluate(MOVED_SINCE, settled) == []


async def test_letters_that_stand_in_for_the_font_are_as_wide(open_tab: OpenTab) -> None:
    tab = await open_tab(width=360)
    await tab.go("/catalog")
    widths = await tab.page.evaluate(WIDTHS)
    own = widths.pop("Onest")
    assert {
        family: round(width / own, 3)
        for family, width in widths.items()
        if not 0.98 < width / own < 1.02
    } == {}
