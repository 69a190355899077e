"""What is looked at on every page: axe in both themes and widths, targets, clipped words."""

from __future__ import annotations

from typing import Any

from tests.browser.conftest import AXE, AXE_RULES, Tab

THEMES = ("light", "dark")
NARROW = {"width": 320, "height": 640}
"""A window of 1280 at a zoom of 400 %, as WCAG 1.4.10 asks; half of that is included."""
PHONE = {"width": 390, "height": 1500}
DESK = {"width": 1280, "height": 1300}
"""Higher than they are, so that a picture of the window shows enough; a whole page is slow."""
PICTURED = ((THEMES[0], DESK), (THEMES[1], PHONE))
AXE_COLOURS = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
"""What depends on the theme alone."""
SETTLE = """() => document.getAnimations()
  .filter(each => each.effect.getComputedTiming().endTime !== Infinity)
  .forEach(each => each.finish())"""
"""A colour on its way from one theme to the other is neither."""
LEAST_TARGET_PX = 24
TARGETS = """least => [...document.querySelectorAll(
  'button, summary, select, input:not([type=hidden]), a.button, a.chip, nav a')]
  .filter(each => each.checkVisibility({visibilityProperty: true}) &&
    !each.closest('.visually-hidden'))
  .map(each => [each, (each.matches('[type=radio], [type=checkbox]') && each.closest('label')
    || each).getBoundingClientRect()])
  .filter(([, box]) => box.width > 1 && (box.width < least - .5 || box.height < least - .5))
  .map(([each, box]) => `${each.outerHTML.slice(0, 120)} ${box.width}x${box.height}`)"""
CLIPPED = """() => [...document.querySelectorAll('main *, header *, footer *')]
  .filter(each => each.checkVisibility() && !each.closest('.visually-hidden, svg') &&
    ['hidden', 'clip'].includes(getComputedStyle(each).overflowX) &&
    each.scrollWidth > each.clientWidth + 1 && each.innerText?.trim())
  .map(each => each.outerHTML.slice(0, 120))"""
OUTSIDE = """() => {
  const root = document.documentElement;
  const scrolls = each => each && each !== document.body &&
    (getComputedStyle(each).overflowX !== 'visible' || scrolls(each.parentElement));
  const far = each => Math.max(each.getBoundingClientRect().right, each.clientWidth &&
    each.getBoundingClientRect().left + each.scrollWidth);
  const found = [...document.querySelectorAll('body *')]
    .filter(each => each.checkVisibility() && far(each) > root.clientWidth + 1 &&
      !scrolls(each) && !each.closest('.visually-hidden, .skip'))
    .map(each => each.outerHTML.slice(0, 120));
  return root.scrollWidth > root.clientWidth ? [...found, 'the page'] : found;
}"""
AXE_RUN = """rules => axe.run(document, {runOnly: rules, resultTypes: ['violations']})
  .then(found => found.violations.flatMap(rule => rule.nodes.map(node =>
    `${rule.id}: ${node.html.slice(0, 160)} (${node.failureSummary.replace(/\\s+/g, ' ')})`)))"""


async def examine(tab: Tab, name: str) -> list[str]:
    """Everything wrong with the page as it is open now; pictures of both themes are kept."""
    page = tab.page
    wrong: list[str] = []
    if await page.evaluate("typeof axe === 'undefined'"):
        await page.evaluate(AXE.read_text())
    for size in (DESK, PHONE):
        await page.set_viewport_size(size)  # type: ignore[arg-type]
        for theme in THEMES:
            await page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
            if (theme, size) in PICTURED:
                await tab.picture(f"{name}-{theme}-{size['width']}", whole=False)
            await page.evaluate(SETTLE)
            # The words and the tree are those of the first theme: only colours are others.
            asked = AXE_RULES if theme == THEMES[0] else AXE_COLOURS
            found = await page.evaluate(AXE_RUN, asked)
            wrong += [f"{theme} {size['width']}: {each}" for each in found]
    wrong += [f"small: {each}" for each in await page.evaluate(TARGETS, LEAST_TARGET_PX)]
    await page.set_viewport_size(NARROW)  # type: ignore[arg-type]
    wrong += await misfits(tab)
    return [f"{name}: {each}" for each in wrong]


async def misfits(tab: Tab) -> list[str]:
    """What sticks out of the window or has its words cut off."""
    found: dict[str, Any] = {"outside": await tab.page.evaluate(OUTSIDE)}
    found["clipped"] = await tab.page.evaluate(CLIPPED)
    return [f"{how}: {each}" for how, places in found.items() for each in places[:5]]
