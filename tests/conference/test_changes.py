"""A ticket changes to another session, an event moves: what its holder has, reads and may do."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest_asyncio
import sqlalchemy as sa
import vobject
from marketplace_conference import models
from marketplace_conference.tickets import cancelling
from marketplace_conference.tickets.tables import change as moves
from marketplace_conference.tickets.tables import ticket

from marketplace.identity.domain import Role
from tests.conference.test_notices import change, told, wait
from tests.conference.test_tickets import Make, Sale, sale, worker
from tests.factories import Coalition
from tests.fulfilment.conftest import counter
from tests.web.problems import problem

__all__ = ["counter", "sale", "worker"]


@pytest_asyncio.fixture
async def second_day(sale: Sale, coalition: Coalition) -> Sale:
    """Day 2 is sold at the same price, and tickets may be changed until three days before."""
    await coalition.add_offer(
        "second", acceptor="shop", kind="seat", plugin="conference", sku=f"{sale.box.slug}-2"
    )
    await allow(sale, 3)
    # The policy came after the sale: as if the tickets had been sold after it.
    await change(sale, ticket, issued_at=datetime.now(UTC))
    return sale


async def allow(sale: Sale, days: int) -> None:
    path = f"/v1/conference/events/{sale.box.slug}/switch-policy"
    answer = await sale.client.put(path, json={"days_before": days}, headers=sale.shop)
    assert answer.status_code == 204, answer.text


async def switch(sale: Sale, position: int, day: int = 2, who: Any = None) -> httpx.Response:
    """Change a ticket to another day."""
    return await sale.client.put(
        sale.path(f"/{position}/session"),
        json={"sku": f"{sale.box.slug}-{day}"},
        headers=who or sale.ann,
    )


async def scan(sale: Sale, code: str) -> str:
    """What a door says to a code, whatever the hour."""
    path = f"/v1/conference/events/{sale.box.slug}/doors"
    made = await sale.client.post(path, json={"name": uuid4().hex}, headers=sale.shop)
    sent = {"scans": [{"nonce": str(uuid4()), "code": code, "anyway": True}]}
    answer = await sale.client.post(
        "/v1/conference/door/scans", json=sent, headers={"Door-Key": made.json()["key"]}
    )
    result: str = answer.json()["scans"][0]["result"]
    return result


async def sequences(sale: Sale) -> tuple[str, dict[str, int]]:
    """Method of the calendar file, and the sequence of each entry."""
    found = vobject.readOne(
        (await sale.client.get(sale.path("/tickets.ics"), headers=sale.ann)).text
    )
    return found.method.value, {
        each.uid.value: int(each.sequence.value) for each in found.vevent_list
    }


async def test_a_ticket_changes_to_another_day_and_its_old_code_is_void(second_day: Sale) -> None:
    sale = second_day
    before, (method, first) = await sale.tickets(), await sequences(sale)
    assert method == "PUBLISH"
    options = (await sale.client.get(sale.path("/2/session"), headers=sale.ann)).json()
    assert [(each["session"], each["why_not"]) for each in options] == [("day-2", "")]
    assert (await switch(sale, 2)).status_code == 204
    problem(await switch(sale, 2), 409, "conference_change_refused")
    after = await sale.tickets()
    assert [each["session_name"] for each in after] == ["Day 1", "Day 2", "Day 1"]
    assert [old["code"] == new["code"] for old, new in zip(before, after, strict=True)] == [
        True,
        False,
        True,
    ]
    assert await scan(sale, before[1]["code"]) == "void"
    assert await scan(sale, after[1]["code"]) == "admitted"
    method, second = await sequences(sale)
    assert (method, set(second)) == ("REQUEST", set(first))
    assert sorted(second[uid] - first[uid] for uid in first) == [0, 0, 1]
    assert await told(sale) == ["Your ticket has changed: Logistics Days"]
    problem(await switch(sale, 2, 1), 409, "conference_ticket_used")
    assert await sale.counter.verified()


async def test_a_holder_changes_a_ticket_on_its_page(second_day: Sale) -> None:
    sale = second_day
    page = f"/conference/tickets/{sale.burn_id}"
    path = f"{page}/2/session"
    assert f'href="{path}"' in (await sale.client.get(page, headers=sale.ann)).text
    shown = await sale.client.get(path, headers=sale.ann)
    assert "Day 2" in shown.text
    await change(sale, models.quota, size=0)
    refused = await sale.client.post(
        path, data={"sku": f"{sale.box.slug}-2"}, headers=sale.ann, follow_redirects=False
    )
    assert refused.status_code == 409
    assert "Nothing is free there" in refused.text
    await change(sale, models.quota, size=9)
    done = await sale.client.post(
        path, data={"sku": f"{sale.box.slug}-2"}, headers=sale.ann, follow_redirects=False
    )
    assert (done.status_code, done.headers["location"]) == (303, page)
    assert [each["session_name"] for each in await sale.tickets()] == ["Day 1", "Day 2", "Day 1"]


async def test_the_freed_place_goes_to_who_waits(second_day: Sale) -> None:
    seen = await wait(second_day)
    await change(second_day, models.quota, size=3)
    assert (await switch(second_day, 1)).status_code == 204
    path = f"/v1/conference/waiting/{seen['token']}"
    offered = (await second_day.client.get(path, headers=second_day.ann)).json()
    assert offered["state"] == "offered"


async def test_what_cannot_be_had_is_refused_and_says_why(
    second_day: Sale, coalition: Coalition
) -> None:
    sale = second_day

    async def refusal() -> str:
        reason: str = problem(await switch(sale, 1), 409, "conference_change_refused")["reason"]
        return reason

    await change(sale, models.quota, size=0)
    assert await refusal() == "sold_out"
    await change(sale, models.quota, size=9)
    async with coalition.runtime.database.begin() as session:
        await session.execute(
            sa.text("update offer set points = 900 where id = :id"),
            {"id": coalition.offers["second"]},
        )
    assert await refusal() == "other_price"
    await change(sale, models.session, starts_at=datetime.now(UTC) + timedelta(days=1))
    assert await refusal() == "not_allowed"
    assert [each["session_name"] for each in await sale.tickets()] == ["Day 1"] * 3


async def test_without_a_policy_nothing_is_changed_and_strangers_find_nothing(
    sale: Sale, sign_in: Make
) -> None:
    refused = problem(await switch(sale, 1), 409, "conference_change_refused")
    assert refused["reason"] == "not_allowed"
    problem(await switch(sale, 1, who=await sign_in(Role.PARTICIPANT, "bob")), 404, "not_found")


async def test_the_manager_of_the_firm_changes_it_for_its_people(
    second_day: Sale, sign_in: Make, coalition: Coalition
) -> None:
    manager = await sign_in(Role.FIRM_MANAGER)
    assert (await switch(second_day, 3, who=manager)).status_code == 204
    await coalition.add_firm("globex", sponsor="alpha")
    stranger = await sign_in(Role.FIRM_MANAGER, "globex")
    problem(await switch(second_day, 1, who=stranger), 404, "not_found")


async def move(sale: Sale, **more: Any) -> httpx.Response:
    """Day 1 is two days later, in another house."""
    starts_at = datetime.now(UTC).replace(microsecond=0) + timedelta(days=50)
    body = {
        "reason": "The hall is being rebuilt",
        "refund_until": (datetime.now(UTC) + timedelta(days=10)).isoformat(),
        "venue": "New Depot",
        "sessions": [
            {
                "code": "day-1",
                "starts_at": starts_at.isoformat(),
                "ends_at": (starts_at + timedelta(hours=8)).isoformat(),
            }
        ],
        **more,
    }
    path = f"/v1/conference/events/{sale.box.slug}/move"
    return await sale.client.post(path, json=body, headers=sale.shop)


async def test_an_event_that_moves_tells_everybody_once_and_gives_all_back(sale: Sale) -> None:
    available, _ = await sale.counter.balance()
    codes = [each["code"] for each in await sale.tickets()]
    assert (await sale.give_up(3, 800)).status_code == 200
    assert (await move(sale)).status_code == 202
    path = f"/v1/conference/events/{sale.box.slug}/move"
    begun = (await sale.client.get(path, headers=sale.shop)).json()
    assert (begun["tickets"], begun["seen_to"]) == (3, 0)
    for _ in range(2):
        await asyncio.to_thread(cancelling.pay_all, sale.host)
    assert (await sale.client.get(path, headers=sale.shop)).json()["seen_to"] == 3
    assert await told(sale) == ["At another time or place: Logistics Days"]
    assert [each["code"] for each in await sale.tickets()] == codes
    page = await sale.client.get(f"/conference/tickets/{sale.burn_id}", headers=sale.ann)
    assert "New Depot" in page.text
    one = await sale.client.get(f"/conference/tickets/{sale.burn_id}/1", headers=sale.ann)
    assert ">100 %<" in one.text
    method, entries = await sequences(sale)
    assert (method, sorted(entries.values())) == ("REQUEST", [1, 1, 2])
    quote = (await sale.client.get(sale.path("/1/refund"), headers=sale.ann)).json()
    assert quote == {"percent": 100, "points": 1_000}
    assert (await sale.give_up(1, 1_000)).status_code == 200
    assert await sale.counter.balance() == (available + 1_800, 0)
    assert await sale.counter.verified()


async def test_the_right_to_all_points_ends_with_its_day(sale: Sale) -> None:
    assert (await move(sale)).status_code == 202
    await change(sale, moves, refund_until=datetime.now(UTC) - timedelta(minutes=1))
    quote = (await sale.client.get(sale.path("/1/refund"), headers=sale.ann)).json()
    assert quote["percent"] == 80


async def test_a_move_that_moves_nothing_or_is_over_at_once_is_refused(sale: Sale) -> None:
    for wrong in (
        {"venue": None, "sessions": []},
        {"refund_until": "2020-01-01T00:00:00Z"},
        {
            "sessions": [
                {
                    "code": "x",
                    "starts_at": "2030-01-01T00:00:00Z",
                    "ends_at": "2030-01-02T00:00:00Z",
                }
            ]
        },
    ):
        problem(await move(sale, **wrong), 400, "invalid_request")
