"""Who waits for places, or has some, is told what becomes of them."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from marketplace_conference import models, waiting
from marketplace_conference.tickets import cancelling

from marketplace.identity.domain import Role
from tests.conference.test_tickets import Make, Sale, sale, worker
from tests.fulfilment.conftest import counter

__all__ = ["counter", "sale", "worker"]


async def told(sale: Sale) -> list[str]:
    """Subjects of what Ann reads that the plugin tells, newest first."""
    items = (await sale.client.get("/v1/notices", headers=sale.ann)).json()["items"]
    return [each["subject"] for each in items if each["kind"] == "plugin_notice"]


async def change(sale: Sale, table: sa.Table, **values: Any) -> None:
    """Change every row of a table of the box office."""

    def inside() -> None:
        with sale.host.transaction() as session:
            session.execute(sa.update(table).values(**values))

    await asyncio.to_thread(inside)


async def wait(sale: Sale) -> dict[str, Any]:
    """Ann waits for a fourth place, of three."""
    await change(sale, models.quota, size=3)
    asked = {"skus": [f"{sale.box.slug}-1"]}
    answer = await sale.client.post("/v1/conference/waiting", json=asked, headers=sale.ann)
    assert answer.status_code == 201, answer.text
    seen: dict[str, Any] = answer.json()
    return seen


async def test_who_waits_hears_of_an_offer_and_of_its_end(sale: Sale) -> None:
    seen = await wait(sale)
    await change(sale, models.quota, size=4)
    for _ in range(2):
        await asyncio.to_thread(waiting.serve_all, sale.host)
    assert await told(sale) == ["Places are reserved for you: Logistics Days"]
    (notice,) = [
        each
        for each in (await sale.client.get("/v1/notices", headers=sale.ann)).json()["items"]
        if each["kind"] == "plugin_notice"
    ]
    assert notice["path"] == f"/conference/waiting/{seen['token']}"
    page = await sale.client.get(notice["path"], headers=sale.ann)
    assert "Places are reserved for you until" in page.text
    await change(
        sale, models.waiter, offer_ends_at=models.waiter.c.offer_ends_at - timedelta(days=1)
    )
    for _ in range(2):
        await asyncio.to_thread(waiting.serve_all, sale.host)
    assert await told(sale) == [
        "Your offer has ended: Logistics Days",
        "Places are reserved for you: Logistics Days",
    ]


async def test_everybody_hears_that_an_event_is_called_off_once(sale: Sale, sign_in: Make) -> None:
    await wait(sale)
    path = f"/v1/conference/events/{sale.box.slug}/call-off"
    await sale.client.post(path, json={"reason": "The hall is flooded"}, headers=sale.shop)
    assert await told(sale) == ["Called off: Logistics Days"]
    for _ in range(2):
        await asyncio.to_thread(cancelling.pay_all, sale.host)
    assert await told(sale) == ["Called off: Logistics Days"] * 2
    items = (await sale.client.get("/v1/notices", headers=sale.ann)).json()["items"]
    texts = [each["text"] for each in items if each["kind"] == "plugin_notice"]
    assert all("does not take place: The hall is flooded." in each for each in texts)
    other = await sign_in(Role.PARTICIPANT, "bob")
    assert (await sale.client.get("/v1/notices", headers=other)).json()["items"] == []
