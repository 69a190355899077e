"""A real browser on a real server: tabs that fail on script errors, forbidden content and axe.

    async def test_a_wallet(open_tab):
        tab = await open_tab(role=Role.PARTICIPANT, width=360, theme="dark", language="pl")
        await tab.go("/wallet")
        await tab.page.get_by_role("link", name="...").click()
        await tab.check("wallet")     # axe finds nothing; the picture is in var/screenshots/

Tests say `pytestmark = pytest.mark.asyncio(loop_scope="session")`: the browser lives in one loop.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from marketplace.identity.credentials import COOKIE
from marketplace.identity.domain import Role
from marketplace.runtime import open_runtime
from marketplace.settings import Settings
from tests.browser.life import Life
from tests.browser.shelf import stock_shelf
from tests.browser.wells import collect
from tests.conftest import ROOT, SECRET_KEY, FreshDatabase, make_settings
from tests.factories import Coalition, make_session

REQUIRE = "MARKETPLACE_REQUIRE_BROWSER"
SCREENSHOTS = ROOT / "var" / "screenshots"
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
AXE_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
LOCALES = {"en": "en-GB", "ru": "ru-RU", "pl": "pl-PL", "it": "it-IT"}
HEIGHTS = {320: 640, 360: 740, 390: 844, 1280: 860, 3840: 2160}
START_S = 600
STOP_S = 300
PATIENCE_MS = 90_000
"""As long as a page may take on a busy machine; nothing waits longer than it must."""
expect.set_options(timeout=PATIENCE_MS)


def find_chromium() -> str:
    """The browser of this machine; without one the tests skip, or fail where it is required."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    reason = f"no chromium on this machine (apt install chromium); {REQUIRE}=1 makes this a failure"
    if os.environ.get(REQUIRE):
        pytest.fail(reason)
    pytest.skip(reason)


# -- the server ------------------------------------------------------------------------------------


@dataclass
class Shop:
    """A running exchange with the people and offers of `tests.factories`; ann has 12,480 points."""

    address: str
    settings: Settings
    coalition: Coalition
    mails: Path
    """Folder that mails are written to."""

    async def token(self, role: Role, of: str | None) -> str:
        """The session of a new person with that role, as the fixture `sign_in` understands it."""
        async with open_runtime(self.settings) as runtime:
            return await make_session(replace(self.coalition, runtime=runtime), role, of)


async def furnish(settings: Settings) -> Coalition:
    """What every shop has in it."""
    async with open_runtime(settings) as runtime:
        coalition = await Coalition.make(runtime)
        await coalition.issue("ann", 12_480)
        await stock_shelf(coalition)
        return coalition


@contextmanager
def serving(settings: Settings) -> Iterator[str]:
    """The running command `marketplace serve`, background process included; gives its address."""
    environ = {
        **os.environ,
        "MARKETPLACE_DATABASE_URL": str(settings.database_url),
        "MARKETPLACE_SECRET_KEYS": SECRET_KEY,
        "MARKETPLACE_LOG_LEVEL": "ERROR",
        "MARKETPLACE_CLOCK_TRAVEL": "1",
        "MARKETPLACE_MAIL_DIR": str(settings.mail_dir or ""),
        "MARKETPLACE_OUTBOUND_ALLOW": settings.outbound_allow,
    }
    command = [sys.executable, "-m", "marketplace", "serve", "--port", "0"]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("Serving on http://"), line
            address = line.split()[2]
            assert httpx.get(f"{address}/health/ready", timeout=START_S).status_code == 200
            yield address
        finally:
            process.terminate()
            process.wait(STOP_S)


@pytest.fixture(scope="package")
def shop(fresh_database: FreshDatabase, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """One shop for all browser tests, and no longer; each signs in people of its own."""
    find_chromium()
    with fresh_database() as url:
        settings = make_settings(
            url,
            mail_dir=tmp_path_factory.mktemp("mails"),
            outbound_allow="127.0.0.1",  # servers of members that tests start
        )
        coalition = asyncio.run(furnish(settings))
        assert settings.mail_dir is not None
        with serving(settings) as address:
            yield Shop(address, settings, coalition, settings.mail_dir)


# -- the browser -----------------------------------------------------------------------------------


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """The machine's chromium, without a window."""
    root = ["--no-sandbox"] if os.geteuid() == 0 else []
    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(executable_path=find_chromium(), args=root)
        yield opened
        await opened.close()


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def life(shop: Shop) -> AsyncIterator[Life]:
    """People of the shop, and what they and partners do outside the browser."""
    async with open_runtime(shop.settings) as runtime:
        yield Life(replace(shop.coalition, runtime=runtime), runtime, shop.address)


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def wells(life: Life) -> None:
    """A charity that collects for wells, and a member that matches."""
    await collect(life)


@dataclass
class Tab:
    """A page in the browser that writes down whatever goes wrong in it."""

    page: Page
    address: str
    problems: list[str] = field(default_factory=list)

    async def go(self, path: str) -> int:
        """Open a path of the shop; the status of its answer."""
        answer = await self.page.goto(self.address + path)
        assert answer is not None
        return answer.status

    def forgive(self, words: str) -> None:
        """Forget problems with these words, e.g. "status of 404", which the test provoked."""
        self.problems[:] = [each for each in self.problems if words not in each]

    async def axe(self) -> list[str]:
        """What axe finds, one line for each place."""
        await self.page.evaluate(AXE.read_text())
        found: dict[str, Any] = await self.page.evaluate(
            "rules => axe.run(document, {runOnly: rules, resultTypes: ['violations']})", AXE_RULES
        )
        return [
            f"{rule['id']}: {node['html'][:160]} ({' '.join(node['failureSummary'].split())[:240]})"
            for rule in found["violations"]
            for node in rule["nodes"]
        ]

    async def picture(self, name: str, *, whole: bool = True) -> Path:
        """Keep what the page, or its window, looks like in var/screenshots/<name>.png."""
        assert re.fullmatch(r"[\w.-]+", name)
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        path = SCREENSHOTS / f"{name}.png"
        await self.page.screenshot(path=path, full_page=whole, animations="disabled")
        return path

    async def check(self, name: str) -> None:
        """Keep a picture; fail where axe finds something or the page is wider than the window."""
        await self.picture(name)
        assert await self.axe() == []
        wide = await self.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert wide <= 0, f"{name} is {wide} px wider than its window"


OpenTab = Callable[..., Awaitable[Tab]]


@pytest_asyncio.fixture(loop_scope="session")
async def open_tab(browser: Browser, shop: Shop) -> AsyncIterator[OpenTab]:
    """`await open_tab(role=..., of=..., width=..., theme=..., language=..., javascript=...)`.

    `token` is the session of somebody in particular, instead of a new person's.
    At the end of the test every tab must be without problems.
    """
    contexts: list[BrowserContext] = []
    tabs: list[Tab] = []

    async def make(
        *,
        role: Role | None = None,
        of: str | None = None,
        token: str | None = None,
        width: int = 1280,
        theme: str = "light",
        language: str = "en",
        javascript: bool = True,
    ) -> Tab:
        context = await browser.new_context(
            viewport={"width": width, "height": HEIGHTS.get(width, 900)},
            color_scheme=theme,  # type: ignore[arg-type]
            locale=LOCALES[language],
            java_script_enabled=javascript,
        )
        contexts.append(context)
        if role is not None:
            token = await shop.token(role, of)
        if token is not None:
            await context.add_cookies([{"name": COOKIE, "value": token, "url": shop.address}])
        tab = Tab(await context.new_page(), shop.address)
        watch(tab)
        tabs.append(tab)
        return tab

    yield make
    for context in contexts:
        await context.close()
    assert [problem for tab in tabs for problem in tab.problems] == []


def watch(tab: Tab) -> None:
    """Write down script errors, console errors (forbidden content is one) and foreign hosts."""
    tab.page.on(
        "console",
        lambda said: (
            tab.problems.append(f"console: {said.text} {said.location}")
            if said.type in ("error", "warning")
            else None
        ),
    )
    tab.page.on("pageerror", lambda error: tab.problems.append(f"script: {error}"))
    tab.page.on(
        "request",
        lambda request: (
            None
            if request.url.startswith((tab.address, "blob:", "data:"))
            else tab.problems.append(f"another host: {request.url}")
        ),
    )
