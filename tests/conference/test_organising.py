"""An organiser's people work on their events in the partner console, without scripts."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

import httpx
import msgspec
import pytest

from marketplace.identity.domain import Role
from tests.conference.test_on_sale import FORUM, SEATS, Make, organiser, worker
from tests.conference.test_tickets import Sale, counter, sale
from tests.conftest import Headers
from tests.factories import Coalition

__all__ = ["counter", "organiser", "sale", "worker"]

HOME = "/conference/partner"
OURS = f"{HOME}/events/forum"


def upload(text: str | bytes, do: str) -> dict[str, Any]:
    """A form with a file."""
    return {"files": {"file": ("event.json", text)}, "data": {"do": do}}


@pytest.fixture
async def staff(sign_in: Make) -> Headers:
    """Somebody who works for Tickets."""
    return await sign_in(Role.PARTNER, "tickets")


async def test_an_event_is_checked_taken_and_published(
    client: httpx.AsyncClient, staff: Headers
) -> None:
    assert "No event yet" in (await client.get(HOME, headers=staff)).text
    assert (
        "Choose a file."
        in (await client.post(f"{HOME}/new/file", headers=staff, files={"x": b""})).text
    )
    text = msgspec.json.format(msgspec.json.encode(FORUM), indent=2).decode()
    wrong = text.replace("Europe/Warsaw", "Europe/Warsw").replace(
        '"day",\n      "numb', '"x",\n      "numb'
    )
    refused = await client.post(f"{HOME}/new/file", headers=staff, **upload(wrong, "take"))
    assert refused.status_code == 422
    lines = {
        int(line): reason
        for line, reason in re.findall(
            r'<td class="number">(\d+)</td><td[^>]*>(.*?)</td>', refused.text
        )
    }
    at = dict(enumerate(wrong.splitlines(), start=1))
    assert {at[number].split(":")[0].strip() for number in lines} == {'"time_zone"', '"session"'}
    for bad in (b"\xff", "[]", "{", text.replace('"name"', '"nom"', 1), ""):
        answer = await client.post(f"{HOME}/new/file", headers=staff, **upload(bad, "take"))
        assert answer.status_code == 422, bad
    others = text.replace('"tickets"', '"shop"')
    answer = await client.post(f"{HOME}/new/file", headers=staff, **upload(others, "take"))
    assert "the organiser is &#39;tickets&#39;" in answer.text
    good = await client.post(f"{HOME}/new/file", headers=staff, **upload(text, "check"))
    assert "The file is good" in good.text
    assert "No event yet" in (await client.get(HOME, headers=staff)).text
    taken = await client.post(f"{HOME}/new/file", headers=staff, **upload(text, "take"))
    assert taken.headers["location"] == OURS
    assert "Draft" in (await client.get(OURS, headers=staff)).text
    published = {"change": "publish"}
    assert (await client.post(f"{OURS}/status", headers=staff, data=published)).status_code == 303
    assert (await client.get("/conference/events/forum")).status_code == 200
    assert "Forum Baltica" in (await client.get(HOME, headers=staff)).text


async def test_a_plan_is_shown_checked_and_added_to(
    client: httpx.AsyncClient, organiser: Headers, staff: Headers, sign_in: Make
) -> None:
    page = (await client.get(f"{OURS}/plan", headers=staff)).text
    assert page.count("plan__shown--free") == SEATS
    address = f"{OURS}/plan?part=day"
    bad = "sku,row,number\nFORUM-A,Z,1\nFORUM-B,Z,2\nFORUM-A,Z,1"
    refused = await client.post(address, headers=staff, **upload(bad, "take"))
    assert refused.status_code == 422
    assert re.findall(r'<td class="number">(\d+)</td>', refused.text) == ["3", "4"]
    more = "sku,row,number\nFORUM-A,Z,1\nFORUM-A,Z,2"
    checked = await client.post(address, headers=staff, **upload(more, "check"))
    assert "It would add 2 seats." in checked.text
    assert checked.text.count("plan__shown--free") == SEATS
    assert (await client.post(address, headers=staff, **upload(more, "take"))).status_code == 303
    page = (await client.get(address, headers=staff)).text
    assert page.count("plan__shown--free") == SEATS + 2
    ann = await sign_in(Role.PARTICIPANT)
    await client.post("/conference/choose", data={"sku": "FORUM-A", "seats": ["A-3"]}, headers=ann)
    assert (await client.get(address, headers=staff)).text.count("plan__shown--held") == 1
    assert (await client.get(f"{OURS}/plan?part=nowhere", headers=staff)).status_code == 404


async def test_places_are_kept_for_a_firm_changed_and_released(
    client: httpx.AsyncClient, organiser: Headers, staff: Headers, sign_in: Make
) -> None:
    address = f"{OURS}/allotments"
    asked = {"sku": "FORUM-A", "firm": "acme", "size": "20", "until": "2999-03-01"}
    problems = {
        "firm": ("", "The reference of a firm"),
        "size": ("-1", "A whole number, 0 or more."),
        "until": ("2999-02-30", "A day, like 2027-03-01."),
        "sku": ("nothing", "Choose what is kept."),
    }
    for name, (value, words) in problems.items():
        refused = await client.post(address, headers=staff, data={**asked, name: value})
        assert refused.status_code == 422
        assert words in refused.text
    past = await client.post(address, headers=staff, data={**asked, "until": "2020-01-01"})
    assert "A day that is not over yet." in past.text
    many = await client.post(address, headers=staff, data={**asked, "size": str(SEATS + 1)})
    assert "So many places are not free" in many.text
    assert (await client.post(address, headers=staff, data=asked)).status_code == 303
    seen = (await client.get(address, headers=staff)).text
    assert "1 Mar 2999" in seen
    ann = await sign_in(Role.PARTICIPANT)
    theirs = (await client.get("/conference/events/forum", headers=ann)).text
    assert "20 places are kept for your firm." in theirs
    chosen = await client.post(
        "/conference/choose", data={"sku": "FORUM-A", "quantity": "1"}, headers=ann
    )
    # At the time of the event, as everything about it.
    held = (await client.get(chosen.headers["location"], headers=ann)).text
    assert re.search(r"until \d+ \w+ \d{4}, \d\d:\d\d \(Europe/Warsaw\), at this", held)
    row = await client.get(address, headers=staff)
    assert re.findall(r'class="number">(\d+)<', row.text) == ["20", "1", "19"]
    await client.post(address, headers=staff, data={**asked, "size": str(SEATS)})
    theirs = (await client.get("/conference/events/forum", headers=ann)).text
    assert "Nothing is free for others at present" in theirs
    released = await client.post(address, headers=staff, data={**asked, "size": "0"})
    assert released.status_code == 303
    assert "released" in (await client.get(address, headers=staff)).text


async def test_firms_are_named_once_their_people_were_customers(
    sale: Sale, sign_in: Make, coalition: Coalition
) -> None:
    staff, client = await sign_in(Role.PARTNER), sale.client
    await coalition.add_firm("glaz", sponsor="beta")
    address = f"{HOME}/events/{sale.box.slug}/allotments"
    asked = {"sku": f"{sale.box.slug}-1", "size": "1", "until": "2999-03-01"}
    for firm in ("acme", "glaz"):
        kept = await client.post(address, headers=staff, data={**asked, "firm": firm})
        assert kept.status_code == 303, kept.text
    page = (await client.get(address, headers=staff)).text
    assert re.findall(r'<th scope="row">(\w+)<', page) == ["Acme", "glaz"]
    assert "Glaz" not in page
    assert '<option value="acme">Acme</option>' in page


async def test_the_waiting_list_is_shown_in_its_order(
    client: httpx.AsyncClient, organiser: Headers, staff: Headers, sign_in: Make
) -> None:
    assert "Nobody waits." in (await client.get(f"{OURS}/waiting", headers=staff)).text
    kept = {"sku": "FORUM-A", "firm": "other", "size": str(SEATS), "until": "2999-01-01"}
    await client.post(f"{OURS}/allotments", headers=staff, data=kept)
    for who in ("ann", "bob"):
        them = await sign_in(Role.PARTICIPANT, who)
        joined = await client.post("/conference/wait/forum/FORUM-A", headers=them)
        assert "/conference/waiting/" in joined.headers["location"]
    page = (await client.get(f"{OURS}/waiting", headers=staff)).text
    assert re.findall(r'<th scope="row">(\d+)</th>', page) == ["1", "2"]
    assert page.count("waits") >= 2


async def test_who_comes_is_listed_and_exported_for_spreadsheets(sale: Sale, sign_in: Make) -> None:
    client, staff = sale.client, await sign_in(Role.PARTNER)
    await client.put(sale.path("/1/attendee"), json={"name": '=HYPERLINK("x")'}, headers=sale.ann)
    await client.put(sale.path("/2/attendee"), json={"name": "Łucja"}, headers=sale.ann)
    await sale.give_up(3, 800)
    ours = f"{HOME}/events/{sale.box.slug}"
    page = (await client.get(f"{ours}/people", headers=staff)).text
    assert "Łucja" in page
    assert "given back" in page
    found = (await client.get(f"{ours}/people?q=łucja", headers=staff)).text
    assert "HYPERLINK" not in found
    assert "Łucja" in found
    file = await client.get(f"{ours}/people.csv", headers=staff)
    assert file.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(file.content.decode("utf-8-sig"))))
    assert [row["name"] for row in rows] == ["", "Łucja", '\'=HYPERLINK("x")']
    assert [bool(row["cancelled_at"]) for row in rows] == [True, False, False]
    assert {row["order"] for row in rows} == {sale.burn_id}


async def test_an_event_is_called_off_once_it_is_named(sale: Sale, sign_in: Make) -> None:
    client, staff = sale.client, await sign_in(Role.PARTNER)
    address = f"{HOME}/events/{sale.box.slug}/call-off"
    assert "3 tickets are cancelled" in (await client.get(address, headers=staff)).text
    refused = await client.post(address, headers=staff, data={"reason": "Flood", "slug": "x"})
    assert refused.status_code == 422
    assert "so that nothing is called off by mistake" in refused.text
    asked = {"reason": "The hall is flooded.", "slug": sale.box.slug}
    for _ in range(2):
        assert (await client.post(address, headers=staff, data=asked)).status_code == 303
    page = (await client.get(address, headers=staff)).text
    assert "The hall is flooded." in page
    assert "Tickets cancelled" in page
    part = await client.get(address, headers={**staff, "HX-Request": "true"})
    assert part.text.lstrip().startswith("<div")
    gone = await client.post(
        f"{HOME}/events/{sale.box.slug}/status", headers=staff, data={"change": "publish"}
    )
    assert gone.status_code == 409


async def test_nobody_looks_into_the_events_of_others(
    client: httpx.AsyncClient, organiser: Headers, sign_in: Make
) -> None:
    stranger = await sign_in(Role.PARTNER, "shop")
    operator = await sign_in(Role.OPERATOR)
    for rest in (
        "",
        "/plan",
        "/allotments",
        "/waiting",
        "/people",
        "/people.csv",
        "/doors",
        "/policy",
        "/move",
        "/call-off",
    ):
        assert (await client.get(OURS + rest, headers=stranger)).status_code == 404, rest
        member = await client.get(f"{OURS}{rest}?member=tickets", headers=operator)
        assert member.status_code == 200, rest
        other = await client.get(f"{OURS}{rest}?member=shop", headers=operator)
        assert other.status_code == 404, rest
    named = {"reason": "No", "slug": "forum"}
    for rest, data in (
        ("/status", {"change": "withdraw"}),
        ("/allotments", {"sku": "FORUM-A", "firm": "x", "size": "1", "until": "2999-01-01"}),
        ("/policy", {"do": "refund", "days-1": "1", "percent-1": "1"}),
        ("/policy", {"do": "changes", "days": "1"}),
        ("/move", {"do": "look", "venue": "Elsewhere"}),
        (
            "/move",
            {"do": "move", "venue": "Elsewhere", "reason": "x", "refund_until": "2998-01-01"},
        ),
        ("/call-off", named),
        ("/doors", {"name": "north"}),
    ):
        answer = await client.post(OURS + rest, headers=stranger, data=data)
        assert answer.status_code == 404, rest
    assert (await client.get("/conference/events/forum")).status_code == 200


async def test_pages_say_before_choosing_who_may_take_a_seat(
    client: httpx.AsyncClient, coalition: Coalition, organiser: Headers, sign_in: Make
) -> None:
    await coalition.issue("ann", 5_000)
    ann = await sign_in(Role.PARTICIPANT)
    choose = "/conference/choose/forum/FORUM-A"
    for terms, words in (
        ({"roles": ("technician",)}, "It is for people with another role: technician."),
        ({"countries": ("PT",)}, "It is for firms in other countries: PT."),
        ({"firms": ("beta",)}, "It is for people of certain firms, and yours is not among them."),
    ):
        await restrict(coalition, terms)
        page = (await client.get("/conference/events/forum", headers=ann)).text
        assert "You cannot take this" in page
        assert words in page
        assert choose not in page
        seats = (await client.get(choose, headers=ann)).text
        assert words in seats
        assert 'type="checkbox"' not in seats
    await restrict(coalition, {"rules": ("acme.trained",)}, limit=2)
    page = (await client.get("/conference/events/forum", headers=ann)).text
    assert "One person may have at most: 2." in page
    assert "which is checked when you burn" in page
    assert choose in page


async def restrict(coalition: Coalition, terms: dict[str, Any], limit: int | None = None) -> None:
    """The seat is for some people only."""
    import sqlalchemy as sa

    from marketplace.exchange.models import Offer

    async with coalition.runtime.database.begin() as session:
        await session.execute(
            sa.update(Offer)
            .where(Offer.id == coalition.offers["seat"])
            .values(eligibility=terms, limit_per_wallet=limit)
        )
