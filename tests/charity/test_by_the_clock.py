"""Work by the clock: what one gift meets holds up no other, and people wait for none of it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from charity import firm_matching, following, giving, news, schedules
from charity.domain import GiftStatus
from charity.models import Gift, Schedule
from charity.tasks import follow_all
from marketplace.errors import IdempotencyKeyReused, InternalError
from marketplace.exchange.tally import floor_of
from tests.charity.conftest import Cause
from tests.charity.test_firm_matching import end, funded, start
from tests.charity.test_giving import refund

LONG_S = 60


async def test_gifts_do_not_wait_while_it_is_reckoned_whether_goals_are_reached(
    cause: Cause,
) -> None:
    async with cause.runtime.database.begin() as session:
        assert await news.goals(session) == 0
        given = await asyncio.wait_for(cause.give(100), LONG_S)
    assert given.status is GiftStatus.HELD


async def test_a_gift_that_cannot_follow_its_burn_holds_up_no_other(
    cause: Cause, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = sorted([await cause.give(100) for _ in range(3)], key=lambda each: each.burn_id)
    pairs = [(str(each.burn_id), str(cause.coalition.wallets["ann"])) for each in given]
    await asyncio.to_thread(cause.work.fulfil, "charity", pairs, False)
    follow = following.follow

    def fail(session: Any, burn_id: UUID) -> None:
        if burn_id == given[0].burn_id:
            raise ZeroDivisionError
        follow(session, burn_id)

    monkeypatch.setattr(following, "follow", fail)
    monkeypatch.setattr(following, "AT_ONCE", 1)
    assert await asyncio.wait_for(cause.follow(), LONG_S) == 2
    assert [(await cause.gift(each.burn_id)).status for each in given] == [
        GiftStatus.GIVEN,
        GiftStatus.CAPTURED,
        GiftStatus.CAPTURED,
    ]
    monkeypatch.setattr(following, "follow", follow)
    assert await cause.follow() == 1
    assert await cause.findings() == []


async def test_refunds_of_long_ago_are_found_when_all_are_compared(cause: Cause) -> None:
    given = await cause.done(500)
    await refund(cause, given, 200, "once")
    tomorrow = floor_of(2**33)
    assert await asyncio.to_thread(follow_all, cause.host, tomorrow) == 0
    assert (await cause.gift(given.burn_id)).refunded_points == 0
    assert await asyncio.to_thread(follow_all, cause.host) == 1
    assert (await cause.gift(given.burn_id)).refunded_points == 200
    assert await cause.findings() == []


async def monthly(cause: Cause, *points: int) -> list[UUID]:
    """Monthly gifts of ann's."""
    ann, made = await cause.person("ann"), []
    for each in points:
        new = schedules.NewSchedule(
            campaign="wells", wallet_id=cause.coalition.wallets["ann"], points=each, day=1
        )
        async with cause.runtime.database.begin() as session:
            made.append((await session.run_sync(schedules.set_up, ann, new)).id)
    return made


async def test_a_month_is_not_lost_by_a_trouble_of_ours_and_holds_up_no_other(
    cause: Cause, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = await monthly(cause, 100, 200)
    await cause.travel(timedelta(days=32))
    give = giving.give
    troubles: list[Exception] = [InternalError(), ZeroDivisionError()]

    async def fail(database: Any, engine: Any, principal: Any, wish: giving.Wish) -> giving.Given:
        if wish.points == 100 and troubles:
            raise troubles.pop()
        return await give(database, engine, principal, wish)

    monkeypatch.setattr(giving, "give", fail)
    monkeypatch.setattr(schedules, "AT_ONCE", 1)
    database = cause.runtime.database
    assert await schedules.give_due(database, {}) == 2
    async with database.begin() as session:
        due = await session.run_sync(schedules._due, None)
        assert [schedule_id for schedule_id, _ in due] == [first]
        assert (await session.get_one(Schedule, second)).last_refusal == ""
    for _ in range(2):
        assert await schedules.give_due(database, {}) == 1
    assert await schedules.give_due(database, {}) == 0
    async with database.begin() as session:
        points = list(await session.scalars(sa.select(Gift.points).order_by(Gift.points)))
    assert points == [100, 200]


async def test_a_match_that_cannot_be_given_back_holds_up_no_other(
    cause: Cause, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await funded(cause, 1_000)
    second = await funded(cause, 500, points=0)
    give_back_one = firm_matching._give_back_one

    async def fail(session: Any, match_id: UUID) -> None:
        if match_id == first:
            raise ZeroDivisionError
        await give_back_one(session, match_id)

    monkeypatch.setattr(firm_matching, "_give_back_one", fail)
    for match_id in (first, second):
        await end(cause, match_id)
    assert await cause.balance("acme") == (4_000, 0)
    monkeypatch.setattr(firm_matching, "_give_back_one", give_back_one)
    await firm_matching.give_back(cause.runtime.database)
    assert await cause.balance("acme") == (5_000, 0)
    assert await cause.findings() == []


async def test_a_key_of_a_firms_match_stands_for_its_ratio_too(cause: Cause) -> None:
    await cause.pool()
    await cause.coalition.issue("acme", 5_000)
    match_id, _ = await start(cause, 1_000, key="once")
    assert (await start(cause, 1_000, key="once"))[0] == match_id
    with pytest.raises(IdempotencyKeyReused):
        await start(cause, 1_000, key="once", ratio_bps=5_000)
