"""Whoever has tickets of a partner's pretix sees how they stand there now, and keeps them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import httpx
import pytest
import pytest_asyncio

from marketplace.identity.domain import Role
from tests.fulfilment.conftest import counter
from tests.pretix.test_giving_back import Bought, bought, double, settings

__all__ = ["bought", "counter", "double", "settings"]

POLISH = {"Accept-Language": "pl"}
Page = Callable[..., Awaitable[httpx.Response]]


@pytest_asyncio.fixture
async def page(
    bought: Bought, client: httpx.AsyncClient, sign_in: Callable[..., Awaitable[dict[str, str]]]
) -> Page:
    """`page()` is the page of the tickets, `page("/tickets.ics")` a file beside it, as Ann."""
    ann = await sign_in(Role.PARTICIPANT, "ann")

    async def get(more: str = "", **headers: str) -> httpx.Response:
        path = f"/pretix/tickets/{bought.reference}{more}"
        return await client.get(path, headers={**ann, **headers})

    return get


async def test_the_page_of_a_reward_leads_to_its_tickets(
    bought: Bought,
    client: httpx.AsyncClient,
    sign_in: Callable[..., Awaitable[dict[str, str]]],
) -> None:
    ann = await sign_in(Role.PARTICIPANT, "ann")
    revealed = await client.post(f"/rewards/{bought.reference}/reveal", headers=ann)
    assert f"/pretix/tickets/{bought.reference}" in revealed.text
    bo = await sign_in(Role.PARTICIPANT, "bob")
    stranger = await client.get(f"/pretix/tickets/{bought.reference}", headers=bo)
    assert stranger.status_code == 404


@pytest.mark.parametrize("bought", [2], indirect=True)
async def test_a_ticket_shows_how_it_stands_at_pretix_now(bought: Bought, page: Page) -> None:
    world = bought.double.world
    shown = await page()
    assert shown.status_code == 200, shown.text
    assert shown.text.count("qr__drawing") == 2
    assert "Valid" in shown.text
    world.take_out(bought.code, 1)
    split = world.split(bought.code, 2)
    await bought.look()
    shown = await page(**POLISH)
    assert shown.text.count("qr__drawing") == 1
    assert "Odwołany: już nieważny" in shown.text
    assert f"{split}-2" in shown.text
    world.change(split, status="n")
    assert "wants it paid for" in (await page()).text
    world.cancel(bought.code)
    world.cancel(split)
    shown = await page()
    assert "qr__drawing" not in shown.text
    assert "tickets.pdf" not in shown.text


async def test_the_page_of_a_reward_says_first_that_it_was_cancelled(
    bought: Bought,
    client: httpx.AsyncClient,
    sign_in: Callable[..., Awaitable[dict[str, str]]],
) -> None:
    ann = await sign_in(Role.PARTICIPANT, "ann")
    told = "The organizer has cancelled this"
    assert told not in (await client.get(f"/rewards/{bought.reference}", headers=ann)).text
    bought.double.world.cancel(bought.code)
    await bought.look()
    assert told in (await client.get(f"/rewards/{bought.reference}", headers=ann)).text


async def test_a_partner_sees_to_what_was_changed_and_is_told_of_it_no_more(
    bought: Bought,
    client: httpx.AsyncClient,
    sign_in: Callable[..., Awaitable[dict[str, str]]],
) -> None:
    shop, told = await sign_in(Role.PARTNER), "wants it paid for"
    seen = f"/pretix/partner/seen/{bought.reference}"
    assert (await client.post(seen, headers=shop)).status_code == 404
    bought.double.world.change(bought.code, status="n")
    await bought.look()
    assert told in (await client.get("/pretix/partner", headers=shop)).text
    assert (await client.post(seen, headers=shop)).status_code == 303
    bought.double.world.change(bought.code)
    await bought.look()
    assert told not in (await client.get("/pretix/partner", headers=shop)).text
    for status in ("p", "n"):
        bought.double.world.change(bought.code, status=status)
        await bought.look()
    assert told in (await client.get("/pretix/partner", headers=shop)).text


async def test_where_pretix_does_not_answer_what_was_delivered_is_shown(
    bought: Bought, page: Page
) -> None:
    bought.double.stop()
    shown = await page()
    assert "does not answer just now" in shown.text
    assert "qr__drawing" in shown.text


async def test_tickets_of_points_that_are_back_are_over(bought: Bought, page: Page) -> None:
    bought.double.world.cancel(bought.code)
    await bought.look()
    await bought.later(25)
    await bought.look()
    shown = await page()
    assert "Your points are back" in shown.text
    assert "qr__drawing" not in shown.text


async def test_paper_needs_a_moment_the_first_time(bought: Bought, page: Page) -> None:
    assert f"{bought.code}/tickets.pdf" in (await page()).text
    paper = await page(f"/{bought.code}/tickets.pdf")
    assert paper.headers["content-type"] == "application/pdf"
    assert paper.content.startswith(b"%PDF")
    assert (await page("/NOTOURS/tickets.pdf")).status_code == 404


async def test_the_calendar_has_the_event_and_takes_it_away_again(
    bought: Bought, page: Page
) -> None:
    bought.double.world.about["location"] = {"en": "Hall 1\nLong Lane"}
    entry = (await page("/tickets.ics")).text
    for line in ("SUMMARY:Summit", "LOCATION:Hall 1\\, Long Lane", "STATUS:CONFIRMED"):
        assert line in entry
    assert "DTSTART;TZID=Europe/Warsaw:20990101T100000" in entry
    bought.double.world.cancel(bought.code)
    assert "METHOD:CANCEL" in (await page("/tickets.ics")).text
