"""API keys: made once, seen once, revoked for good."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from uuid import uuid4

import httpx
import pytest
import sqlalchemy as sa
from litestar import Litestar

from marketplace.db import Database
from marketplace.errors import NotAuthenticated
from marketplace.identity.authenticator import Authenticator
from marketplace.identity.domain import Role, Scope
from marketplace.identity.models import ApiKey, AuditEntry
from marketplace.runtime import Runtime
from tests.conftest import Headers, bearer
from tests.factories import Coalition
from tests.web.problems import problem

SignIn = Callable[..., Awaitable[Headers]]
MakeKey = Callable[..., Awaitable[Headers]]
NEW = {"label": "checkout", "scopes": ["offers:read"]}


async def audited(runtime: Runtime, action: str) -> list[AuditEntry]:
    async with runtime.database.begin() as session:
        query = sa.select(AuditEntry).where(AuditEntry.action == action)
        return list((await session.scalars(query)).all())


async def test_a_partner_makes_uses_and_revokes_a_key(
    client: httpx.AsyncClient, sign_in: SignIn, runtime: Runtime
) -> None:
    partner = await sign_in(Role.PARTNER, "shop")
    made = await client.post("/v1/api-keys", json=NEW, headers=partner)
    assert made.status_code == 201
    key, details = made.json()["key"], made.json()["details"]
    assert len(key) == 46
    assert key.startswith(details["hint"])
    assert details["member"] == "shop"

    assert (await client.get("/v1/offers", headers=bearer(key))).status_code == 200
    listed = (await client.get("/v1/api-keys", headers=partner)).json()["items"]
    assert [each["id"] for each in listed] == [details["id"]]
    assert key not in str(listed)

    for _ in range(2):
        revoked = await client.delete(f"/v1/api-keys/{details['id']}", headers=partner)
        assert revoked.status_code == 204
    problem(await client.get("/v1/offers", headers=bearer(key)), 401, "not_authenticated")
    assert len(await audited(runtime, "key.created")) == 1
    assert len(await audited(runtime, "key.revoked")) == 1


async def test_the_database_holds_a_digest_and_never_the_key(
    client: httpx.AsyncClient, sign_in: SignIn, runtime: Runtime
) -> None:
    partner = await sign_in(Role.PARTNER)
    key = (await client.post("/v1/api-keys", json=NEW, headers=partner)).json()["key"]
    async with runtime.database.begin() as session:
        rows = (await session.execute(sa.text("select api_key::text from api_key"))).scalars()
        assert all(key[10:] not in row for row in rows)


async def test_a_partner_reaches_no_other_members_keys(
    client: httpx.AsyncClient, sign_in: SignIn
) -> None:
    theirs = await sign_in(Role.PARTNER, "tickets")
    made = await client.post("/v1/api-keys", json=NEW, headers=theirs)
    mine = await sign_in(Role.PARTNER, "shop")

    assert (await client.get("/v1/api-keys", headers=mine)).json()["items"] == []
    path = f"/v1/api-keys/{made.json()['details']['id']}"
    problem(await client.delete(path, headers=mine), 404, "not_found")
    asked = await client.post("/v1/api-keys", json={**NEW, "member": "tickets"}, headers=mine)
    problem(asked, 403, "not_allowed")
    assert (await client.get("/v1/offers", headers=bearer(made.json()["key"]))).status_code == 200


async def test_only_the_operator_makes_keys_of_the_operator(
    client: httpx.AsyncClient, sign_in: SignIn
) -> None:
    inside = await sign_in(Role.PARTNER, "operator")
    problem(await client.post("/v1/api-keys", json=NEW, headers=inside), 403, "not_allowed")


async def test_the_operator_makes_keys_for_any_member_and_sees_all(
    client: httpx.AsyncClient, sign_in: SignIn
) -> None:
    operator = await sign_in(Role.OPERATOR)
    for member in ("alpha", "beta", "operator"):
        made = await client.post("/v1/api-keys", json={**NEW, "member": member}, headers=operator)
        assert made.status_code == 201
    first = (await client.get("/v1/api-keys", params={"limit": 2}, headers=operator)).json()
    assert [each["member"] for each in first["items"]] == ["operator", "beta"]
    rest = {"limit": 2, "cursor": first["next"]}
    second = (await client.get("/v1/api-keys", params=rest, headers=operator)).json()
    assert [each["member"] for each in second["items"]] == ["alpha"]
    assert second["next"] is None

    unnamed = await client.post("/v1/api-keys", json=NEW, headers=operator)
    problem(unnamed, 400, "invalid_request")
    unknown = await client.post("/v1/api-keys", json={**NEW, "member": "nobody"}, headers=operator)
    problem(unknown, 404, "not_found")
    gone = await client.delete(f"/v1/api-keys/{uuid4()}", headers=operator)
    problem(gone, 404, "not_found")


async def test_a_key_that_makes_no_sense_is_refused(
    client: httpx.AsyncClient, sign_in: SignIn
) -> None:
    partner = await sign_in(Role.PARTNER)
    for wrong in (
        {**NEW, "scopes": []},
        {**NEW, "scopes": ["everything"]},
        {**NEW, "label": ""},
        {**NEW, "admin": True},
    ):
        answer = await client.post("/v1/api-keys", json=wrong, headers=partner)
        assert problem(answer, 400, "invalid_request")["errors"]
    bad = await client.get("/v1/api-keys", params={"cursor": "AAAA"}, headers=partner)
    problem(bad, 400, "bad_cursor")


async def test_a_key_never_makes_keys(client: httpx.AsyncClient, api_key: MakeKey) -> None:
    headers = await api_key("operator", *Scope)
    problem(await client.post("/v1/api-keys", json=NEW, headers=headers), 403, "missing_permission")


async def test_strange_credentials_are_refused(client: httpx.AsyncClient) -> None:
    for value in ("", "Bearer", "Bearer x", "Basic dXNlcjpwdw==", f"Bearer mk_{'x' * 43}"):
        answer = await client.get("/v1/offers", headers={"Authorization": value})
        problem(answer, 401, "not_authenticated")
        assert answer.headers["www-authenticate"] == "Bearer"


async def test_last_use_is_kept_to_the_minute_in_one_write(
    client: httpx.AsyncClient, app: Litestar, api_key: MakeKey, runtime: Runtime
) -> None:
    headers = await api_key("alpha", Scope.OFFERS_READ)
    for _ in range(3):
        assert (await client.get("/v1/offers", headers=headers)).status_code == 200
    authenticator: Authenticator = app.state.authenticator
    await authenticator.write_last_used()
    async with runtime.database.begin() as session:
        used = (await session.scalars(sa.select(ApiKey.last_used_at))).one()
    assert used is not None
    assert (used.second, used.microsecond) == (0, 0)


async def test_the_fast_way_remembers_who_a_key_is_and_the_slow_way_does_not(
    coalition: Coalition, api_key: MakeKey, owner: Database
) -> None:
    headers = await api_key("alpha", Scope.BURNS_WRITE)
    raw = [(b"authorization", headers["Authorization"].encode())]
    authenticator = Authenticator(coalition.runtime.database, remember=1)
    first = await authenticator.identify(raw)
    assert first.member_id == first.caller_id == coalition.members["alpha"]
    assert first.scopes == {Scope.BURNS_WRITE}
    async with owner.begin() as session:
        await session.execute(sa.text("update api_key set revoked_at = now()"))

    assert await authenticator.identify(raw) is first
    other = await api_key("beta", Scope.BURNS_WRITE)
    await authenticator.identify([(b"authorization", other["Authorization"].encode())])
    for asked in (authenticator.identify(raw), authenticator.verify(raw, "GET")):
        with pytest.raises(NotAuthenticated):
            await asked


async def test_only_headers_as_they_are_usually_written_are_known_as_they_are(
    coalition: Coalition, api_key: MakeKey
) -> None:
    sent = (await api_key("alpha", Scope.BURNS_WRITE))["Authorization"].encode()
    authenticator = Authenticator(coalition.runtime.database)
    first = await authenticator.identify([(b"authorization", sent)])
    long = sent.replace(b" ", b" " * 10_000)
    for _ in range(2):
        assert authenticator.remembered_bearer(sent) is first
        assert authenticator.remembered_bearer(long) is first
    # A caller who writes it in a thousand ways takes no more memory.
    assert list(authenticator._bearers) == [sent]
