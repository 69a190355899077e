"""A gift from the tap to the receipt, and back."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from charity import giving, hooks, receipts, registry
from charity.domain import Donor, GiftStatus
from charity.errors import CharityNotVerified, GiftFinal, UnknownCause
from marketplace import api
from marketplace.errors import IdempotencyKeyReused
from marketplace.exchange import refunds
from tests.charity.conftest import OPERATOR, RATE_MICROS, Cause


async def refund(cause: Cause, given: giving.Given, points: int | None, key: str) -> None:
    """The operator gives points of a gift back."""
    gift = await cause.gift(given.burn_id)
    asked = refunds.RefundRequest(given.burn_id, gift.wallet_id, points, "asked", key, b"h")
    async with cause.runtime.database.begin() as session:
        await refunds.refund(session, OPERATOR, asked, grace=timedelta(days=30))


async def test_any_whole_number_of_points_becomes_a_gift_with_a_receipt(cause: Cause) -> None:
    given = await cause.give(1_234, dedication="For Olga")
    assert (given.status, given.error) == (GiftStatus.HELD, None)
    assert (await cause.raised()).promised_points == 1_234
    await cause.deliver(given)
    gift = await cause.gift(given.burn_id)
    assert (gift.status, gift.money_micros) == (GiftStatus.CAPTURED, 1_234 * RATE_MICROS)
    (receipt,) = await cause.receipts()
    facts = receipts.facts_of(receipt)
    assert (facts.points, facts.money_micros, facts.rate_micros) == (
        1_234,
        1_234 * RATE_MICROS,
        RATE_MICROS,
    )
    assert (facts.donor, facts.donor_name, facts.dedication) == (Donor.PERSON, "Ann", "For Olga")
    raised = await cause.raised()
    assert (raised.points, raised.money_micros, raised.givers) == (1_234, 1_234 * RATE_MICROS, 1)
    assert await cause.findings() == []


async def test_a_gift_may_be_of_more_points_than_any_reward_has_pieces(cause: Cause) -> None:
    await cause.coalition.issue("ann", 3_000_000)
    await cause.done(2_000_000)
    assert (await cause.raised()).points == 2_000_000


async def test_the_same_key_gives_once(cause: Cause) -> None:
    await cause.person("ann")
    answers = await asyncio.gather(*(cause.give(500, key="tap") for _ in range(5)))
    assert len({each.burn_id for each in answers}) == 1
    assert await cause.balance() == (9_500, 500)
    with pytest.raises(IdempotencyKeyReused):
        await cause.give(501, key="tap")


async def test_within_the_time_of_grace_points_and_match_go_back(cause: Cause) -> None:
    await cause.start("slow", grace_minutes=30)
    match = await cause.match("alpha", cap=5_000, campaign="slow")
    given = await cause.give(1_000, campaign="slow")
    assert given.matched_points == 1_000
    await cause.deliver(given)
    assert (await cause.gift(given.burn_id)).status is GiftStatus.HELD
    ann = await cause.person("ann")
    async with cause.runtime.database.begin() as session:
        await giving.take_back(session, ann, given.burn_id)
    assert await cause.used(match) == 0
    await cause.deliver(given)
    assert await cause.balance() == (10_000, 0)
    assert (await cause.gift(given.burn_id)).status is GiftStatus.VOIDED
    assert await cause.receipts() == []
    assert await cause.findings() == []


async def test_after_the_time_of_grace_it_is_final(cause: Cause) -> None:
    await cause.start("slow", grace_minutes=30)
    given = await cause.give(1_000, campaign="slow")
    await cause.travel(timedelta(minutes=31))
    ann = await cause.person("ann")
    with pytest.raises(GiftFinal):
        async with cause.runtime.database.begin() as session:
            await giving.take_back(session, ann, given.burn_id)
    await cause.deliver(given)
    assert (await cause.gift(given.burn_id)).status is GiftStatus.CAPTURED


async def test_a_gift_that_the_exchange_refuses_gives_its_match_back(cause: Cause) -> None:
    match = await cause.match("alpha", cap=50_000)
    given = await cause.give(20_000)
    assert given.status is GiftStatus.REFUSED
    assert getattr(given.error, "code", "") == "insufficient_points"
    assert await cause.used(match) == 0
    assert await cause.findings() == []


async def test_a_firms_pool_never_yields_a_personal_receipt(cause: Cause) -> None:
    await cause.pool()
    await cause.coalition.issue("acme", 5_000)
    with pytest.raises(UnknownCause):
        await cause.give(100, "ann", wallet_id=cause.coalition.wallets["acme"])
    await cause.done(700, "acme")
    (receipt,) = await cause.receipts()
    facts = receipts.facts_of(receipt)
    assert (facts.donor, facts.donor_name) == (Donor.FIRM, "Acme")
    assert await cause.balance("acme") == (4_300, 0)
    assert await cause.findings() == []


async def test_a_refund_takes_the_match_along_and_corrects_the_receipt(cause: Cause) -> None:
    match = await cause.match("alpha", cap=50_000, ratio_bps=5_000)
    given = await cause.done(1_001)
    assert await cause.owed() == {"alpha": 500 * RATE_MICROS}
    await refund(cause, given, 300, "r1")
    assert await cause.follow() == 1
    assert await cause.used(match) == 500 * 701 // 1_001
    assert await cause.owed() == {"alpha": (500 * 701 // 1_001) * RATE_MICROS}
    first, second = await cause.receipts()
    assert (first.number, second.number, second.corrects_id) == (1, 2, first.id)
    assert receipts.facts_of(second).points == 701
    assert await cause.findings() == []
    await refund(cause, given, None, "r2")
    await cause.follow()
    assert (await cause.used(match), await cause.owed()) == (0, {})
    assert (await cause.raised()).givers == 0
    assert await cause.findings() == []


async def test_who_is_told_of_a_capture_makes_the_receipt_once(cause: Cause) -> None:
    given = await cause.give(100)
    await asyncio.to_thread(cause.work.fulfil, "charity", [await pair(cause, given)], False)
    fact = api.BurnFact(
        burn_id=given.burn_id,
        wallet_id=cause.coalition.wallets["ann"],
        offer_id=cause.coalition.offers["wells"],
        acceptor_id=cause.coalition.members["aqua"],
        plugin="charity",
        quantity=100,
        points=100,
        cost_micros=100 * RATE_MICROS,
        currency="EUR",
        reason="",
        effective_at=(await cause.gift(given.burn_id)).made_at,
    )
    for _ in range(2):
        await asyncio.to_thread(hooks.marketplace_after_burn_fulfilled, fact, cause.host)
    assert len(await cause.receipts()) == 1
    assert await cause.follow() == 0


async def pair(cause: Cause, given: giving.Given) -> tuple[str, str]:
    """A gift's burn as messages carry it."""
    return str(given.burn_id), str((await cause.gift(given.burn_id)).wallet_id)


async def test_a_lapsed_charity_cannot_receive_and_says_so(cause: Cause) -> None:
    await cause.travel(timedelta(days=366))
    with pytest.raises(CharityNotVerified, match="lapsed on"):
        await cause.give(100)
    async with cause.runtime.database.begin() as session:
        assert await registry.bring_in_line(session) == 1
    await cause.verify()
    assert (await cause.give(100)).error is None
