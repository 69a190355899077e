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
OBSERVE = """window.moved = [];
new PerformanceObserver(list => window.moved.push(...list.getEntries()
  .map(each => each.sources.map(source => source.node?.outerHTML?.slice(0, 120)))))
  .observe({type: 'layout-shift', buffered: true});"""
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
    await tab.page.evaluate("document.fonts.ready.then(() => window.moved.length = 0)")
    height = await tab.page.evaluate("document.documentElement.scrollHeight")
    released.set()
    await tab.page.wait_for_load_state("networkidle")
    assert await tab.page.evaluate("document.documentElement.scrollHeight") == height
    assert await tab.page.evaluate("window.moved") == []
