"""A firm that is no member matches with points of its pool: exact in every way back."""

from __future__ import annotations

import asyncio
import secrets
from uuid import UUID

import pytest

from charity import closing, firm_matching, matching, receipts
from charity.domain import GiftStatus
from charity.errors import UnknownCause
from charity.giving import Given
from charity.models import Match
from marketplace.identity.domain import Role
from tests.charity.conftest import OPERATOR, RATE_MICROS, Cause
from tests.charity.test_giving import refund


async def start(cause: Cause, cap: int, **more: object) -> tuple[UUID, Given]:
    """Acme's manager promises to match from the pool."""
    new = {
        "campaign": "wells",
        "wallet_id": cause.coalition.wallets["acme"],
        "ratio_bps": 10_000,
        "cap_points": cap,
        "key": secrets.token_hex(8),
        **more,
    }
    return await firm_matching.start(
        cause.runtime.database,
        cause.engine,
        await cause.person("acme", Role.FIRM_MANAGER),
        firm_matching.NewFirmMatch(**new),  # type: ignore[arg-type]
    )


async def funded(cause: Cause, cap: int, points: int = 5_000) -> UUID:
    """A match of Acme's that has begun, out of a new pool with so many points; 0: it has one."""
    if points:
        await cause.pool()
        await cause.coalition.issue("acme", points)
    match_id, given = await start(cause, cap)
    await cause.deliver(given)
    return match_id


async def match_of(cause: Cause, match_id: UUID) -> Match:
    async with cause.runtime.database.begin() as session:
        return await session.get_one(Match, match_id)


async def end(cause: Cause, match_id: UUID) -> None:
    async with cause.runtime.database.begin() as session:
        await session.run_sync(matching.end, match_id, "test")
    await firm_matching.give_back(cause.runtime.database)


async def test_a_firm_matches_with_points_it_gave_ahead(cause: Cause) -> None:
    match_id = await funded(cause, 1_000)
    assert await cause.balance("acme") == (4_000, 0)
    given = await cause.done(300)
    assert given.matched_points == 300
    raised = await cause.raised()
    assert (raised.points, raised.matched_points, raised.givers) == (300, 300, 1)
    facts = receipts.facts_of((await cause.receipts())[1])
    assert [(each.name, each.points) for each in facts.matchers] == [("Acme", 300)]
    assert await cause.owed() == {}  # points have moved, not promises
    await end(cause, match_id)
    assert await cause.balance("acme") == (4_700, 0)
    first, _, last = await cause.receipts()
    assert (last.corrects_id, receipts.facts_of(last).points) == (first.id, 300)
    await firm_matching.give_back(cause.runtime.database)
    assert len(await cause.receipts()) == 3
    assert await cause.findings() == []


async def test_gifts_at_once_never_pass_the_firms_cap(cause: Cause) -> None:
    match_id = await funded(cause, 1_000)
    await cause.person("ann")
    gifts = await asyncio.gather(*(cause.give(37) for _ in range(50)))
    assert sum(each.matched_points for each in gifts) == 1_000
    await cause.deliver(*gifts)
    assert (await match_of(cause, match_id)).used_points == 1_000
    await end(cause, match_id)
    assert await cause.balance("acme") == (4_000, 0)
    assert await cause.findings() == []


async def test_what_comes_back_to_the_match_after_its_end_goes_on_to_the_pool(cause: Cause) -> None:
    match_id = await funded(cause, 1_000)
    given = await cause.done(400)
    async with cause.runtime.database.begin() as session:
        await closing.close(session, OPERATOR, "wells", reason="The wells are dug.")
    await firm_matching.give_back(cause.runtime.database)
    assert await cause.balance("acme") == (4_600, 0)
    await refund(cause, given, 100, "r")
    await cause.follow()
    await asyncio.gather(*(firm_matching.give_back(cause.runtime.database) for _ in range(3)))
    assert await cause.balance("acme") == (4_700, 0)
    raised = await cause.raised()
    assert raised.total_micros == 600 * RATE_MICROS
    assert (await match_of(cause, match_id)).used_points == 300
    assert await cause.findings() == []


async def test_a_pool_without_the_points_matches_nothing(cause: Cause) -> None:
    await cause.pool()
    await cause.coalition.issue("acme", 500)
    match_id, given = await start(cause, 1_000)
    assert getattr(given.error, "code", "") == "insufficient_points"
    assert (await match_of(cause, match_id)).ended_at is not None
    assert (await cause.done(100)).matched_points == 0
    assert await cause.findings() == []


async def test_a_match_adds_nothing_before_its_points_are_there(cause: Cause) -> None:
    await cause.pool()
    await cause.coalition.issue("acme", 5_000)
    match_id, given = await start(cause, 1_000, key="k")
    assert (await cause.give(100)).matched_points == 0
    assert (await start(cause, 1_000, key="k"))[0] == match_id
    await cause.deliver(given)
    assert (await cause.gift(given.burn_id)).status is GiftStatus.CAPTURED
    assert (await cause.give(100)).matched_points == 100
    assert await cause.balance("acme") == (4_000, 0)


async def test_a_firm_matches_from_its_own_pool_only(cause: Cause) -> None:
    await cause.pool()
    with pytest.raises(UnknownCause):
        await start(cause, 100, wallet_id=cause.coalition.wallets["ann"])
