"""Mixed funding: a share of a point's price is pooled at issue, the rest is owed at redemption."""

from __future__ import annotations

import uuid
from itertools import pairwise

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from marketplace.coalition.domain import Breakage, ContractRole, Funding
from marketplace.ledger.domain import Account, ObligationKind
from marketplace.ledger.models import Exposure, Lot, Obligation, Transfer
from marketplace.ledger.postings import BurnTerms, Part, obligations, shares
from marketplace.ledger.verify import verify
from marketplace.runtime import Runtime
from tests.factories import Coalition, days
from tests.ledger.driver import Driver

MICROS = st.integers(1, 10**9)


@st.composite
def drawn(draw: st.DrawFn) -> tuple[BurnTerms, Part, list[int]]:
    """A burn, the part of one lot in it, and points at which refunds cut that part."""
    points = draw(st.integers(1, 10_000))
    burn = BurnTerms(uuid.uuid4(), uuid.uuid4(), uuid.uuid4(), points, draw(MICROS))
    start = draw(st.integers(0, points - 1))
    stop = draw(st.integers(start + 1, points))
    price = draw(st.integers(2, 10**7))
    part = Part(
        1, uuid.uuid4(), uuid.uuid4(), draw(st.integers(0, price)), "EUR", price, start,
        stop - start,
    )  # fmt: skip
    return burn, part, draw(st.lists(st.integers(start, stop), max_size=8))


@given(drawn())
def test_however_a_part_is_cut_each_payer_pays_the_same(
    case: tuple[BurnTerms, Part, list[int]],
) -> None:
    burn, part, cuts = case
    whole = {each.funding: each for each in shares(burn, part)}
    assert sum(each.funded_micros for each in whole.values()) == part.funded_micros
    edges = sorted({part.position, part.position + part.points, *cuts})
    pieces = [
        structs.replace(part, position=first, points=last - first)
        for first, last in pairwise(edges)
    ]
    undone = obligations(burn, pieces, ObligationKind.REFUND)
    for funding, share in whole.items():
        assert share.cost_micros >= 0
        back = [row for row in undone if row.funding is funding]
        assert sum(row.cost_micros for row in back) == -share.cost_micros
        assert sum(row.funded_micros for row in back) == -share.funded_micros


@pytest.fixture
async def mixed(coalition: Coalition) -> Coalition:
    """Delta pays a third of EUR 0.01 when it issues, and has a cap."""
    await coalition.add_member(
        "delta",
        role=ContractRole.ISSUER,
        funding=Funding.MIXED,
        pooled_bps=3_333,
        price_micros=10_000,
        breakage=Breakage.ISSUER,
        exposure_cap_micros=50_000_000,
    )
    async with coalition.runtime.database.begin() as session:
        session.add(Exposure(member_id=coalition.members["delta"], used_micros=0))
    return coalition


async def booked(runtime: Runtime) -> list[tuple[str, str, int, int, int]]:
    """Obligations as they were booked: kind, funding, points, funded, cost."""
    async with runtime.database.begin() as session:
        assert await verify(session) == []
        rows = await session.execute(
            sa.select(
                Obligation.kind,
                Obligation.funding,
                Obligation.points,
                Obligation.funded_micros,
                Obligation.cost_micros,
            ).order_by(Obligation.id)
        )
        return [tuple(row) for row in rows]


async def pool(runtime: Runtime) -> int:
    async with runtime.database.begin() as session:
        into = sa.case((Transfer.credit_account == Account.ISSUER_POOL, Transfer.amount), else_=0)
        out = sa.case((Transfer.debit_account == Account.ISSUER_POOL, Transfer.amount), else_=0)
        return int(await session.scalar(sa.select(sa.func.sum(into - out))) or 0)


async def used(runtime: Runtime) -> int | None:
    async with runtime.database.begin() as session:
        return await session.scalar(sa.select(Exposure.used_micros))


async def test_a_point_of_mixed_funding_from_issue_to_the_last_cent(
    runtime: Runtime, mixed: Coalition, drive: Driver
) -> None:
    await mixed.issue("ann", 1_500, issuer="delta")
    async with runtime.database.begin() as session:
        lot = (await session.scalars(sa.select(Lot))).one()
    assert (lot.funding, lot.price_micros, lot.pooled_price_micros) == ("mixed", 10_000, 3_333)
    assert await booked(runtime) == [("issuance", "issuance", 1_500, 4_999_500, 0)]

    burn_id = await drive.burn("ann", "card")
    assert await used(runtime) == 10_000_000  # the whole price counts against the cap
    await drive.capture("ann", burn_id)
    captured = (await booked(runtime))[1:]
    assert captured == [
        ("capture", "issuance", 1_000, 3_333_000, 2_333_100),
        ("capture", "redemption", 1_000, 6_667_000, 4_666_900),
    ]
    assert await pool(runtime) == 500 * 3_333

    for points in (1, 333, 666):
        await drive.refund("ann", burn_id, points)
    rows = (await booked(runtime))[1:]
    for funding in ("issuance", "redemption"):
        assert [sum(row[column] for row in rows if row[1] == funding) for column in (2, 3, 4)] == [
            0,
            0,
            0,
        ]
    assert await pool(runtime) == 1_500 * 3_333
    assert await used(runtime) == 0


async def test_the_pooled_part_of_expired_points_goes_to_whom_the_contract_says(
    runtime: Runtime, mixed: Coalition, drive: Driver
) -> None:
    async with runtime.database.begin() as session:
        start = await session.scalar(sa.text("select marketplace_now()"))
    await mixed.issue("ann", 300, issuer="delta", expires_at=start + days(1))
    await drive.later(days(2))
    assert await drive.expire() == 1
    assert (await booked(runtime))[-1] == ("expiry", "issuance", 300, 999_900, 999_900)
    assert await pool(runtime) == 0
