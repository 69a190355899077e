"""Monthly gifts on days that not every month has."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import httpx
import pytest
import sqlalchemy as sa

from charity import schedules
from charity.models import Gift, Schedule
from marketplace.clock import travel_to
from marketplace.identity.domain import Role
from tests.charity.conftest import Cause
from tests.charity.test_pages import fields
from tests.charity.test_proof import SignIn

A_YEAR = (
    "2027-12-31",
    "2028-01-31",
    "2028-02-29",
    "2028-03-31",
    "2028-04-30",
    "2028-05-31",
    "2028-06-30",
    "2028-07-31",
    "2028-08-31",
)


@pytest.mark.parametrize("day", range(1, 32))
def test_every_month_has_one_due_day_whatever_the_day(day: int) -> None:
    due, months = schedules.first_on(date(2027, 1, 30), day), []
    for _ in range(50):
        months.append((due.year, due.month))
        assert due.day == day or (due.day < day and (due + timedelta(days=1)).day == 1)
        after = schedules.next_month(due, day)
        # Whenever the clock looks, what is due is the last that is not past today.
        for look in range((after - due).days):
            assert schedules.last_due(due, due + timedelta(days=look), day) == due
        assert schedules.last_due(due, after, day) == after
        due = after
    assert months == sorted(set(months))
    assert (months[-1][0] - months[0][0]) * 12 + months[-1][1] - months[0][1] == 49


def test_the_last_day_stays_the_last_day_after_february() -> None:
    due = schedules.first_on(date(2027, 12, 30), 31)
    for expected in A_YEAR:
        assert due.isoformat() == expected
        due = schedules.next_month(due, 31)


@pytest.mark.parametrize(
    ("today", "first"), [("2028-02-28", "2028-02-29"), ("2028-02-29", "2028-03-31")]
)
def test_the_first_one_is_never_today(today: str, first: str) -> None:
    assert schedules.first_on(date.fromisoformat(today), 31).isoformat() == first


async def test_a_gift_on_the_31st_is_made_on_the_last_of_february(
    cause: Cause, client: httpx.AsyncClient, sign_in: SignIn
) -> None:
    await cause.verify(days=2_000)
    ann = await sign_in(Role.PARTICIPANT)
    form = fields((await client.get("/charity/give/wells?points=70", headers=ann)).text)
    sent = await client.post("/charity/give/wells", data={**form, "monthly": "31"}, headers=ann)
    assert sent.status_code == 303
    async with cause.runtime.database.begin() as session:
        schedule = await session.scalar(sa.select(Schedule))
        assert schedule is not None
        year = schedule.next_on.year + 2
        february = schedules.due_in(date(year, 2, 1), 31)
        for look in (date(year, 1, 31), february):
            at = datetime.combine(look, time(0, 0, 1), UTC)
            async with cause.runtime.database.begin() as clock:
                await travel_to(clock, at, allowed=True)
            await schedules.give_due(cause.runtime.database, {})
    async with cause.runtime.database.begin() as session:
        keys = list(await session.scalars(sa.select(Gift.key).order_by(Gift.made_at)))
        found = await session.get_one(Schedule, schedule.id)
    assert [key[-7:] for key in keys] == [f"{year}-01", f"{year}-02"]
    assert found.next_on == date(year, 3, 31)
