"""Who hears what of charity: once, in the transaction of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from charity import closing, news, schedules
from marketplace.identity.domain import Role
from marketplace.notices.models import Mail, Notice
from tests.charity.conftest import OPERATOR, Cause
from tests.charity.test_giving import refund
from tests.factories import make_person


async def told(cause: Cause, who: str = "ann") -> list[tuple[str, dict[str, Any]]]:
    """What somebody who signed in was told of charity."""
    person_id = cause.people[who].caller_id
    query = (
        sa.select(Notice)
        .where(Notice.person_id == person_id, Notice.kind != "points_issued")
        .order_by(Notice.id)
    )
    async with cause.runtime.database.begin() as session:
        return [(each.kind, each.context) for each in await session.scalars(query)]


async def kinds(cause: Cause, who: str = "ann") -> list[str]:
    return [kind for kind, _ in await told(cause, who)]


async def test_a_giver_hears_of_the_donation_its_receipt_and_its_correction(cause: Cause) -> None:
    given = await cause.done(100, locale="it")
    await cause.follow()
    found = dict(await told(cause))
    assert set(found) == {"donation_made", "donation_receipt"}
    (receipt,) = await cause.receipts()
    assert found["donation_receipt"]["path"] == f"/charity/receipts/{receipt.id}"
    assert found["donation_receipt"]["campaign"] == "Pozzi"
    await refund(cause, given, 40, "r")
    await cause.follow()
    assert (await kinds(cause))[2:] == ["refund", "donation_corrected"]
    async with cause.runtime.database.begin() as session:
        mailed = await session.scalars(sa.select(Mail.kind).order_by(Mail.id))
        assert list(mailed) == ["donation_made", "refund"]


async def test_of_a_pools_gift_whoever_gave_it_hears(cause: Cause) -> None:
    await cause.pool()
    await cause.coalition.issue("acme", 500)
    await cause.done(100, "acme")
    assert await kinds(cause, "acme") == ["donation_receipt"]


async def test_a_month_is_told_with_what_hindered_it(cause: Cause) -> None:
    ann = await cause.person("ann")
    database = cause.runtime.database
    for points in (100, 100_000):
        new = schedules.NewSchedule(
            campaign="wells", wallet_id=cause.coalition.wallets["ann"], points=points, day=1
        )
        async with database.begin() as session:
            await session.run_sync(schedules.set_up, ann, new)
    await cause.travel(timedelta(days=32))
    for _ in range(2):
        await schedules.give_due(database, {})
    made, failed = await told(cause)
    assert (made[0], made[1]["points"]) == ("monthly_made", 100)
    assert (failed[0], failed[1]["reason"]) == ("monthly_failed", "insufficient_points")
    async with database.begin() as session:
        await closing.close(session, OPERATOR, "wells", reason="The wells are dug.")
    await cause.travel(timedelta(days=31))
    await schedules.give_due(database, {})
    assert (await kinds(cause))[2:] == ["monthly_ended", "monthly_ended"]


async def test_givers_hear_of_a_goal_once_and_of_the_end(cause: Cause) -> None:
    await cause.start("cup", goal_micros=750_000)
    await cause.person("bob")
    await cause.done(60, campaign="cup")
    database = cause.runtime.database
    async with database.begin() as session:
        assert await news.goals(session) == 0
    given = await cause.done(50, campaign="cup")
    for expected in (1, 0):
        async with database.begin() as session:
            assert await news.goals(session) == expected
    await refund(cause, given, None, "r")
    async with database.begin() as session:
        await closing.close(session, OPERATOR, "cup", reason="It is enough.")
    found = await told(cause)
    assert [kind for kind, _ in found if kind.startswith("campaign")] == [
        "campaign_reached",
        "campaign_closed",
    ]
    assert found[-1][1]["reason"] == "It is enough."
    assert await kinds(cause, "bob") == []


async def test_a_member_hears_once_that_its_match_is_used_up(cause: Cause) -> None:
    partner = await make_person(cause.coalition, Role.PARTNER, "alpha")
    await cause.match("alpha", cap=100)
    await cause.done(60)
    given = await cause.done(60)
    await refund(cause, given, None, "r")
    await cause.follow()
    await cause.done(60)
    async with cause.runtime.database.begin() as session:
        query = sa.select(Notice.kind).where(Notice.person_id == partner.id)
        assert list(await session.scalars(query)) == ["match_exhausted"]


async def test_the_operator_hears_before_and_after_a_verification_lapses(cause: Cause) -> None:
    operator = await make_person(cause.coalition, Role.OPERATOR)
    database = cause.runtime.database
    for days in (330, 10, 20, 3, 3):
        await cause.travel(timedelta(days=days))
        for _ in range(2):
            async with database.begin() as session:
                await news.verifications(session)
    async with database.begin() as session:
        query = sa.select(Notice.kind).where(Notice.person_id == operator.id).order_by(Notice.id)
        assert list(await session.scalars(query)) == [
            "charity_review_due",
            "charity_review_due",
            "charity_lapsed",
        ]
