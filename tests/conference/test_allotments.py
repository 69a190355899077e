"""Allotments and keys of doors over HTTP: whose they are, what they keep, bad input."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx

from marketplace.identity.domain import Role, Scope
from tests.conference.test_on_sale import SEATS, Make, organiser, stands, worker
from tests.conftest import Headers
from tests.factories import Coalition
from tests.web.problems import problem

__all__ = ["organiser", "worker"]

ADDRESS = "/v1/conference/allotments"
OURS = "/v1/conference/events/forum"


def asked(**changes: Any) -> dict[str, Any]:
    """All seats of the forum for acme."""
    kept = {"sku": "FORUM-A", "firm": "acme", "size": SEATS, "releases_at": "2999-01-01T00:00:00Z"}
    return {**kept, **changes}


async def test_only_people_of_the_firm_get_what_is_kept_for_it(
    client: httpx.AsyncClient, coalition: Coalition, organiser: Headers, sign_in: Make
) -> None:
    await coalition.add_firm("glaz", sponsor="alpha")
    await coalition.add_participant("olga", firm="glaz")
    ann, olga = await sign_in(Role.PARTICIPANT), await sign_in(Role.PARTICIPANT, "olga")
    kept = await client.put(ADDRESS, json=asked(), headers=organiser)
    assert kept.status_code == 200, kept.text
    one = {"sku": "FORUM-A", "quantity": 1}
    refused = await client.post("/v1/conference/reservations", json=one, headers=olga)
    problem(refused, 409, "conference_sold_out")
    theirs = await client.post("/v1/conference/reservations", json=one, headers=ann)
    assert theirs.status_code == 201, theirs.text
    (row,) = (await client.get(f"{OURS}/allotments", headers=organiser)).json()
    assert (row["firm"], row["size"], row["held"], row["sold"]) == ("acme", SEATS, 1, 0)
    problem(
        await client.put(ADDRESS, json=asked(firm="glaz", size=1), headers=organiser),
        409,
        "conflict",
    )
    for size in (SEATS - 10, 0):
        answer = await client.put(ADDRESS, json=asked(size=size), headers=organiser)
        assert answer.status_code == 200
    await stands(client, sold=0, held=1, free=SEATS - 1)
    served = await client.post("/v1/conference/reservations", json=one, headers=olga)
    assert served.status_code == 201, served.text


async def test_bad_allotments_keep_nothing(
    client: httpx.AsyncClient, api_key: Make, organiser: Headers, sign_in: Make
) -> None:
    for wrong in (
        {"size": -1},
        {"size": 1_000_001},
        {"size": "many"},
        {"firm": ""},
        {"firm": "x" * 201},
        {"sku": "no such sku"},
        {"releases_at": "2999-01-01T00:00:00"},
        {"releases_at": "soon"},
        {"releases_at": "2020-01-01T00:00:00Z"},
        {"until": "2999-01-01"},
    ):
        answer = await client.put(ADDRESS, json=asked(**wrong), headers=organiser)
        assert answer.status_code == 400, (wrong, answer.text)
    unknown = await client.put(ADDRESS, json=asked(sku="FORUM-B"), headers=organiser)
    problem(unknown, 404, "conference_unknown_category")
    many = await client.put(ADDRESS, json=asked(size=SEATS + 1), headers=organiser)
    problem(many, 409, "conflict")
    stranger = await api_key("shop", Scope.STOCK_WRITE)
    theirs = await client.put(ADDRESS, json=asked(), headers=stranger)
    problem(theirs, 404, "conference_unknown_category")
    ann, reader = await sign_in(Role.PARTICIPANT), await api_key("tickets", Scope.OFFERS_READ)
    for rest in ("allotments", "waiting"):
        assert (await client.get(f"{OURS}/{rest}", headers=stranger)).status_code == 404
        for who in (ann, reader):
            assert (await client.get(f"{OURS}/{rest}", headers=who)).status_code == 403
        assert (await client.get(f"{OURS}/{rest}", headers=organiser)).json() == []
    assert (await client.put(ADDRESS, json=asked(), headers=ann)).status_code == 403
    await stands(client, sold=0, held=0, free=SEATS)


async def test_a_door_goes_on_with_another_key(
    client: httpx.AsyncClient, api_key: Make, organiser: Headers
) -> None:
    async def opens(key: str) -> int:
        counts = await client.get("/v1/conference/door/counts", headers={"Door-Key": key})
        return counts.status_code

    made = await client.post(f"{OURS}/doors", json={"name": "north"}, headers=organiser)
    door = made.json()
    renewed = await client.post(f"{OURS}/doors/{door['id']}/renew", headers=organiser)
    assert renewed.status_code == 200, renewed.text
    new = renewed.json()
    assert (new["id"], new["name"]) == (door["id"], "north")
    assert (await opens(door["key"]), await opens(new["key"])) == (401, 200)
    stranger = await api_key("shop", Scope.STOCK_WRITE)
    for who, which in ((stranger, door["id"]), (organiser, uuid4())):
        refused = await client.post(f"{OURS}/doors/{which}/renew", headers=who)
        problem(refused, 404, "not_found")
    await client.delete(f"{OURS}/doors/{door['id']}", headers=organiser)
    gone = await client.post(f"{OURS}/doors/{door['id']}/renew", headers=organiser)
    problem(gone, 404, "not_found")
    assert await opens(new["key"]) == 401
