"""The door on a phone: tickets scanned online and offline, looked up by name, counted once."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from marketplace_conference import models
from marketplace_conference.tickets import codes, issuing, keys
from marketplace_conference.tickets import repository as tickets
from marketplace_conference.tickets.tables import ticket
from msgspec import structs
from playwright.async_api import expect

from marketplace.api import Principal, Role
from marketplace.host import PluginHost
from tests.browser.conftest import OpenTab, Tab
from tests.browser.life import Life
from tests.browser.looks import examine
from tests.browser.test_till import CAMERA
from tests.conftest import ROOT

sys.path.insert(0, str(ROOT / "plugins" / "conference" / "tests" / "tickets"))

from box import Box

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture
def box(life: Life) -> Callable[..., Box]:
    """`box()`: a new event of the shop, whose doors are open; `after`: it starts then."""
    host = PluginHost("conference", lambda: life.runtime.database, lambda: life.runtime.vault)

    def make(after: timedelta | None = None) -> Box:
        opens = 180 if after is not None else 2 * 24 * 60
        starts_at = datetime.now(UTC) + (after or timedelta(hours=1))
        shop = life.coalition.members["shop"]
        return Box(host, shop, starts_at=starts_at, doors_open_minutes=opens)

    return make


def add_door(box: Box, name: str) -> str:
    """A device for its doors; the address of its page."""
    from marketplace_conference.door import devices
    from marketplace_conference.door.schemas import NewDevice

    who = Principal(
        credential_id=uuid4(),
        caller_id=uuid4(),
        actor="person:organiser",
        member_id=box.organiser_id,
        roles=frozenset({Role.PARTNER.value}),
    )
    made = devices.add(box.host, who, box.slug, NewDevice(name=name))
    return f"/conference/door#key={made.key}"


async def opened(open_tab: OpenTab, address: str, **more: Any) -> Tab:
    """A phone at a door, with its list."""
    tab = await open_tab(width=390, **more)
    await tab.go(address)
    await expect(tab.page.locator("#door-event")).to_have_text("Logistics Days")
    assert "key" not in tab.page.url
    return tab


async def enter(tab: Tab, text: str) -> None:
    """Type what a camera would read, or a name."""
    await tab.page.get_by_label("Name, ticket number or code").fill(text)
    await tab.page.get_by_role("button", name="Find").click()


def answer(tab: Tab) -> Any:
    """What the door says."""
    return tab.page.locator("#door-answer")


async def test_two_phones_let_a_ticket_in_once(open_tab: OpenTab, box: Callable[[], Box]) -> None:
    event = await asyncio.to_thread(box)
    _, (ticket,) = await asyncio.to_thread(event.sell, "Łucja Żółkiewska")
    north = await opened(open_tab, await asyncio.to_thread(add_door, event, "north"))
    south = await opened(open_tab, await asyncio.to_thread(add_door, event, "south"))
    await enter(north, ticket.secret)
    await expect(answer(north)).to_contain_text("Let in")
    await expect(answer(north)).to_contain_text("Łucja Żółkiewska")
    await enter(south, ticket.secret)
    await expect(answer(south)).to_contain_text("Already let in")
    await expect(answer(south)).to_contain_text("north")
    await enter(south, "CT1NONSENSE")
    await expect(answer(south)).to_contain_text("No ticket of this event")


async def test_a_phone_without_network_works_on_and_is_opened_again(
    open_tab: OpenTab, box: Callable[[], Box]
) -> None:
    event = await asyncio.to_thread(box)
    _, (first, _) = await asyncio.to_thread(event.sell, "Ilse Alder", "Otto Alder")
    north = await opened(open_tab, await asyncio.to_thread(add_door, event, "north"))
    await north.page.evaluate("navigator.serviceWorker.ready.then(() => null)")
    await north.page.reload()
    await expect(north.page.locator("#door-network")).to_have_text("Online")
    _, (sold_since,) = await asyncio.to_thread(event.sell, "Late Guest")
    other = await asyncio.to_thread(box)
    _, (foreign,) = await asyncio.to_thread(other.sell, "Somebody else")
    await north.page.context.set_offline(True)
    for code, words in (
        (first.secret, "Let in"),
        (first.secret, "Already let in"),
        (sold_since.secret, "Let in"),
        (sold_since.secret, "Already let in"),
        (foreign.secret, "No ticket of this event"),
        (first.secret[:100] + "AAAAAA" + first.secret[106:], "No ticket of this event"),
    ):
        await enter(north, code)
        await expect(answer(north)).to_contain_text(words)
    await enter(north, "otto")
    await north.page.get_by_role("button", name="Let in").click()
    await expect(answer(north)).to_contain_text("Otto Alder")
    await expect(north.page.locator("#door-waiting")).to_have_text("Waiting to be sent: 7")
    await north.page.reload()
    await expect(north.page.locator("#door-waiting")).to_have_text("Waiting to be sent: 7")
    await expect(north.page.locator("#door-event")).to_have_text("Logistics Days")
    await north.page.context.set_offline(False)
    await expect(north.page.locator("#door-waiting")).to_have_text("Waiting to be sent: 0")
    await expect(north.page.locator("#door-counts")).to_contain_text("Day 1: 3 / 3")
    north.forgive("ERR_INTERNET_DISCONNECTED")
    north.forgive("ERR_FAILED")
    north.forgive("Failed to fetch")


async def test_who_was_let_in_is_counted_at_once_also_without_network(
    open_tab: OpenTab, box: Callable[[], Box]
) -> None:
    event = await asyncio.to_thread(box)
    _, (first, second) = await asyncio.to_thread(event.sell, "Ilse Alder", "Otto Alder")
    tab = await opened(open_tab, await asyncio.to_thread(add_door, event, "north"))
    counts = tab.page.locator("#door-counts")
    await expect(counts).to_contain_text("Day 1: 0 / 2")
    await tab.page.clock.install()
    await tab.page.reload()
    await expect(counts).to_contain_text("Day 1: 0 / 2")
    await tab.page.clock.pause_at(datetime.now(UTC) + timedelta(seconds=1))  # no timer asks
    await enter(tab, first.secret)
    await expect(counts).to_contain_text("Day 1: 1 / 2")
    await tab.page.context.set_offline(True)
    await enter(tab, second.secret)
    await expect(counts).to_contain_text("Day 1: 2 / 2")
    await enter(tab, second.secret)
    await expect(answer(tab)).to_contain_text("Already let in")
    await expect(counts).to_contain_text("Day 1: 2 / 2")
    await enter(tab, "otto")
    await expect(tab.page.locator("#door-found li")).to_contain_text("Already let in")
    for words in ("ERR_INTERNET_DISCONNECTED", "ERR_FAILED", "Failed to fetch"):
        tab.forgive(words)


def change_meanwhile(box: Box, order: str) -> dict[str, str]:
    """The first of an order is given up, the second changes to day 2, the third is renamed; the
    codes that are good by then."""
    with box.host.transaction() as session:
        one, two, three = tickets.of_orders(session, [order])
        now = box.host.now(session)
        session.execute(
            sa.update(models.place).where(models.place.c.id == one.id).values(cancelled_at=now)
        )
        day = {"session_id": box.sessions[1], "category_id": box.categories[box.sessions[1]]}
        session.execute(sa.update(models.place).where(models.place.c.id == two.id).values(**day))
        private = keys.signer(box.host, session, box.event_id)[1]
        stub = structs.replace(two.stub, session_id=box.sessions[1], edition=2)
        session.execute(
            sa.update(ticket)
            .where(ticket.c.id == two.id)
            .values(session_id=box.sessions[1], edition=2, tail=issuing.tail_of(private, stub))
        )
        session.execute(
            sa.update(models.place)
            .where(models.place.c.id == three.id)
            .values(attendee_name="Uwe Elm")
        )
        return {"second": codes.sign(private, stub)}


async def test_codes_replaced_meanwhile_are_refused_offline_and_told_of_after_a_stale_list(
    open_tab: OpenTab, box: Callable[[], Box]
) -> None:
    event = await asyncio.to_thread(box)
    order, made = await asyncio.to_thread(event.sell, "Ilse Alder", "Otto Alder", "Uwe Alder")
    given_up, moved, renamed = (each.secret for each in made)
    fresh = await opened(open_tab, await asyncio.to_thread(add_door, event, "fresh"))
    stale = await opened(open_tab, await asyncio.to_thread(add_door, event, "stale"))
    await stale.page.context.set_offline(True)
    good = await asyncio.to_thread(change_meanwhile, event, order)
    await fresh.page.reload()
    await expect(fresh.page.locator("#door-as-of")).to_contain_text("List as of")
    await expect(fresh.page.locator("#door-network")).to_have_text("Online")
    await expect(fresh.page.locator("#door-counts")).to_contain_text("Day 2: 0 / 1")
    await fresh.page.context.set_offline(True)
    for code, words in (
        (given_up, "Cancelled or replaced"),
        (moved, "Cancelled or replaced"),
        (good["second"], "Let in"),
        (renamed, "Let in"),
    ):
        await enter(fresh, code)
        await expect(answer(fresh)).to_contain_text(words)
    await expect(answer(fresh)).to_contain_text("Uwe Elm")  # the new name, by the same code
    for code in (given_up, moved, renamed):
        await enter(stale, code)
        await expect(answer(stale)).to_contain_text("Let in")
    for tab in (fresh, stale):  # of two, the first that scanned counts, whoever sends first
        await tab.page.context.set_offline(False)
        await expect(tab.page.locator("#door-waiting")).to_have_text("Waiting to be sent: 0")
    late = stale.page.locator("#door-late li")
    await expect(late).to_have_count(3)
    await expect(late.filter(has_text="Cancelled or replaced")).to_have_count(2)
    await expect(late.filter(has_text="Already let in")).to_contain_text("Uwe Elm · fresh")
    await expect(fresh.page.locator("#door-late-section")).to_be_hidden()
    wrong = await examine(stale, "door-late")
    assert not wrong, "\n".join(wrong)
    desk = await open_tab(role=Role.PARTNER, of="shop")
    await desk.go(f"/conference/partner/events/{event.slug}/doors")
    await expect(desk.page.locator("main")).to_contain_text("1 scanned again")
    await expect(desk.page.locator("main")).to_contain_text("Uwe Elm")
    for tab in (fresh, stale):
        for words in ("ERR_INTERNET_DISCONNECTED", "ERR_FAILED", "Failed to fetch"):
            tab.forgive(words)


async def test_a_phone_keeps_a_list_of_ten_thousand_and_finds_anybody(
    open_tab: OpenTab, box: Callable[[], Box]
) -> None:
    event = await asyncio.to_thread(box)

    def fill() -> str:
        last = ""
        for start in range(0, 10_000, 500):
            names = [f"Guest Number {start + each} of Somewhere" for each in range(500)]
            last = event.sell(*names)[1][-1].secret
        return last

    code = await asyncio.to_thread(fill)
    phone = await opened(open_tab, await asyncio.to_thread(add_door, event, "north"))
    kept = await phone.page.evaluate("localStorage.getItem('conference.door.list')?.length ?? 0")
    assert 1_000_000 < kept < 5_000_000
    await expect(phone.page.locator("#door-too-long")).to_be_hidden()
    await phone.page.context.set_offline(True)
    await enter(phone, code)
    await expect(answer(phone)).to_contain_text("Guest Number 9999")
    await enter(phone, "number 4711")
    await expect(phone.page.locator("#door-found")).to_contain_text("Guest Number 4711")
    for words in ("ERR_INTERNET_DISCONNECTED", "ERR_FAILED", "Failed to fetch"):
        phone.forgive(words)


async def test_who_comes_too_early_is_let_in_by_a_person_with_or_without_network(
    open_tab: OpenTab, box: Callable[..., Box]
) -> None:
    event = await asyncio.to_thread(box, timedelta(hours=5))
    _, (first, _, third) = await asyncio.to_thread(
        event.sell, "Łucja Żółkiewska", "Otto Alder", "Uwe Elm"
    )
    tab = await opened(open_tab, await asyncio.to_thread(add_door, event, "north"))
    counts = tab.page.locator("#door-counts")
    anyway = tab.page.get_by_role("button", name="Let in anyway")
    await expect(anyway).to_be_hidden()
    await enter(tab, first.secret)
    await expect(answer(tab)).to_contain_text("Too early")
    with event.host.transaction() as session:
        day = tickets.sessions_of(session, event.event_id)[0]
    opens = day.opens_at.astimezone(ZoneInfo("Europe/Warsaw"))
    await expect(answer(tab)).to_contain_text("the door opens: ")  # and the day, late at night
    await expect(answer(tab)).to_contain_text(f"{opens:%H:%M}")
    await expect(counts).to_contain_text("Day 1: 0 / 3")
    wrong = await examine(tab, "door-early")
    assert not wrong, "\n".join(wrong)
    await anyway.click()
    await expect(answer(tab)).to_contain_text("Let in")
    await expect(answer(tab)).to_have_attribute("data-tone", "good")
    await expect(anyway).to_be_hidden()
    await expect(counts).to_contain_text("Day 1: 1 / 3")
    await tab.page.context.set_offline(True)
    await enter(tab, first.secret)
    await expect(answer(tab)).to_contain_text("Too early")
    await expect(answer(tab)).to_contain_text("Already let in")
    await expect(anyway).to_be_hidden()
    await enter(tab, "otto")
    await tab.page.get_by_role("button", name="Let in", exact=True).click()
    await expect(answer(tab)).to_contain_text("Too early")
    await anyway.click()
    await expect(answer(tab)).to_have_attribute("data-tone", "good")
    await enter(tab, third.secret)
    await expect(answer(tab)).to_contain_text("Too early")
    await tab.page.context.set_offline(False)
    await expect(tab.page.locator("#door-waiting")).to_have_text("Waiting to be sent: 0")
    await expect(counts).to_contain_text("Day 1: 2 / 3")
    await expect(tab.page.locator("#door-late-section")).to_be_hidden()
    desk = await open_tab(role=Role.PARTNER, of="shop", width=390)
    await desk.go(f"/conference/partner/events/{event.slug}/doors")
    kept = desk.page.get_by_role("region", name="Let in anyway").get_by_role("listitem")
    await expect(kept).to_have_count(2)
    await expect(kept.first).to_contain_text("Otto Alder")
    await expect(kept.first).to_contain_text("before the door opened · north")
    wrong = await examine(desk, "doors-anyway")
    assert not wrong, "\n".join(wrong)
    for words in ("ERR_INTERNET_DISCONNECTED", "ERR_FAILED", "Failed to fetch"):
        tab.forgive(words)


async def test_a_phone_whose_clock_is_hours_wrong_opens_the_door_when_the_event_does(
    open_tab: OpenTab, box: Callable[..., Box]
) -> None:
    event = await asyncio.to_thread(box, timedelta(hours=1))
    _, (first, second) = await asyncio.to_thread(event.sell, "Ilse Alder", "Otto Alder")
    tab = await open_tab(width=390)
    await tab.page.clock.install(time=datetime.now(UTC) - timedelta(hours=6))
    await tab.go(await asyncio.to_thread(add_door, event, "north"))
    await expect(tab.page.locator("#door-counts")).to_contain_text("Day 1: 0 / 2")
    await tab.page.context.set_offline(True)
    await enter(tab, first.secret)
    await expect(answer(tab)).to_contain_text("Let in")
    # Somebody sets it right before the network is back, and nothing is judged otherwise for it.
    await tab.page.clock.set_system_time(datetime.now(UTC))
    await tab.page.context.set_offline(False)
    await tab.page.clock.run_for(6_000)
    await expect(tab.page.locator("#door-waiting")).to_have_text("Waiting to be sent: 0")
    await expect(tab.page.locator("#door-counts")).to_contain_text("Day 1: 1 / 2")
    await expect(tab.page.locator("#door-late-section")).to_be_hidden()
    await enter(tab, second.secret)
    await expect(answer(tab)).to_contain_text("Let in")
    for words in ("ERR_INTERNET_DISCONNECTED", "ERR_FAILED", "Failed to fetch"):
        tab.forgive(words)


async def test_a_ticket_held_before_the_camera_is_scanned_once(
    open_tab: OpenTab, box: Callable[[], Box]
) -> None:
    event = await asyncio.to_thread(box)
    _, (ticket,) = await asyncio.to_thread(event.sell, "Ilse Alder")
    tab = await open_tab(width=390)
    await tab.page.add_init_script(f"({CAMERA})('{ticket.secret}')")
    await tab.go(await asyncio.to_thread(add_door, event, "north"))
    await tab.page.get_by_role("button", name="Scan with the camera").click()
    await expect(answer(tab)).to_have_attribute("data-tone", "good")
    await expect(tab.page.locator("#door-counts")).to_contain_text("Day 1: 1 / 1")
    await expect(answer(tab)).to_have_attribute("data-tone", "good")
    await tab.page.get_by_role("button", name="Stop the camera").click()
    await expect(tab.page.locator("#door-camera")).to_be_hidden()


async def test_a_stranger_and_a_withdrawn_key_are_told_so(
    open_tab: OpenTab, box: Callable[[], Box]
) -> None:
    tab = await open_tab(width=390)
    await tab.go("/conference/door")
    await expect(tab.page.locator("main")).to_contain_text("This device is not at any door")
    await tab.go("/conference/door?#key=nonsense")
    await expect(tab.page.get_by_role("alert")).to_contain_text("was withdrawn")
    tab.forgive("status of 401")


async def test_an_organiser_adds_a_door_and_sees_who_came(
    open_tab: OpenTab, box: Callable[[], Box]
) -> None:
    event = await asyncio.to_thread(box)
    _, (ticket,) = await asyncio.to_thread(event.sell, "Ilse Alder")
    desk = await open_tab(role=Role.PARTNER, of="shop", width=390)
    await desk.go(f"/conference/partner/events/{event.slug}/doors")
    await desk.page.get_by_label("Name of the new device").fill("north")
    await desk.page.get_by_role("button", name="Add a device").click()
    link = await desk.page.locator("#door-link").inner_text()
    wrong = await examine(desk, "doors")
    phone = await opened(open_tab, "/" + link.strip().split("/", 3)[3])
    for words in ("Let in", "Already let in"):
        await enter(phone, ticket.secret)
        await expect(answer(phone)).to_contain_text(words)
    wrong += await examine(phone, "door")
    await desk.go(f"/conference/partner/events/{event.slug}/doors")
    await expect(desk.page.locator("main")).to_contain_text("1 / 1 · 1 scanned again")
    await desk.page.get_by_role("button", name="New link for north").click()
    renewed = await desk.page.locator("#door-link").inner_text()
    assert renewed != link
    await phone.page.goto(renewed.strip())
    await phone.page.wait_for_url("**/conference/door")
    await expect(phone.page.locator("#door-event")).to_have_text("Logistics Days")
    await enter(phone, ticket.secret)
    await expect(answer(phone)).to_contain_text("Already let in")
    await desk.go(f"/conference/partner/events/{event.slug}/doors")
    await desk.page.get_by_role("button", name="Withdraw north").click()
    await expect(desk.page.locator("main")).to_contain_text("The key was withdrawn.")
    assert not wrong, "\n".join(wrong)
    stranger = await open_tab(role=Role.PARTNER, of="tickets")
    assert await stranger.go(f"/conference/partner/events/{event.slug}/doors") == 404
    stranger.forgive("status of 404")
    phone.forgive("status of 401")  # it asks once more with the key that was withdrawn
