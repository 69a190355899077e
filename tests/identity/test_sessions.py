"""Signing in with a password, and everything that ends a session."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import httpx
import pytest
import sqlalchemy as sa

from marketplace.db import Database
from marketplace.identity import people, sessions
from marketplace.identity.authenticator import Authenticator
from marketplace.identity.domain import Role
from marketplace.identity.models import AuditEntry, SignIn, SignInFailure
from tests.conftest import Headers, bearer
from tests.factories import PASSWORD, Coalition, make_person
from tests.web.problems import problem

SignInAs = Callable[..., Awaitable[Headers]]
EMAIL = "ann@acme.example"


@pytest.fixture
async def ann(coalition: Coalition) -> Coalition:
    """Ann can sign in with EMAIL and PASSWORD."""
    await make_person(coalition, Role.PARTICIPANT, email=EMAIL)
    return coalition


async def try_password(
    client: httpx.AsyncClient, password: str, email: str = EMAIL
) -> httpx.Response:
    return await client.post("/v1/session", json={"email": email, "password": password})


async def test_ann_signs_in_with_the_cookie_and_out_again(
    ann: Coalition, client: httpx.AsyncClient
) -> None:
    signed_in = await try_password(client, PASSWORD, "Ann@ACME.example")
    assert signed_in.status_code == 201
    cookie = signed_in.headers["set-cookie"].lower()
    assert cookie.startswith("marketplace_session=ms_")
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "secure" not in cookie

    me = (await client.get("/v1/session")).json()
    assert (me["email"], me["roles"]) == (EMAIL, ["participant"])
    assert me["participant_id"] == str(ann.participants["ann"])

    kept = bearer(signed_in.json()["token"])
    assert (await client.delete("/v1/session")).status_code == 204
    assert not client.cookies
    problem(await client.get("/v1/session", headers=kept), 401, "not_authenticated")


async def test_the_token_works_as_bearer_too(ann: Coalition, client: httpx.AsyncClient) -> None:
    token = (await try_password(client, PASSWORD)).json()["token"]
    client.cookies.clear()
    assert (await client.get("/v1/session", headers=bearer(token))).status_code == 200
    problem(await client.get("/v1/session"), 401, "not_authenticated")


async def test_every_wrong_sign_in_gets_the_same_answer(
    ann: Coalition, client: httpx.AsyncClient
) -> None:
    await make_person(ann, Role.PARTNER, email="gone@shop.example")
    async with ann.runtime.database.begin() as session:
        await people.disable_person(session, "test", "gone@shop.example")
    answers = [
        await try_password(client, "wrong password"),
        await try_password(client, PASSWORD, "nobody@acme.example"),
        await try_password(client, PASSWORD, "gone@shop.example"),
    ]
    for answer in answers:
        problem(answer, 401, "wrong_password")
    assert len({answer.content for answer in answers}) == 1


async def test_guessing_is_stopped_even_when_all_guesses_come_at_once(
    ann: Coalition, client: httpx.AsyncClient
) -> None:
    guesses = [try_password(client, f"guess number {n}") for n in range(13)]
    statuses = [answer.status_code for answer in await asyncio.gather(*guesses)]
    assert (statuses.count(401), statuses.count(429)) == (10, 3)

    locked = await try_password(client, PASSWORD, EMAIL.upper())
    problem(locked, 429, "too_many_attempts")
    assert 0 < int(locked.headers["retry-after"]) <= 15 * 60
    problem(await try_password(client, "other person", "bob@acme.example"), 401, "wrong_password")

    async with ann.runtime.database.begin() as session:
        entries = sa.select(AuditEntry).where(AuditEntry.action == "sign_in.locked_out")
        (entry,) = (await session.scalars(entries)).all()
        assert entry.subject_id == EMAIL
        await session.execute(
            sa.update(SignInFailure).values(at=SignInFailure.at - sessions.WINDOW)
        )
    assert (await try_password(client, PASSWORD)).status_code == 201


async def test_a_right_password_is_no_failure(ann: Coalition, client: httpx.AsyncClient) -> None:
    for _ in range(12):
        assert (await try_password(client, PASSWORD)).status_code == 201


async def test_a_session_ends_by_time_and_by_disabling_the_person(
    ann: Coalition, client: httpx.AsyncClient, owner: Database
) -> None:
    first = bearer((await try_password(client, PASSWORD)).json()["token"])
    second = bearer((await try_password(client, PASSWORD)).json()["token"])
    client.cookies.clear()
    async with owner.begin() as session:
        oldest = sa.select(SignIn.id).order_by(SignIn.created_at).limit(1).scalar_subquery()
        expired = sa.update(SignIn).where(SignIn.id == oldest).values(expires_at=sa.func.now())
        await session.execute(expired)
    problem(await client.get("/v1/session", headers=first), 401, "not_authenticated")
    assert (await client.get("/v1/session", headers=second)).status_code == 200

    async with ann.runtime.database.begin() as session:
        await people.disable_person(session, "test", EMAIL)
    problem(await client.get("/v1/session", headers=second), 401, "not_authenticated")


async def test_a_new_password_ends_the_sessions_of_the_old_one(
    ann: Coalition, client: httpx.AsyncClient
) -> None:
    old = bearer((await try_password(client, PASSWORD)).json()["token"])
    client.cookies.clear()
    async with ann.runtime.database.begin() as session:
        await people.change_password(session, "test", EMAIL, "another good password")
    problem(await client.get("/v1/session", headers=old), 401, "not_authenticated")
    problem(await try_password(client, PASSWORD), 401, "wrong_password")
    assert (await try_password(client, "another good password")).status_code == 201


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://marketplace.test.evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_a_page_of_another_site_cannot_act_with_the_cookie(
    headers: Headers, ann: Coalition, client: httpx.AsyncClient
) -> None:
    await try_password(client, PASSWORD)
    problem(await client.delete("/v1/session", headers=headers), 403, "cross_site_request")
    signing_in = {"email": EMAIL, "password": PASSWORD}
    forced = await client.post("/v1/session", json=signing_in, headers=headers)
    problem(forced, 403, "cross_site_request")
    burn = await client.post("/v1/burns", json={}, headers=headers)
    problem(burn, 403, "cross_site_request")
    assert (await client.get("/v1/session", headers=headers)).status_code == 200


async def test_our_own_pages_and_bearer_clients_may_act(
    ann: Coalition, client: httpx.AsyncClient
) -> None:
    token = (await try_password(client, PASSWORD)).json()["token"]
    ours = {"Origin": "http://marketplace.test", "Sec-Fetch-Site": "same-origin"}
    assert (await client.delete("/v1/session", headers=ours)).status_code == 204
    token = (await try_password(client, PASSWORD)).json()["token"]
    client.cookies.clear()
    elsewhere = {**bearer(token), "Origin": "https://their-app.example"}
    assert (await client.delete("/v1/session", headers=elsewhere)).status_code == 204


async def test_a_person_carries_only_what_the_role_stands_for(
    coalition: Coalition, sign_in: SignInAs
) -> None:
    authenticator = Authenticator(coalition.runtime.database)
    for role in Role:
        headers = await sign_in(role)
        raw = [(b"authorization", headers["Authorization"].encode())]
        principal = await authenticator.identify(raw)
        assert principal.roles == {role}
        assert not principal.is_key
        assert principal.is_operator == (role is Role.OPERATOR)
        assert (principal.participant_id is not None) == (role is Role.PARTICIPANT)
        assert (principal.firm_id is not None) == (role is Role.FIRM_MANAGER)
        assert (principal.member_id is not None) == (role in people.STAFF)


async def test_what_no_longer_counts_is_forgotten(
    ann: Coalition, client: httpx.AsyncClient, owner: Database
) -> None:
    await try_password(client, "wrong password")
    await try_password(client, PASSWORD)
    async with owner.begin() as session:
        await session.execute(sa.text("update sign_in_failure set at = at - interval '1 hour'"))
        await session.execute(sa.text("update sign_in set expires_at = now() - interval '40 days'"))
    async with ann.runtime.database.begin() as session:
        await sessions.forget_stale(session)
        assert (await session.scalars(sa.select(SignIn))).all() == []
        assert (await session.scalars(sa.select(SignInFailure))).all() == []
