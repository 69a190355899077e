"""What happens by itself: prices whose moment comes, wishes that come true; and previews."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from catalog import alerts, pricing, publishing
from catalog.errors import BadPriceChange, NotPublishable, UnknownListing
from catalog.models import Denomination, Listing
from marketplace.clock import now, travel_to
from marketplace.errors import InvalidRequest, NotFound
from marketplace.exchange.models import Offer
from marketplace.exchange.pricing import change_price
from marketplace.identity.domain import Role, Scope
from marketplace.identity.models import AuditEntry
from marketplace.notices.models import Notice
from marketplace.runtime import Runtime
from tests.catalog.conftest import AddListing
from tests.factories import Coalition

Headers = dict[str, str]
SignIn = Callable[..., Awaitable[Headers]]


async def apply(catalog: Coalition) -> int:
    async with catalog.runtime.database.begin() as session:
        return await pricing.apply_due(session)


async def test_a_price_is_announced_shown_and_comes_true(
    client: httpx.AsyncClient, catalog: Coalition, add_listing: AddListing, sign_in: SignIn
) -> None:
    await add_listing("mug", {"en": "Mug"}, points=1_000)
    await catalog.issue("ann", 5_000)
    async with catalog.runtime.database.begin() as session:
        moment = await now(session)
        at = moment + timedelta(days=7)
        await pricing.announce(session, "mug", at=at, actor="test", points=800)
    assert await apply(catalog) == 0
    shown: Any = (await client.get("/v1/catalog/mug")).json()["detail"]
    assert shown["prices_to_come"][0]["points"] == 800
    assert shown["card"]["points_from"] == 1_000
    async with catalog.runtime.database.begin() as session:
        await travel_to(session, at + timedelta(minutes=1), allowed=True)
    assert [await apply(catalog), await apply(catalog)] == [1, 0]
    shown = (await client.get("/v1/catalog/mug")).json()["detail"]
    assert (shown["card"]["points_from"], shown["prices_to_come"]) == (800, [])
    # The next burn costs what the card says.
    body = {"wallet_id": str(catalog.wallets["ann"]), "offer_id": str(catalog.offers["mug"])}
    headers = {**await sign_in(Role.PARTICIPANT), "Idempotency-Key": "burn"}
    assert (await client.post("/v1/burns", json=body, headers=headers)).json()["points"] == 800
    async with catalog.runtime.database.begin() as session:
        told = await session.scalar(
            sa.select(AuditEntry.details).where(AuditEntry.action == "offer.price")
        )
    assert told == {"points": 800, "cost_micros": 7_000_000, "before": [1_000, 7_000_000]}


async def test_two_at_once_apply_a_price_once(catalog: Coalition) -> None:
    async with catalog.runtime.database.begin() as session:
        at = await now(session) + timedelta(hours=1)
        await pricing.announce(session, "card", at=at, actor="test", cost_micros=1)
    async with catalog.runtime.database.begin() as session:
        await travel_to(session, at, allowed=True)
    assert sorted(await asyncio.gather(apply(catalog), apply(catalog))) == [0, 1]
    async with catalog.runtime.database.begin() as session:
        offer = await session.scalar(sa.select(Offer).where(Offer.reference == "card"))
    assert offer is not None
    assert (offer.cost_micros, offer.points, offer.version) == (1, 1_000, 2)


async def test_what_costs_one_point_may_cost_two(catalog: Coalition) -> None:
    await catalog.add_offer("sticker", acceptor="shop", points=1)
    async with catalog.runtime.database.begin() as session:
        at = await now(session) + timedelta(hours=1)
        await pricing.announce(session, "sticker", at=at, actor="test", points=2)
        await travel_to(session, at, allowed=True)
    assert await apply(catalog) == 1
    async with catalog.runtime.database.begin() as session:
        offer = await session.get_one(Offer, catalog.offers["sticker"])
    assert offer.points == 2


async def test_a_price_that_cannot_be_is_refused_and_one_that_waits_can_be_cancelled(
    catalog: Coalition,
) -> None:
    async with catalog.runtime.database.begin() as session:
        moment = await now(session)
        later = moment + timedelta(days=1)
        for reference, at, change in (
            ("none", later, {"points": 1}), ("card", moment, {"points": 1}),
            ("card", later, {"points": 0}), ("card", later, {"cost_micros": -1}),
            ("card", later, {}),
        ):  # fmt: skip
            with pytest.raises(BadPriceChange):
                await pricing.announce(session, reference, at=at, actor="test", **change)
        made = await pricing.announce(session, "card", at=later, actor="test", points=5)
        with pytest.raises(BadPriceChange, match="announced"):
            await pricing.announce(session, "card", at=later, actor="test", points=6)
        await pricing.cancel(session, made, actor="test")
        assert await pricing.waiting(session) == []
        with pytest.raises(BadPriceChange):
            await pricing.cancel(session, made, actor="test")
        for change in ({"points": 0}, {"cost_micros": -1}):
            with pytest.raises(InvalidRequest):
                await change_price(session, "card", actor="test", **change)
        with pytest.raises(NotFound):
            await change_price(session, "none", actor="test", points=1)


async def tell(catalog: Coalition) -> None:
    """What the periodic task does."""
    async with catalog.runtime.database.begin() as session:
        await alerts.tell_affordable(session, {})
        await alerts.tell_nearly_gone(session)


async def told(catalog: Coalition) -> list[tuple[str, str]]:
    async with catalog.runtime.database.begin() as session:
        rows = await session.scalars(
            sa.select(Notice).where(Notice.kind.like("wish%")).order_by(Notice.id)
        )
        return [(row.kind, row.context["title"]) for row in rows]


async def test_a_wish_shows_its_progress_and_tells_once_when_it_comes_true(
    client: httpx.AsyncClient, catalog: Coalition, add_listing: AddListing, sign_in: SignIn
) -> None:
    await add_listing("mug", {"en": "Mug", "it": "Tazza"}, points=1_000, stock=20)
    await add_listing("elite", {"en": "Elite"}, points=100, eligibility={"roles": ["manager"]})
    ann = await sign_in(Role.PARTICIPANT)
    for slug in ("mug", "elite", "mug"):
        assert (await client.put(f"/v1/catalog/wishes/{slug}", headers=ann)).status_code == 204
    assert (await client.put("/v1/catalog/wishes/none", headers=ann)).status_code == 404
    await catalog.issue("ann", 400)
    wishes: Any = (await client.get("/v1/catalog/wishes", headers=ann)).json()["items"]
    progress = {each["hit"]["card"]["slug"]: (each["have"], each["percent"]) for each in wishes}
    assert progress == {"mug": (400, 40), "elite": (400, 100)}
    assert all(each["hit"]["mine"]["wished"] for each in wishes)
    await tell(catalog)
    assert await told(catalog) == []  # not enough for one, and the other is not for her
    await catalog.issue("ann", 600)
    await tell(catalog)
    await tell(catalog)
    assert await told(catalog) == [("wish_affordable", "Mug")]
    async with catalog.runtime.database.begin() as session:
        await session.execute(sa.text("update offer_stock set remaining = 3"))
    await tell(catalog)
    await tell(catalog)
    assert await told(catalog) == [("wish_affordable", "Mug"), ("wish_nearly_gone", "Mug")]
    for slug in ("mug", "mug"):
        assert (await client.delete(f"/v1/catalog/wishes/{slug}", headers=ann)).status_code == 204
    left: Any = (await client.get("/v1/catalog/wishes", headers=ann)).json()["items"]
    assert [each["hit"]["card"]["slug"] for each in left] == ["elite"]


async def test_the_periodic_tasks_run(runtime: Runtime, catalog: Coalition) -> None:
    tasks = {
        name: task for (slug, name), task in runtime.periodic_tasks.items() if slug == "catalog"
    }
    assert set(tasks) == {"prices", "wishes", "counts"}
    for task in tasks.values():
        await asyncio.to_thread(task.run)


async def test_a_draft_is_previewed_by_its_owner_and_by_whom_they_give_the_address(
    client: httpx.AsyncClient,
    catalog: Coalition,
    add_listing: AddListing,
    sign_in: SignIn,
    api_key: Callable[..., Awaitable[Headers]],
) -> None:
    await add_listing("mug", {"en": "Mug"}, status="draft")
    for headers in (
        await sign_in(Role.OPERATOR),
        await sign_in(Role.PARTNER),
        await api_key("shop", Scope.STOCK_WRITE),
    ):
        shown: Any = (await client.get("/v1/catalog/mug/preview", headers=headers)).json()
        assert (shown["detail"]["card"]["title"], shown["detail"]["status"]) == ("Mug", "draft")
    address = f"/v1/catalog/previews/{shown['token']}"
    assert (await client.get(address)).json() == shown["detail"]
    for headers in (
        await sign_in(Role.PARTNER, of="tickets"),
        await api_key("alpha", Scope.STOCK_WRITE),
    ):
        assert (await client.get("/v1/catalog/mug/preview", headers=headers)).status_code == 404
    assert (await client.get("/v1/catalog/previews/guess")).status_code == 404


async def test_publishing_and_withdrawing(
    client: httpx.AsyncClient, catalog: Coalition, add_listing: AddListing
) -> None:
    await add_listing("mug", {"en": "Mug"}, status="draft")
    async with catalog.runtime.database.begin() as session:
        for _ in range(2):
            await publishing.publish(session, "mug", actor="test")
    assert (await client.get("/v1/catalog/mug")).json()["detail"]["card"]["new"]
    async with catalog.runtime.database.begin() as session:
        await publishing.withdraw(session, "mug", actor="test")
        with pytest.raises(UnknownListing):
            await publishing.publish(session, "none", actor="test")
    assert (await client.get("/v1/catalog/mug")).status_code == 404
    async with catalog.runtime.database.begin() as session:
        await session.execute(sa.delete(Denomination))
        with pytest.raises(NotPublishable, match="no offer"):
            await publishing.publish(session, "mug", actor="test")
        actions = await session.scalars(
            sa.select(AuditEntry.action).where(AuditEntry.subject_kind == "listing")
        )
        assert sorted(actions) == ["catalog.published", "catalog.withdrawn"]
        assert await session.scalar(sa.select(sa.func.count()).select_from(Listing)) == 1
