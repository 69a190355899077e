"""What every page has: a language, a theme, a way to sign in, strict headers, errors in words."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest
import pytest_asyncio
from litestar import get, post
from litestar.di import NamedDependency

from marketplace import app as app_module
from marketplace.errors import Conflict
from marketplace.identity.domain import Role
from marketplace.runtime import Runtime
from marketplace.web.access import access
from marketplace.web.i18n import choose_language
from marketplace.web.i18n import lazy as _l
from marketplace.web.nav import NavEntry
from marketplace.web.page import Html, Page, local_path
from marketplace.web.templates import CORE, make_environment
from tests.conftest import Headers, run_lifespan
from tests.web.problems import problem

SignIn = Callable[..., Awaitable[Headers]]
PARTICIPANTS = access(roles=[Role.PARTICIPANT], page=True)
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
HTMX = {"HX-Request": "true", "HX-Current-URL": "http://here.test/trial/shelf?page=2"}


@get("/trial/shelf", opt=PARTICIPANTS, include_in_schema=False)
async def shelf(page: NamedDependency[Page]) -> Html:
    page.active = "shelf"
    return page.render("web/nothing_yet.html")


@post("/trial/shelf", opt=PARTICIPANTS, include_in_schema=False)
async def put_back(page: NamedDependency[Page]) -> Html:
    return page.redirect("/trial/shelf", notice=_l("Saved."))


@get("/trial/gone", opt=access(public=True, page=True), include_in_schema=False)
async def gone() -> None:
    raise Conflict("somebody was faster")


@get("/trial/crash", opt=access(public=True, page=True), include_in_schema=False)
async def crash() -> None:
    raise RuntimeError("the password is hunter2")


NAV = [
    NavEntry(key="wallet", label="Wallet", path="/wallet", roles=frozenset(Role), order=9),
    NavEntry(
        key="shelf",
        label="Shelf",
        path="/trial/shelf",
        roles=frozenset({Role.PARTICIPANT}),
        order=1,
    ),
]


@pytest_asyncio.fixture
async def client(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[httpx.AsyncClient]:
    """A browser on the application with some pages for trial."""
    monkeypatch.setattr(app_module, "ROUTES", [*app_module.ROUTES, shelf, put_back, gone, crash])
    monkeypatch.setattr(app_module, "NAV", NAV)
    app = app_module.create_app(runtime)
    async with run_lifespan(app):
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://here.test", headers=BROWSER
        ) as opened:
            yield opened


# -- who reads -------------------------------------------------------------------------------------


async def test_a_stranger_is_led_to_sign_in_and_back(client: httpx.AsyncClient) -> None:
    answer = await client.get("/trial/shelf?page=2&q=a b")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/sign-in?next=/trial/shelf%3Fpage%3D2%26q%3Da%2520b"
    answer = await client.get("/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")


async def test_a_form_sent_after_the_session_ended_leads_back_to_its_page(
    client: httpx.AsyncClient,
) -> None:
    origin = {"Referer": "http://here.test/trial/shelf?page=3"}
    answer = await client.post("/trial/shelf", headers=origin)
    assert answer.headers["location"] == "/sign-in?next=/trial/shelf%3Fpage%3D3"
    answer = await client.get("/trial/shelf", headers=HTMX)
    assert answer.headers["hx-redirect"] == "/sign-in?next=/trial/shelf%3Fpage%3D2"


async def test_home_and_navigation_follow_the_role(
    client: httpx.AsyncClient, sign_in: SignIn
) -> None:
    ann, boss = await sign_in(Role.PARTICIPANT), await sign_in(Role.FINANCE)
    assert (await client.get("/", headers=ann)).headers["location"] == "/trial/shelf"
    assert (await client.get("/", headers=boss)).headers["location"] == "/wallet"
    page = await client.get("/trial/shelf", headers=ann)
    assert '<a class="nav__link" href="/trial/shelf" aria-current="page">Shelf' in page.text
    assert "participant of ann" in page.text


async def test_another_role_gets_a_page_that_says_so(
    client: httpx.AsyncClient, sign_in: SignIn
) -> None:
    answer = await client.get("/trial/shelf", headers=await sign_in(Role.FINANCE))
    assert answer.status_code == 403
    assert "This page is not for your role" in answer.text
    assert 'data-code="missing_permission"' in answer.text


# -- errors ----------------------------------------------------------------------------------------


async def test_errors_are_pages_in_a_browser_and_problems_elsewhere(
    client: httpx.AsyncClient,
) -> None:
    page = await client.get("/nothing")
    assert page.status_code == 404
    assert "There is nothing at this address" in page.text
    assert "Sign in" not in page.text  # nobody asked who is reading
    problem(await client.get("/nothing", headers={"Accept": "application/json"}), 404, "not_found")
    problem(await client.get("/v1/nothing"), 404, "not_found")
    problem(await client.get("/v1/session"), 401, "not_authenticated")


async def test_a_crash_shows_an_id_and_hides_the_reason(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    page = await client.get("/trial/crash")
    assert page.status_code == 500
    assert page.headers["x-request-id"] in page.text
    assert "hunter2" not in page.text
    assert "hunter2" in caplog.text


async def test_an_error_of_a_part_is_said_in_the_corner(client: httpx.AsyncClient) -> None:
    part = await client.get("/trial/gone", headers=HTMX)
    assert part.status_code == 409
    assert (part.headers["hx-retarget"], part.headers["hx-reswap"]) == ("#toasts", "beforeend")
    assert part.text.startswith('<div class="toast')


# -- language and theme ----------------------------------------------------------------------------


async def test_the_switches_in_the_header_work_without_javascript(
    client: httpx.AsyncClient,
) -> None:
    page = await client.get("/_style")
    assert '<html lang="en">' in page.text
    for choice in ({"language": "pl"}, {"theme": "dark"}):
        answer = await client.post("/preferences", data={**choice, "next": "/_style"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/_style")
    page = await client.get("/_style", headers={"Accept-Language": "it"})
    assert '<html lang="pl" data-theme="dark">' in page.text
    assert page.headers["content-language"] == "pl"


async def test_what_is_not_on_offer_is_not_kept(client: httpx.AsyncClient) -> None:
    answer = await client.post(
        "/preferences", data={"language": "xx", "theme": "neon", "next": "//elsewhere.test/"}
    )
    assert answer.headers["location"] == "/"
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    ("wishes", "accept", "chosen"),
    [
        (["ru", "pl"], "it", "ru"),
        ([None, "pl"], "it", "pl"),
        ([None, "klingon"], "it-CH, en;q=0.8", "it"),
        ([], "de-DE, ru;q=0.4, pl;q=0.7", "pl"),
        ([], "de, ru;q=0", "en"),
        ([], "ru;q=much, *", "en"),
        ([], "", "en"),
    ],
)
def test_the_persons_wish_comes_before_the_browsers(
    wishes: list[str | None], accept: str, chosen: str
) -> None:
    assert choose_language(*wishes, accept=accept) == chosen


@pytest.mark.parametrize(
    "path",
    ["https://evil.test/", "//evil.test", "/\\evil.test", "javascript:1", "", "/a\nb", None, "a"],
)
def test_nobody_is_sent_to_another_host(path: str | None) -> None:
    assert local_path(path, "/home") == "/home"
    assert local_path("/rewards?state=open&q=%20") == "/rewards?state=open&q=%20"


# -- notices ---------------------------------------------------------------------------------------


async def test_a_notice_is_shown_once(client: httpx.AsyncClient, sign_in: SignIn) -> None:
    ann = await sign_in(Role.PARTICIPANT)
    saved = await client.post("/trial/shelf", headers=ann)
    assert (saved.status_code, saved.headers["location"]) == (303, "/trial/shelf")
    assert "Saved." in (await client.get("/trial/shelf", headers=ann)).text
    assert "Saved." not in (await client.get("/trial/shelf", headers=ann)).text


async def test_nobody_puts_words_into_our_mouth(client: httpx.AsyncClient, sign_in: SignIn) -> None:
    ann = await sign_in(Role.PARTICIPANT)
    saved = await client.post("/trial/shelf", headers=ann)
    body = saved.cookies["notice"].partition(".")[0]
    for forged in (f"{body}.{'0' * 32}", body, ".", "ü"):
        client.cookies.clear()
        cookie = {"Cookie": f"notice={forged}".encode()}
        page = await client.get("/trial/shelf", headers={**ann, **cookie})  # type: ignore[dict-item]
        assert "Saved." not in page.text


async def test_htmx_is_led_on_by_a_header(client: httpx.AsyncClient, sign_in: SignIn) -> None:
    ann = await sign_in(Role.PARTICIPANT)
    saved = await client.post("/trial/shelf", headers={**ann, **HTMX})
    assert (saved.status_code, saved.headers["hx-redirect"]) == (200, "/trial/shelf")


# -- headers ---------------------------------------------------------------------------------------


async def test_pages_allow_nothing_inline_and_nothing_from_elsewhere(
    client: httpx.AsyncClient,
) -> None:
    for path in ("/_style", "/nothing", "/trial/crash"):
        answer = await client.get(path)
        policy = dict(
            part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; ")
        )
        assert policy.pop("default-src") == "'none'"
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert set(policy.values()) == {"'self'", "'none'"}
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        for forbidden in ("<style", " style=", "javascript:", " onclick=", "http://", "https://"):
            assert forbidden not in answer.text, (path, forbidden)


# -- the living style page -------------------------------------------------------------------------

HELPERS = {"described", "notes", "label_of", "figure_of"}


def test_every_component_is_shown_on_the_style_page() -> None:
    folder = CORE / "web" / "templates" / "web"
    shown = (folder / "_showcase.html").read_text()
    for file in sorted((folder / "components").glob("*.html")):
        for macro in re.findall(r"{% macro (\w+)\(", file.read_text()):
            if macro not in HELPERS:
                assert re.search(rf"{macro}\(", shown), f"{macro} of {file.name} is not shown"


def test_every_template_compiles() -> None:
    environment = make_environment()
    names = environment.list_templates(extensions=["html", "txt"])
    assert "web/base.html" in names
    for name in names:
        environment.get_template(name)
