"""Seats go on sale: over HTTP and on pages, to people with points, through burns and a worker."""

from __future__ import annotations

import asyncio
import re
from collections import Counter as Tally
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
import pytest_asyncio

from marketplace.fulfilment.home import Home
from marketplace.identity.domain import Role, Scope
from marketplace.ledger.verify import verify
from marketplace.settings import Settings
from tests.conftest import Headers
from tests.factories import Coalition
from tests.fulfilment.conftest import Worker
from tests.web.problems import problem

Make = Callable[..., Awaitable[Headers]]
ROWS, SEATS_A_ROW = 6, 10
SEATS = ROWS * SEATS_A_ROW
PEOPLE, TRIES, AT_ONCE = 80, 2, 1
DAY = {"starts_at": "2999-05-04T09:00:00Z", "ends_at": "2999-05-04T18:00:00Z"}
FORUM: dict[str, Any] = {
    "slug": "forum",
    "name": "Forum Baltica",
    "organiser": "tickets",
    "language": "en",
    "venue": "Hall 1",
    "time_zone": "Europe/Warsaw",
    **DAY,
    "sessions": [{"code": "day", "name": "Day one", **DAY}],
    "categories": [
        {
            "sku": "FORUM-A",
            "name": "Stalls",
            "session": "day",
            "numbered": True,
            "most_at_once": AT_ONCE,
        }
    ],
}


@pytest_asyncio.fixture
async def worker(settings: Settings) -> AsyncIterator[Worker]:
    """A worker that knows the plugins installed."""
    home = Home(settings)
    await asyncio.to_thread(home.open)
    yield Worker(home)
    await asyncio.to_thread(home.close)


@pytest.fixture
async def organiser(client: httpx.AsyncClient, api_key: Make, coalition: Coalition) -> Headers:
    """Tickets, whose forum is on sale."""
    await coalition.add_offer(
        "seat", acceptor="tickets", kind="seat", plugin="conference", sku="FORUM-A"
    )
    key = await api_key("tickets", Scope.STOCK_WRITE)
    made = await client.put("/v1/conference/events", json=FORUM, headers=key)
    assert made.status_code == 200, made.text
    lines = [
        f"FORUM-A,{chr(65 + row)},{number}"
        for row in range(ROWS)
        for number in range(1, SEATS_A_ROW + 1)
    ]
    plan = "\n".join(["sku,row,number", *lines])
    address = "/v1/conference/events/forum/sessions/day/plan"
    assert (await client.put(address, content=plan, headers=key)).json() == {"made": SEATS}
    assert (await client.put(address, content=plan, headers=key)).json() == {"made": 0}
    assert (await client.get("/v1/conference/events/forum")).status_code == 404
    assert (
        await client.post("/v1/conference/events/forum/publish", headers=key)
    ).status_code == 200
    return key


async def stands(client: httpx.AsyncClient, **expected: int) -> None:
    """Wait until everybody is shown that the stalls stand like this; it may be a moment old."""
    while True:
        event = (await client.get("/v1/conference/events/forum")).json()
        (category,) = event["sessions"][0]["categories"]
        if {name: category[name] for name in expected} == expected:
            return
        await asyncio.sleep(0.05)


async def test_a_crowd_gets_every_seat_once_and_everybody_is_told_the_truth(
    client: httpx.AsyncClient,
    coalition: Coalition,
    sign_in: Make,
    organiser: Headers,
    worker: Worker,
) -> None:
    people = []
    for number in range(PEOPLE):
        name = f"p{number}"
        await coalition.add_participant(name, firm="acme")
        people.append((name, await sign_in(Role.PARTICIPANT, name)))
    for name, _ in people:
        await coalition.issue(name, 5_000)

    async def reserve(who: Headers) -> httpx.Response:
        asked = {"sku": "FORUM-A", "quantity": 1}
        while True:
            answer = await client.post("/v1/conference/reservations", json=asked, headers=who)
            if answer.status_code != 503:
                return answer
            assert answer.headers["retry-after"]
            await asyncio.sleep(0.1)  # a process takes so many calls of a plugin at once

    crowd = [(name, who) for _ in range(TRIES) for name, who in people]
    answers = await asyncio.gather(*(reserve(who) for _, who in crowd))
    told = Tally("held" if each.status_code == 201 else each.json()["code"] for each in answers)
    assert set(told) <= {"held", "conference_sold_out", "conference_too_many_at_once"}
    got = [
        (name, who, answer.json())
        for (name, who), answer in zip(crowd, answers, strict=True)
        if answer.status_code == 201
    ]
    seats = [label for _, _, each in got for label in each["seats"]]
    assert len(set(seats)) == len(seats) == SEATS
    await stands(client, sold=0, held=SEATS, free=0)

    async def burn(name: str, who: Headers, mine: dict[str, Any]) -> tuple[str, str]:
        body = {
            "wallet_id": str(coalition.wallets[name]),
            "offer_id": str(coalition.offers["seat"]),
            "selection": mine["selection"],
            "expected_points": mine["points"],
        }
        headers = {**who, "Idempotency-Key": mine["selection"]}
        answer = await client.post("/v1/burns", json=body, headers=headers)
        assert answer.status_code == 201, answer.text
        return answer.json()["id"], answer.json()["wallet_id"]

    pairs = await asyncio.gather(*(burn(*each) for each in got))
    await worker.fulfil(list(pairs), "conference")
    await worker.fulfil(list(pairs), "conference")
    await stands(client, sold=SEATS, held=0, free=0)
    name, who, mine = got[0]
    late = await reserve(people[-1][1])
    problem(late, 409, "conference_sold_out")
    seen = await client.get(f"/v1/conference/reservations/{mine['selection']}", headers=who)
    assert (seen.json()["state"], seen.json()["seats"]) == ("sold", mine["seats"])
    burnt = (await client.get(f"/v1/burns/{pairs[0][0]}", headers=who)).json()
    assert (burnt["status"], len(burnt["artefacts"])) == ("captured", 1)
    async with coalition.runtime.database.begin() as session:
        assert await verify(session) == []


async def test_seats_are_chosen_named_and_burnt_for_on_pages_without_scripts(
    client: httpx.AsyncClient, coalition: Coalition, sign_in: Make, organiser: Headers
) -> None:
    await coalition.issue("ann", 5_000)
    ann = await sign_in(Role.PARTICIPANT)
    assert "Forum Baltica" in (await client.get("/conference/events")).text
    page = await client.get("/conference/events/forum")
    assert f"{SEATS} places are free" in page.text
    address = "/conference/choose/forum/FORUM-A"
    chooser = await client.get(address, headers=ann)
    assert len(re.findall(r'type="checkbox" name="seats"', chooser.text)) == SEATS
    style = re.search(r"/conference/static/\w+/conference.css", chooser.text)
    assert style
    assert (await client.get(style.group())).status_code == 200
    form = "/conference/choose"
    assert f'action="{form}"' in chooser.text
    nothing = await client.post(form, data={"sku": "FORUM-A"}, headers=ann)
    assert nothing.headers["location"] == address
    unread = await client.post(form, data={"sku": "FORUM-A", "seats": ["\0"]}, headers=ann)
    assert unread.status_code == 400
    assert (await client.post(form, data={"sku": "no"}, headers=ann)).status_code == 404
    wish = {"sku": "FORUM-A", "seats": ["A-3"]}
    chosen = await client.post(form, data=wish, headers=ann)
    assert chosen.status_code == 303, chosen.text
    mine = chosen.headers["location"]
    bob = await sign_in(Role.PARTICIPANT, "bob")
    late = await client.post(form, data=wish, headers=bob)
    assert late.status_code == 409
    assert "Somebody else was quicker" in late.text
    assert len(re.findall(r'name="seats" value="[A-F]-\d+"', late.text)) == 12
    too_many = await client.post(form, data={"sku": "FORUM-A", "quantity": "9"}, headers=bob)
    assert too_many.status_code == 409
    assert "Nothing more was reserved" in too_many.text
    assert (await client.get(mine, headers=bob)).status_code == 404
    assert "A-3" in (await client.get(mine, headers=ann)).text
    nobody = await client.post(mine, data={"name-1": " "}, headers=ann)
    assert nobody.status_code == 400
    assert "Say who comes." in nobody.text
    named = await client.post(mine, data={"name-1": "Ann", "email-1": ""}, headers=ann)
    selection = mine.rsplit("/", 1)[1]
    assert named.headers["location"] == f"/burn/seat?quantity=1&selection={selection}"
    burn = await client.get(named.headers["location"], headers=ann)
    assert "what you have chosen: 1" in burn.text
    gone = await client.post(f"{mine}/release", headers=ann)
    assert gone.status_code == 303
    assert "is over" in (await client.get(mine, headers=ann)).text


async def test_who_found_a_seat_in_the_catalog_is_led_to_choosing_it(
    client: httpx.AsyncClient, coalition: Coalition, sign_in: Make, organiser: Headers
) -> None:
    await coalition.issue("ann", 5_000)
    ann = await sign_in(Role.PARTICIPANT)
    address = "/conference/choose/forum/FORUM-A"
    led = await client.get("/burn/seat", headers=ann)
    assert (led.status_code, led.headers["location"]) == (303, address)
    led = await client.get("/burn/seat?quantity=3", headers=ann)
    assert led.headers["location"] == f"{address}?quantity=3"
    chooser = await client.get(led.headers["location"], headers=ann)
    assert 'name="quantity" type="number" value="3"' in chooser.text
    mine = await client.post(
        "/conference/choose", data={"sku": "FORUM-A", "seats": ["A-3"]}, headers=ann
    )
    named = await client.post(mine.headers["location"], data={"name-1": "Ann"}, headers=ann)
    burn = await client.get(named.headers["location"], headers=ann)
    assert burn.status_code == 200
    assert "what you have chosen: 1" in burn.text


async def test_nobody_is_led_to_an_event_that_is_not_shown(
    client: httpx.AsyncClient, coalition: Coalition, sign_in: Make, organiser: Headers
) -> None:
    await coalition.issue("ann", 5_000)
    ann = await sign_in(Role.PARTICIPANT)
    # Another member's offer of the same sku is not the organiser's seat.
    await coalition.add_offer(
        "other", acceptor="shop", kind="seat", plugin="conference", sku="FORUM-A"
    )
    assert (await client.get("/burn/other", headers=ann)).status_code == 200
    hidden = await client.post("/v1/conference/events/forum/withdraw", headers=organiser)
    assert hidden.status_code == 200
    assert (await client.get("/burn/seat", headers=ann)).status_code == 200


async def test_who_waits_joins_on_a_page_and_leaves_again(
    client: httpx.AsyncClient, sign_in: Make, organiser: Headers
) -> None:
    ann = await sign_in(Role.PARTICIPANT)
    free = await client.post("/conference/wait/forum/FORUM-A", headers=ann)
    assert free.headers["location"] == "/conference/choose/forum/FORUM-A?quantity=1"
    later = {
        "sku": "FORUM-A",
        "firm": "other",
        "size": SEATS,
        "releases_at": "2999-01-01T00:00:00Z",
    }
    kept = await client.put("/v1/conference/allotments", json=later, headers=organiser)
    assert kept.status_code == 200, kept.text
    form = "/conference/wait/forum/FORUM-A"
    assert "How many places together?" in (await client.get(form, headers=ann)).text
    for wrong in ("0", "lots", "", "1001"):
        refused = await client.post(form, data={"quantity": wrong}, headers=ann)
        assert refused.status_code == 422
        assert "A whole number from 1 to 1,000." in refused.text
    joined = await client.post(form, data={"quantity": "2"}, headers=ann)
    address = joined.headers["location"]
    again = await client.post(form, data={"quantity": "2"}, headers=ann)
    assert again.headers["location"] == address
    assert address in (await client.get("/conference/events/forum", headers=ann)).text
    seen = (await client.get(address, headers=ann)).text
    assert "You are next." in seen
    assert "Nothing of it is free at present." in seen
    assert "Stalls" in seen
    assert (await client.post(f"{address}/decline", headers=ann)).status_code == 303
    assert "not on the list any more" in (await client.get(address, headers=ann)).text


async def test_nobody_changes_the_events_of_others_or_imports_a_bad_plan(
    client: httpx.AsyncClient, api_key: Make, organiser: Headers
) -> None:
    stranger = await api_key("shop", Scope.STOCK_WRITE)
    problem(
        await client.put("/v1/conference/events", json=FORUM, headers=stranger),
        404,
        "conference_unknown_event",
    )
    address = "/v1/conference/events/forum/sessions/day/plan"
    new = "sku,row,number\nFORUM-A,Z,1"
    problem(
        await client.put(address, content=new, headers=stranger), 404, "conference_unknown_event"
    )
    bad = f"{new}\nFORUM-B,Z,2\nFORUM-A,Z,1\nFORUM-A,,3\nFORUM-A,Z"
    refused = await client.put(address, content=bad, headers=organiser)
    assert [each["line"] for each in problem(refused, 400, "conference_bad_file")["errors"]] == [6]
    refused = await client.put(address, content=bad.rsplit("\n", 1)[0], headers=organiser)
    errors = problem(refused, 400, "conference_bad_file")["errors"]
    assert [each["line"] for each in errors] == [3, 4, 5]
    as_json = '[{"sku": "FORUM-A", "row": "Y", "number": "1", "x": 3, "y": 9}]'
    made = await client.put(address, content=as_json, headers=organiser)
    assert made.json() == {"made": 1}
    seats = (await client.get("/v1/conference/events/forum/sessions/day/seats")).json()
    assert (seats[-1]["label"], seats[-1]["x"], seats[-1]["state"]) == ("Y-1", 3, "free")
    refused = await client.put(address, content='[{"row": "Y"}]', headers=organiser)
    problem(refused, 400, "conference_bad_file")


async def test_what_no_database_can_keep_is_refused_before_anything_is_reserved(
    client: httpx.AsyncClient, sign_in: Make, api_key: Make, organiser: Headers
) -> None:
    ann = await sign_in(Role.PARTICIPANT)
    guest = {"name": "Ann", "email": "ann@example.org", "answers": {}}
    for wrong in (
        {"seats": ["A\0-1"]},
        {"quantity": 1, "attendees": [guest | {"name": "A\0nn"}]},
        {"quantity": 1, "attendees": [guest | {"email": "a\0@example.org"}]},
        {"quantity": 1, "attendees": [guest | {"answers": {"diet": "\0"}}]},
        {"quantity": 1, "attendees": [guest | {"answers": {"\0": "none"}}]},
    ):
        asked = {"sku": "FORUM-A", **wrong}
        refused = await client.post("/v1/conference/reservations", json=asked, headers=ann)
        assert refused.status_code in (400, 422), (wrong, refused.text)
    key = await api_key("tickets", Scope.STOCK_WRITE)
    asked = {"sku": "FORUM-A", "quantity": 1, "buyer": "\0"}
    refused = await client.post("/v1/conference/reservations", json=asked, headers=key)
    assert refused.status_code in (400, 403), refused.text
    await stands(client, sold=0, held=0, free=SEATS)
