"""An organiser's people move an event and say what tickets are worth, on pages of the console."""

from __future__ import annotations

import asyncio
import html
import re
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from marketplace_conference.tickets import cancelling, repository

from marketplace.identity.domain import Role
from tests.conference.test_notices import told
from tests.conference.test_tickets import Make, Sale, counter, sale, worker
from tests.conftest import Headers

__all__ = ["counter", "sale", "worker"]

FIELD = re.compile(r'<input[^>]* name="([^"]+)"[^>]* value="([^"]*)"')


@pytest.fixture
async def staff(sale: Sale, sign_in: Make) -> Headers:
    """Somebody who works for the organiser of the sale."""
    return await sign_in(Role.PARTNER)


def path(sale: Sale, page: str) -> str:
    return f"/conference/partner/events/{sale.box.slug}/{page}"


def fields(page: str) -> dict[str, str]:
    """What the form of the page sends when nobody types; of two forms the last one's."""
    return {name: html.unescape(value) for name, value in FIELD.findall(page)}


async def stands(sale: Sale, staff: Headers) -> dict[str, str]:
    """When and where the event is, as the form of the move has it."""
    return fields((await sale.client.get(path(sale, "move"), headers=staff)).text)


async def send(sale: Sale, page: str, staff: Headers, **typed: str) -> httpx.Response:
    return await sale.client.post(path(sale, page), headers=staff, data=typed)


async def test_an_event_is_moved_once_it_was_looked_at(sale: Sale, staff: Headers) -> None:
    form = await stands(sale, staff)
    day = datetime.fromisoformat(form["starts-day-1"]).replace(year=2998)
    typed = form | {
        "reason": "The hall is being rebuilt",
        "refund_until": "2997-03-01",
        "starts-day-1": day.strftime("%Y-%m-%dT09:30"),
        "ends-day-1": day.strftime("%Y-%m-%dT17:00"),
        "do": "look",
    }
    looked = await send(sale, "move", staff, **typed)
    assert looked.status_code == 200, looked.text
    assert "3 tickets are concerned. The buyer of 1 order is told." in looked.text
    assert f"<strong>{day:%Y-%m-%d} 09:30</strong>" in looked.text
    assert await stands(sale, staff) == form
    hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', looked.text)
    confirmed = {name: html.unescape(value) for name, value in hidden if name != "next"}
    # Only what is otherwise: what a colleague moves meanwhile is not moved back.
    assert set(confirmed) == {"reason", "refund_until", "starts-day-1", "ends-day-1"}
    moved = await send(sale, "move", staff, **confirmed, do="move")
    assert moved.status_code == 303, moved.text
    new = {name: typed[name] for name in ("starts-day-1", "ends-day-1")}
    assert await stands(sale, staff) == form | new
    # Sent again, it finds nothing that is otherwise, and tells nobody twice.
    again = await send(sale, "move", staff, **confirmed, do="move")
    assert again.status_code == 422
    assert "Nothing would change" in again.text
    page = (await sale.client.get(path(sale, "move"), headers=staff)).text
    assert "People are being told" in page
    part = await sale.client.get(path(sale, "move"), headers={**staff, "HX-Request": "true"})
    assert part.text.lstrip().startswith("<div")
    for _ in range(2):
        await asyncio.to_thread(cancelling.pay_all, sale.host)
    page = (await sale.client.get(path(sale, "move"), headers=staff)).text
    assert "Done: everybody it is about has been told." in page
    assert await told(sale) == ["At another time or place: Logistics Days"]
    quote = (await sale.client.get(sale.path("/1/refund"), headers=sale.ann)).json()
    assert quote["percent"] == 100


async def test_another_place_concerns_every_session(sale: Sale, staff: Headers) -> None:
    typed = {"reason": "Flood", "refund_until": "2998-01-01", "venue": "Depot <2>"}
    looked = await send(sale, "move", staff, **typed)
    assert "3 tickets are concerned" in looked.text
    assert "Depot &lt;2&gt;" in looked.text
    assert (await send(sale, "move", staff, **typed, do="move")).status_code == 303
    assert (await stands(sale, staff))["venue"] == "Depot <2>"


async def test_what_is_wrong_is_said_at_its_field_and_nothing_is_moved(
    sale: Sale, staff: Headers
) -> None:
    before = await stands(sale, staff)
    good = {"reason": "Flood", "refund_until": "2998-01-01", "venue": "Depot"}
    wrong: list[tuple[dict[str, str], str, str]] = [
        ({"reason": " "}, "reason", "Say why"),
        ({"reason": "x" * 201}, "reason", "Say why"),
        ({"refund_until": ""}, "refund_until", "A day, like"),
        ({"refund_until": "9999-12-31"}, "refund_until", "A day, like"),
        ({"refund_until": "3500-01-01"}, "refund_until", "A day, like"),
        ({"refund_until": "2020-01-01"}, "refund_until", "not over yet"),
        ({"venue": " "}, "venue", "Say where it is."),
        ({"venue": "x" * 201}, "venue", "200 characters"),
        ({"room-day-1": "x\u202ey"}, "room-day-1", "200 characters"),
        ({"starts-day-1": "soon"}, "starts-day-1", "A day and an hour"),
        ({"starts-day-1": "0001-01-01T00:00"}, "starts-day-1", "A day and an hour"),
        # Clocks go forward over that hour in Warsaw.
        ({"starts-day-1": "2027-03-28T02:30"}, "starts-day-1", "A day and an hour"),
        ({"ends-day-1": "2020-01-01T00:00"}, "ends-day-1", "end after it starts"),
    ]
    for change, name, words in wrong:
        for do in ("look", "move"):
            answer = await send(sale, "move", staff, **good | change, do=do)
            assert answer.status_code == 422, (change, answer.text)
            error = re.search(f'id="{name}-error".*?</p>', answer.text, re.DOTALL)
            assert error, change
            assert words in error.group(), change
    assert await stands(sale, staff) == before
    called = {"reason": "Flood", "slug": sale.box.slug}
    assert (await send(sale, "call-off", staff, **called)).status_code == 303
    late = await send(sale, "move", staff, **good, do="move")
    assert late.headers["location"].endswith("/move")
    page = (await sale.client.get(path(sale, "move"), headers=staff)).text
    assert "it is not moved any more" in page
    assert 'name="venue"' not in page


async def test_terms_hold_for_what_is_sold_from_then_on(sale: Sale, staff: Headers) -> None:
    before = (await sale.client.get(sale.path("/1/refund"), headers=sale.ann)).json()
    page = (await sale.client.get(path(sale, "policy"), headers=staff)).text
    assert "3 tickets are sold, and keep what was promised." in page
    rows = {"days-1": "60", "percent-1": "90", "days-4": "5", "percent-4": "10", "do": "refund"}
    assert (await send(sale, "policy", staff, **rows)).status_code == 303
    page = (await sale.client.get(path(sale, "policy"), headers=staff)).text
    assert "90 % until 60 days before" in page
    assert "10 % until 5 days before" in page
    got = fields(page)
    assert (got["days-1"], got["percent-1"], got["days-2"]) == ("60", "90", "5")
    after = (await sale.client.get(sale.path("/1/refund"), headers=sale.ann)).json()
    assert after == before
    assert "not allowed, until" in page
    assert (await send(sale, "policy", staff, do="changes", days="3")).status_code == 303
    page = (await sale.client.get(path(sale, "policy"), headers=staff)).text
    assert "Until 3 days before the session." in page
    overview = (await sale.client.get(path(sale, "").rstrip("/"), headers=staff)).text
    assert path(sale, "policy") in overview


async def test_the_organiser_says_when_doors_open_for_every_ticket(
    sale: Sale, staff: Headers
) -> None:
    page = (await sale.client.get(path(sale, "policy"), headers=staff)).text
    assert "180 minutes before each session." in page
    assert (await send(sale, "policy", staff, do="doors", minutes="45")).status_code == 303
    page = (await sale.client.get(path(sale, "policy"), headers=staff)).text
    assert "45 minutes before each session." in page
    assert fields(page)["minutes"] == "45"
    address = f"/v1/conference/events/{sale.box.slug}"
    told = await sale.client.put(f"{address}/doors-open", json={"minutes": 60}, headers=sale.shop)
    assert told.status_code == 204, told.text
    assert (await sale.client.get(address)).json()["doors_open_minutes"] == 60
    for wrong in ({"minutes": -1}, {"minutes": 10_081}, {"minutes": "soon"}, {}):
        refused = await sale.client.put(f"{address}/doors-open", json=wrong, headers=sale.shop)
        assert refused.status_code == 400, wrong
    tickets = (await sale.client.get(f"/conference/tickets/{sale.burn_id}", headers=sale.ann)).text
    with sale.box.host.transaction() as session:
        (day, _) = repository.sessions_of(session, sale.box.event_id)
    opens = (day.starts_at - timedelta(minutes=60)).astimezone(ZoneInfo("Europe/Warsaw"))
    assert f"{opens:%H:%M}" in tickets.split("Doors open", 1)[1][:40]


async def test_terms_that_cannot_be_are_refused_at_their_field(sale: Sale, staff: Headers) -> None:
    good = {"days-1": "60", "percent-1": "90"}
    wrong: list[tuple[dict[str, Any], str, str]] = [
        ({**good, "percent-1": "101"}, "percent-1", "from 0 to 100"),
        ({**good, "percent-1": ""}, "percent-1", "from 0 to 100"),
        ({**good, "days-1": "-1"}, "days-1", "3650 at most"),
        ({**good, "days-1": "3651"}, "days-1", "3650 at most"),
        ({**good, "days-2": "60", "percent-2": "80"}, "days-2", "there already"),
        ({}, "days-1", "one day at least"),
        ({"do": "changes", "days": "many"}, "days", "3650 at most"),
        ({"do": "doors", "minutes": ""}, "minutes", "10,080 at most"),
        ({"do": "doors", "minutes": "-5"}, "minutes", "10,080 at most"),
        ({"do": "doors", "minutes": "10081"}, "minutes", "10,080 at most"),
    ]
    before = (await sale.client.get(path(sale, "policy"), headers=staff)).text
    for typed, name, words in wrong:
        answer = await send(sale, "policy", staff, **typed)
        assert answer.status_code == 422, typed
        error = re.search(f'id="{name}-error".*?</p>', answer.text, re.DOTALL)
        assert error, typed
        assert words in error.group(), typed
    after = (await sale.client.get(path(sale, "policy"), headers=staff)).text
    assert fields(after) == fields(before)
    called = {"reason": "Flood", "slug": sale.box.slug}
    await send(sale, "call-off", staff, **called)
    assert (await send(sale, "policy", staff, **good)).status_code == 303
    last = (await sale.client.get(path(sale, "policy"), headers=staff)).text
    assert "60 days" not in last
