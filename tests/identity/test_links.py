"""Signing in with a link that is mailed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

import httpx
import pytest
import sqlalchemy as sa

from marketplace.db import Database
from marketplace.errors import NotAuthenticated
from marketplace.identity import links, people
from marketplace.identity.devices import device_of
from marketplace.identity.domain import Role
from marketplace.identity.errors import LinkNotUsable
from marketplace.identity.models import Person, SignInLink
from marketplace.notices import queue
from marketplace.notices.compose import language_of
from marketplace.notices.models import Mail
from marketplace.runtime import Runtime
from tests.conftest import Headers
from tests.factories import Coalition, make_person

SignInAs = Callable[..., Awaitable[Headers]]
EMAIL = "ann@acme.example"


@pytest.fixture
async def ann(coalition: Coalition) -> Person:
    return await make_person(coalition, Role.PARTICIPANT, email=EMAIL)


async def ask(client: httpx.AsyncClient, email: str = EMAIL, **more: str) -> httpx.Response:
    return await client.post("/v1/session/link", json={"email": email, **more})


async def mailed(runtime: Runtime) -> list[str]:
    """Tokens of the links that wait to be mailed, oldest first."""
    async with runtime.database.begin() as session:
        found = await session.scalars(sa.select(Mail).order_by(Mail.id))
        secrets = [each.secret for each in found if each.secret is not None]
    paths = [runtime.vault.decrypt(secret) for secret in secrets]
    assert all(path.startswith(links.PATH) for path in paths)
    return [path.removeprefix(links.PATH) for path in paths]


async def test_everybody_gets_the_same_answer_and_only_who_is_known_a_mail(
    ann: Person, client: httpx.AsyncClient, runtime: Runtime, coalition: Coalition
) -> None:
    await make_person(coalition, Role.PARTNER, email="gone@shop.example")
    async with runtime.database.begin() as session:
        await people.disable_person(session, "test", "gone@shop.example")
    answers = [
        await ask(client, email) for email in (EMAIL.upper(), "gone@shop.example", "no@no.example")
    ]
    assert {(each.status_code, each.content) for each in answers} == {(202, b'{"works_for_s":900}')}
    assert len(await mailed(runtime)) == 1


async def test_a_link_works_once(ann: Person, client: httpx.AsyncClient, runtime: Runtime) -> None:
    await ask(client, next="/rewards?section=ready")
    (token,) = await mailed(runtime)
    async with runtime.database.begin() as session:
        stored = (await session.scalars(sa.select(SignInLink.digest))).one()
        assert token.encode() not in stored
        assert await links.is_usable(session, token)
    async with runtime.database.begin() as session:
        signed_in, path = await links.sign_in_by_link(session, token, days=1, device="Firefox")
    assert path == "/rewards?section=ready"
    me = await client.get("/v1/session", headers={"Authorization": f"Bearer {signed_in.token}"})
    assert me.json()["email"] == EMAIL
    async with runtime.database.begin() as session:
        assert not await links.is_usable(session, token)
        with pytest.raises(LinkNotUsable):
            await links.sign_in_by_link(session, token, days=1, device=None)


async def test_a_link_comes_in_the_language_it_was_asked_for_in_unless_another_was_chosen(
    ann: Person, client: httpx.AsyncClient, runtime: Runtime
) -> None:
    italian = {"Accept-Language": "it"}
    await client.post("/v1/session/link", json={"email": EMAIL}, headers=italian)
    await client.post("/sign-in/link", data={"email": EMAIL}, headers=italian)
    async with runtime.database.begin() as session:
        claimed = await queue.claim(session, limit=9, lease=timedelta(seconds=1))
        assert [language_of(mail).code for mail in claimed] == ["it", "it"]
        await session.execute(sa.update(Person).values(locale="pl"))
        await session.execute(sa.update(Mail).values(due_at=sa.func.statement_timestamp()))
    async with runtime.database.begin() as session:
        claimed = await queue.claim(session, limit=9, lease=timedelta(seconds=1))
        assert [language_of(mail).code for mail in claimed] == ["pl", "pl"]


@pytest.mark.parametrize("hostile", ["https://evil.example", "//evil.example", "/\\evil", "x", ""])
async def test_a_link_leads_to_our_own_pages_only(
    hostile: str, ann: Person, client: httpx.AsyncClient, runtime: Runtime
) -> None:
    await ask(client, next=hostile)
    (token,) = await mailed(runtime)
    async with runtime.database.begin() as session:
        _, path = await links.sign_in_by_link(session, token, days=1, device=None)
    assert path == "/"


async def test_a_link_that_is_old_or_of_somebody_shut_out_is_of_no_use(
    ann: Person, client: httpx.AsyncClient, runtime: Runtime, owner: Database
) -> None:
    for _ in range(2):
        await ask(client)
    old, fresh = await mailed(runtime)
    async with owner.begin() as session:
        oldest = sa.select(SignInLink.id).order_by(SignInLink.id).limit(1).scalar_subquery()
        ended = sa.update(SignInLink).where(SignInLink.id == oldest)
        await session.execute(ended.values(expires_at=sa.func.now()))
    async with runtime.database.begin() as session:
        await people.disable_person(session, "test", EMAIL)
    for token in (old, fresh, "ml_never-sent"):
        with pytest.raises(NotAuthenticated):
            async with runtime.database.begin() as session:
                await links.sign_in_by_link(session, token, days=1, device=None)


async def test_nobody_is_flooded_with_links(
    ann: Person, client: httpx.AsyncClient, runtime: Runtime, owner: Database
) -> None:
    for _ in range(5):
        assert (await ask(client)).status_code == 202
    assert len(await mailed(runtime)) == 3
    for _ in range(5):
        async with owner.begin() as session:
            earlier = SignInLink.created_at - sa.text("interval '20 minutes'")
            await session.execute(sa.update(SignInLink).values(created_at=earlier))
        for _ in range(4):
            await ask(client)
    assert len(await mailed(runtime)) == 12


@pytest.mark.parametrize(
    ("user_agent", "device"),
    [
        (
            "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
            "Firefox, Linux",
        ),
        (
            "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) "
            "Chrome/140.0.0.0 Mobile Safari/537.36",
            "Chrome, Android",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 "
            "(KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1",
            "Safari, iPhone",
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
            "Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0",
            "Edge, Windows",
        ),
        ("python-httpx/0.28", None),
        ("", None),
    ],
)
def test_a_browser_is_told_in_a_few_words(user_agent: str, device: str | None) -> None:
    assert device_of(user_agent) == device
