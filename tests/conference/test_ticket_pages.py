"""The page of one ticket: another name, and what comes back for it until when, without scripts."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta

import httpx
import sqlalchemy as sa
from marketplace_conference import models

from marketplace.identity.domain import Role
from tests.conference.test_tickets import Make, Sale, counter, sale, worker
from tests.web.problems import problem

__all__ = ["counter", "sale", "worker"]


def page_of(sale: Sale, position: int, rest: str = "") -> str:
    """The address of a ticket's page."""
    return f"/conference/tickets/{sale.burn_id}/{position}{rest}"


async def test_a_holder_names_another_person_on_a_page(sale: Sale) -> None:
    client, ann = sale.client, sale.ann
    tickets = (await client.get(f"/conference/tickets/{sale.burn_id}", headers=ann)).text
    assert page_of(sale, 2) in tickets
    for bad in (" ", "x" * 121, "a\x00b"):
        refused = await client.post(page_of(sale, 2, "/name"), data={"name": bad}, headers=ann)
        assert refused.status_code == 422
        assert "Say who comes" in refused.text
    named = await client.post(
        page_of(sale, 2, "/name"), data={"name": "Łucja  Żółkiewska"}, headers=ann
    )
    assert named.headers["location"] == f"/conference/tickets/{sale.burn_id}"
    assert [each["attendee"] for each in await sale.tickets()] == ["", "Łucja Żółkiewska", ""]


async def test_the_page_says_what_comes_back_until_when_and_gives_it_back(sale: Sale) -> None:
    client, ann = sale.client, sale.ann
    available, _ = await sale.counter.balance()
    seen = (await client.get(page_of(sale, 1), headers=ann)).text
    assert "1,000 points were burnt for this ticket." in seen
    assert "Today 800 points come back." in seen
    assert re.findall(r">(\d+) %<", seen) == ["80", "25", "0"]
    for told in ("1000", "lots", "-1", ""):
        other = await client.post(
            page_of(sale, 1, "/give-back"), data={"points": told}, headers=ann
        )
        assert other.status_code == 409
        assert "Another number of points comes back by now" in other.text
    for _ in range(2):
        given = await client.post(
            page_of(sale, 1, "/give-back"), data={"points": "800"}, headers=ann
        )
        assert given.headers["location"] == f"/rewards/{sale.burn_id}"
    assert await sale.counter.balance() == (available + 800, 0)
    void = (await client.get(page_of(sale, 1), headers=ann)).text
    assert "Cancelled: this ticket admits nobody" in void
    assert "give-back" not in void
    refused = await client.post(page_of(sale, 1, "/name"), data={"name": "X"}, headers=ann)
    assert refused.status_code == 409


def end(sale: Sale) -> None:
    """The sessions of its event were yesterday."""
    ended = datetime.now(UTC) - timedelta(days=1)
    with sale.host.transaction() as session:
        ours = sa.update(models.session).where(models.session.c.event_id == sale.box.event_id)
        session.execute(ours.values(starts_at=ended - timedelta(hours=8), ends_at=ended))


async def test_after_the_session_nothing_is_changed_or_given_back_any_more(sale: Sale) -> None:
    client, ann = sale.client, sale.ann
    await asyncio.to_thread(end, sale)
    tickets = (await client.get(f"/conference/tickets/{sale.burn_id}", headers=ann)).text
    assert "Change or give back" not in tickets
    assert "It is over: nothing comes back for this ticket any more." in tickets
    page = (await client.get(page_of(sale, 1), headers=ann)).text
    assert "It is over: nothing comes back for this ticket any more." in page
    assert "give-back" not in page
    assert "Save the name" not in page
    named = await client.post(page_of(sale, 1, "/name"), data={"name": "Eve"}, headers=ann)
    assert named.status_code == 409
    given = await client.post(page_of(sale, 1, "/give-back"), data={"points": "0"}, headers=ann)
    assert given.status_code == 409
    for answer in (
        await sale.give_up(1, 0),
        await client.put(sale.path("/1/attendee"), json={"name": "Eve"}, headers=ann),
    ):
        problem(answer, 409, "conference_ticket_over")
    assert [each["cancelled"] for each in await sale.tickets()] == [False] * 3


async def test_what_a_move_promised_comes_back_after_the_session_too(sale: Sale) -> None:
    until = datetime.now(UTC) + timedelta(days=3)
    move = {"reason": "Flood", "venue": "Elsewhere", "refund_until": until.isoformat()}
    moved = await client_move(sale, move)
    assert moved.status_code == 202, moved.text
    await asyncio.to_thread(end, sale)
    page = (await sale.client.get(page_of(sale, 1), headers=sale.ann)).text
    assert "Today 1,000 points come back." in page
    assert "Save the name" not in page
    assert (await sale.give_up(1, 1_000)).status_code == 200


async def client_move(sale: Sale, move: dict[str, str]) -> httpx.Response:
    """The organiser moves the event."""
    address = f"/v1/conference/events/{sale.box.slug}/move"
    return await sale.client.post(address, json=move, headers=sale.shop)


async def test_only_the_holder_has_the_page_of_a_ticket(sale: Sale, sign_in: Make) -> None:
    bob = await sign_in(Role.PARTICIPANT, "bob")
    assert (await sale.client.get(page_of(sale, 1), headers=bob)).status_code == 404
    assert (await sale.client.get(page_of(sale, 4), headers=sale.ann)).status_code == 404
    given = await sale.client.post(
        page_of(sale, 1, "/give-back"), data={"points": "800"}, headers=bob
    )
    assert given.status_code == 404
    manager = await sign_in(Role.FIRM_MANAGER)
    assert (await sale.client.get(page_of(sale, 1), headers=manager)).status_code == 403
