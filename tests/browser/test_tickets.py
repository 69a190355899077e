"""A holder changes a ticket in the browser: keyboard, phone, no scripts."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
import pytest_asyncio
import sqlalchemy as sa
from marketplace_conference import models
from marketplace_conference.certificates import certifying, domain
from marketplace_conference.certificates.tables import certificate
from marketplace_conference.door import checking, devices
from marketplace_conference.door.schemas import NewDevice, NewScan, NewScans
from marketplace_conference.tickets import cancelling, issuing, keys, repository
from playwright.async_api import expect

from marketplace.api import Principal
from marketplace.exchange.domain import BurnStatus
from marketplace.host import PluginHost
from tests.browser.conftest import PATIENCE_MS, OpenTab, Tab
from tests.browser.life import Life, Somebody
from tests.browser.looks import examine
from tests.browser.test_door import Box

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def bought(life: Life) -> tuple[Somebody, str]:
    """Somebody with a ticket that cost 1,000 points, 45 days before the event; its order."""
    host = PluginHost("conference", lambda: life.runtime.database, lambda: life.runtime.vault)
    starts_at = datetime.now(UTC) + timedelta(days=45, hours=1)
    shop = life.coalition.members["shop"]
    box = await asyncio.to_thread(lambda: Box(host, shop, starts_at=starts_at))

    def promise() -> None:
        with host.transaction() as session:
            event = repository.event_named(session, box.slug)
            assert event is not None
            cancelling.set_policy(host, session, event, {30: 80, 7: 25}, actor="cli:test")

    await asyncio.to_thread(promise)
    await life.coalition.activate("conference", "shop")
    offer = f"seat-{uuid4().hex[:8]}"
    await life.coalition.add_offer(
        offer, acceptor="shop", kind="seat", plugin="conference", sku=f"{box.slug}-1"
    )
    who = await life.newcomer(5_000)
    reward = await life.burn(who, offer)
    await delivered(life, reward)
    return who, reward.removeprefix("/rewards/")


async def delivered(life: Life, reward: str) -> None:
    """The shop's own worker has had the box office sell, and captured the burn."""
    async with asyncio.timeout(PATIENCE_MS / 1000):
        while (burn := await life.burn_of(reward)).status == BurnStatus.HELD:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert burn.status == BurnStatus.CAPTURED


async def opened(open_tab: OpenTab, bought: tuple[Somebody, str], **more: object) -> Tab:
    """The tickets of the order."""
    who, order = bought
    tab = await open_tab(token=who.token, **more)
    await tab.go(f"/conference/tickets/{order}")
    return tab


async def test_a_ticket_is_renamed_with_the_keyboard_alone(
    open_tab: OpenTab, bought: tuple[Somebody, str]
) -> None:
    tab = await opened(open_tab, bought, width=390, javascript=False)
    link = tab.page.get_by_role("link", name="Change or give back")
    await link.focus()
    await tab.page.keyboard.press("Enter")
    await expect(tab.page.get_by_role("heading", name="Give it back")).to_be_visible()
    await tab.page.get_by_label("Full name", exact=True).focus()
    await tab.page.keyboard.type("Łucja Żółkiewska")
    await tab.page.keyboard.press("Enter")
    await expect(tab.page.locator("main")).to_contain_text("The ticket is for Łucja Żółkiewska now")
    await expect(tab.page.get_by_role("heading", name="Łucja Żółkiewska")).to_be_visible()


async def test_a_ticket_is_given_back_for_what_the_page_says(
    open_tab: OpenTab, bought: tuple[Somebody, str]
) -> None:
    tab = await opened(open_tab, bought, width=390)
    await tab.page.get_by_role("link", name="Change or give back").click()
    await expect(tab.page.locator("main")).to_contain_text("Today 800 points come back.")
    wrong = await examine(tab, "ticket")
    assert not wrong, "\n".join(wrong)
    await tab.page.get_by_role("button", name="Give the ticket back").click()
    await expect(tab.page.locator("main")).to_contain_text("800 points are yours again")
    await tab.go(f"/conference/tickets/{bought[1]}")
    await expect(tab.page.locator("main")).to_contain_text("Cancelled: this ticket admits nobody")
    await expect(tab.page.get_by_role("link", name="Change or give back")).to_have_count(0)


def attended(host: PluginHost, order: str) -> str:
    """Its session is over, and its holder was let in: the code of the certificate."""
    now = datetime.now(UTC)
    with host.transaction() as session:
        (ticket,) = repository.of_orders(session, [order])
        part = sa.update(models.session).where(models.session.c.id == ticket.session_id)
        began, soon = now - timedelta(hours=8), now + timedelta(hours=1)
        session.execute(part.values(certified=True, starts_at=began, ends_at=soon))
        session.execute(
            sa.update(models.place)
            .where(models.place.c.id == ticket.id)
            .values(attendee_name="Łucja Żółkiewska")
        )
        slug = repository.events(session, [ticket.event_id])[ticket.event_id].slug
        code = issuing.sheets(host, session, [ticket])[0].code
    nobody = uuid4()
    who = Principal(credential_id=nobody, caller_id=nobody, actor="test", is_operator=True)
    key = devices.add(host, who, slug, NewDevice(name="north")).key
    scans = NewScans(scans=[NewScan(nonce=uuid4(), code=code)])
    (let_in,) = checking.check_in(host, key, scans).scans
    assert let_in.result == "admitted"
    with host.transaction() as session:
        session.execute(part.values(ends_at=now - timedelta(hours=1)))
    assert certifying.certify_all(host)
    with host.transaction() as session:
        row = session.execute(
            sa.select(certificate).where(certificate.c.ticket_id == ticket.id)
        ).mappings()
        found = domain.Certificate(**row.one())
        return domain.sign(keys.signers(host, session, found.event_id)[found.key], found)


async def test_the_pages_of_who_attended_and_of_who_verifies_it_look_right(
    open_tab: OpenTab, bought: tuple[Somebody, str], life: Life
) -> None:
    host = PluginHost("conference", lambda: life.runtime.database, lambda: life.runtime.vault)
    tab = await opened(open_tab, bought)
    await tab.go(f"/conference/tickets/{bought[1]}/1/session")
    await expect(tab.page.get_by_role("heading", name="Change to another session")).to_be_visible()
    wrong = await examine(tab, "ticket-session")
    code = await asyncio.to_thread(attended, host, bought[1])
    await tab.go(f"/conference/tickets/{bought[1]}")
    await expect(tab.page.get_by_role("link", name="Certificate of attendance")).to_be_visible()
    wrong += await examine(tab, "tickets-attended")
    stranger = await open_tab()
    await stranger.go(f"/conference/verify/{code}")
    await expect(stranger.page.locator("main")).to_contain_text("Łucja Żółkiewska")
    wrong += await examine(stranger, "certificate-genuine")
    assert await stranger.go(f"/conference/verify/{code[:-1]}") == 404
    wrong += await examine(stranger, "certificate-unknown")
    stranger.forgive("status of 404")
    assert not wrong, "\n".join(wrong)
