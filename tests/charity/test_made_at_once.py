"""Two equal creations at the same moment: one makes it, the other is told; nobody meets a 500.

A lock that lets everybody read and nobody write holds both requests where they would insert, so
each has found the name free by then.
"""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx
import msgspec
import pytest
import sqlalchemy as sa
from PIL import Image
from sqlalchemy.ext.asyncio import AsyncSession

from catalog import pricing
from marketplace.coalition.domain import ContractRole
from marketplace.db import Database
from marketplace.identity.domain import Role, Scope
from tests.charity.conftest import IBAN, Cause
from tests.conference.test_on_sale import FORUM
from tests.conftest import Headers

Make = Callable[..., Awaitable[Headers]]
AT_ONCE: Final = 3
TELLING: Final = {200, 201, 202, 204, 400, 409, 422}
WAITING: Final = sa.text("""
select count(*) from pg_stat_activity
where datname = current_database() and wait_event_type = 'Lock'
""")


class Ask(msgspec.Struct):
    """A creation, and the tables that it writes to."""

    method: str
    path: str
    who: Headers
    tables: list[str]
    body: Any = None
    content: bytes | None = None


class Doors:
    """Sends requests through the application."""

    def __init__(self, client: httpx.AsyncClient, owner: Database) -> None:
        self._client, self._owner = client, owner

    async def once(self, ask: Ask) -> httpx.Response:
        """One request."""
        given: dict[str, Any] = {"json": ask.body}
        if ask.body is None:
            given = {"content": ask.content or b""}
        return await self._client.request(ask.method, ask.path, headers=ask.who, **given)

    async def at_once(self, ask: Ask) -> list[httpx.Response]:
        """The same request several times, each let go when all wait for the lock of a table."""
        async with self._owner.begin() as session:
            names = ", ".join(ask.tables)
            await session.execute(sa.text(f"lock table {names} in share mode"))
            tasks = [asyncio.create_task(self.once(ask)) for _ in range(AT_ONCE)]
            await all_wait(session, tasks)
        return list(await asyncio.gather(*tasks))

    async def prove(self, ask: Ask) -> None:
        """One of them at least makes it; the others are told so, in words."""
        answers = await self.at_once(ask)
        said = [(each.status_code, each.text) for each in answers]
        assert {each.status_code for each in answers} <= TELLING, said
        assert any(each.status_code < 300 for each in answers), said
        for each in answers:
            if each.status_code >= 400:
                assert each.json()["code"], said


async def all_wait(session: AsyncSession, tasks: list[asyncio.Task[Any]]) -> None:
    """Until each of them waits for a lock, or is done."""
    for _ in range(6_000):
        await session.execute(sa.text("select pg_stat_clear_snapshot()"))
        waiting = await session.scalar(WAITING)
        if waiting + sum(each.done() for each in tasks) >= len(tasks):
            return
        await asyncio.sleep(0.01)
    raise TimeoutError("they neither wait nor end")


@pytest.fixture
def doors(client: httpx.AsyncClient, owner: Database) -> Doors:
    """The application's doors."""
    return Doors(client, owner)


DRAFT: Final = {
    "slug": "trees",
    "charity": "aqua",
    "currency": "EUR",
    "rate_micros": 5_000,
    "goal_micros": 1_000_000_000,
    "surplus": "general_fund",
    "texts": {"en": {"title": "Trees", "story": "A wood."}},
}


def picture() -> bytes:
    """A picture as somebody uploads it."""
    made = io.BytesIO()
    Image.new("RGB", (640, 480), "teal").save(made, "PNG")
    return made.getvalue()


async def test_charity(cause: Cause, doors: Doors, sign_in: Make) -> None:
    await cause.coalition.add_member("terra", role=ContractRole.ACCEPTOR)
    operator, ann = await sign_in(Role.OPERATOR), await sign_in(Role.PARTICIPANT)
    manager = await sign_in(Role.FIRM_MANAGER)
    pool = await cause.pool()
    await cause.coalition.issue("acme", 5_000)
    home = "/v1/charity"
    charity = {"slug": "terra", "member": "terra", "legal_name": "Terra", "country": "DE"}
    await doors.prove(
        Ask(
            "POST",
            f"{home}/registry",
            operator,
            ["charity_charity"],
            {**charity, "number": "VR 7", "iban": IBAN},
        )
    )
    await doors.prove(Ask("PUT", f"{home}/drafts/trees", operator, ["charity_draft"], DRAFT))
    image = Ask(
        "POST",
        f"{home}/campaigns/trees/pictures?en=Trees",
        operator,
        ["charity_picture", "charity_campaign_picture"],
        content=picture(),
    )
    await doors.prove(image)
    starting = ["offer", "charity_campaign"]
    answers = await doors.at_once(Ask("POST", f"{home}/drafts/trees/start", operator, starting))
    # It is no draft any more when the others come.
    assert sorted(each.status_code for each in answers) == [200, 404, 404]
    wallet = str(cause.coalition.wallets["ann"])
    gift = {"campaign": "wells", "wallet_id": wallet, "points": 7, "key": "k"}
    await doors.prove(Ask("POST", f"{home}/gifts", ann, ["charity_gift"], gift))
    monthly = {"campaign": "wells", "wallet_id": wallet, "points": 7, "day": 3}
    await doors.prove(Ask("POST", f"{home}/schedules", ann, ["charity_schedule"], monthly))
    expiring = {"campaign": "wells"}
    await doors.prove(Ask("PUT", f"{home}/expiring", ann, ["charity_rescue"], expiring))
    promise = {"campaign": "wells", "wallet_id": str(pool), "cap_points": 100, "key": "m"}
    of_match = ["charity_gift", "charity_match"]
    await doors.prove(Ask("POST", f"{home}/firm/matches", manager, of_match, promise))
    match = {"campaign": "wells", "member": "alpha", "ratio_bps": 100, "cap_points": 9}
    await doors.prove(
        Ask("POST", f"{home}/matches", operator, ["charity_match"], {**match, "mode": "billed"})
    )
    assert await cause.findings() == []


async def test_campaigns_started_twice_at_the_command_line(cause: Cause, owner: Database) -> None:
    async with owner.begin() as session:
        await session.execute(sa.text("lock table offer, charity_campaign in share mode"))
        tasks = [asyncio.create_task(cause.start("trees")) for _ in range(AT_ONCE)]
        await all_wait(session, tasks)
    found = await asyncio.gather(*tasks, return_exceptions=True)
    failed = [each for each in found if isinstance(each, Exception)]
    assert [getattr(each, "status", each) for each in failed] == [409] * (AT_ONCE - 1)
    assert {str(each) for each in failed} == {"There is a campaign 'trees' already."}


async def test_catalog(cause: Cause, doors: Doors, sign_in: Make) -> None:
    operator, ann = await sign_in(Role.OPERATOR), await sign_in(Role.PARTICIPANT)
    reference = "card"
    home = "/v1/catalog"
    things = {"slug": "things", "names": {"en": "Things"}}
    lamp = {
        "slug": "lamp",
        "category": "things",
        "texts": {"en": {"title": "Lamp", "summary": "It shines."}},
        "denominations": [{"offer": reference}],
    }
    file = "\n".join(json.dumps(each) for each in (things, lamp)).encode()
    tables = ["catalog_category", "catalog_listing"]
    await doors.prove(Ask("POST", f"{home}/file?format=json", operator, tables, content=file))
    shown = ["catalog_listing"]
    await doors.prove(Ask("POST", f"{home}/lamp/publish", operator, shown))
    image = ["catalog_picture", "catalog_listing_picture"]
    await doors.prove(Ask("POST", f"{home}/lamp/pictures", operator, image, content=picture()))
    price = {"offer": reference, "at": "2999-01-01T00:00:00Z", "points": 9}
    await doors.prove(Ask("POST", f"{home}/prices", operator, ["catalog_price_change"], price))
    await doors.prove(Ask("PUT", f"{home}/wishes/lamp", ann, ["catalog_wish"], {}))
    choice = {"on": True}
    await doors.prove(Ask("PUT", f"{home}/for-you", ann, ["catalog_choice"], choice))


async def test_a_price_of_points_that_two_publish_at_once(cause: Cause, owner: Database) -> None:
    async def publish() -> None:
        async with cause.runtime.database.begin() as session:
            await pricing.publish_point_price(session, "EUR", 7_000, actor="test")

    async with owner.begin() as session:
        await session.execute(sa.text("lock table catalog_point_price in share mode"))
        tasks = [asyncio.create_task(publish()) for _ in range(AT_ONCE)]
        await all_wait(session, tasks)
    await asyncio.gather(*tasks)


async def test_conference(cause: Cause, doors: Doors, sign_in: Make, api_key: Make) -> None:
    await cause.coalition.add_offer(
        "seat", acceptor="tickets", kind="seat", plugin="conference", sku="FORUM-A"
    )
    key = await api_key("tickets", Scope.STOCK_WRITE)
    home = "/v1/conference"
    with_question = {
        **FORUM,
        "questions": [{"code": "food", "label": "Food?", "kind": "text"}],
        "quotas": {"all": 10},
    }
    of_event = ["conference_event", "conference_session", "conference_question"]
    await doors.prove(Ask("PUT", f"{home}/events", key, of_event, with_question))
    plan = b"sku,row,number\nFORUM-A,A,1\nFORUM-A,A,2"
    seats = Ask(
        "PUT", f"{home}/events/forum/sessions/day/plan", key, ["conference_seat"], content=plan
    )
    await doors.prove(seats)
    kept = {
        "sku": "FORUM-A",
        "firm": "acme",
        "size": 1,
        "releases_at": (datetime.now(UTC) + timedelta(days=3)).isoformat(),
    }
    await doors.prove(Ask("PUT", f"{home}/allotments", key, ["conference_allotment"], kept))
    policy = {"terms": [{"days_before": 3, "percent": 50}]}
    refunds = ["conference_policy"]
    await doors.prove(Ask("PUT", f"{home}/events/forum/refund-policy", key, refunds, policy))
    await doors.once(Ask("POST", f"{home}/events/forum/publish", key, []))
    ann = await sign_in(Role.PARTICIPANT)
    seat = {"sku": "FORUM-A", "quantity": 1}
    # Who reserves in one moment shares a transaction, so they do not wait beside each other.
    asked = Ask("POST", f"{home}/reservations", ann, [], seat)
    answers = await asyncio.gather(*(doors.once(asked) for _ in range(AT_ONCE)))
    assert {each.status_code for each in answers} <= TELLING, [each.text for each in answers]
    waits = {"skus": ["FORUM-A"], "quantity": 2}
    await doors.prove(Ask("POST", f"{home}/waiting", ann, ["conference_waiter"], waits))
    off = {"reason": "Storm."}
    calling = ["conference_change"]
    await doors.prove(Ask("POST", f"{home}/events/forum/call-off", key, calling, off))
