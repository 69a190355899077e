"""A line that is disputed with right and refunded as well is undone once, in whichever order."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest
import sqlalchemy as sa

from marketplace.coalition.domain import ContractRole, Funding
from marketplace.ledger.models import MemberDebt, Obligation
from marketplace.ledger.verify import verify
from marketplace.runtime import Runtime
from settlement.disputes import service
from settlement.disputes.errors import NotDisputable
from tests.factories import Coalition
from tests.ledger.driver import Driver
from tests.settlement.disputes.stage import (
    close_window,
    lines_in,
    owe_a_match,
    owe_the_contra,
)
from tests.settlement.disputes.test_disputes import debts, decide, dispute
from tests.settlement.disputes.test_disputes import drive as drive


async def undo_contras(runtime: Runtime) -> int:
    """What the clock does."""
    async with runtime.database.begin() as session:
        return await service.undo_contras(session)


async def nets(runtime: Runtime, coalition: Coalition) -> dict[str, int]:
    """What each member has of all that was booked, but for fees of windows; zeros left out."""
    names = {member_id: slug for slug, member_id in coalition.members.items()}
    found = dict.fromkeys(names.values(), 0)
    async with runtime.database.begin() as session:
        for line in await session.scalars(sa.select(Obligation)):
            if line.acceptor_id is None:  # into the issuer's own pool
                continue
            found[names[line.issuer_id]] -= line.funded_micros
            found[names[line.acceptor_id]] += line.cost_micros
            found["operator"] += line.funded_micros - line.cost_micros
        for debt in await session.scalars(sa.select(MemberDebt)):
            found[names[debt.debtor_id]] -= debt.amount_micros
            found[names[debt.creditor_id]] += debt.amount_micros
    return {slug: micros for slug, micros in found.items() if micros}


@pytest.mark.parametrize("first", ["refund", "dispute"])
async def test_of_a_refunded_line_a_dispute_undoes_what_is_left(
    runtime: Runtime, coalition: Coalition, drive: Driver, first: str
) -> None:
    await coalition.issue("ann", 1_000)
    burn_id = await drive.burn("ann", "card")
    await drive.capture("ann", burn_id)
    window_id = await close_window(runtime)
    (line,) = await lines_in(runtime, window_id)
    if first == "refund":
        await drive.refund("ann", burn_id, 400)
    await decide(runtime, await dispute(coalition, [line]), upheld=True)
    if first == "dispute":
        await drive.refund("ann", burn_id, 400)
        done = await asyncio.gather(*(undo_contras(runtime) for _ in range(3)))
        assert sum(done) == 1
    assert await nets(runtime, coalition) == {}
    await drive.refund("ann", burn_id, 600)
    assert await undo_contras(runtime) == 1
    assert await undo_contras(runtime) == 0
    assert await nets(runtime, coalition) == {}
    contra = (await lines_in(runtime, await close_window(runtime)))[0]
    with pytest.raises(NotDisputable, match="undone already"):
        await dispute(coalition, [contra], member="shop")
    async with runtime.database.begin() as session:
        assert await verify(session) == []


async def test_other_lines_of_a_burn_are_refunded_as_ever(
    runtime: Runtime, coalition: Coalition, drive: Driver
) -> None:
    await coalition.issue("ann", 300)
    await coalition.issue("ann", 700, issuer="beta")
    burn_id = await drive.burn("ann", "card")
    await drive.capture("ann", burn_id)
    window_id = await close_window(runtime)
    async with runtime.database.begin() as session:
        beta = coalition.members["beta"]
        query = sa.select(Obligation.id).where(Obligation.issuer_id == beta)
        ids = set(await session.scalars(query))
    lines = [each for each in await lines_in(runtime, window_id) if each.id in ids]
    await decide(runtime, await dispute(coalition, lines, member="beta"), upheld=True)
    left = await nets(runtime, coalition)
    assert (left["alpha"], "beta" in left) == (-2_400_000, False)
    await drive.refund("ann", burn_id, None)
    await undo_contras(runtime)
    assert await nets(runtime, coalition) == {}


async def test_a_pool_has_back_what_covers_the_points_and_its_issuer_pays_for_them(
    runtime: Runtime, coalition: Coalition, drive: Driver
) -> None:
    await coalition.add_member("gamma", role=ContractRole.BOTH, funding=Funding.ISSUANCE)
    await coalition.issue("ann", 1_000, issuer="gamma")
    burn_id = await drive.burn("ann", "card")
    await drive.capture("ann", burn_id)
    window_id = await close_window(runtime)
    async with runtime.database.begin() as session:
        captured = sa.select(Obligation.id).where(Obligation.burn_id == burn_id)
        ids = set(await session.scalars(captured))
    lines = [each for each in await lines_in(runtime, window_id) if each.id in ids]
    await decide(runtime, await dispute(coalition, lines, member="gamma"), upheld=True)
    assert await debts(runtime, coalition) != {}
    await drive.refund("ann", burn_id, 400)
    await drive.refund("ann", burn_id, 600)
    assert await undo_contras(runtime) == 2
    paid = await debts(runtime, coalition)
    assert paid["gamma", "operator"] == paid["operator", "gamma"] > 0
    assert paid["shop", "operator"] == paid["operator", "shop"] > 0
    assert await nets(runtime, coalition) == {}
    async with runtime.database.begin() as session:
        assert await verify(session) == []


async def test_the_contra_of_a_debt_that_was_undone_is_undone(
    runtime: Runtime, coalition: Coalition
) -> None:
    debt = await owe_a_match(coalition)
    (line,) = await lines_in(runtime, await close_window(runtime))
    dispute_id: UUID = await dispute(coalition, [line])
    await decide(runtime, dispute_id, upheld=True)
    await owe_the_contra(coalition, debt)
    assert await nets(runtime, coalition) != {}
    assert await undo_contras(runtime) == 1
    assert await nets(runtime, coalition) == {}
