"""Matches: concurrent gifts never pass a cap by a point, and every point finds its way back."""

from __future__ import annotations

import asyncio

from hypothesis import given as examples
from hypothesis import strategies as st

from charity import closing
from charity.domain import MatchMode, matched, still_matched
from tests.charity.conftest import OPERATOR, RATE_MICROS, Cause


async def test_concurrent_gifts_never_pass_the_cap_by_a_point(cause: Cause) -> None:
    match = await cause.match("alpha", cap=1_000)
    second = await cause.match("beta", cap=333, ratio_bps=5_000)
    await cause.person("ann")
    await cause.person("bob")
    gifts = await asyncio.gather(
        *(cause.give(97, "ann") for _ in range(10)), *(cause.give(89, "bob") for _ in range(10))
    )
    assert await cause.used(match) == 1_000
    assert await cause.used(second) == 333
    assert sum(each.matched_points for each in gifts) == 1_333
    raised = await cause.raised()
    assert raised.promised_matched_points == 1_333  # to be seen at once
    await cause.deliver(*gifts)
    assert await cause.owed() == {"alpha": 1_000 * RATE_MICROS, "beta": 333 * RATE_MICROS}
    assert (await cause.raised()).matched_points == 1_333
    numbers = [each.number for each in await cause.receipts()]
    assert numbers == list(range(1, 21))
    assert await cause.findings() == []


async def test_fifty_gifts_at_once_share_one_cap(cause: Cause) -> None:
    match = await cause.match("alpha", cap=777)
    await cause.person("ann")
    await cause.person("bob")
    gifts = await asyncio.gather(
        *(cause.give(30 + number, ("ann", "bob")[number % 2]) for number in range(50))
    )
    assert sum(each.matched_points for each in gifts) == await cause.used(match) == 777
    await cause.deliver(*gifts)
    assert (await cause.raised()).matched_points == 777
    assert await cause.owed() == {"alpha": 777 * RATE_MICROS}
    assert await cause.findings() == []


async def test_receipts_are_numbered_without_gaps_when_many_follow_at_once(cause: Cause) -> None:
    await cause.match("alpha", cap=500)
    gifts = [await cause.give(10 + number) for number in range(8)]
    await asyncio.gather(*(cause.deliver(each) for each in gifts), cause.follow(), cause.follow())
    await cause.follow()
    assert [each.number for each in await cause.receipts()] == list(range(1, 9))
    assert await cause.findings() == []


async def test_a_prefunded_match_gives_back_what_it_did_not_match(cause: Cause) -> None:
    match = await cause.match("alpha", cap=5_000, mode=MatchMode.PREFUNDED)
    assert await cause.owed() == {"alpha": 5_000 * RATE_MICROS}
    await cause.done(1_200)
    assert await cause.owed() == {"alpha": 5_000 * RATE_MICROS}
    async with cause.runtime.database.begin() as session:
        await closing.close(session, OPERATOR, "wells", reason="The wells are dug.")
    assert await cause.owed() == {"alpha": 1_200 * RATE_MICROS}
    assert await cause.used(match) == 1_200
    assert await cause.findings() == []


@examples(
    cap=st.integers(0, 10**12),
    ratio=st.integers(1, 100_000),
    gifts=st.lists(st.integers(1, 10**12), max_size=20),
)
def test_any_gifts_stay_below_the_cap_and_use_all_there_is(
    cap: int, ratio: int, gifts: list[int]
) -> None:
    used = 0
    for points in gifts:
        more = matched(points, ratio, cap - used)
        assert 0 <= more <= points * ratio // 10_000
        used += more
    assert used == min(cap, sum(points * ratio // 10_000 for points in gifts))


@examples(
    share=st.integers(0, 10**12), points=st.integers(1, 10**12), steps=st.lists(st.integers(1, 99))
)
def test_a_match_goes_back_with_its_gift_and_whole_in_the_end(
    share: int, points: int, steps: list[int]
) -> None:
    refunded, before = 0, share
    for percent in steps:
        refunded += (points - refunded) * percent // 100
        stays = still_matched(share, points, points - refunded)
        assert 0 <= stays <= before
        before = stays
    assert still_matched(share, points, 0) == 0
