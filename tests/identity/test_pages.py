"""Signing in and out in a browser, without scripts, and what people choose about themselves."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from html import unescape

import httpx
import pytest
import sqlalchemy as sa

from marketplace.identity.domain import Role
from marketplace.identity.models import Person, SignIn
from marketplace.notices.models import NoticePreference
from marketplace.runtime import Runtime
from tests.conftest import Headers
from tests.factories import PASSWORD, Coalition, make_person
from tests.identity.test_links import EMAIL, mailed

SignInAs = Callable[..., Awaitable[Headers]]
FIREFOX = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}


@pytest.fixture
async def ann(coalition: Coalition) -> Person:
    return await make_person(coalition, Role.PARTICIPANT, email=EMAIL)


async def type_in(client: httpx.AsyncClient, **form: str) -> httpx.Response:
    given = {"email": EMAIL, "password": PASSWORD, **form}
    return await client.post("/sign-in", data=given, headers=FIREFOX)


def wanted_by(form: httpx.Response) -> str:
    """Where the form to sign in with leads."""
    found = re.search(
        r'action="/sign-in"[^>]*>\s*<input[^>]*name="next" value="([^"]*)"', form.text
    )
    assert found is not None
    return unescape(found[1])


def text_of(answer: httpx.Response) -> str:
    """What a page says, without its tags."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", answer.text)).split())


async def test_who_is_not_signed_in_is_led_to_the_page_they_wanted(
    ann: Person, client: httpx.AsyncClient
) -> None:
    led = await client.get("/wallet?topic=earned", headers={"Accept": "text/html"})
    assert led.status_code == 303
    assert led.headers["location"].startswith("/sign-in?next=/wallet")
    form = await client.get(led.headers["location"])
    entered = await type_in(client, next=wanted_by(form))
    assert (entered.status_code, entered.headers["location"]) == (303, "/wallet?topic=earned")
    assert (await client.get("/wallet")).status_code == 200
    again = await client.get("/sign-in?next=/wallet")
    assert (again.status_code, again.headers["location"]) == (303, "/wallet")


@pytest.mark.parametrize(
    "hostile",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "/\t/evil.example",
        "javascript:alert(1)",
        "wallet",
        "/wallet\r\nSet-Cookie: a=b",
    ],
)
async def test_signing_in_leads_to_our_own_pages_only(
    hostile: str, ann: Person, client: httpx.AsyncClient
) -> None:
    form = await client.get("/sign-in", params={"next": hostile})
    assert wanted_by(form) == "/"
    entered = await type_in(client, next=hostile)
    assert (entered.status_code, entered.headers["location"]) == (303, "/")
    led = await client.get("/sign-in", params={"next": hostile})
    assert led.headers["location"] == "/"


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"password": "wrong password"}, "E-mail and password do not match."),
        ({"email": "nobody@acme.example"}, "E-mail and password do not match."),
        ({"password": ""}, "Type your password."),
        ({"email": ""}, "Type your e-mail."),
        ({"email": "ann"}, "That is no e-mail address."),
        ({"password": "x" * 201}, "No password is as long as that."),
    ],
)
async def test_what_is_wrong_is_said_beside_the_field(
    form: dict[str, str], words: str, ann: Person, client: httpx.AsyncClient
) -> None:
    answer = await type_in(client, **form)
    assert answer.status_code == 422
    assert words in text_of(answer)
    assert 'aria-invalid="true"' in answer.text
    assert PASSWORD not in answer.text
    assert "marketplace_session" not in answer.headers.get("set-cookie", "")


async def test_too_many_tries_are_told_to_wait(ann: Person, client: httpx.AsyncClient) -> None:
    for _ in range(10):
        await type_in(client, password="wrong password")
    locked = await type_in(client)
    assert locked.status_code == 429
    assert int(locked.headers["retry-after"]) > 0
    assert "Too many tries" in text_of(locked)


async def test_a_mailed_link_is_looked_at_freely_and_used_once(
    ann: Person, client: httpx.AsyncClient, runtime: Runtime
) -> None:
    known = await client.post("/sign-in/link", data={"email": EMAIL, "next": "/rewards"})
    unknown = await client.post("/sign-in/link", data={"email": "no@no.example"})
    assert known.status_code == unknown.status_code == 200
    assert known.text.replace(EMAIL, "") == unknown.text.replace("no@no.example", "")
    (token,) = await mailed(runtime)
    for _ in range(3):
        looked = await client.get(f"/sign-in/link/{token}")
        assert looked.status_code == 200
        assert "Sign me in" in text_of(looked)
    entered = await client.post(f"/sign-in/link/{token}")
    assert (entered.status_code, entered.headers["location"]) == (303, "/rewards")
    assert (await client.get("/me")).status_code == 200
    client.cookies.clear()
    for answer in (
        await client.get(f"/sign-in/link/{token}"),
        await client.post(f"/sign-in/link/{token}"),
        await client.post("/sign-in/link/ml_made-up"),
    ):
        assert answer.status_code == 410
        assert "This link no longer works" in text_of(answer)
        assert not client.cookies.get("marketplace_session")


async def test_signing_out_ends_the_session(ann: Person, client: httpx.AsyncClient) -> None:
    await type_in(client)
    token = client.cookies["marketplace_session"]
    out = await client.post("/sign-out")
    assert (out.status_code, out.headers["location"]) == (303, "/sign-in")
    assert "You are signed out." in text_of(await client.get("/sign-in"))
    late = await client.get("/v1/session", headers={"Authorization": f"Bearer {token}"})
    assert late.status_code == 401


async def test_another_sites_form_signs_nobody_in_or_out(
    ann: Person, client: httpx.AsyncClient
) -> None:
    evil = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    given = {"email": EMAIL, "password": PASSWORD}
    assert (await client.post("/sign-in", data=given, headers=evil)).status_code == 403
    await type_in(client)
    assert (await client.post("/sign-out", headers=evil)).status_code == 403
    assert (await client.get("/me")).status_code == 200


async def test_language_and_theme_follow_the_person(
    ann: Person, client: httpx.AsyncClient, runtime: Runtime
) -> None:
    await type_in(client)
    saved = await client.post("/me/look", data={"language": "pl", "theme": "dark"})
    assert saved.headers["location"] == "/me"
    client.cookies.delete("notice")
    page = await client.get("/me", headers={"Accept-Language": "ru"})
    assert '<html lang="pl" data-theme="dark">' in page.text
    # The switches of the header keep it too.
    await client.post("/preferences", data={"theme": "light", "next": "/me"})
    async with runtime.database.begin() as session:
        person = await session.get_one(Person, ann.id)
        assert (person.locale, person.theme) == ("pl", "light")
    await client.post("/me/look", data={"language": "auto", "theme": "auto"})
    page = await client.get("/me", headers={"Accept-Language": "ru"})
    assert '<html lang="ru">' in page.text
    for wrong in ({"language": "xx"}, {"theme": "neon"}):
        assert (await client.post("/me/look", data=wrong)).status_code == 400


async def test_when_digests_come_is_chosen_in_ones_own_zone(
    ann: Person, client: httpx.AsyncClient, runtime: Runtime
) -> None:
    await type_in(client)
    page = await client.get("/me", headers={"Accept-Language": "pl"})
    assert "Jak w kraju twojej firmy: Berlin" in page.text
    assert "Warszawa, Polska" in page.text
    chosen = {"hour": "18", "time_zone": "Europe/Warsaw"}
    assert (await client.post("/me/digests", data=chosen)).headers["location"] == "/me"
    async with runtime.database.begin() as session:
        person = await session.get_one(Person, ann.id)
        assert (person.digest_hour, person.time_zone) == (18, "Europe/Warsaw")
    assert '<option value="18" selected>' in (await client.get("/me")).text
    await client.post("/me/digests", data={"hour": "7", "time_zone": "auto"})
    async with runtime.database.begin() as session:
        assert (await session.get_one(Person, ann.id)).time_zone is None
    for wrong in ({"hour": "24"}, {"hour": "\u0661"}, {"hour": "7", "time_zone": "Mars/Olympus"}):
        assert (await client.post("/me/digests", data=wrong)).status_code == 400


async def test_what_one_hears_is_chosen_on_ones_own_page(
    ann: Person, client: httpx.AsyncClient, runtime: Runtime
) -> None:
    await type_in(client)
    page = await client.get("/me")
    assert 'name="email_rewards"' in page.text
    await client.post("/me/notifications", data={"email_rewards": "weekly"})
    async with runtime.database.begin() as session:
        (chosen,) = (await session.scalars(sa.select(NoticePreference))).all()
        assert (chosen.category, chosen.in_app, chosen.email) == ("rewards", False, "weekly")
    wrong = await client.post("/me/notifications", data={"email_rewards": "hourly"})
    assert wrong.status_code == 400


async def test_sessions_are_listed_and_ended(
    ann: Person, client: httpx.AsyncClient, runtime: Runtime, sign_in: SignInAs
) -> None:
    await type_in(client)
    first = client.cookies["marketplace_session"]
    client.cookies.clear()
    await type_in(client)
    page = await client.get("/me")
    assert text_of(page).count("Firefox, Linux") >= 2
    (ending,) = re.findall(r'action="(/me/sessions/[^"]+/end)"', page.text)
    other = await sign_in(Role.PARTICIPANT, "bob")
    mine = client.cookies["marketplace_session"]
    client.cookies.clear()
    assert (await client.post(ending, headers=other)).status_code == 404
    client.cookies.set("marketplace_session", mine)
    assert (await client.post(ending)).status_code == 303
    gone = await client.get("/v1/session", headers={"Authorization": f"Bearer {first}"})
    assert gone.status_code == 401

    out = await client.post("/me/sign-out-everywhere")
    assert out.headers["location"] == "/sign-in"
    async with runtime.database.begin() as session:
        open_ones = sa.select(SignIn).where(SignIn.person_id == ann.id, SignIn.revoked_at.is_(None))
        assert (await session.scalars(open_ones)).all() == []


async def test_the_guide_is_shown_until_it_is_put_away(
    ann: Person, client: httpx.AsyncClient
) -> None:
    await type_in(client)
    assert "this is how it works" in text_of(await client.get("/wallet"))
    away = await client.post("/me/guide", data={"next": "/wallet"})
    assert away.headers["location"] == "/wallet"
    assert "this is how it works" not in text_of(await client.get("/wallet"))
    assert (await client.get("/me/guide")).status_code == 200
    hostile = await client.post("/me/guide", data={"next": "//evil.example"})
    assert hostile.headers["location"] == "/"


async def test_staff_have_a_page_of_their_own_too(
    client: httpx.AsyncClient, sign_in: SignInAs
) -> None:
    for role in Role:
        page = await client.get("/me", headers=await sign_in(role))
        assert page.status_code == 200
        assert "Where you are signed in" in text_of(page)
