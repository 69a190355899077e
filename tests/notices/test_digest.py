"""Digests: what is unread, once a day or week, in one mail."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from marketplace.db import Database
from marketplace.identity.models import Person
from marketplace.notices.digest import make_digests
from marketplace.notices.domain import Category, Email, Preference
from marketplace.notices.service import set_preferences
from marketplace.notices.zones import all_zones, zone_choices, zones_by_country
from tests.factories import Coalition
from tests.notices.conftest import Post, mails, notices, run_sql, tell_gift
from tests.notices.mailserver import Postbox

MONDAY_9 = datetime(2099, 3, 2, 9, tzinfo=UTC)  # a Monday, long after what these tests tell
YESTERDAY = "update notice set created_at = now() - interval '30 hours'"


async def wish(coalition: Coalition, person: Person, email: Email) -> None:
    async with coalition.runtime.database.begin() as session:
        preference = Preference(category=Category.GIFTS, in_app=True, email=email)
        await set_preferences(session, person.id, [preference])


async def make(coalition: Coalition, email: Email = Email.DAILY, now: datetime = MONDAY_9) -> int:
    async with coalition.runtime.database.begin() as session:
        return await make_digests(session, email, now)


@pytest.fixture(autouse=True)
async def daily(coalition: Coalition, ann: Person) -> None:
    """Ann wants gifts in her daily digest, and got two."""
    await wish(coalition, ann, Email.DAILY)
    await tell_gift(coalition, ann, "gift:1")
    await tell_gift(coalition, ann, "gift:2")


async def test_what_is_unread_comes_in_one_mail_once(
    coalition: Coalition, post: Post, postbox: Postbox
) -> None:
    assert await make(coalition) == 1
    assert await make(coalition) == 0
    assert await post.send() == 1
    [message] = postbox.received
    assert message["Subject"] == "2 new notices from Coalition Rewards"
    for kind in ("plain", "html"):
        body = message.get_body((kind,))
        assert body is not None
        assert body.get_content().count("Bob sent you a gift: Mug") == 2
        assert "https://rewards.example/rewards/1" in body.get_content()
    assert "unsubscribe" in str(message["List-Unsubscribe"])


async def test_what_came_since_this_morning_waits_for_tomorrow(coalition: Coalition) -> None:
    now = datetime.now(UTC)
    assert await make(coalition, now=now) == 0


async def test_what_was_read_meanwhile_needs_no_mail(coalition: Coalition, owner: Database) -> None:
    await run_sql(owner, "update notice set read_at = now()")
    assert await make(coalition) == 0
    assert {each.email for each in await notices(coalition)} == {Email.NONE}


async def test_daily_and_weekly_digests_are_apart(coalition: Coalition) -> None:
    assert await make(coalition, Email.WEEKLY) == 0
    assert await make(coalition, Email.DAILY) == 1


async def test_a_change_of_mind_takes_what_waits_along(coalition: Coalition, ann: Person) -> None:
    await wish(coalition, ann, Email.WEEKLY)
    assert await make(coalition, Email.DAILY) == 0
    assert await make(coalition, Email.WEEKLY) == 1
    await tell_gift(coalition, ann, "gift:3")
    await wish(coalition, ann, Email.NONE)
    assert await make(coalition, Email.WEEKLY) == 0


async def test_ending_mails_empties_a_digest_that_waits(
    coalition: Coalition, ann: Person, post: Post, postbox: Postbox
) -> None:
    await coalition.issue("ann", 500)
    assert await make(coalition) == 1
    await wish(coalition, ann, Email.NONE)
    assert await post.send() == 1
    assert postbox.subjects == ["1 new notice from Coalition Rewards"]
    await tell_gift(coalition, ann, "gift:3")
    await wish(coalition, ann, Email.DAILY)
    await tell_gift(coalition, ann, "gift:4")
    assert await make(coalition) == 1
    await wish(coalition, ann, Email.NONE)
    assert await post.send() == 0


async def test_the_task_makes_and_sends_yesterdays_digest(
    coalition: Coalition, post: Post, postbox: Postbox, owner: Database
) -> None:
    await run_sql(owner, YESTERDAY)
    assert await post.do(post.work.make_digests) == 1
    assert await post.send() == 1
    [mail] = await mails(coalition)
    assert mail.kind == "digest_daily"


async def test_a_digest_is_no_longer_than_one_reads(
    coalition: Coalition, ann: Person, post: Post, postbox: Postbox
) -> None:
    for number in range(40):
        await tell_gift(coalition, ann, f"more:{number}")
    await make(coalition)
    await post.send()
    body = postbox.received[0].get_body(("plain",))
    assert body is not None
    assert body.get_content().count("sent you a gift") == 30
    assert "12 more notices" in body.get_content()


# A Wednesday; the firm is German, where it is an hour later, or two in summer.
WEDNESDAY_6 = datetime(2099, 3, 4, 6, tzinfo=UTC)
TOLD_AT_MIDNIGHT = "update notice set created_at = '2099-03-04T00:00:00Z'"


@pytest.mark.parametrize(
    ("chosen", "now", "made"),
    [
        # Seven in the morning in Berlin is six, UTC.
        ({}, WEDNESDAY_6, 1),
        ({}, WEDNESDAY_6 - timedelta(minutes=1), 0),
        ({"digest_hour": 9}, WEDNESDAY_6 + timedelta(hours=1), 0),
        ({"digest_hour": 9}, WEDNESDAY_6 + timedelta(hours=2), 1),
        # In Tokyo it was seven before midnight, UTC: what came after it waits for the next day.
        ({"time_zone": "Asia/Tokyo"}, WEDNESDAY_6, 0),
        ({"time_zone": "Asia/Tokyo"}, WEDNESDAY_6 + timedelta(hours=16), 1),
        ({"time_zone": "America/New_York"}, WEDNESDAY_6 + timedelta(hours=5), 0),
        ({"time_zone": "America/New_York"}, WEDNESDAY_6 + timedelta(hours=6), 1),
    ],
)
async def test_a_digest_comes_at_the_persons_own_hour(
    chosen: dict[str, Any],
    now: datetime,
    made: int,
    coalition: Coalition,
    ann: Person,
    owner: Database,
) -> None:
    await run_sql(owner, TOLD_AT_MIDNIGHT)
    async with coalition.runtime.database.begin() as session:
        if chosen:
            await session.execute(sa.update(Person).where(Person.id == ann.id).values(chosen))
    assert await make(coalition, now=now) == made


@pytest.mark.parametrize(
    ("now", "made"),
    [
        (datetime(2099, 3, 8, 23, tzinfo=UTC), 0),
        (datetime(2099, 3, 9, 5, 59, tzinfo=UTC), 0),
        (datetime(2099, 3, 9, 6, tzinfo=UTC), 1),
    ],
)
async def test_weeks_begin_on_monday_at_that_hour(
    now: datetime, made: int, coalition: Coalition, ann: Person, owner: Database
) -> None:
    await run_sql(owner, TOLD_AT_MIDNIGHT)
    await wish(coalition, ann, Email.WEEKLY)
    assert await make(coalition, Email.WEEKLY, now) == made


async def test_the_database_knows_every_zone_that_is_offered(coalition: Coalition) -> None:
    offered = sorted({*all_zones(), *zones_by_country().values()})
    async with coalition.runtime.database.begin() as session:
        known = set(await session.scalars(sa.text("select name from pg_timezone_names")))
    assert [zone for zone in offered if zone not in known] == []
    assert dict(zone_choices("ru"))["Europe/Warsaw"] == "Варшава, Польша"
