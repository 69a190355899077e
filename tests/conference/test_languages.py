"""Whoever has a ticket, waits or looks reads names in their own language, wherever they do."""

from __future__ import annotations

import asyncio
import re

import pytest
import vobject
from marketplace_conference import models, waiting

from marketplace.identity.domain import Role
from marketplace.runtime import Runtime
from tests.conference.test_changes import second_day
from tests.conference.test_drafting import FLOOR, FRAME, HOME, OURS, Desk, desk
from tests.conference.test_notices import change, told, wait
from tests.conference.test_tickets import Make, Sale, sale, worker
from tests.conference.test_wallet_updates import Phones, opened, phones
from tests.fulfilment.conftest import counter

__all__ = ["counter", "desk", "phones", "sale", "second_day", "worker"]

POLISH = {"Accept-Language": "pl"}


@pytest.fixture
async def named(sale: Sale) -> Sale:
    """The event, its days and categories have Polish names."""
    await change(sale, models.event, names={"pl": "Dni logistyki"})
    await change(sale, models.session, names={"pl": "Dzień pierwszy"})
    await change(sale, models.category, names={"pl": "Zwykłe"})
    return sale


async def test_tickets_are_in_the_language_of_who_reads_them(named: Sale) -> None:
    sale, headers = named, {**named.ann, **POLISH}
    await sale.tickets()
    page = (await sale.client.get(f"/conference/tickets/{sale.burn_id}", headers=headers)).text
    assert '<span lang="pl">Dni logistyki</span>: <span lang="pl">Dzień pierwszy</span>' in page
    assert "Zwykłe" in page
    one = (await sale.client.get(f"/conference/tickets/{sale.burn_id}/1", headers=headers)).text
    assert "Dni logistyki" in one
    english = (await sale.client.get(f"/conference/tickets/{sale.burn_id}", headers=sale.ann)).text
    assert '<span lang="en">Logistics Days</span>: <span lang="en">Day 1</span>' in english
    for path in (f"/conference/tickets/{sale.burn_id}/tickets.ics", sale.path("/tickets.ics")):
        entries = vobject.readOne((await sale.client.get(path, headers=headers)).text)
        assert {each.summary.value for each in entries.vevent_list} == {
            "Dni logistyki: Dzień pierwszy"
        }
    paper = await sale.client.get(sale.path("/tickets.pdf"), headers=headers)
    assert paper.content.startswith(b"%PDF-")


async def test_whoever_looks_reads_names_in_their_language(named: Sale, sign_in: Make) -> None:
    sale, headers = named, {**await sign_in(Role.PARTICIPANT, "bob"), **POLISH}
    slug, sku = sale.box.slug, f"{sale.box.slug}-1"
    pages = ("/conference/events", f"/conference/events/{slug}", f"/conference/wait/{slug}/{sku}")
    for path in (*pages, f"/conference/choose/{slug}/{sku}"):
        page = await sale.client.get(path, headers=headers)
        assert page.status_code == 200, path
        assert "Dni logistyki" in page.text, path
        assert "Logistics Days" not in page.text, path
    wish = {"sku": sku, "quantity": "1"}
    chosen = await sale.client.post("/conference/choose", data=wish, headers=headers)
    page = await sale.client.get(chosen.headers["location"], headers=headers)
    assert '<span lang="pl">Dni logistyki</span> · <span lang="pl">Zwykłe</span>' in page.text
    await change(sale, models.quota, size=4)
    gone = await sale.client.post("/conference/choose", data=wish, headers=headers)
    assert gone.status_code == 409
    assert "Dni logistyki" in gone.text
    for language, name in (
        ("pl", "Dni logistyki"),
        ("it", "Logistics Days"),
        ("", "Logistics Days"),
    ):
        query = f"?language={language}" if language else ""
        seen = (await sale.client.get(f"/v1/conference/events/{slug}{query}")).json()
        assert (seen["name"], seen["names"]) == (name, {"pl": "Dni logistyki"})
    refused = await sale.client.get(f"/v1/conference/events/{slug}?language=polski")
    assert refused.status_code == 400


async def test_notices_are_in_the_language_of_who_gets_them(named: Sale, runtime: Runtime) -> None:
    sale = named
    seen = await wait(sale)
    await change(sale, models.quota, size=4)
    await asyncio.to_thread(waiting.serve_all, sale.host)
    items = (await sale.client.get("/v1/notices", headers={**sale.ann, **POLISH})).json()["items"]
    (notice,) = [each for each in items if each["kind"] == "plugin_notice"]
    assert "Dni logistyki" in notice["subject"]
    assert "Dni logistyki" in notice["text"]
    assert await told(sale) == ["Places are reserved for you: Logistics Days"]
    page = await sale.client.get(
        f"/conference/waiting/{seen['token']}", headers={**sale.ann, **POLISH}
    )
    assert "Dni logistyki" in page.text
    assert '<span lang="pl">Zwykłe</span>' in page.text


async def test_a_pass_is_in_the_language_in_which_it_was_added_also_when_it_changes(
    phones: Phones,
) -> None:
    sale = phones.sale
    await change(sale, models.event, names={"pl": "Dni logistyki"})
    sale.ann.update(POLISH)
    mine = await phones.file()
    assert mine["description"] == "Dni logistyki"
    await phones.register(mine)
    await phones.run()
    first = await phones.updated()
    assert first is not None
    await change(sale, models.session, names={"pl": "Dzień pierwszy"})
    await phones.run()
    then = await phones.updated(since=first["lastUpdated"])
    assert then is not None
    now = opened(await phones.latest(mine))
    assert now["description"] == "Dni logistyki"
    assert now["eventTicket"]["primaryFields"][0]["value"] == "Dzień pierwszy"


async def test_an_organiser_says_names_in_other_languages_by_form(desk: Desk) -> None:
    frame = {**FRAME, "name-en": "Lodz Forum", "name-pl": "to jest jej własny język"}
    page = await desk.save(f"{HOME}/new", frame, f"{OURS}/edit")
    assert 'lang="en">Lodz Forum</span>' in page
    assert "własny" not in page
    category = {**FLOOR, "name-en": "Standing", "name-it": "In piedi"}
    await desk.save(f"{OURS}/edit/category", category, f"{OURS}/edit")
    form = await desk.open(f"{OURS}/edit/category?sku=lodz-forum-floor")
    assert 'value="In piedi"' in form
    session = await desk.open(f"{OURS}/edit/session?code=main")
    assert 'value="Lodz Forum"' in session  # it is the whole event, so it is called as that
    assert 'name="name-pl"' not in session
    long = {**frame, "name-en": "x" * 201}
    assert "name-en" in await desk.refused(f"{OURS}/edit/event", long)
    # In English from now on: what has an English name is called so.
    other = {**FRAME, "language": "en", "name": "Lodz Forum", "name-pl": "Forum łódzkie"}
    page = await desk.save(f"{OURS}/edit/event", other, f"{OURS}/edit")
    assert "Standing" in page
    form = await desk.open(f"{OURS}/edit/category?sku=lodz-forum-floor")
    assert re.search(r'name="name-pl"[^>]*value="Floor"', form)
    assert 'value="In piedi"' in form
