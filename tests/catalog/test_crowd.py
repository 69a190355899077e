"""Searches answered on the connection: as the application answers, for each caller by itself."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import sqlalchemy as sa

from catalog import writing
from catalog.shop import Shop, shop_of
from marketplace.identity.domain import Role
from marketplace.identity.models import SignIn as SignInRow
from marketplace.runtime import Runtime
from tests.catalog.conftest import AddListing
from tests.factories import Coalition
from tests.wire import Connect, Reply

Headers = dict[str, str]
SignIn = Callable[..., Awaitable[Headers]]
UNLIKE = {"date", "x-request-id", "content-length"}


def request(query: str, headers: Headers) -> bytes:
    """The bytes of a search."""
    lines = [f"GET /v1/catalog?{query} HTTP/1.1", "Host: marketplace.test"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


@pytest.fixture
async def shop(
    runtime: Runtime, catalog: Coalition, add_listing: AddListing, seen_at_once: None
) -> Shop:
    """Three rewards; what is seen is right for as long as the test runs, once it was read."""
    await add_listing("mug", {"en": "Coffee mug"}, points=500)
    await add_listing("lamp", {"en": "Lamp"}, points=3_000, limit_per_wallet=1)
    await add_listing("desk", {"en": "Desk"}, points=9_000, eligibility={"roles": ["manager"]})
    await catalog.issue("ann", 3_500)
    return shop_of(runtime)


async def answered_beside(shop: Shop, ask: Callable[[], Awaitable[Reply]]) -> Reply:
    """The answer of the application to what the connection answers otherwise."""
    shop.pulse_s = 0.0
    reply = await ask()
    shop.pulse_s = 3_600.0
    return reply


@pytest.mark.parametrize(
    "query", ["", "q=mug%20", "q=lmap", "affordable=yes", "sort=points&limit=1", "kind=gift"]
)
async def test_a_personal_search_is_the_same_both_ways(
    connect: Connect,
    shop: Shop,
    sign_in: SignIn,
    query: str,
) -> None:
    wire, ann = await connect(), await sign_in(Role.PARTICIPANT)
    long = await answered_beside(shop, lambda: wire.ask(request(query, ann)))
    short = await wire.ask(request(query, ann))
    assert short[0] == long[0] == 200
    assert json.loads(short[2]) == json.loads(long[2])
    for name in ("content-type", "cache-control", "vary", "x-content-type-options"):
        assert short[1][name] == long[1][name]
    assert short[1]["cache-control"] == "private, no-store"
    assert "etag" not in short[1]
    # What one can pay for decides what is found, so that is asked of the application.
    assert ("x-frame-options" in short[1]) == ("affordable" in query)


async def test_many_at_once_are_told_their_own(
    connect: Connect,
    shop: Shop,
    sign_in: SignIn,
) -> None:
    ann, bob = await sign_in(Role.PARTICIPANT), await sign_in(Role.PARTICIPANT, of="bob")
    first = await connect()
    for caller in (ann, bob, {}):
        await answered_beside(shop, lambda caller=caller: first.ask(request("", caller)))

    async def ask(caller: Headers) -> Any:
        wire = await connect()
        status, headers, body = await wire.ask(request("", caller))
        assert status == 200
        assert headers["cache-control"].startswith("private" if caller else "public")
        return {
            item["card"]["slug"]: item.get("mine", {}).get("have")
            for item in json.loads(body)["items"]
        }

    have = await asyncio.gather(*(ask(caller) for caller in (ann, bob, {}) * 12))
    for place, points in enumerate((3_500, 0, None)):
        assert have[place::3] == [dict.fromkeys(("mug", "lamp", "desk"), points)] * 12


async def test_whose_session_has_ended_is_refused_or_a_stranger(
    connect: Connect,
    shop: Shop,
    sign_in: SignIn,
    runtime: Runtime,
) -> None:
    wire, ann = await connect(), await sign_in(Role.PARTICIPANT)
    cookie = {"Cookie": f"marketplace_session={ann['Authorization'].removeprefix('Bearer ')}"}
    await answered_beside(shop, lambda: wire.ask(request("", ann)))
    assert b'"mine"' in (await wire.ask(request("", cookie)))[2]
    async with runtime.database.begin() as session:
        await session.execute(sa.update(SignInRow).values(revoked_at=sa.func.now()))
    status, headers, body = await wire.ask(request("", ann))
    assert (status, headers["content-type"]) == (401, "application/problem+json")
    assert json.loads(body)["code"] == "not_authenticated"
    status, headers, body = await wire.ask(request("", cookie))
    assert (status, headers["cache-control"]) == (200, "private, no-store")
    assert b'"mine"' not in body
    assert b'"affordable"' not in body


async def test_what_changes_meanwhile_is_told_rightly(
    connect: Connect,
    shop: Shop,
    sign_in: SignIn,
    catalog: Coalition,
) -> None:
    """The shelf may be a moment old; whether a burn would be accepted never is."""
    wire, ann = await connect(), await sign_in(Role.PARTICIPANT)
    await answered_beside(shop, lambda: wire.ask(request("", ann)))

    async def can_burn() -> set[str]:
        items = json.loads((await wire.ask(request("", ann)))[2])["items"]
        return {each["card"]["slug"] for each in items if each["mine"]["can_burn"]}

    assert await can_burn() == {"mug", "lamp"}
    async with catalog.runtime.database.begin() as session:
        await session.execute(
            sa.text(
                "update offer set points = 4000, version = version + 1 where reference = 'lamp'"
            )
        )
    assert await can_burn() == {"mug"}
    async with catalog.runtime.database.begin() as session:
        await session.execute(sa.text("update offer set status = 'paused', version = version + 1"))
    assert await can_burn() == set()


async def test_a_shelf_that_is_due_is_asked_beside(
    connect: Connect,
    shop: Shop,
    catalog: Coalition,
) -> None:
    wire = await connect()
    await answered_beside(shop, lambda: wire.ask(request("", {})))
    async with catalog.runtime.database.begin() as session:
        await session.execute(sa.text("update catalog_listing set featured = 7 where slug = 'mug'"))
        await writing.touch(session)

    async def first_of() -> str:
        body = (await wire.ask(request("", {})))[2]
        return str(json.loads(body)["items"][0]["card"]["slug"])

    assert await first_of() == "desk"
    # From now on it is due, and nobody waits: sooner or later what has changed is shown.
    shop._asked_at -= 1.5 * shop.pulse_s
    assert await first_of() == "desk"
    async with asyncio.timeout(20):
        while await first_of() != "mug":  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.01)
