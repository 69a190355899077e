"""`POST /v1/issuances`: a member gives points; an operator may for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from marketplace import api
from marketplace.identity.domain import Role, Scope
from marketplace.ids import uuid7
from marketplace.runtime import Runtime
from tests.factories import Coalition

Headers = dict[str, str]
KeyMaker = Callable[..., Awaitable[Headers]]


def line(coalition: Coalition, reference: str = "R-1", **more: Any) -> dict[str, Any]:
    """One issuance of 500 points to ann, as JSON."""
    wallet = str(coalition.wallets["ann"])
    return {"reference": reference, "wallet_id": wallet, "points": 500, **more}


class Listener:
    """A plugin that notes what it is told."""

    def __init__(self) -> None:
        self.facts: list[api.IssueFact] = []

    @api.hookimpl
    def marketplace_after_points_issued(self, fact: api.IssueFact) -> None:
        self.facts.append(fact)


async def test_a_member_issues_and_repeats_safely(
    coalition: Coalition, client: httpx.AsyncClient, api_key: KeyMaker, runtime: Runtime
) -> None:
    listener = Listener()
    runtime.plugins.manager.register(listener, name="listener")
    key = await api_key("alpha", Scope.ISSUANCES_WRITE)
    body = {"issuances": [line(coalition), line(coalition, "R-2", points=7)]}

    first = await client.post("/v1/issuances", json=body, headers=key)
    assert (first.status_code, first.json()) == (201, {"issued": 2, "points": 507, "already": 0})
    again = await client.post("/v1/issuances", json=body, headers=key)
    assert (again.status_code, again.json()) == (201, {"issued": 0, "points": 0, "already": 2})

    told = api.IssueFact(issuer_id=coalition.members["alpha"], issuances=2, points=507)
    assert listener.facts == [told]


async def test_wrong_items_are_named_and_nothing_is_issued(
    coalition: Coalition, client: httpx.AsyncClient, api_key: KeyMaker
) -> None:
    key = await api_key("alpha", Scope.ISSUANCES_WRITE)
    items = [
        line(coalition),
        line(coalition, "R-2", points=0),
        line(coalition, "R-3", points=10**30),
        line(coalition, "R-4", wallet_id=str(uuid7())),
        line(coalition, "R-5\0"),
        line(coalition, "R-6", effective_at="0001-01-01T00:00:00+14:00"),
    ]
    answer = await client.post("/v1/issuances", json={"issuances": items}, headers=key)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "issuances_refused"
    assert [(each["index"], each["code"]) for each in answer.json()["errors"]] == [
        (1, "invalid_points"),
        (2, "invalid_points"),
        (3, "unknown_wallet"),
        (4, "invalid_reference"),
        (5, "invalid_time"),
    ]
    retry = await client.post("/v1/issuances", json={"issuances": items[:1]}, headers=key)
    assert retry.json()["issued"] == 1


@pytest.mark.parametrize(
    "body",
    [
        {"issuances": []},
        {"issuances": [{"reference": "R"}]},
        {"issuances": [{}] * 1_001},
        {"issuances": "all"},
        {},
    ],
)
async def test_a_malformed_body_is_refused(
    client: httpx.AsyncClient, api_key: KeyMaker, body: dict[str, Any]
) -> None:
    key = await api_key("alpha", Scope.ISSUANCES_WRITE)
    answer = await client.post("/v1/issuances", json=body, headers=key)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")


async def test_only_the_operator_issues_for_another_member(
    coalition: Coalition,
    client: httpx.AsyncClient,
    api_key: KeyMaker,
    sign_in: Callable[..., Awaitable[Headers]],
) -> None:
    body = {"issuer": "beta", "issuances": [line(coalition)]}
    alpha = await api_key("alpha", Scope.ISSUANCES_WRITE)
    assert (await client.post("/v1/issuances", json=body, headers=alpha)).status_code == 403
    partner = await sign_in(Role.PARTNER, "beta")
    assert (await client.post("/v1/issuances", json=body, headers=partner)).json()["issued"] == 1
    operator = await sign_in(Role.OPERATOR)
    answer = await client.post("/v1/issuances", json=body, headers=operator)
    assert answer.json() == {"issued": 0, "points": 0, "already": 1}
    body["issuer"] = "nobody"
    assert (await client.post("/v1/issuances", json=body, headers=operator)).status_code == 404


async def test_who_may_issue(
    client: httpx.AsyncClient, api_key: KeyMaker, sign_in: Callable[..., Awaitable[Headers]]
) -> None:
    for headers in (
        await api_key("alpha", Scope.BURNS_WRITE),
        await sign_in(Role.PARTICIPANT),
        await sign_in(Role.FINANCE),
    ):
        answer = await client.post("/v1/issuances", json={}, headers=headers)
        assert answer.status_code == 403
    assert (await client.post("/v1/issuances", json={})).status_code == 401
