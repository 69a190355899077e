"""An organiser drafts an event by form, sells it, and a participant has a seat, without scripts."""

from __future__ import annotations

import asyncio
import re
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from click.testing import CliRunner, Result
from marketplace_conference.commands import make_commands

from marketplace.api import MarketplaceError
from marketplace.host import PluginHost
from marketplace.identity.domain import Role, Scope
from tests.conference.test_on_sale import FORUM, Make, worker
from tests.conftest import Headers
from tests.factories import Coalition
from tests.fulfilment.conftest import Worker

__all__ = ["worker"]

HOME = "/conference/partner"
OURS = f"{HOME}/events/lodz-forum"
FRAME = {
    "name": "Łódź Forum",
    "slug": "",
    "language": "pl",
    "description": "Two days.\r\nOne hall.",
    "venue": "Hall 1",
    "address": "12 Tram Street, Łódź",
    "time_zone": "Europe/Warsaw",
    "starts": "2999-05-04T09:00",
    "ends": "2999-05-05T18:00",
    "hold": "15",
}
ROW = {
    "name": "Row seat",
    "session": "main",
    "numbered": "yes",
    "sku": "lodz-row",
    "places": "plan",
    "most": "4",
    "points": "2 000",
    "cost": "14,50",
}
FLOOR = {
    "name": "Floor",
    "session": "main",
    "places": "own",
    "size": "30",
    "points": "1000",
    "cost": "7",
}


class Desk:
    """An organiser's browser: what it sends, and what the page then says."""

    def __init__(self, client: httpx.AsyncClient, headers: Headers) -> None:
        self.client = client
        self.headers = headers

    async def open(self, path: str) -> str:
        """A page that is there."""
        answer = await self.client.get(path, headers=self.headers)
        assert answer.status_code == 200, answer.text
        return unescape(answer.text)

    async def save(self, path: str, data: dict[str, Any], to: str) -> str:
        """Send a form that is taken; the page it leads to."""
        answer = await self.client.post(path, data=data, headers=self.headers)
        assert answer.status_code == 303, wrong(answer.text) or answer.text
        assert answer.headers["location"] == to
        return await self.open(to)

    async def refused(self, path: str, data: dict[str, Any]) -> dict[str, str]:
        """Send a form that is not taken: what is said, by field. What was typed is there still."""
        answer = await self.client.post(path, data=data, headers=self.headers)
        assert answer.status_code == 422, answer.text
        for name, value in data.items():
            if value and name in ("name", "venue", "size", "points", "cost", "starts"):
                assert f'value="{value}"' in unescape(answer.text), name
        return wrong(answer.text)


def wrong(text: str) -> dict[str, str]:
    """What a page says beside its fields."""
    found = re.findall(r'id="([\w-]+)-error">.*?<span>(.*?)</span></p>', text, re.DOTALL)
    return {name: unescape(words) for name, words in found}


@pytest.fixture
async def desk(client: httpx.AsyncClient, sign_in: Make) -> Desk:
    """Somebody who works for Tickets."""
    return Desk(client, await sign_in(Role.PARTNER, "tickets"))


async def test_an_event_is_drafted_by_form_published_and_burnt_for(
    client: httpx.AsyncClient,
    coalition: Coalition,
    desk: Desk,
    sign_in: Make,
    worker: Worker,
) -> None:
    await coalition.activate("conference", "tickets")
    assert "Nothing is sold" not in await desk.open(f"{HOME}/new")
    page = await desk.save(f"{HOME}/new", FRAME, f"{OURS}/edit")
    assert "Nothing is sold of it yet." in page
    page = await desk.save(f"{OURS}/edit/category", ROW, f"{OURS}/edit")
    assert "“Row seat” has no seats yet." in page
    page = await desk.save(f"{OURS}/edit/category", FLOOR, f"{OURS}/edit")
    assert "lodz-forum-floor" in page
    ask = {
        "label-1": "Meal",
        "kind-1": "choice",
        "options-1": "fish\r\n\r\nnone",
        "required-1": "y",
    }
    assert "fish, none" in await desk.save(f"{OURS}/edit/questions", ask, f"{OURS}/edit")
    plan = "sku,row,number\n" + "\n".join(f"lodz-row,A,{number}" for number in range(1, 6))
    sent = await client.post(
        f"{OURS}/plan?part=main",
        files={"file": ("plan.csv", plan)},
        data={"do": "take"},
        headers=desk.headers,
    )
    assert sent.status_code == 303
    terms = {"do": "refund", "days-1": "14", "percent-1": "80"}
    await desk.save(f"{OURS}/policy", terms, f"{OURS}/policy")
    assert "Look at this before people come" not in await desk.open(OURS)
    assert (await client.get("/conference/events/lodz-forum")).status_code == 404
    page = await desk.save(f"{OURS}/status", {"change": "publish"}, OURS)
    assert "It is published" in page
    fields = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page))
    listed = await desk.save(
        "/catalog/partner/listings/new", fields, "/catalog/partner/listings/lodz-forum"
    )
    assert "Łódź Forum" in listed
    path = "/catalog/partner/listings/lodz-forum"
    await desk.save(f"{path}/publish", {}, path)
    await somebody_has_a_seat(client, coalition, sign_in, worker)


async def somebody_has_a_seat(
    client: httpx.AsyncClient, coalition: Coalition, sign_in: Make, worker: Worker
) -> None:
    """Found in the catalog, chosen, named, burnt for."""
    await coalition.issue("ann", 5_000)
    ann = await sign_in(Role.PARTICIPANT)
    found = (await client.get("/catalog/lodz-forum", headers=ann)).text
    assert "Łódź Forum, Row seat" in found
    assert "2,000" in found
    wish = {"sku": "lodz-row", "seats": ["A-3"]}
    chosen = await client.post("/conference/choose", data=wish, headers=ann)
    named = await client.post(
        chosen.headers["location"], data={"name-1": "Ann", "meal-1": "fish"}, headers=ann
    )
    address = unescape(named.headers["location"])
    assert address.startswith("/burn/tickets/lodz-row?"), address
    offers = (await client.get("/v1/offers?kind=seat&status=on_sale", headers=ann)).json()["items"]
    (offer,) = (each for each in offers if each["reference"] == "tickets/lodz-row")
    body = {
        "wallet_id": str(coalition.wallets["ann"]),
        "offer_id": offer["id"],
        "selection": address.rpartition("selection=")[2],
    }
    burn = await client.post("/v1/burns", json=body, headers={**ann, "Idempotency-Key": "one"})
    assert burn.status_code == 201, burn.text
    await worker.fulfil([(burn.json()["id"], body["wallet_id"])], "conference")
    tickets = (await client.get(f"/conference/tickets/{burn.json()['id']}", headers=ann)).text
    assert "A-3" in tickets


async def test_what_does_not_fit_is_said_beside_its_field_and_stays_typed(
    coalition: Coalition, desk: Desk
) -> None:
    nothing = await desk.refused(f"{HOME}/new", {})
    assert set(nothing) == {"name", "language", "venue", "time_zone", "starts", "ends"}
    for name, value, words in (
        ("time_zone", "Mars/Olympus", "A time zone of the list"),
        ("starts", "2999-02-30T09:00", "A day and an hour that there is"),
        ("ends", "2999-05-04T08:00", "It has to end after it starts."),
        ("slug", "Łódź", "Lower case letters"),
        ("name", "a\tb\x00", "in one line"),
        ("hold", "0", "A whole number from 1 to 1,440."),
        ("language", "xx", "Choose a language."),
        ("description", "x" * 4_001, "4,000 characters at most."),
    ):
        said = await desk.refused(f"{HOME}/new", {**FRAME, name: value})
        assert words in said[name], name
    assert (
        "the name has no latin"
        in (await desk.refused(f"{HOME}/new", {**FRAME, "name": "会議"}))["slug"].lower()
    )
    await desk.save(f"{HOME}/new", FRAME, f"{OURS}/edit")
    assert "address already" in (await desk.refused(f"{HOME}/new", FRAME))["slug"]
    address = f"{OURS}/edit/category"
    for name, value, words in (
        ("name", "", "Fill this in."),
        ("size", "many", "A whole number from 0"),
        ("session", "x", "Choose a session."),
        ("places", "plan", "Only numbered seats"),
        ("places", "", "Say where"),
        ("points", "", "Say how many points"),
        ("points", "0", "A whole number from 1"),
        ("cost", "", "Say what you are paid"),
        ("cost", "1.2.3", "An amount such as"),
        ("cost", "8.01", "may bring no more than 8.00"),
        ("sku", "a b", "Letters, digits"),
        ("most", "x", "A whole number from 1"),
    ):
        said = await desk.refused(address, {**FLOOR, name: value})
        assert words in said[name], (name, said)
    alone = {**FLOOR, "places": "with", "with": "nothing"}
    assert "Say where" in (await desk.refused(address, alone))["places"]
    await desk.save(address, FLOOR, f"{OURS}/edit")
    assert "Choose whose" in (await desk.refused(address, alone))["with"]
    few = {"label-1": "Meal", "kind-1": "choice", "options-1": "fish"}
    assert "Two answers" in (await desk.refused(f"{OURS}/edit/questions", few))["options-1"]


async def test_places_are_shared_and_parts_are_changed_and_taken_out(
    client: httpx.AsyncClient, coalition: Coalition, desk: Desk, api_key: Make
) -> None:
    await desk.save(f"{HOME}/new", FRAME, f"{OURS}/edit")
    part = {"name": "Workshop", "starts": "2999-05-05T09:00", "ends": "2999-05-05T12:00"}
    page = await desk.save(f"{OURS}/edit/session", {**part, "certified": "yes"}, f"{OURS}/edit")
    assert "certificates of attendance" in page
    address = f"{OURS}/edit/category"
    await desk.save(address, FLOOR, f"{OURS}/edit")
    quota = re.findall(r'<option value="([\w-]+)">Floor: 30<', await desk.open(address))
    assert quota == ["floor"]
    shared = {**FLOOR, "name": "Guest", "places": "with", "with": "floor", "sku": "guest"}
    page = await desk.save(address, {**shared, "session": "workshop"}, f"{OURS}/edit")
    assert "shared with Guest" in page
    assert "shared with Floor" in page
    fewer = {**FLOOR, "size": "20", "name": "Standing"}
    await desk.save(f"{address}?sku=lodz-forum-floor", fewer, f"{OURS}/edit")
    key = await api_key("tickets", Scope.STOCK_WRITE)
    await client.post("/v1/conference/events/lodz-forum/publish", headers=key)
    event = (await client.get("/v1/conference/events/lodz-forum")).json()
    places = {each["name"]: each["places"] for of in event["sessions"] for each in of["categories"]}
    assert places == {"Standing": 20, "Guest": 20}
    # On offer by now, so they stay; what nobody has goes.
    stays = await client.post(f"{address}?sku=guest", data={"do": "out"}, headers=desk.headers)
    assert stays.headers["location"] == f"{OURS}/edit"
    assert "It stays" in await desk.open(f"{OURS}/edit")
    session = f"{OURS}/edit/session"
    await client.post(f"{session}?code=workshop", data={"do": "out"}, headers=desk.headers)
    assert "Workshop" in await desk.open(f"{OURS}/edit")
    await desk.save(session, {**part, "name": "Walk"}, f"{OURS}/edit")
    page = await desk.save(f"{session}?code=walk", {"do": "out"}, f"{OURS}/edit")
    assert "Walk" not in page
    own = {**FLOOR, "name": "Press", "sku": "press", "points": "", "cost": ""}
    await desk.save(address, own, f"{OURS}/edit")
    assert "“Press” has no price" in await desk.open(OURS)
    assert "press" not in await desk.save(f"{address}?sku=press", {"do": "out"}, f"{OURS}/edit")
    assert (await client.get(f"{address}?sku=press", headers=desk.headers)).status_code == 404


async def test_a_session_that_is_the_whole_event_follows_it(
    client: httpx.AsyncClient, desk: Desk
) -> None:
    await desk.save(f"{HOME}/new", FRAME, f"{OURS}/edit")
    later = {
        **FRAME,
        "name": "Great Forum",
        "starts": "2999-06-01T10:00",
        "ends": "2999-06-01T20:00",
    }
    page = await desk.save(f"{OURS}/edit/event", later, f"{OURS}/edit")
    assert page.count("Great Forum") >= 3
    assert page.count("10:00\N{EN DASH}20:00") == 2
    early = {"name": "Great Forum", "starts": "2999-05-31T10:00", "ends": "2999-06-01T20:00"}
    page = await desk.save(f"{OURS}/edit/session?code=main", early, f"{OURS}/edit")
    assert "“Great Forum” is not within the hours of the event." in page


async def test_a_draft_is_thrown_away_while_nobody_has_anything_of_it(
    client: httpx.AsyncClient, coalition: Coalition, desk: Desk
) -> None:
    for _ in range(2):  # its address is free again
        await desk.save(f"{HOME}/new", FRAME, f"{OURS}/edit")
        await desk.save(f"{OURS}/edit/category", FLOOR, f"{OURS}/edit")
        await desk.save(f"{OURS}/edit/questions", {"label-1": "Meal"}, f"{OURS}/edit")
        assert "Łódź Forum" not in await desk.save(f"{OURS}/edit/discard", {}, HOME)
    await desk.save(f"{HOME}/new", FRAME, f"{OURS}/edit")
    await desk.save(f"{OURS}/edit/category", FLOOR, f"{OURS}/edit")
    await desk.save(f"{OURS}/status", {"change": "publish"}, OURS)
    assert "It stays" in await desk.save(f"{OURS}/edit/discard", {}, f"{OURS}/edit")
    await desk.save(f"{OURS}/status", {"change": "withdraw"}, OURS)
    assert "It stays" in await desk.save(f"{OURS}/edit/discard", {}, f"{OURS}/edit")


async def test_what_is_not_changed_stays_to_the_second(
    client: httpx.AsyncClient, desk: Desk, api_key: Make
) -> None:
    key = await api_key("tickets", Scope.STOCK_WRITE)
    odd = {"starts_at": "2999-05-04T07:00:30Z", "ends_at": "2999-05-04T16:00:59Z"}
    part = {"code": "day", "name": "Day", **odd}
    made = {**FORUM, "venue": "Hall  1", "sessions": [part], **odd}
    assert (await client.put("/v1/conference/events", json=made, headers=key)).status_code == 200
    ours = f"{HOME}/events/forum"
    for rest in ("event", "session?code=day"):
        page = await desk.open(f"{ours}/edit/{rest}")
        typed = dict(re.findall(r'name="([a-z_]+)" type="[\w-]+" value="([^"]*)"', page))
        assert typed["starts"] == "2999-05-04T09:00"
        await desk.save(f"{ours}/edit/{rest}", typed | {"language": "en"}, f"{ours}/edit")
    await client.post("/v1/conference/events/forum/publish", headers=key)
    event = (await client.get("/v1/conference/events/forum")).json()
    assert event["venue"] == "Hall  1"
    for each in (event, event["sessions"][0]):
        assert each["starts_at"] == "2999-05-04T09:00:30+02:00"
        assert each["ends_at"] == "2999-05-04T18:00:59+02:00"


async def test_a_price_that_points_stopped_covering_is_said_before_anything_is_published(
    client: httpx.AsyncClient, coalition: Coalition, desk: Desk
) -> None:
    await desk.save(f"{HOME}/new", FRAME, f"{OURS}/edit")
    await desk.save(f"{OURS}/edit/category", FLOOR, f"{OURS}/edit")
    await coalition.add_offer(
        "theirs", acceptor="shop", kind="seat", plugin="conference", sku="lodz-forum-floor"
    )
    answer = await client.post(f"{OURS}/status", data={"change": "publish"}, headers=desk.headers)
    where = f"{OURS}/edit/category?sku=lodz-forum-floor&check=yes"
    assert answer.headers["location"] == where
    page = await client.get(where, headers=desk.headers)
    assert "There is an offer with this one already." in page.text
    assert (await client.get("/conference/events/lodz-forum")).status_code == 404


async def test_a_file_with_prices_is_published_at_the_terminal(
    coalition: Coalition, tmp_path: Path
) -> None:
    runtime = coalition.runtime
    host = PluginHost("conference", lambda: runtime.database, lambda: runtime.vault)
    commands = {each.command.name: each.command for each in make_commands(host)}
    (category,) = FORUM["categories"]
    priced = {**category, "points": 1_000, "cost_micros": 8_000_001}
    file = tmp_path / "forum.json"

    def run(name: str, *words: str) -> Result:
        return CliRunner().invoke(commands[name], list(words))

    def put(points: int) -> None:
        document = {**FORUM, "categories": [{**priced, "points": points}]}
        file.write_bytes(msgspec.json.encode(document))
        assert run("put", str(file)).output == "forum: draft\n"

    await asyncio.to_thread(put, 1_000)
    refused = await asyncio.to_thread(run, "publish", "forum")
    assert isinstance(refused.exception, MarketplaceError)
    assert refused.exception.extra["sku"] == "FORUM-A"
    await asyncio.to_thread(put, 1_001)
    for told in ("on sale: tickets/FORUM-A\n", ""):  # again makes nothing more
        done = await asyncio.to_thread(run, "publish", "forum")
        assert done.output == f"{told}forum: published\n"
    assert (await asyncio.to_thread(run, "withdraw", "forum")).output == "forum: draft\n"


async def test_what_was_retired_by_hand_is_sold_again_by_an_offer_of_its_own(
    client: httpx.AsyncClient, coalition: Coalition, desk: Desk, sign_in: Make
) -> None:
    """As when a price was wrong: retire, say another one, publish."""
    ann = await sign_in(Role.PARTICIPANT)
    await desk.save(f"{HOME}/new", FRAME, f"{OURS}/edit")
    await desk.save(f"{OURS}/edit/category", FLOOR, f"{OURS}/edit")
    await desk.save(f"{OURS}/status", {"change": "publish"}, OURS)
    path = f"{OURS}/edit/category?sku=lodz-forum-floor"
    on_sale = "/v1/offers?kind=seat&status=on_sale"
    for number, points in ((2, 1_500), (3, 1_800)):
        (offer,) = (await client.get(on_sale, headers=ann)).json()["items"]
        retired = await client.post(
            f"/v1/offers/{offer['id']}/status", json={"status": "retired"}, headers=desk.headers
        )
        assert retired.status_code == 200, retired.text
        await desk.save(path, {**FLOOR, "points": str(points)}, f"{OURS}/edit")
        await asyncio.gather(  # twice at once, and yet there is one
            *(
                client.post(f"{OURS}/status", data={"change": "publish"}, headers=desk.headers)
                for _ in range(2)
            )
        )
        found = (await client.get(on_sale, headers=ann)).json()["items"]
        assert [(each["reference"], each["points"], each["stock"]) for each in found] == [
            (f"tickets/lodz-forum-floor-{number}", points, 30)
        ]
    reserved = await client.post(
        "/v1/conference/reservations", json={"sku": "lodz-forum-floor", "quantity": 1}, headers=ann
    )
    assert reserved.json()["points"] == 1_800


async def test_what_is_hidden_again_is_not_sold_meanwhile(
    client: httpx.AsyncClient, coalition: Coalition, desk: Desk, sign_in: Make
) -> None:
    ann = await sign_in(Role.PARTICIPANT)
    await desk.save(f"{HOME}/new", FRAME, f"{OURS}/edit")
    await desk.save(f"{OURS}/edit/category", FLOOR, f"{OURS}/edit")

    async def stock() -> int:
        found = (await client.get("/v1/offers?kind=seat", headers=ann)).json()["items"]
        return int(found[0]["stock"])

    await desk.save(f"{OURS}/status", {"change": "publish"}, OURS)
    assert await stock() == 30
    await desk.save(f"{OURS}/status", {"change": "withdraw"}, OURS)
    assert await stock() == 0
    await desk.save(f"{OURS}/status", {"change": "publish"}, OURS)
    assert await stock() == 30
