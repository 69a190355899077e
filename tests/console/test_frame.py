"""Whose console it is: a partner's own, the one an operator chose, and nobody else's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest
from litestar import get
from litestar.di import NamedDependency

from marketplace import api
from marketplace.app import NAV, create_app
from marketplace.identity.domain import Role
from marketplace.runtime import Runtime
from tests.conftest import Headers, run_lifespan
from tests.exchange.browsing import Browser, words_of
from tests.factories import Coalition
from tests.web.test_plugin_routes import with_pages

SignIn = Callable[..., Awaitable[Headers]]
SECTIONS = [
    "/partner",
    "/partner/orders",
    "/partner/issue",
    "/partner/issue/files",
    "/partner/keys",
]
DETAILS = ["/partner/orders/{}", "/partner/issue/files/{}", "/partner/keys/{}/revoke"]
NOBODYS = "01890000-0000-7000-8000-000000000000"


def test_sections_of_the_core_are_below_partner() -> None:
    sections = [entry for entry in NAV if entry.console]
    assert len(sections) >= 4
    assert all(f"{entry.path}/".startswith("/partner/") for entry in sections)


async def test_a_partner_looks_after_their_own_member_and_no_other(
    client: httpx.AsyncClient, sign_in: SignIn
) -> None:
    partner = Browser(client, await sign_in(Role.PARTNER, "shop"))
    for path in SECTIONS:
        assert "Shop Partner console" in await partner.open(path)
        assert "Shop Partner console" in await partner.open(f"{path}?member=shop")
        assert "not for your role" in await partner.open(f"{path}?member=alpha", 403)
    for path in DETAILS:
        await partner.open(path.format(NOBODYS), 404)
    assert "<select" not in partner.html
    await partner.open("/partner/members", 403)


@pytest.mark.parametrize("role", [Role.PARTICIPANT, Role.FIRM_MANAGER, Role.FINANCE])
async def test_others_have_no_console(
    client: httpx.AsyncClient, sign_in: SignIn, role: Role
) -> None:
    somebody = Browser(client, await sign_in(role))
    for path in SECTIONS:
        await somebody.open(path, 403)
    assert 'href="/partner' not in somebody.html


async def test_an_operator_is_led_to_choose_a_member_and_comes_back(
    client: httpx.AsyncClient, sign_in: SignIn
) -> None:
    operator = Browser(client, await sign_in(Role.OPERATOR))
    answer = await client.get("/partner/orders?state=waiting", headers=operator.who)
    assert answer.status_code == 303
    said = await operator.open(answer.headers["location"])
    assert "Which member?" in said
    assert "Tickets" in said
    assert 'href="/partner/orders?state=waiting&amp;member=tickets"' in operator.html
    said = await operator.open("/partner/orders?state=waiting&member=tickets")
    assert "Tickets Partner console" in said
    # Links and the picker stay with the member.
    assert 'href="/partner/keys?member=tickets"' in operator.html
    assert '<option value="tickets" selected>' in operator.html
    # The cookie remembers it for addresses that do not say.
    assert "Tickets Partner console" in await operator.open("/partner")
    assert "Alpha Partner console" in await operator.open("/partner?member=alpha")
    await operator.open("/partner?member=nobody", 404)


async def test_nothing_is_changed_for_a_member_that_the_address_does_not_name(
    client: httpx.AsyncClient, sign_in: SignIn
) -> None:
    operator = Browser(client, await sign_in(Role.OPERATOR))
    await operator.open("/partner/keys?member=alpha")
    assert client.cookies["console_member"] == "alpha"
    form = {"label": "till", "scopes": "offers:read"}
    refused = await operator.post("/partner/keys", **form)
    assert refused.status_code == 409
    assert "It is not said which member this is for" in words_of(refused)
    assert "There is none yet" in await operator.open("/partner/keys?member=alpha")
    made = await operator.post("/partner/keys?member=beta", **form)
    assert made.status_code == 200
    assert "till" in await operator.open("/partner/keys?member=beta")
    assert "There is none yet" in await operator.open("/partner/keys?member=alpha")


async def test_a_member_that_was_remembered_and_is_gone_is_chosen_anew(
    client: httpx.AsyncClient, sign_in: SignIn
) -> None:
    headers = await sign_in(Role.OPERATOR)
    client.cookies["console_member"] = "gone"
    answer = await client.get("/partner", headers={**headers, "Accept": "text/html"})
    assert answer.headers["location"] == "/partner/members?next=/partner"
    elsewhere = await client.get("/partner/members?next=//evil.example", headers=headers)
    assert 'href="/partner?member=alpha"' in elsewhere.text


# -- sections of plugins ---------------------------------------------------------------------------


@get("/partner/pools", opt=api.access(roles=[api.Role.PARTNER], page=True))
async def pools(page: NamedDependency[api.Page], console: NamedDependency[api.Console]) -> api.Html:
    """A section of the console that a plugin adds."""
    level = api.Chart(
        title="Codes left",
        label="Day",
        labels=["1 Mar", "2 Mar"],
        series=[api.Series("Codes", [7, 5])],
        shape="line",
    )
    return page.render("acme/pools.html", level=level, member=console.slug)


TEMPLATE = """{% extends "web/console.html" %}
{% from "web/components/chart.html" import chart %}
{% block title %}Pools{% endblock %}
{% block console %}<h1>Pools of {{ member }}</h1>{{ chart(level) }}{% endblock %}"""


def section(path: str) -> api.NavEntry:
    return api.NavEntry(
        key="acme-pools",
        label="Pools",
        path=path,
        roles=frozenset({api.Role.PARTNER}),
        console=True,
    )


async def test_a_plugin_adds_a_section(
    runtime: Runtime, coalition: Coalition, sign_in: SignIn, tmp_path: Path
) -> None:
    (tmp_path / "acme").mkdir()
    (tmp_path / "acme" / "pools.html").write_text(TEMPLATE)
    pages = api.Pages(routes=[pools], nav=[section("/acme/partner/pools")], templates=tmp_path)
    with_pages(runtime, "acme", pages)
    app = create_app(runtime)
    assert "acme" not in runtime.plugins.disabled
    async with run_lifespan(app):
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://here.test") as client:
            partner = Browser(client, await sign_in(Role.PARTNER, "shop"))
            said = await partner.open("/acme/partner/pools")
            assert "Pools of shop" in said
            assert 'href="/acme/partner/pools" aria-current="page"' in partner.html
            assert 'href="/acme/partner/pools' not in partner.html.split("<main")[0]
            assert "<polyline" in partner.html
            assert 'href="/acme/partner/pools"' in await _html(partner, "/partner")


async def _html(browser: Browser, path: str) -> str:
    await browser.open(path)
    return browser.html


async def test_a_section_elsewhere_disables_the_plugin(runtime: Runtime) -> None:
    pages = api.Pages(routes=[pools], nav=[section("/acme/pools")])
    with_pages(runtime, "acme", pages)
    create_app(runtime)
    assert "not below /acme/partner" in runtime.plugins.disabled["acme"]
