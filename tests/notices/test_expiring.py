"""People are warned of points that expire, 30 and 7 days ahead, in few words."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from marketplace.clock import travel_to
from marketplace.identity.models import Person
from marketplace.notices.models import Notice
from tests.factories import Coalition, days
from tests.notices.conftest import Post, notices

NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture(autouse=True)
async def worker(coalition: Coalition, ann: Person, post: Post) -> None:
    """Ann can sign in."""


async def warn(coalition: Coalition, post: Post, after: int = 0) -> list[Notice]:
    """Run the task so many days from now; returns every warning so far."""
    async with coalition.runtime.database.begin() as session:
        await travel_to(session, NOW + days(after), allowed=True)
    await post.do(post.work.warn_of_expiry)
    return [each for each in await notices(coalition) if each.kind.startswith("points_expire")]


def said(found: list[Notice]) -> list[tuple[str, int]]:
    return [(each.kind, each.context["points"]) for each in found]


async def test_points_are_announced_30_and_7_days_ahead_once_each(
    coalition: Coalition, post: Post
) -> None:
    await coalition.issue("ann", 500, expires_at=NOW + days(60))
    assert await warn(coalition, post, 1) == []
    first = [("points_expire_30", 500)]
    assert said(await warn(coalition, post, 31)) == first
    assert said(await warn(coalition, post, 32)) == first
    last = [*first, ("points_expire_7", 500)]
    assert said(await warn(coalition, post, 54)) == last
    assert said(await warn(coalition, post, 55)) == last
    [_, notice] = await warn(coalition, post, 70)
    assert notice.context["until"] == f"{NOW + days(60):%Y-%m-%d}"


async def test_points_that_expire_day_after_day_are_announced_together(
    coalition: Coalition, post: Post
) -> None:
    for day in range(30, 44):
        await coalition.issue("ann", 10, expires_at=NOW + days(day))
    found = []
    for day in range(1, 14):
        found = [each for each in await warn(coalition, post, day) if each.kind.endswith("30")]
    assert len(found) <= 3
    last_announced = max(each.context["until"] for each in found)
    assert last_announced == f"{NOW + days(43):%Y-%m-%d}"


async def test_points_found_late_are_announced_once_not_twice(
    coalition: Coalition, post: Post
) -> None:
    await coalition.issue("ann", 500, expires_at=NOW + days(5))
    assert said(await warn(coalition, post, 1)) == [("points_expire_7", 500)]


async def test_points_without_end_or_already_burnt_worry_nobody(
    coalition: Coalition, post: Post
) -> None:
    await coalition.issue("ann", 500)
    await coalition.issue("bob", 500, expires_at=NOW + days(10))
    assert await warn(coalition, post, 1) == []
