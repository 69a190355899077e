"""The proof finds what the clock passed over of refunds and contras after disputes; only that."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from marketplace.coalition.domain import ContractRole, Funding
from marketplace.db import Database
from marketplace.ledger.domain import Finding
from marketplace.ledger.models import Obligation
from marketplace.ledger.verify import verify
from marketplace.runtime import Runtime
from settlement.disputes import service
from settlement.disputes.checks import CHECKS
from settlement.disputes.contras import begin_pass
from settlement.disputes.domain import LineId
from settlement.disputes.models import ClockPass
from tests.factories import Coalition
from tests.ledger.driver import Driver
from tests.settlement.disputes.stage import (
    close_window,
    lines_in,
    owe_a_match,
    owe_the_contra,
)
from tests.settlement.disputes.test_disputes import decide, dispute
from tests.settlement.disputes.test_disputes import drive as drive


async def found(runtime: Runtime) -> list[Finding]:
    """What the proof says."""
    async with runtime.database.begin() as session:
        return await verify(session, checks=CHECKS)


async def later(runtime: Runtime) -> None:
    """A period of the clock is over; business time stands still."""
    async with runtime.database.begin() as session:
        await session.execute(
            sa.update(ClockPass).values(
                began_at=ClockPass.began_at - sa.text("interval '5 minutes'"),
                before_at=ClockPass.before_at - sa.text("interval '5 minutes'"),
            )
        )


async def passes(runtime: Runtime) -> None:
    """The clock begins to look at what disputes undid, and fails."""
    async with runtime.database.begin() as session:
        await begin_pass(session)


async def undo(runtime: Runtime) -> int:
    """It does not fail any more."""
    async with runtime.database.begin() as session:
        return await service.undo_contras(session)


async def pass_over(runtime: Runtime, owner: Database) -> None:
    """An hour goes by, in which the clock passes and does nothing."""
    async with owner.begin() as session:
        for table in ("obligation", "member_debt"):
            await session.execute(sa.text(f"alter table {table} disable trigger user"))
            await session.execute(
                sa.text(f"update {table} set posted_at = posted_at - interval '1 hour'")
            )
            await session.execute(sa.text(f"alter table {table} enable trigger user"))
    assert await found(runtime) == []
    await passes(runtime)
    await passes(runtime)
    # It may be at it just now.
    assert await found(runtime) == []
    await later(runtime)
    await passes(runtime)


@pytest.mark.parametrize("funding", list(Funding))
async def test_a_refund_that_the_clock_passed_over_is_found(
    runtime: Runtime, coalition: Coalition, drive: Driver, owner: Database, funding: Funding
) -> None:
    pooled = {"pooled_bps": 3_333} if funding is Funding.MIXED else {}
    await coalition.add_member("gamma", role=ContractRole.BOTH, funding=funding, **pooled)
    await coalition.issue("ann", 1_000, issuer="gamma")
    burn_id = await drive.burn("ann", "card")
    await drive.capture("ann", burn_id)
    await close_window(runtime)
    async with runtime.database.begin() as session:
        captured = sa.select(Obligation).where(Obligation.burn_id == burn_id)
        lines = [LineId(each.wallet_id, each.id) for each in await session.scalars(captured)]
    await decide(runtime, await dispute(coalition, lines, member="gamma"), upheld=True)
    assert await found(runtime) == []
    await drive.refund("ann", burn_id, 400)
    assert await found(runtime) == []
    await pass_over(runtime, owner)
    [finding] = await found(runtime)
    assert finding.check == "settlement_undone"
    assert all(str(burn_id) in each.subject for each in finding.examples)
    assert {each.subject.rpartition(" ")[2] for each in finding.examples} >= {"gamma", "shop"}
    assert await undo(runtime) == len(lines)
    assert await found(runtime) == []
    # What is refunded now is for the next pass.
    await drive.refund("ann", burn_id, 600)
    assert await found(runtime) == []


async def test_the_contra_of_a_debt_that_the_clock_passed_over_is_found(
    runtime: Runtime, coalition: Coalition, owner: Database
) -> None:
    debt = await owe_a_match(coalition)
    lines = await lines_in(runtime, await close_window(runtime))
    await decide(runtime, await dispute(coalition, lines), upheld=True)
    await owe_the_contra(coalition, debt)
    await pass_over(runtime, owner)
    [finding] = await found(runtime)
    assert {each.found for each in finding.examples} == {"5000000 micros", "-5000000 micros"}
    assert await undo(runtime) == 1
    assert await found(runtime) == []


async def test_a_refund_or_a_contra_that_was_disputed_alone_accuses_nobody(
    runtime: Runtime, coalition: Coalition, drive: Driver, owner: Database
) -> None:
    debt = await owe_a_match(coalition)
    await coalition.issue("ann", 1_000)
    burn_id = await drive.burn("ann", "card")
    await drive.capture("ann", burn_id)
    await close_window(runtime)
    await owe_the_contra(coalition, debt)
    await drive.refund("ann", burn_id, 500)
    for line in await lines_in(runtime, await close_window(runtime)):
        await decide(runtime, await dispute(coalition, [line], member="shop"), upheld=True)
    assert await found(runtime) == []
    await pass_over(runtime, owner)
    assert await found(runtime) == []
