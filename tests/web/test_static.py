"""Styles, scripts and fonts: kept for a year, sent small, missed loudly; a light first visit."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import httpx
import pytest

from marketplace import app as app_module
from marketplace.errors import UsageError
from marketplace.runtime import Runtime
from marketplace.web import assets
from marketplace.web.assets import SHEET, load_assets
from tests.conftest import ROOT
from tests.web.problems import problem

FIRST_PAGE_BYTES = 150_000
FOR_PICTURES_BYTES = 50_000
"""What the look of a page leaves to what is on it."""


async def test_a_file_is_kept_for_a_year_and_sent_small(client: httpx.AsyncClient) -> None:
    address = load_assets().address(SHEET)
    answer = await client.get(address, headers={"Accept-Encoding": "gzip"})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["x-content-type-options"] == "nosniff"
    plain = await client.get(address, headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.text == answer.text


async def test_a_page_of_the_version_before_still_gets_its_files(client: httpx.AsyncClient) -> None:
    answer = await client.get("/static/0123456789abcdef/js/app.js")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-cache"


async def test_nothing_else_is_served(client: httpx.AsyncClient) -> None:
    digest = load_assets().digest
    for path in ("js/nothing.js", "../assets.py", "%2e%2e/assets.py", "css/tokens.css", ""):
        answer = await client.get(f"/static/{digest}/{path}", headers={"Accept": "text/html"})
        problem(answer, 404, "not_found")


async def test_the_service_worker_serves_the_whole_site_and_is_asked_for_again(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.get("/worker.js")
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["cache-control"] == "no-cache"
    page = await client.get("/offline")
    assert "You are offline" in page.text
    assert "Sign in" not in page.text  # it is kept for everybody


@pytest.mark.parametrize("fonts", [["latin"], ["latin", "latin-ext"], ["latin", "cyrillic"]])
async def test_a_first_visit_leaves_room_for_pictures(
    client: httpx.AsyncClient, fonts: list[str]
) -> None:
    page = await client.get("/sign-in", headers={"Accept": "text/html"})
    addresses = set(re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text))
    sent = len(gzip.compress(page.content))
    known = load_assets()
    names = {address.split("/", 3)[3] for address in addresses}
    names |= {f"vendor/onest-{font}.woff2" for font in fonts}
    for name in names:
        file = known.files[name]
        sent += len(file.gzipped or file.body)
    assert sent < FIRST_PAGE_BYTES - FOR_PICTURES_BYTES


def test_a_missing_file_stops_the_start_and_says_what_to_do(
    runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look_elsewhere() -> assets.Assets:
        return load_assets(tmp_path)

    monkeypatch.setattr(app_module, "load_assets", look_elsewhere)
    with pytest.raises(UsageError, match=r"htmx\.min\.js.*make venv"):
        app_module.create_app(runtime)


def test_a_page_that_names_no_file_fails_where_it_is_made() -> None:
    with pytest.raises(KeyError, match=r"js/ap\.js"):
        load_assets().address("js/ap.js")


def test_style_sheets_use_tokens_and_load_nothing_from_elsewhere() -> None:
    for sheet in sorted((assets.FOLDER / "css").glob("*.css")):
        text = re.sub(r"/\*.*?\*/", "", sheet.read_text(), flags=re.DOTALL)
        assert not re.search(r"@import|https?:|//|url\((?!\"\.\./vendor/)", text), sheet.name
        if sheet.name not in ("tokens.css", "print.css"):
            assert not re.search(r"#[0-9a-f]{3,8}\b|\brgba?\(|\bhsla?\(", text), sheet.name
        used = set(re.findall(r"var\((--[\w-]+)", text))
        defined = set(re.findall(r"^\s*(--[\w-]+):", all_sheets(), re.MULTILINE))
        assert used <= defined, sheet.name


def all_sheets() -> str:
    return "\n".join(sheet.read_text() for sheet in (assets.FOLDER / "css").glob("*.css"))


def test_both_ways_to_the_dark_theme_lead_to_the_same() -> None:
    text = (assets.FOLDER / "css" / "tokens.css").read_text()
    by_device, chosen = re.findall(
        r"^ *(?::root:not\(\[data-theme=\"light\"\]\)|\[data-theme=\"dark\"\]) \{(.*?)\}",
        text,
        re.DOTALL | re.MULTILINE,
    )
    assert by_device.split() == chosen.split()


def test_the_lock_names_no_registry_and_hashes_everything() -> None:
    lock = json.loads((ROOT / "package-lock.json").read_text())
    packages = {name: each for name, each in lock["packages"].items() if name}
    assert packages
    for name, package in packages.items():
        assert package["integrity"].startswith("sha512-"), name
        assert "resolved" not in package, name
