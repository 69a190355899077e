"""A match is disputed with right, or a firm's gift behind it: receipts name what stays."""

from __future__ import annotations

import asyncio
from random import Random
from uuid import UUID

import pytest
import sqlalchemy as sa

from charity import firm_matching, receipts
from charity.domain import MatchMode
from charity.models import Share
from charity.receipts import Facts
from marketplace.ledger.models import MemberDebt
from settlement.disputes import service
from settlement.disputes.domain import NO_WALLET, LineId
from tests.charity.conftest import RATE_MICROS, Cause
from tests.charity.test_disputed_gifts import Finance
from tests.charity.test_disputed_gifts import finance as finance
from tests.charity.test_firm_matching import end, funded, match_of
from tests.charity.test_giving import refund
from tests.charity.test_recomputed import check_journal
from tests.charity.test_surplus import close
from tests.charity.test_telling import told


async def debts(cause: Cause, window_id: UUID, begins: str) -> list[LineId]:
    """Debts of matches in a window, but for those that undo others."""
    async with cause.runtime.database.begin() as session:
        found = await session.scalars(
            sa.select(MemberDebt.id)
            .where(
                MemberDebt.window_id == window_id,
                MemberDebt.plugin == "charity",
                MemberDebt.undoes_id.is_(None),
                MemberDebt.reference.startswith(begins),
            )
            .order_by(MemberDebt.id)
        )
        return [LineId(NO_WALLET, each) for each in found]


async def dispute(finance: Finance, asked: list[LineId], member: str = "alpha") -> UUID:
    """A member disputes debts."""
    async with finance.cause.runtime.database.begin() as session:
        new = service.NewDispute(finance.cause.coalition.members[member], asked, "not agreed")
        return (await service.open_dispute(session, new, actor="person:alpha")).id


async def upheld(finance: Finance, asked: list[LineId], member: str = "alpha") -> None:
    """It was right."""
    await finance.decide(await dispute(finance, asked, member), upheld=True)


async def heard(finance: Finance) -> None:
    """The clocks of both rooms, twice at once."""
    await asyncio.gather(*(finance.clock() for _ in range(2)))
    await finance.cause.follow()


async def last(cause: Cause, burn_id: UUID) -> Facts:
    """What the receipt of a gift that counts says."""
    found = [each for each in await cause.receipts() if each.burn_id == burn_id]
    return receipts.facts_of(max(found, key=lambda each: each.version))


async def agrees(finance: Finance) -> None:
    """Ledger, receipts, totals, and what a stranger recomputes from the journal."""
    assert await finance.cause.findings() == []
    await finance.export_agrees()
    await check_journal(finance.cause)


async def test_the_match_of_one_gift_is_taken_back_and_its_receipt_says_so(
    cause: Cause, finance: Finance
) -> None:
    match = await cause.match("alpha", cap=5_000, ratio_bps=5_000)
    await cause.match("beta", cap=300)
    given = await cause.done(2_000)
    other = await cause.done(700, "bob")
    window_id = await finance.house.close_window()
    asked = await debts(cause, window_id, f"share:{given.burn_id}:{match.id}:")
    await upheld(finance, asked)
    await heard(finance)
    facts = await last(cause, given.burn_id)
    assert [(each.name, each.points) for each in facts.matchers] == [("Beta", 300)]
    assert (facts.points, facts.match_taken_back_points) == (2_000, 1_000)
    assert facts.match_taken_back_micros == 1_000 * RATE_MICROS
    assert [kind for kind, _ in await told(cause, "ann")].count("donation_match_taken_back") == 1
    assert "donation_match_taken_back" not in [kind for kind, _ in await told(cause, "bob")]
    assert (await last(cause, other.burn_id)).matched_micros == 350 * RATE_MICROS
    first, _, correction = await cause.receipts()
    assert correction.corrects_id == first.id
    year = await finance.year()
    assert (year.points, year.matched_points, year.taken_back_points) == (2_000, 300, 0)
    assert (await cause.raised()).matched_points == 650
    # Its cap is used all the same, so that it never gives more.
    assert await cause.used(match) == 1_350
    await agrees(finance)
    # The gift is refunded in part and whole: the member owes nothing of it either way.
    for number, points in enumerate((500, None)):
        await refund(cause, given, points, f"r{number}")
        await cause.follow()
        await heard(finance)
        facts = await last(cause, given.burn_id)
        assert facts.match_taken_back_points == (750 if points else 0)
        await agrees(finance)
    assert await cause.used(match) == 350


async def test_a_match_that_was_paid_ahead_is_taken_back_from_all_its_gifts(
    cause: Cause, finance: Finance
) -> None:
    match = await cause.match("alpha", cap=1_000, mode=MatchMode.PREFUNDED)
    given = [await cause.done(points) for points in (300, 200)]
    waits = await cause.give(100)
    window_id = await finance.house.close_window()
    await upheld(finance, await debts(cause, window_id, f"match:{match.id}:"))
    await heard(finance)
    for each in given:
        facts = await last(cause, each.burn_id)
        assert (facts.matchers, facts.match_taken_back_points) == ([], facts.points)
    await cause.deliver(waits)
    assert (await last(cause, waits.burn_id)).matchers == []
    later = await cause.done(50)
    assert (await last(cause, later.burn_id)).match_taken_back_points == 0
    assert (await match_of(cause, match.id)).ended_at is not None
    assert (await cause.raised()).matched_micros == 0
    await refund(cause, given[0], 100, "r")
    await cause.follow()
    await heard(finance)
    await agrees(finance)
    numbers = [each.number for each in await cause.receipts()]
    assert numbers == list(range(1, len(numbers) + 1))


async def test_a_debt_that_was_booked_anew_before_the_dispute_is_owed(
    cause: Cause, finance: Finance
) -> None:
    await cause.match("alpha", cap=1_000)
    given = await cause.done(600)
    window_id = await finance.house.close_window()
    disputed = await dispute(finance, await debts(cause, window_id, "share:"))
    await refund(cause, given, 200, "r")
    await cause.follow()
    await finance.decide(disputed, upheld=True)
    await heard(finance)
    # What was disputed was not owed any more; what is owed instead, nobody disputed.
    assert (await last(cause, given.burn_id)).matched_micros == 400 * RATE_MICROS
    await agrees(finance)


async def test_a_debt_that_is_booked_anew_after_the_dispute_is_not_owed(
    cause: Cause, finance: Finance
) -> None:
    await cause.match("alpha", cap=1_000)
    given = await cause.done(600)
    window_id = await finance.house.close_window()
    await upheld(finance, await debts(cause, window_id, "share:"))
    await refund(cause, given, 200, "r")
    await cause.follow()
    await heard(finance)
    facts = await last(cause, given.burn_id)
    assert (facts.matchers, facts.match_taken_back_points) == ([], 400)
    await agrees(finance)


async def test_what_a_firm_added_is_no_more_than_what_is_left_of_its_own_gift(
    cause: Cause, finance: Finance
) -> None:
    await cause.pool()
    await cause.coalition.issue("acme", 300)
    await cause.coalition.issue("acme", 5_000, issuer="beta")
    match_id = await funded(cause, 900, points=0)
    given = [await cause.done(points, who) for points, who in ((211, "ann"), (190, "bob"))]
    waits = await cause.give(99)
    window_id = await finance.house.close_window()
    # Of the 900 points 600 are Beta's: the charity has 300 left for 500 that were added.
    await finance.decide(await finance.dispute(window_id, "acme", member="beta"), upheld=True)
    await heard(finance)
    await cause.deliver(waits)
    left = [(await last(cause, each.burn_id)).matched_micros for each in (*given, waits)]
    assert sum(left) == 300 * RATE_MICROS
    assert [each // RATE_MICROS for each in left] == [127, 114, 59]
    for who in ("ann", "bob"):
        assert "donation_match_taken_back" in [kind for kind, _ in await told(cause, who)]
    facts = await last(cause, given[0].burn_id)
    assert (facts.points, facts.match_taken_back_points) == (211, 84)
    # What was never added goes back to the firm: Beta's first, which the charity has not.
    await end(cause, match_id)
    await heard(finance)
    assert (await match_of(cause, match_id)).used_points == 500
    await agrees(finance)
    # Without the first gift there is enough for the others, and they are told so.
    await refund(cause, given[0], None, "whole")
    await cause.follow()
    await firm_matching.give_back(cause.runtime.database)
    await heard(finance)
    left = [(await last(cause, each.burn_id)).matched_micros for each in (*given, waits)]
    assert [each // RATE_MICROS for each in left] == [0, 190, 99]
    await agrees(finance)


async def test_a_firms_gift_that_is_taken_back_whole_leaves_no_match(
    cause: Cause, finance: Finance
) -> None:
    match_id = await funded(cause, 900)
    given = await cause.done(400)
    window_id = await finance.house.close_window()
    await finance.decide(await finance.dispute(window_id, "acme"), upheld=True)
    await heard(finance)
    facts = await last(cause, given.burn_id)
    assert (facts.points, facts.matchers, facts.match_taken_back_points) == (400, [], 400)
    await firm_matching.give_back(cause.runtime.database)
    await heard(finance)
    # What it had added is not given back to the firm: nobody refunded it.
    assert (await match_of(cause, match_id)).used_points == 400
    assert await cause.balance("acme") == (4_600, 0)
    await agrees(finance)


async def test_what_was_taken_back_by_a_version_that_left_matches_alone_is_followed(
    cause: Cause, finance: Finance
) -> None:
    await funded(cause, 900)
    given = await cause.done(400)
    window_id = await finance.house.close_window()
    await finance.decide(await finance.dispute(window_id, "acme"), upheld=True)
    await heard(finance)
    async with cause.runtime.database.begin() as session:
        await session.execute(sa.update(Share).values(taken_back_points=0))
    await cause.follow()
    await heard(finance)
    facts = await last(cause, given.burn_id)
    assert (facts.matchers, facts.match_taken_back_points) == ([], 400)
    await agrees(finance)


@pytest.mark.parametrize("seed", range(3))
async def test_in_whichever_order_matches_are_disputed_and_gifts_refunded_books_agree(
    cause: Cause, finance: Finance, seed: int
) -> None:
    random = Random(seed)  # noqa: S311
    await cause.match("alpha", cap=1_500, ratio_bps=3_333)
    await cause.match("alpha", cap=700, mode=MatchMode.PREFUNDED)
    await cause.match("beta", cap=900, ratio_bps=7_777)
    await cause.pool()
    await cause.coalition.issue("acme", 450)
    await cause.coalition.issue("acme", 5_000, issuer="beta")
    await funded(cause, 1_000, points=0)
    given = [await cause.done(points, who) for points in (701, 313, 97) for who in ("ann", "bob")]
    window_id = await finance.house.close_window()
    steps = [
        dispute(finance, [each], who)
        for who in ("alpha", "beta")
        for each in await debts_of(cause, window_id, who)
    ]
    steps += [finance.dispute(window_id, "acme", member=who) for who in ("alpha", "beta")]
    steps += [finance.dispute(window_id, who, member="alpha") for who in ("ann",)]
    undecided = [await each for each in steps]
    random.shuffle(undecided)
    for step in range(16):
        chance = random.random()
        if chance < 0.35:
            burn = random.choice(given)
            gift = await cause.gift(burn.burn_id)
            if points := random.randint(0, gift.points - gift.refunded_points):
                await refund(cause, burn, points, f"r{step}")
        elif chance < 0.7 and undecided:
            await finance.decide(undecided.pop(), upheld=random.random() < 0.8)
        elif chance < 0.8:
            await firm_matching.give_back(cause.runtime.database)
        else:
            await random.choice((cause.follow, finance.clock))()
    await cause.follow()
    await close(cause, "wells")
    for _ in range(2):
        await heard(finance)
        await firm_matching.give_back(cause.runtime.database)
    await heard(finance)
    await agrees(finance)


async def debts_of(cause: Cause, window_id: UUID, member: str) -> list[LineId]:
    """Every debt of a member's matches."""
    found = await debts(cause, window_id, "share:") + await debts(cause, window_id, "match:")
    async with cause.runtime.database.begin() as session:
        own = await session.scalars(
            sa.select(MemberDebt.id).where(MemberDebt.debtor_id == cause.coalition.members[member])
        )
        ids = set(own)
    return [each for each in found if each.id in ids]
