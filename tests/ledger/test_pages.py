"""The wallet in a browser without scripts."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from html import unescape

import httpx
import pytest

from marketplace.clock import now
from marketplace.identity.domain import Role
from tests.conftest import Headers
from tests.exchange.browsing import Browser
from tests.factories import Coalition, days
from tests.ledger.busy import make_busy

Make = Callable[..., Awaitable[Headers]]


@pytest.fixture
async def bob(client: httpx.AsyncClient, coalition: Coalition, sign_in: Make) -> Browser:
    await make_busy(coalition)
    return Browser(client, await sign_in(Role.PARTICIPANT, "bob"))


async def test_the_wallet_explains_itself(bob: Browser) -> None:
    said = await bob.open("/wallet")
    assert "To burn" in said
    assert "What expires when" in said
    assert "Lamp was refunded in points of Gamma: test" in said
    assert "300 points of Gamma for" in said
    assert "Gamma gave you points for G3" in said
    assert "Points of Gamma for G2 expired unused" in said


async def test_the_history_is_narrowed_by_links(bob: Browser) -> None:
    said = await bob.open("/wallet?topic=expired")
    assert "expired unused" in said
    assert "gave you points" not in said
    assert "Nothing of this kind" not in said
    part = await bob.client.get("/wallet?topic=earned", headers={**bob.who, "HX-Request": "true"})
    assert "<html" not in part.text
    assert "gave you points" in part.text
    await bob.open("/wallet?topic=nonsense", status=400)
    await bob.open("/wallet?cursor=nonsense", status=400)


async def test_a_long_history_is_paged_to_its_end(bob: Browser, coalition: Coalition) -> None:
    for number in range(30):
        await coalition.issue("bob", 1, reference=f"R{number}")
    await bob.open("/wallet")
    seen = bob.html.count("rows__title")
    while older := re.search(r'href="(/wallet\?cursor=[^"]+)"', bob.html):
        assert seen < 39
        await bob.open(unescape(older[1]))
        seen += bob.html.count("rows__title")
    assert seen == 39


async def test_who_has_nothing_yet_is_told_what_comes(
    client: httpx.AsyncClient, sign_in: Make
) -> None:
    ann = Browser(client, await sign_in(Role.PARTICIPANT))
    said = await ann.open("/wallet")
    assert "Nothing yet" in said
    assert "None of your points expires" in said
    assert "No points yet" in await ann.open("/wallet/lots")


async def test_which_points_go_first(
    client: httpx.AsyncClient, coalition: Coalition, sign_in: Make
) -> None:
    async with coalition.runtime.database.begin() as session:
        start = await now(session)
    await coalition.issue("ann", 500, reference="EVER")
    await coalition.issue("ann", 300, issuer="beta", reference="SOON", expires_at=start + days(5))
    said = await Browser(client, await sign_in(Role.PARTICIPANT)).open("/wallet/lots")
    assert said.index("SOON") < said.index("EVER")
    assert "never" in said


async def test_the_statement_is_a_pdf_of_ones_own_wallet(
    bob: Browser, coalition: Coalition
) -> None:
    async with coalition.runtime.database.begin() as session:
        today = (await now(session)).date()
    address = f"/wallet/statement.pdf?from={today - days(90)}&to={today}"
    first = await bob.client.get(address, headers=bob.who)
    assert first.status_code == 200
    assert first.headers["content-type"] == "application/pdf"
    assert first.headers["cache-control"] == "no-store"
    assert f"points-{today - days(90)}-{today}.pdf" in first.headers["content-disposition"]
    assert first.content.startswith(b"%PDF-")
    again = await bob.client.get(address, headers=bob.who)
    assert again.content == first.content
    assert (await bob.client.get("/wallet/statement.pdf", headers=bob.who)).status_code == 200
    for wrong in (
        "from=2026-13-01",
        "from=tomorrow",
        "from=2026-02-02&to=2026-02-01",
        "from=2020-01-01&to=2026-01-01",
    ):
        await bob.open(f"/wallet/statement.pdf?{wrong}", status=400)


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.FIRM_MANAGER, Role.PARTNER])
async def test_a_wallet_page_is_for_participants(
    role: Role, client: httpx.AsyncClient, sign_in: Make
) -> None:
    browser = Browser(client, await sign_in(role))
    for address in ("/wallet", "/wallet/lots", "/wallet/statement.pdf", "/rewards"):
        await browser.open(address, status=403)
