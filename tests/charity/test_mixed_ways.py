"""Gifts out of lots that an issuer and its pool pay together: each step counts its points once."""

from __future__ import annotations

from collections import Counter
from uuid import UUID

import pytest
import sqlalchemy as sa

from marketplace.api import BurnStep
from marketplace.coalition.domain import ContractRole, Funding
from marketplace.ledger.models import Obligation
from settlement.disputes import service
from settlement.disputes.domain import LineId
from settlement.statements.tracing import trace
from tests.charity.conftest import RATE_MICROS, Cause
from tests.charity.test_disputed_gifts import Finance
from tests.charity.test_disputed_gifts import finance as finance
from tests.charity.test_giving import refund

POINTS = 12_001
"""10,000 of Alpha's, paid when they are burnt; the rest of Gamma's, a third of it from its pool."""
GAMMAS = 2_001


@pytest.fixture
async def mixed(cause: Cause) -> Cause:
    """Ann has points that are paid by both."""
    await cause.coalition.add_member(
        "gamma", role=ContractRole.BOTH, funding=Funding.MIXED, pooled_bps=3_333
    )
    await cause.coalition.issue("ann", 5_000, issuer="gamma")
    return cause


def counted(way: list[BurnStep]) -> dict[str, int]:
    """Points by stage."""
    found: Counter[str] = Counter()
    for each in way:
        found[each.stage] += each.points
    return dict(found)


async def lines(cause: Cause, funding: Funding) -> list[LineId]:
    """Gamma's captured lines of one payer."""
    async with cause.runtime.database.begin() as session:
        found = await session.scalars(
            sa.select(Obligation).where(
                Obligation.issuer_id == cause.coalition.members["gamma"],
                Obligation.kind == "capture",
                Obligation.funding == funding,
            )
        )
        return [LineId(each.wallet_id, each.id) for each in found]


async def disputed(finance: Finance, asked: list[LineId]) -> UUID:
    """Gamma disputes lines."""
    async with finance.cause.runtime.database.begin() as session:
        new = service.NewDispute(finance.cause.coalition.members["gamma"], asked, "not a gift")
        return (await service.open_dispute(session, new, actor="person:gamma")).id


async def test_every_step_counts_the_points_of_the_gift_once(
    mixed: Cause, finance: Finance
) -> None:
    given = await mixed.done(POINTS)
    assert counted(await finance.way("ann")) == {"window": POINTS}
    first = await finance.sent()
    way = await finance.way("ann")
    assert counted(way) == {"window": POINTS, "settlement": POINTS, "payout": POINTS}
    for number, points in enumerate((1, 7, 1_000)):
        await refund(mixed, given, points, f"r{number}")
        await mixed.follow()
    way = await finance.way("ann")
    assert counted(way) == {
        "window": POINTS,
        "settlement": POINTS,
        "payout": POINTS,
        "refund": 1_008,
    }
    assert [each.undone_points for each in way if each.stage == "payout"] == [1_008]
    await finance.reject(first)
    year = await finance.year()
    assert (year.points, year.unpaid_points) == (POINTS - 1_008, POINTS - 1_008)
    assert year.unpaid_micros == (POINTS - 1_008) * RATE_MICROS
    await refund(mixed, given, None, "rest")
    await mixed.follow()
    assert counted(await finance.way("ann"))["refund"] == POINTS
    assert (await finance.year()).unpaid_points == 0
    assert await mixed.findings() == []


@pytest.mark.parametrize("funding", [Funding.REDEMPTION, Funding.ISSUANCE])
async def test_of_two_payers_one_disputes(mixed: Cause, finance: Finance, funding: Funding) -> None:
    given = await mixed.done(POINTS)
    await finance.house.close_window()
    dispute_id = await disputed(finance, await lines(mixed, funding))
    first = await finance.paid()
    way = counted(await finance.way("ann"))
    own = way["disputed"]
    kept = {"settlement": POINTS - own, "payout": POINTS - own}
    assert way == {"window": POINTS, "disputed": own, **kept}
    share = 3_333 if funding is Funding.ISSUANCE else 6_667
    assert own in (GAMMAS * share // 10_000, GAMMAS * share // 10_000 + 1)
    await finance.decide(dispute_id, upheld=True)
    await finance.hear()
    second = await finance.paid()
    steps = await finance.way("ann")
    told = [(each.reference, each.points) for each in steps if each.stage == "settlement"]
    assert told == [(first.reference, POINTS - own), (second.reference, own)]
    assert counted(steps)["adjusted"] == own
    await refund(mixed, given, 500, "r")
    await mixed.follow()
    await finance.clock()
    way = counted(await finance.way("ann"))
    assert way["refund"] == 500
    assert own * 3 // 4 - 1 <= way["adjusted"] <= own * 3 // 4 + 1
    async with mixed.runtime.database.begin() as session:
        found = (await trace(session, str(given.burn_id))).lines
    captured = [each for each in found if each.kind == "capture"]
    assert sum(each.own_points for each in captured) == POINTS
    assert sum(each.points for each in captured) == POINTS + GAMMAS
    assert await mixed.findings() == []
