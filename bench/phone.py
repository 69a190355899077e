"""How pages open on a slow phone: `python -m bench.phone --address http://127.0.0.1:8000`.

A phone of 360 pixels whose processor is a quarter of this one's, on a network of 400 kbit/s whose
answers take 400 ms, as a stranger and as a participant of the demonstration. One JSON object a
page: bytes, requests, milliseconds until the first words and until it can be used, and how far
what is there moves while the rest comes (cumulative layout shift, 0 to 1).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import sys
from typing import Any, Final

from playwright.async_api import Browser, BrowserContext, Page, async_playwright

SLOWER: Final = 4
BITS_PER_S: Final = 400_000
ROUND_TRIP_MS: Final = 400
PHONE: Final[Any] = {"width": 360, "height": 740}
PAGES: Final = (
    ("catalog", "/catalog"),
    ("listing", "/catalog/buch"),
    ("burn", "/burn/havenwerk/koffie-5"),
)
OBSERVE: Final = """
window.moved = 0; window.largest = 0;
new PerformanceObserver(list => { for (const each of list.getEntries())
  if (!each.hadRecentInput) window.moved += each.value; })
  .observe({type: 'layout-shift', buffered: true});
new PerformanceObserver(list => { for (const each of list.getEntries())
  window.largest = each.startTime; }).observe({type: 'largest-contentful-paint', buffered: true});
"""
MEASURE: Final = """() => {
  const [page] = performance.getEntriesByType('navigation');
  const first = performance.getEntriesByName('first-contentful-paint')[0];
  const all = [page, ...performance.getEntriesByType('resource')];
  return {
    first_words_ms: Math.round(first.startTime),
    usable_ms: Math.round(page.domContentLoadedEventEnd),
    largest_ms: Math.round(window.largest),
    requests: all.length,
    bytes: all.reduce((sum, each) => sum + each.transferSize, 0),
    moved: Math.round(window.moved * 1000) / 1000,
  };
}"""


async def slow_page(context: BrowserContext) -> Page:
    """A page of a slow phone on a slow network."""
    page = await context.new_page()
    await page.add_init_script(OBSERVE)
    devtools = await context.new_cdp_session(page)
    network = {
        "offline": False,
        "latency": ROUND_TRIP_MS,
        "downloadThroughput": BITS_PER_S / 8,
        "uploadThroughput": BITS_PER_S / 8,
    }
    await devtools.send("Network.enable")
    await devtools.send("Network.emulateNetworkConditions", network)
    await devtools.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
    return page


async def measure(browser: Browser, address: str, email: str, password: str) -> None:
    """Print how each page opens: the first one with nothing kept, the others after it."""
    for who in ("stranger", "participant"):
        context = await browser.new_context(viewport=PHONE, service_workers="block")
        if who == "participant":
            await context.request.post(
                f"{address}/sign-in", form={"email": email, "password": password}
            )
        page = await slow_page(context)
        for name, path in PAGES:
            if who == "stranger" and name == "burn":
                continue
            await page.goto(address + path, wait_until="networkidle", timeout=120_000)
            found = await page.evaluate(MEASURE)
            print(json.dumps({"who": who, "page": name, **found}), flush=True)
        await context.close()


async def main() -> int:
    """Open the browser and measure."""
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("--address", default="http://127.0.0.1:8000")
    asked.add_argument("--email", default="dieter.lorenz@brandt.example")
    asked.add_argument("--password", default="demo-participant")
    given = asked.parse_args()
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        print("bench.phone needs chromium (apt install chromium)", file=sys.stderr)
        return 1
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        await measure(browser, given.address, given.email, given.password)
        await browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
