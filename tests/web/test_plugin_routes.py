"""A plugin's routes live under its slug, behind the same door as everything else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
from litestar import Controller, get
from litestar.di import NamedDependency

from marketplace import api
from marketplace.app import create_app
from marketplace.runtime import Runtime
from tests.conftest import run_lifespan
from tests.web.problems import problem

PUBLIC = api.access(public=True)


@get("/hello", opt=PUBLIC, sync_to_thread=False)
def hello() -> str:
    return "hello"


@get("/secret", opt=api.access(roles=[api.Role.OPERATOR]), sync_to_thread=False)
def secret(principal: NamedDependency[api.Principal]) -> str:
    return principal.actor


@get("/open")
async def forgotten() -> str:
    return "everybody may read this"


class Desk(Controller):
    """A controller states access for all its routes."""

    path = "/desk"
    opt = api.access(roles=[api.Role.PARTNER])

    @get("/")
    async def look(self) -> str:
        return "desk"


def with_plugin(runtime: Runtime, slug: str, routes: Sequence[Any]) -> None:
    @api.hookimpl
    def marketplace_register_routes(host: api.Host) -> Sequence[Any]:
        assert host.slug == slug
        return routes

    plugin = ModuleType(slug)
    plugin.marketplace_register_routes = marketplace_register_routes  # type: ignore[attr-defined]
    runtime.plugins.manager.register(plugin, name=slug)


async def ask(runtime: Runtime, *paths: str, language: str = "") -> list[httpx.Response]:
    """The answers, the last one in `language`."""
    app = create_app(runtime)
    async with run_lifespan(app):
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://here.test") as client:
            first = [await client.get(path) for path in paths[:-1]]
            last = await client.get(paths[-1], headers={"Accept-Language": language})
            return [*first, last]


@get("/hello", opt=PUBLIC, sync_to_thread=False)
def hello_again() -> str:
    return "hello again"


async def test_two_handlers_of_one_address_disable_the_plugin(runtime: Runtime) -> None:
    with_plugin(runtime, "acme", [hello, hello_again])
    (answer,) = await ask(runtime, "/v1/acme/hello")
    problem(answer, 404, "not_found")
    assert "two handlers answer GET /hello" in runtime.plugins.disabled["acme"]


async def test_routes_are_mounted_under_the_slug(runtime: Runtime) -> None:
    with_plugin(runtime, "acme", [hello, secret, Desk])
    greeting, hidden, desk = await ask(
        runtime, "/v1/acme/hello", "/v1/acme/secret", "/v1/acme/desk"
    )
    assert greeting.text == "hello"
    problem(hidden, 401, "not_authenticated")
    problem(desk, 401, "not_authenticated")
    assert "acme" not in runtime.plugins.disabled


@pytest.mark.parametrize(
    ("slug", "routes", "reason"),
    [
        ("acme", [hello, forgotten], "does not state who may call it"),
        ("acme", ["no route"], "fit"),
        ("burns", [hello], "core's"),
    ],
)
async def test_routes_that_do_not_fit_disable_the_plugin_and_nobody_else(
    slug: str, routes: Sequence[Any], reason: str, runtime: Runtime
) -> None:
    with_plugin(runtime, slug, routes)
    refused, alive = await ask(runtime, f"/v1/{slug}/hello", "/health/live")
    assert refused.status_code in (401, 404)
    assert alive.status_code == 200
    assert reason in runtime.plugins.disabled[slug]


@get("/shelf", opt=api.access(public=True, page=True), sync_to_thread=False)
def shelf(page: NamedDependency[api.Page]) -> api.Html:
    return page.render("acme/shelf.html", tools=["saw", "<drill>"])


ENTRY = api.NavEntry(key="acme", label=api.lazy("Tools"), path="/acme/shelf")


def with_pages(runtime: Runtime, slug: str, pages: Any) -> None:
    @api.hookimpl
    def marketplace_register_pages(host: api.Host) -> Any:
        return pages

    plugin = ModuleType(slug)
    plugin.marketplace_register_pages = marketplace_register_pages  # type: ignore[attr-defined]
    runtime.plugins.manager.register(plugin, name=slug)


async def test_pages_are_mounted_under_the_slug_in_the_look_and_language_of_all(
    runtime: Runtime, tmp_path: Path
) -> None:
    (tmp_path / "acme").mkdir()
    (tmp_path / "acme" / "shelf.html").write_text(
        '{% extends "web/base.html" %}{% block title %}{{ _("Tools") }}{% endblock %}'
        '{% block content %}{{ tools | join(", ") }}{% endblock %}'
    )
    (tmp_path / "pl.po").write_text('msgid "Tools"\nmsgstr "Narzędzia"\n')
    with_pages(
        runtime,
        "acme",
        api.Pages(routes=[shelf], nav=[ENTRY], templates=tmp_path, translations=tmp_path),
    )
    english, polish = await ask(runtime, "/acme/shelf", "/acme/shelf", language="pl")
    assert "saw, &lt;drill&gt;" in english.text
    assert "<title>Narzędzia ·" in polish.text
    assert runtime.plugins.disabled == {}


@pytest.mark.parametrize(
    ("slug", "pages", "reason"),
    [
        ("acme", api.Pages(routes=[forgotten]), "does not state who may call it"),
        ("acme", api.Pages(routes=[shelf], templates=Path("nowhere")), "is no folder"),
        ("other", api.Pages(routes=[shelf], nav=[ENTRY]), "not below /other"),
        ("static", api.Pages(routes=[shelf]), "core's"),
        ("acme", "no pages", "fit"),
    ],
)
async def test_pages_that_do_not_fit_disable_the_plugin_and_nobody_else(
    slug: str, pages: Any, reason: str, runtime: Runtime
) -> None:
    with_pages(runtime, slug, pages)
    refused, alive = await ask(runtime, f"/{slug}/shelf", "/health/live")
    assert refused.status_code == 404
    assert alive.status_code == 200
    assert reason in runtime.plugins.disabled[slug]
