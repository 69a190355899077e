"""What goes wrong in between: gifts made elsewhere, processes that died, payments that failed."""

from __future__ import annotations

import asyncio
import secrets
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from msgspec.structs import replace

from catalog import pricing
from catalog.errors import BadPriceChange
from catalog.models import PriceChange
from charity import giving, proof, registry
from charity.domain import Donor, GiftStatus, Origin
from charity.following import NEVER_BURNT
from charity.giving import Wish
from charity.models import Gift
from marketplace.db import Database
from marketplace.exchange.burn_endpoint import burn_request
from marketplace.exchange.schemas import BurnBody
from marketplace.ids import uuid7
from tests.charity.conftest import Cause
from tests.charity.test_giving import refund
from tests.charity.test_proof import traces, way
from tests.settlement.clearing.house import House


async def test_a_burn_made_elsewhere_is_a_gift_of_the_wallets_owner(cause: Cause) -> None:
    match = await cause.match("alpha", cap=30)
    body = BurnBody(cause.coalition.wallets["bob"], cause.coalition.offers["wells"], 50)
    answer = await cause.engine.submit(burn_request(await cause.person("bob"), "else", body))
    assert answer.held is not None
    pair = (str(answer.held.id), str(answer.held.wallet_id))
    await asyncio.to_thread(cause.work.fulfil, "charity", [pair], False)
    await cause.follow()
    gift = await cause.gift(answer.held.id)
    assert (gift.origin, gift.donor, gift.status) == (
        Origin.DIRECT,
        Donor.PERSON,
        GiftStatus.CAPTURED,
    )
    assert (gift.participant_id, await cause.used(match)) == (
        cause.coalition.participants["bob"],
        30,
    )
    assert await cause.findings() == []


async def asked_for(cause: Cause, points: int) -> Gift:
    """A gift that was written down by a process that then died."""
    wish = Wish(
        campaign="wells",
        wallet_id=cause.coalition.wallets["ann"],
        points=points,
        key=secrets.token_hex(8),
    )
    ann = await cause.person("ann")
    async with cause.runtime.database.begin() as session:
        return await session.run_sync(giving.write_down, ann, wish)


async def test_a_gift_whose_burn_never_came_gives_its_match_back(
    cause: Cause, owner: Database
) -> None:
    match = await cause.match("alpha", cap=500)
    gift = await asked_for(cause, 400)
    assert (await cause.follow(), await cause.used(match)) == (0, 400)
    async with owner.begin() as session:
        await session.execute(sa.text("update charity_gift set asked_at = now() - interval '1 h'"))
    await cause.follow()
    found = await cause.gift(gift.burn_id)
    assert (found.status, found.reason) == (GiftStatus.REFUSED, NEVER_BURNT)
    assert await cause.used(match) == 0
    # It turns up all the same: whoever had asked for it was only very slow.
    body = BurnBody(gift.wallet_id, cause.coalition.offers["wells"], 400)
    request = burn_request(await cause.person("ann"), f"gift:{gift.key}", body)
    answer = await cause.engine.submit(replace(request, burn_id=gift.burn_id))
    assert answer.error is None
    pair = (str(gift.burn_id), str(gift.wallet_id))
    await asyncio.to_thread(cause.work.fulfil, "charity", [pair], False)
    await cause.follow()
    assert (await cause.gift(gift.burn_id)).status is GiftStatus.CAPTURED
    assert await cause.used(match) == 400
    assert await cause.findings() == []


async def test_a_charity_that_lapses_meanwhile_gives_the_points_back(cause: Cause) -> None:
    given = await cause.give(100)
    async with cause.runtime.database.begin() as session:
        await registry.suspend(session, "aqua", reason="Its entry is gone.", actor="test")
    await cause.deliver(given)
    gift = await cause.gift(given.burn_id)
    assert gift.status is GiftStatus.VOIDED
    assert "Its entry is gone." in gift.reason
    assert await cause.balance() == (10_000, 0)


async def test_the_way_shows_a_payment_that_the_bank_refused(cause: Cause) -> None:
    house = House(cause.coalition)
    await house.accounts("paper")
    await cause.done(2_000)
    await house.close_window()
    settlement = await house.approved()
    await house.submit(settlement)
    async with cause.runtime.database.begin() as session:
        await session.execute(
            sa.text("update settlement_leg set status = 'rejected' where direction <> 'collect'")
        )
    stages = [each[0] for each in await way(cause, await cause.person("ann"))]
    assert stages == ["window", "settlement", "rejected"]


async def test_the_years_of_a_giver_and_of_a_firm_show_refunds_and_failed_payments(
    cause: Cause,
) -> None:
    house = House(cause.coalition)
    await house.accounts("paper")
    await cause.pool()
    await cause.coalition.issue("acme", 5_000)
    for who in ("ann", "acme"):
        given = await cause.done(2_000, who)
        await refund(cause, given, 300, f"r-{who}")
    await cause.follow()
    await house.close_window()
    await house.submit(await house.approved())
    async with cause.runtime.database.begin() as session:
        await session.execute(
            sa.text("update settlement_leg set status = 'returned' where direction <> 'collect'")
        )
    year = (await cause.gift(given.burn_id)).made_at.year
    for who, donor in (("ann", Donor.PERSON), ("acme", Donor.FIRM)):
        async with cause.runtime.database.begin() as session:
            owner = proof.owner_of(cause.people[who])
            found = await proof.year_of(session, owner, donor, year, "en", traces(cause))
        ((total,), (gift,)) = found.sums, found.gifts
        assert (total.points, total.refunded_points) == (1_700, 300)
        *_, paid, back = gift.way
        assert (paid.stage, paid.status, back.stage) == ("rejected", "returned", "refund")


async def test_a_gift_takes_the_points_it_says_whatever_the_offer_costs(
    cause: Cause, owner: Database
) -> None:
    at = datetime.now(UTC) + timedelta(days=1)
    reference = (await cause.campaign_offer()).reference
    with pytest.raises(BadPriceChange, match="point by point"):
        async with cause.runtime.database.begin() as session:
            await pricing.announce(session, reference, at=at, actor="test", points=2)
    async with cause.runtime.database.begin() as session:
        early = PriceChange(
            id=uuid7(), offer_reference=reference, points=2, at=at, made_by="of before"
        )
        session.add(early)
    await cause.travel(timedelta(days=2))
    async with cause.runtime.database.begin() as session:
        assert await pricing.apply_due(session) == 1
        assert await pricing.apply_due(session) == 0
    assert (await cause.campaign_offer()).points == 1
    # Somebody changes it all the same.
    async with owner.begin() as session:
        await session.execute(sa.text("update offer set points = 2, version = version + 1"))
    before = await cause.balance()
    given = await cause.give(100)
    assert (given.status, (await cause.gift(given.burn_id)).reason) == (
        GiftStatus.REFUSED,
        "price_changed",
    )
    assert await cause.balance() == before
    assert await cause.findings() == []
