"""What comes in beyond a goal goes where the campaign said at its start, and every figure ties."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal

import pytest
import sqlalchemy as sa
from beancount import loader

from charity import campaigns, causes, closing
from charity.causes import CauseView
from charity.domain import MatchMode, Surplus
from charity.models import SurplusMove
from marketplace.clock import now
from marketplace.ledger.journal import Format
from tests.charity.conftest import OPERATOR, RATE_MICROS, Cause
from tests.charity.test_giving import refund
from tests.ledger.test_export import beancount_totals, exported

GOAL_MICROS = 1_000 * RATE_MICROS


async def seen(cause: Cause, slug: str) -> CauseView:
    """A campaign as anybody sees it."""
    async with cause.runtime.database.begin() as session:
        return await causes.one(session, slug, "en")


async def close(cause: Cause, slug: str) -> None:
    """Somebody closes a campaign."""
    async with cause.runtime.database.begin() as session:
        await closing.close(session, OPERATOR, slug, reason="Done.")


async def tidy(cause: Cause) -> int:
    """The clock looks after what is over."""
    async with cause.runtime.database.begin() as session:
        return await closing.tidy(session)


async def designated(cause: Cause, *slugs: str) -> int:
    """Micros that these campaigns keep, with what went from them to the general fund."""
    total = 0
    for slug in slugs:
        view = await seen(cause, slug)
        kept = view.raised_micros + view.flow.came_micros - view.flow.went_micros
        fund = sum(each.amount_micros for each in view.went if each.slug is None)
        total += kept + fund
    return total


async def of_the_ledger(cause: Cause) -> int:
    """Micros that the ledger's export says the charity has."""
    entries, errors, _ = loader.load_string(await exported(cause.runtime, Format.BEANCOUNT))
    assert errors == []
    ledger = sum(
        -number
        for (account, unit), number in beancount_totals(entries).items()
        if account.split(":")[-1] == "aqua" and unit == "EUR"
    )
    return int(ledger * Decimal(1_000_000))


async def test_a_surplus_goes_to_the_next_campaign_and_follows_refunds(cause: Cause) -> None:
    await cause.start("roofs", goal_micros=GOAL_MICROS, surplus=Surplus.NEXT_CAMPAIGN)
    await cause.match("beta", cap=500, campaign="roofs")
    first = await cause.done(900, campaign="roofs")
    late = await cause.give(300, "bob", campaign="roofs")
    await close(cause, "roofs")
    view = await seen(cause, "roofs")
    # Beyond the goal already, but there is no campaign to come.
    assert (view.raised_micros, view.flow.went_micros) == (1_400 * RATE_MICROS, 0)
    await cause.start("pumps", goal_micros=GOAL_MICROS, surplus=Surplus.GENERAL_FUND)
    assert await tidy(cause) == 1
    assert await tidy(cause) == 0
    assert (await seen(cause, "pumps")).flow.came_micros == 400 * RATE_MICROS
    await cause.deliver(late)  # it was on its way when the campaign closed
    await cause.done(200, campaign="pumps")
    await tidy(cause)
    pumps = await seen(cause, "pumps")
    assert pumps.flow.came_micros == 700 * RATE_MICROS
    assert pumps.counted_micros == 900 * RATE_MICROS
    assert [(each.slug, each.title) for each in pumps.came] == [("roofs", "Wells")]
    await refund(cause, first, 450, "r")  # and half of its match with it
    await cause.follow()
    await tidy(cause)
    roofs = await seen(cause, "roofs")
    assert roofs.raised_micros - roofs.flow.went_micros == GOAL_MICROS
    assert (await seen(cause, "pumps")).flow.came_micros == roofs.flow.went_micros
    async with cause.runtime.database.begin() as session:
        moves = list(await session.scalars(sa.select(SurplusMove).order_by(SurplusMove.id)))
    assert [each.amount_micros > 0 for each in moves] == [True, True, False]
    assert await designated(cause, "wells", "roofs", "pumps") == await of_the_ledger(cause)
    assert await cause.findings() == []


async def test_a_chain_of_campaigns_passes_on_to_the_general_fund(cause: Cause) -> None:
    more = {"goal_micros": GOAL_MICROS, "surplus": Surplus.NEXT_CAMPAIGN}
    await cause.start("one", **more)
    await cause.start("two", **more | {"surplus": Surplus.GENERAL_FUND})
    await cause.done(2_500, campaign="one")
    await cause.done(100, "bob", campaign="two")
    await close(cause, "one")
    await close(cause, "two")
    await tidy(cause)
    two = await seen(cause, "two")
    assert two.flow.came_micros == 1_500 * RATE_MICROS
    (fund,) = two.went
    assert (fund.slug, fund.amount_micros) == (None, 600 * RATE_MICROS)
    assert await designated(cause, "one", "two") == await of_the_ledger(cause)
    assert await cause.findings() == []


async def test_what_is_below_its_goal_passes_nothing_on(cause: Cause) -> None:
    await cause.done(500)
    await close(cause, "wells")
    assert await tidy(cause) == 0
    assert (await seen(cause, "wells")).went == []


async def test_a_campaign_that_reached_its_last_day_is_closed_by_the_clock(cause: Cause) -> None:
    async with cause.runtime.database.begin() as session:
        ends = await now(session) + timedelta(days=3)
    await cause.start("roofs", goal_micros=GOAL_MICROS, ends_at=ends)
    match = await cause.match("beta", cap=2_000, campaign="roofs", mode=MatchMode.PREFUNDED)
    await cause.done(700, campaign="roofs")
    assert await cause.owed() == {"beta": 2_000 * RATE_MICROS}
    assert await tidy(cause) == 0
    await cause.travel(timedelta(days=4))
    assert await tidy(cause) == 2  # closed, and its surplus passed on
    view = await seen(cause, "roofs")
    assert (view.open, view.closed_reason) == (False, "")
    assert view.flow.went_micros == 400 * RATE_MICROS
    assert await cause.used(match) == 700
    assert await cause.owed() == {"beta": 700 * RATE_MICROS}  # what was not given came back
    assert await cause.findings() == []


@contextmanager
def counted(cause: Cause) -> Iterator[list[str]]:
    """The statements that are sent meanwhile."""
    sent: list[str] = []

    def note(_conn: object, _cursor: object, statement: str, *_: object) -> None:
        sent.append(statement)

    engine = cause.runtime.database.engine.sync_engine
    sa.event.listen(engine, "before_cursor_execute", note)
    yield sent
    sa.event.remove(engine, "before_cursor_execute", note)


async def test_the_clock_reads_only_campaigns_that_changed(cause: Cause) -> None:
    """However many are closed: a minute without gifts costs the same, a gift its campaign's."""
    told: list[tuple[int, int]] = []
    for number in range(6):
        slug = f"cup-{number}"
        await cause.start(slug, goal_micros=GOAL_MICROS)
        first = await cause.done(1_100, campaign=slug)
        await close(cause, slug)
        await tidy(cause)
        with counted(cause) as quiet:
            assert await tidy(cause) == 0
        await refund(cause, first, 50, f"r{number}")
        await cause.follow()
        with counted(cause) as busy:
            assert await tidy(cause) == 1
        told.append((len(quiet), len(busy)))
    assert set(told) == {told[0]}
    quiet_reads = [each for each in quiet if "charity_gift" in each]
    assert quiet_reads == []
    assert await cause.findings() == []


async def test_what_waits_is_looked_at_again_only_when_there_is_a_next_campaign(
    cause: Cause,
) -> None:
    await cause.start("roofs", goal_micros=GOAL_MICROS, surplus=Surplus.NEXT_CAMPAIGN)
    await cause.done(1_200, campaign="roofs")
    await close(cause, "roofs")
    await tidy(cause)
    with counted(cause) as quiet:
        assert await tidy(cause) == 0
    assert not [each for each in quiet if "charity_gift" in each]
    await cause.start("pumps")
    assert await tidy(cause) == 1
    assert (await seen(cause, "pumps")).flow.came_micros == 200 * RATE_MICROS


async def test_moves_of_surplus_are_never_changed(cause: Cause) -> None:
    await cause.start("roofs", goal_micros=GOAL_MICROS)
    await cause.done(1_200, campaign="roofs")
    await close(cause, "roofs")
    async with cause.runtime.database.begin() as session:
        assert (await campaigns.find(session, "roofs")).closed_at is not None
    with pytest.raises(sa.exc.DBAPIError, match=r"insert-only|permission denied|never"):
        async with cause.runtime.database.begin() as session:
            await session.execute(sa.update(SurplusMove).values(amount_micros=1))
