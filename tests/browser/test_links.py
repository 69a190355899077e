"""Every link of every role leads somewhere, and the first page is light."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import parse_qs, urldefrag, urljoin, urlsplit

import httpx
import pytest

from marketplace.identity.credentials import COOKIE
from marketplace.identity.domain import Role
from marketplace.web.console import CONSOLE_ROLES
from tests.browser.conftest import OpenTab, Shop
from tests.browser.life import Life

pytestmark = pytest.mark.asyncio(loop_scope="session")
FIRST_VISIT_BYTES = 150_000
BEGINNINGS = ("/", "/_style", "/sign-in", "/catalog", "/offline", "/notices", "/me")
"""Where a reader may come in without a link."""
MOST_OF_A_KIND = 4
"""Pages that differ only in what they show."""
POLICIES = ("default-src 'none'", "default-src 'self'")


class Reader(HTMLParser):
    """What a page links to, loads, and says of itself."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.headings = 0
        self.title = ""
        self.lang = ""
        self._in_title = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {key: value or "" for key, value in attrs}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        self.links += [given[key] for key in ("hx-get",) if key in given and tag != "form"]
        if tag in ("img", "script", "source") and given.get("src"):
            self.loads.append(given["src"])
        if tag == "link" and given.get("href"):
            self.loads.append(given["href"])
        self.loads += [part.split()[0] for part in given.get("srcset", "").split(",") if part]
        self.headings += tag == "h1"
        self._in_title = tag == "title"
        self.lang = self.lang or (given.get("lang", "") if tag == "html" else "")

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title += data
            self._in_title = False


@dataclass
class Crawl:
    """A walk over every link, sending no form."""

    client: httpx.AsyncClient
    signed_in: bool
    every_listing: bool
    wrong: list[str] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    kinds: dict[str, int] = field(default_factory=dict)
    loaded: set[str] = field(default_factory=set)

    async def walk(self, beginnings: tuple[str, ...]) -> None:
        """Follow everything that can be reached from these."""
        waiting = deque((path, "(begin)") for path in beginnings)
        while waiting:
            path, source = waiting.popleft()
            if path in self.seen or not self._wanted(path):
                continue
            self.seen.add(path)
            waiting += [(found, path) for found in await self._look(path, source)]

    def _wanted(self, path: str) -> bool:
        parts = urlsplit(path)
        names = "&".join(sorted(parse_qs(parts.query)))
        base = re.sub(r"[0-9a-f-]{36}", "*", parts.path)
        if not self.every_listing:
            base = re.sub(r"^/catalog/[\w-]+$", "/catalog/*", base)
        kind = f"{base}?{names}"
        self.kinds[kind] = self.kinds.get(kind, 0) + 1
        return self.kinds[kind] <= MOST_OF_A_KIND

    async def _look(self, path: str, source: str) -> list[str]:
        answer = await self.client.get(path, headers={"Accept": "text/html"})
        here = f"{path} (from {source})"
        if answer.is_redirect:
            return [answer.headers["location"]]
        if answer.status_code != 200:
            self.wrong.append(f"{here}: {answer.status_code}")
            return []
        if not answer.headers["content-type"].startswith("text/html"):
            return []
        self._check_headers(here, answer)
        if not answer.text.lstrip().lower().startswith("<!doctype"):
            return []
        reader = Reader(answer.text)
        if reader.headings != 1 or not reader.title.strip() or reader.lang != "en":
            said = f"{reader.headings} h1, title {reader.title!r}, lang {reader.lang!r}"
            self.wrong.append(f"{here}: {said}")
        await self._load(here, reader.loads)
        return self._inside(here, path, reader.links)

    def _check_headers(self, here: str, answer: httpx.Response) -> None:
        policy = answer.headers.get("content-security-policy", "")
        if not policy.startswith(POLICIES) or "unsafe" in policy or "*" in policy:
            self.wrong.append(f"{here}: policy {policy!r}")
        kept = answer.headers.get("cache-control", "")
        if self.signed_in and not ("no-store" in kept or "private" in kept):
            self.wrong.append(f"{here}: a shared cache may keep it ({kept!r})")

    async def _load(self, here: str, addresses: list[str]) -> None:
        for address in set(addresses) - self.loaded:
            self.loaded.add(address)
            if urlsplit(address).netloc:
                self.wrong.append(f"{here}: loads {address}")
            elif (status := (await self.client.get(address)).status_code) != 200:
                self.wrong.append(f"{here}: {address} answered {status}")

    def _inside(self, here: str, path: str, links: list[str]) -> list[str]:
        found = []
        for link in links:
            target = urldefrag(urljoin(path, link)).url
            parts = urlsplit(target)
            if parts.netloc or parts.scheme:
                self.wrong.append(f"{here}: leads to another host, {link}")
            else:
                found.append(target)
        return found


async def crawl(shop: Shop, token: str | None, *, every_listing: bool = False) -> Crawl:
    """Walk the shop as somebody."""
    cookies = {COOKIE: token} if token else {}
    async with httpx.AsyncClient(base_url=shop.address, cookies=cookies, timeout=60) as client:
        done = Crawl(client, signed_in=token is not None, every_listing=every_listing)
        await done.walk(BEGINNINGS if token else BEGINNINGS[:1])
    return done


async def test_every_link_of_a_participant_leads_somewhere(shop: Shop, life: Life) -> None:
    nora = await life.newcomer(90_000)
    ready, held = await life.burn(nora), await life.burn(nora)
    await life.deliver(ready)
    done = await crawl(shop, nora.token, every_listing=True)
    assert not done.wrong, "\n".join(done.wrong)
    assert {ready, held, "/wallet/lots", "/me/guide", "/catalog/brunch"} <= done.seen


@pytest.mark.parametrize("role", [None, *(each for each in Role if each != Role.PARTICIPANT)])
async def test_every_link_of_others_leads_somewhere(
    shop: Shop, life: Life, role: Role | None
) -> None:
    done = await crawl(shop, await life.staff(role) if role else None)
    assert not done.wrong, "\n".join(done.wrong)
    assert "/catalog" in done.seen
    sections = {urlsplit(path).path for path in done.seen}
    expected = {"/partner", "/partner/orders", "/partner/issue", "/partner/keys"}
    assert (expected <= sections) == (role in CONSOLE_ROLES)


async def test_the_first_page_is_light(open_tab: OpenTab, life: Life) -> None:
    nora = await life.newcomer(9_000, new=True)
    tab = await open_tab(token=nora.token, language="ru")  # with letters of its own
    network = await tab.page.context.new_cdp_session(tab.page)
    sizes: list[tuple[int, str]] = []
    names: dict[str, str] = {}
    network.on("Network.requestWillBeSent", lambda sent: note(names, sent))
    network.on(
        "Network.loadingFinished",
        lambda done: sizes.append((done["encodedDataLength"], names.get(done["requestId"], "?"))),
    )
    await network.send("Network.enable")
    await tab.go("/catalog")
    await tab.page.wait_for_load_state("networkidle")
    total = sum(size for size, _ in sizes)
    assert total < FIRST_VISIT_BYTES, sorted(sizes, reverse=True)


def note(names: dict[str, str], sent: dict[str, object]) -> None:
    """Remember which address a request has."""
    request = sent["request"]
    assert isinstance(request, dict)
    names[str(sent["requestId"])] = str(request["url"])
