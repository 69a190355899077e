"""The API describes itself, whole, from this server alone."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
from litestar import Litestar

from marketplace.web import openapi
from marketplace.web.openapi import ANY_METHOD, stated_accesses


async def test_every_route_is_described_with_its_callers_and_errors(
    client: httpx.AsyncClient, app: Litestar
) -> None:
    answer = await client.get("/schema/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    paths: dict[str, Any] = answer.json()["paths"]
    for path, method, stated in stated_accesses(app):
        if not path.startswith(("/v1/", "/health/")):
            continue
        described = paths[path]["post" if method == ANY_METHOD else method.lower()]
        assert described["summary"], path
        assert described["responses"]["default"]["$ref"].endswith("/Problem")
        assert bool(described["security"]) != stated.public
        for role in stated.roles:
            assert f"`{role}`" in described["description"], path


async def test_every_reference_in_the_description_leads_somewhere(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.get("/schema/openapi.json")
    document = answer.json()
    for reference in set(re.findall(r'"\$ref":\s*"#/([^"]+)"', answer.text)):
        found: Any = document
        for part in reference.split("/"):
            found = found[part]


async def test_burning_is_described_although_its_handler_is_raw(client: httpx.AsyncClient) -> None:
    burn = (await client.get("/schema/openapi.json")).json()["paths"]["/v1/burns"]["post"]
    assert burn["requestBody"]["required"]
    assert any(each["name"] == "Idempotency-Key" for each in burn["parameters"])


async def test_the_page_loads_nothing_from_elsewhere(client: httpx.AsyncClient) -> None:
    page = await client.get("/schema")
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "/v1/burns" in page.text
    assert not re.search(r"(src|href)=.(https?:)?//", page.text)


async def test_the_page_is_built_once_however_many_ask(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await client.get("/schema")

    def build_again(*_: object) -> None:
        raise AssertionError("anybody could keep a process busy by asking")

    monkeypatch.setattr(openapi, "document", build_again)
    again = await client.get("/schema")
    assert (again.status_code, again.text) == (200, first.text)
