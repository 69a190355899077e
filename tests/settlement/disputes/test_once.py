"""Whatever becomes of disputes, drafts and aborts: what settlements settle is what was booked."""

from __future__ import annotations

import io
from random import Random
from uuid import UUID

import pytest
import sqlalchemy as sa

from marketplace.ledger.models import MemberDebt, Obligation
from marketplace.ledger.verify import run_check, verify
from marketplace.runtime import Runtime
from settlement.clearing import service as clearing
from settlement.clearing.checks import CHECKS
from settlement.clearing.domain import SettlementStatus
from settlement.clearing.models import SettledPosition, Settlement
from settlement.disputes import service
from settlement.disputes.domain import DisputeStatus
from settlement.disputes.errors import NotDisputable
from settlement.disputes.models import Dispute
from settlement.domain import PartyKind
from settlement.statements.verify.checker import verify as verify_statement
from settlement.windows.closing import close_window as close_now
from settlement.windows.service import Closed
from tests.factories import Coalition
from tests.ledger.driver import Driver
from tests.settlement.disputes.stage import close_window, lines_in
from tests.settlement.statements.conftest import draw

STEPS = 30


async def decide_some(runtime: Runtime, random: Random, share: float) -> None:
    """Decide or withdraw some of the open disputes."""
    async with runtime.database.begin() as session:
        ids = list(
            await session.scalars(
                sa.select(Dispute.id)
                .where(Dispute.status == DisputeStatus.OPEN)
                .order_by(Dispute.opened_at, Dispute.id)
            )
        )
        for dispute_id in ids:
            if random.random() > share:
                continue
            if random.random() < 0.2:
                await service.withdraw(session, dispute_id, member_id=None, actor="person:f")
            else:
                upheld = random.random() < 0.5
                await service.decide(session, dispute_id, upheld=upheld, actor="f", note="so")


async def dispute_some(coalition: Coalition, random: Random, windows: list[UUID]) -> None:
    lines = [
        line
        for window_id in windows
        for line in await lines_in(coalition.runtime, window_id)
        if not line.is_debt
    ]
    if not lines:
        return
    member = coalition.members[random.choice(["alpha", "shop"])]
    asked = service.NewDispute(member, [random.choice(lines)], "wrong")
    try:
        async with coalition.runtime.database.begin() as session:
            await service.open_dispute(session, asked, actor="person:a")
    except NotDisputable:
        pass  # it was disputed before


async def settle(runtime: Runtime, random: Random, *, aborting: float) -> None:
    """Draft every closed window, and abort the draft sometimes."""
    async with runtime.database.begin() as session:
        made = await clearing.draft(session, actor="person:1")
    if random.random() < aborting:
        async with runtime.database.begin() as session:
            await clearing.abort(session, made.id, actor="person:1", note="again")


async def close(runtime: Runtime) -> Closed:
    """Close the open window as finance does."""
    return await close_now(runtime.database.begin, lambda _: None, actor="person:1")


async def booked(runtime: Runtime) -> dict[UUID, int]:
    """Nets of members from obligations and debts alone; all are funded at redemption."""
    nets: dict[UUID, int] = {}
    async with runtime.database.begin() as session:
        for row in await session.scalars(sa.select(Obligation)):
            nets[row.issuer_id] = nets.get(row.issuer_id, 0) - row.funded_micros
            if row.acceptor_id is not None:
                nets[row.acceptor_id] = nets.get(row.acceptor_id, 0) + row.cost_micros
        for debt in await session.scalars(sa.select(MemberDebt)):
            nets[debt.debtor_id] = nets.get(debt.debtor_id, 0) - debt.amount_micros
            nets[debt.creditor_id] = nets.get(debt.creditor_id, 0) + debt.amount_micros
    return {member_id: micros for member_id, micros in nets.items() if micros}


async def settled(runtime: Runtime) -> dict[UUID, int]:
    """Nets of members over all settlements that are not aborted."""
    async with runtime.database.begin() as session:
        rows = await session.execute(
            sa.select(SettledPosition.member_id, sa.func.sum(SettledPosition.net_micros))
            .join(Settlement, Settlement.id == SettledPosition.settlement_id)
            .where(
                Settlement.status != SettlementStatus.ABORTED,
                SettledPosition.party == PartyKind.MEMBER,
            )
            .group_by(SettledPosition.member_id)
        )
        return {member_id: int(micros) for member_id, micros in rows if micros}


async def test_the_last_line_of_a_programme_is_settled_though_nothing_comes_after_it(
    runtime: Runtime, coalition: Coalition
) -> None:
    begin = runtime.database.begin
    await coalition.issue("ann", 5_000)
    async with Driver.start(coalition) as drive:
        await drive.capture("ann", await drive.burn("ann", "card"))
    burnt = (await close(runtime)).window_id
    lines = await lines_in(runtime, burnt)
    asked = service.NewDispute(coalition.members["alpha"], lines, "not delivered")
    async with begin() as session:
        dispute = await service.open_dispute(session, asked, actor="person:a")
        await clearing.draft(session, actor="person:1")
    assert await settled(runtime) == {}
    assert (await close(runtime)).settled  # nobody knows yet whether it will be due
    async with begin() as session:
        await service.decide(session, dispute.id, upheld=False, actor="f", note="delivered")
    last = await close(runtime)
    assert (last.settled, last.obligations) == (False, 0)
    async with begin() as session:
        made = await clearing.draft(session, actor="person:1")
        assert await clearing.repository.windows_of(session, made.id) == [last.window_id]
        await clearing.record(session, made.id, actor="person:1")
    assert await settled(runtime) == await booked(runtime) != {}
    _, signed, _ = await draw(coalition, "shop", settlement=made.reference)
    said = verify_statement("shop.jsonl", io.BytesIO(signed))
    assert (said.faults, said.nets) == ([], {"EUR": 7_000_000})
    assert (await close(runtime)).settled
    async with begin() as session:
        assert await verify(session) == []


@pytest.mark.parametrize("seed", range(3))
async def test_what_is_settled_is_what_was_booked(
    runtime: Runtime, coalition: Coalition, seed: int
) -> None:
    random = Random(seed)  # noqa: S311
    await coalition.issue("ann", 200_000)
    windows: list[UUID] = []
    async with Driver.start(coalition) as drive:
        for _ in range(STEPS):
            for _ in range(random.randint(0, 2)):
                burn_id = await drive.burn("ann", "card")
                await drive.capture("ann", burn_id)
                if random.random() < 0.3:
                    await drive.refund("ann", burn_id, random.randint(1, 999))
            if random.random() < 0.5:
                windows.append(await close_window(runtime))
            await dispute_some(coalition, random, windows)
            await decide_some(runtime, random, 0.2)
            async with runtime.database.begin() as session:
                waiting = await clearing.repository.closed_windows(session)
            if waiting and random.random() < 0.5:
                await settle(runtime, random, aborting=0.3)
    await decide_some(runtime, random, 1)
    await close_window(runtime)
    await settle(runtime, random, aborting=0)
    assert await settled(runtime) == await booked(runtime)
    async with runtime.database.begin() as session:
        assert await verify(session) == []


async def test_a_line_that_a_later_settlement_holds_is_not_settled_again_after_an_abort(
    runtime: Runtime, coalition: Coalition
) -> None:
    await coalition.issue("ann", 20_000)
    async with Driver.start(coalition) as drive:
        for _ in range(2):
            await drive.capture("ann", await drive.burn("ann", "card"))
        first = await close_window(runtime)
        line = next(each for each in await lines_in(runtime, first) if not each.is_debt)
        async with runtime.database.begin() as session:
            asked = service.NewDispute(coalition.members["alpha"], [line], "wrong")
            dispute = await service.open_dispute(session, asked, actor="person:a")
        async with runtime.database.begin() as session:
            without = await clearing.draft(session, [first], actor="person:1")
        async with runtime.database.begin() as session:
            await service.decide(session, dispute.id, upheld=False, actor="f", note="right")
        await drive.capture("ann", await drive.burn("ann", "card"))
        second = await close_window(runtime)
        async with runtime.database.begin() as session:
            taking_in = await clearing.draft(session, [second], actor="person:1")
        async with runtime.database.begin() as session:
            await clearing.abort(session, without.id, actor="person:1", note="again")
        async with runtime.database.begin() as session:
            again = await clearing.draft(session, [first], actor="person:1")
        assert await settled(runtime) == await booked(runtime)
        async with runtime.database.begin() as session:
            assert await verify(session, checks=CHECKS) == []
        # Without what the draft wrote down, the line would be in both, and the proof says so.
        (check,) = [each for each in CHECKS if each.name == "settlement_lines"]
        async with runtime.database.begin() as session:
            await session.execute(
                sa.update(Settlement)
                .where(Settlement.id == again.id)
                .values(status=SettlementStatus.ABORTED)
            )
            finding = await run_check(session, check, 5)
            await session.rollback()
        assert finding is not None
        assert finding.examples[0].found == "in 2"

        async with runtime.database.begin() as session:
            await clearing.abort(session, taking_in.id, actor="person:1", note="again")
        async with runtime.database.begin() as session:
            await clearing.draft(session, [second], actor="person:1")
        assert await settled(runtime) == await booked(runtime)
