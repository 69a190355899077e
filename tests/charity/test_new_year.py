"""A year ends, in UTC: which year a gift is of, and where its receipts are numbered."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from charity import proof, receipts
from charity.domain import Donor
from charity.models import Charity
from marketplace.clock import now, travel_to
from tests.charity.conftest import Cause
from tests.charity.test_giving import refund


async def at(cause: Cause, moment: datetime) -> None:
    """It is this moment."""
    async with cause.runtime.database.begin() as session:
        await travel_to(session, moment, allowed=True)


async def codes(cause: Cause) -> list[tuple[str, int]]:
    """Numbers of receipts as printed, with the points that each states."""
    found = []
    for receipt in await cause.receipts():
        async with cause.runtime.database.begin() as session:
            charity = await session.get_one(Charity, receipt.charity_id)
        found.append((receipts.code_of(charity, receipt), receipts.facts_of(receipt).points))
    return found


async def points_of(cause: Cause, year: int) -> list[tuple[int, int]]:
    """Points of Ann's gifts of a year, and what of each went back."""
    owner = proof.owner_of(await cause.person("ann"))
    async with cause.runtime.database.begin() as session:
        found = await proof.year_of(session, owner, Donor.PERSON, year, "en")
    return [(each.points, each.refunded_points) for each in found.gifts]


async def test_a_gift_is_of_the_year_of_its_capture_and_receipts_of_that_of_their_issue(
    cause: Cause,
) -> None:
    await cause.verify(days=2_000)
    async with cause.runtime.database.begin() as session:
        year = (await now(session)).year + 1
    await at(cause, datetime(year, 12, 31, 23, 0, tzinfo=UTC))
    first = await cause.done(100)
    second = await cause.give(70)  # promised in the old year, captured in the new one
    third = await cause.give(30)
    pair = (str(third.burn_id), str(cause.coalition.wallets["ann"]))
    # Captured before midnight; its receipt comes after it.
    await asyncio.to_thread(cause.work.fulfil, "charity", [pair], False)
    await at(cause, datetime(year + 1, 1, 1, 0, 0, 1, tzinfo=UTC))
    await cause.follow()
    await cause.deliver(second)
    await refund(cause, first, 40, "r")
    await cause.follow()
    assert await points_of(cause, year) == [(60, 40), (30, 0)]
    assert await points_of(cause, year + 1) == [(70, 0)]
    assert await codes(cause) == [
        (f"aqua/{year}/000001", 100),
        (f"aqua/{year + 1}/000001", 30),
        (f"aqua/{year + 1}/000002", 70),
        (f"aqua/{year + 1}/000003", 60),
    ]
    last = (await cause.receipts())[-1]
    assert last.corrects_id == (await cause.receipts())[0].id
    assert await cause.findings() == []
