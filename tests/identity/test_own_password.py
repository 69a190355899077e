"""Ann changes her own password: on her page, over JSON, and after a mailed link."""

from __future__ import annotations

import httpx
import pytest
import sqlalchemy as sa

from marketplace.db import Database
from marketplace.identity.domain import Role
from marketplace.identity.models import AuditEntry, Person
from marketplace.runtime import Runtime
from tests.factories import PASSWORD, Coalition, make_person
from tests.identity.test_links import EMAIL, mailed
from tests.identity.test_pages import text_of, type_in
from tests.web.problems import problem

NEW = "seven quiet herons"


@pytest.fixture
async def ann(coalition: Coalition) -> Person:
    return await make_person(coalition, Role.PARTICIPANT, email=EMAIL)


async def change(client: httpx.AsyncClient, **form: str) -> httpx.Response:
    given = {"present": PASSWORD, "new": NEW, "again": NEW, **form}
    return await client.post("/me/password", data=given)


async def test_a_new_password_ends_every_other_session(
    ann: Person, client: httpx.AsyncClient, runtime: Runtime
) -> None:
    await type_in(client)
    elsewhere = {"Authorization": f"Bearer {client.cookies['marketplace_session']}"}
    client.cookies.clear()
    await type_in(client)
    assert "Present password" in text_of(await client.get("/me"))
    changed = await change(client)
    assert (changed.status_code, changed.headers["location"]) == (303, "/me")
    assert "Your password is changed." in text_of(await client.get("/me"))
    mine = client.cookies["marketplace_session"]
    client.cookies.clear()
    assert (await client.get("/v1/session", headers=elsewhere)).status_code == 401
    assert (await type_in(client)).status_code == 422
    assert (await type_in(client, password=NEW)).status_code == 303
    client.cookies.set("marketplace_session", mine)
    assert (await client.get("/v1/session")).status_code == 200
    async with runtime.database.begin() as session:
        found = await session.scalars(
            sa.select(AuditEntry).where(AuditEntry.action == "person.password_changed")
        )
        (entry,) = found.all()
        assert (entry.actor, entry.details) == (f"person:{ann.id}", {"by_link": False})


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"present": "not mine at all"}, "That is not your present password."),
        ({"present": ""}, "That is not your present password."),
        ({"new": "short", "again": "short"}, "A password has 10 to 200 characters."),
        ({"new": "x" * 201, "again": "x" * 201}, "A password has 10 to 200 characters."),
        ({"again": "seven quiet heron"}, "The two are not the same."),
    ],
)
async def test_what_is_wrong_is_said_beside_the_field(
    form: dict[str, str], words: str, ann: Person, client: httpx.AsyncClient
) -> None:
    await type_in(client)
    answer = await change(client, **form)
    assert answer.status_code == 422
    assert words in text_of(answer)
    assert PASSWORD not in answer.text
    assert NEW not in answer.text
    assert (await type_in(client)).status_code == 303


async def test_guessing_counts_together_with_failed_sign_ins(
    ann: Person, client: httpx.AsyncClient
) -> None:
    await type_in(client)
    for _ in range(5):
        await change(client, present="wrong password")
    for _ in range(5):
        await type_in(client, password="wrong password")
    locked = await change(client)
    assert locked.status_code == 429
    assert "Too many tries" in text_of(locked)
    asked = {"present": PASSWORD, "new": NEW}
    problem(await client.put("/v1/session/password", json=asked), 429, "too_many_attempts")


async def test_whoever_comes_in_by_a_link_sets_one_without_the_present_one(
    ann: Person, client: httpx.AsyncClient, runtime: Runtime, owner: Database
) -> None:
    await type_in(client)
    by_password = client.cookies["marketplace_session"]
    client.cookies.clear()
    await client.post("/sign-in/link", data={"email": EMAIL})
    (token,) = await mailed(runtime)
    await client.post(f"/sign-in/link/{token}")
    page = text_of(await client.get("/me"))
    assert "Present password" not in page
    assert "your present password is not asked for" in page
    # A session that was opened by password meanwhile is none the freer.
    by_link = client.cookies["marketplace_session"]
    client.cookies.clear()
    other = {"Authorization": f"Bearer {by_password}"}
    refused = await client.put("/v1/session/password", json={"new": NEW}, headers=other)
    problem(refused, 403, "wrong_present_password")
    client.cookies.set("marketplace_session", by_link)
    assert (await change(client, present="")).status_code == 303
    assert (await client.get("/v1/session", headers=other)).status_code == 401
    async with owner.engine.begin() as connection:
        for table, column in (("sign_in", "created_at"), ("sign_in_link", "used_at")):
            await connection.exec_driver_sql(
                f"update {table} set {column} = {column} - interval '16 minutes'"
            )
    late = await client.put("/v1/session/password", json={"new": NEW})
    problem(late, 403, "wrong_present_password")


async def test_it_is_changed_over_json_too(ann: Person, client: httpx.AsyncClient) -> None:
    await type_in(client)
    short = await client.put("/v1/session/password", json={"present": PASSWORD, "new": "short"})
    problem(short, 400, "invalid_request")
    asked = {"present": PASSWORD, "new": NEW}
    assert (await client.put("/v1/session/password", json=asked)).status_code == 204
    assert (await type_in(client, password=NEW)).status_code == 303
