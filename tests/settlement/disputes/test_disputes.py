"""A member disputes lines: they freeze, are decided, and each ends up in exactly one settlement."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import pytest
import pytest_asyncio
import sqlalchemy as sa

from marketplace.coalition.domain import ContractRole, Funding
from marketplace.errors import InvalidRequest, MarketplaceError, NotFound
from marketplace.ledger.models import MemberDebt
from marketplace.ledger.verify import verify
from marketplace.runtime import Runtime
from settlement.disputes import service
from settlement.disputes.domain import DisputeStatus, LineId
from settlement.disputes.errors import NotDisputable
from settlement.disputes.models import Dispute
from settlement.errors import StatusChanged
from settlement.history import Subject, history
from tests.factories import Coalition, days
from tests.ledger.driver import Driver
from tests.settlement.disputes.stage import abort, close_window, draft, lines_in, open_window


@pytest_asyncio.fixture
async def drive(coalition: Coalition) -> AsyncIterator[Driver]:
    """The exchange, running."""
    async with Driver.start(coalition) as driver:
        yield driver


@pytest_asyncio.fixture
async def burnt(runtime: Runtime, coalition: Coalition, drive: Driver) -> UUID:
    """A closed window in which Ann burnt 1,000 of alpha's points, twice, on the shop's cards."""
    async with runtime.database.begin() as session:
        await session.execute(sa.text("update contract set fee_bps = 150"))
    await coalition.issue("ann", 5_000)
    for _ in range(2):
        await drive.capture("ann", await drive.burn("ann", "card"))
    return await close_window(runtime)


async def dispute(
    coalition: Coalition, lines: list[LineId], member: str = "alpha", reason: str = "not delivered"
) -> UUID:
    async with coalition.runtime.database.begin() as session:
        asked = service.NewDispute(coalition.members[member], lines, reason)
        return (await service.open_dispute(session, asked, actor="person:alpha")).id


async def decide(runtime: Runtime, dispute_id: UUID, *, upheld: bool) -> None:
    async with runtime.database.begin() as session:
        await service.decide(session, dispute_id, upheld=upheld, actor="person:f", note="looked")


async def debts(runtime: Runtime, coalition: Coalition) -> dict[tuple[str, str], int]:
    """What members owe each other by adjustments: debtor and creditor."""
    names = {member_id: slug for slug, member_id in coalition.members.items()}
    found: dict[tuple[str, str], int] = {}
    async with runtime.database.begin() as session:
        for row in await session.scalars(sa.select(MemberDebt)):
            pair = (names[row.debtor_id], names[row.creditor_id])
            found[pair] = found.get(pair, 0) + row.amount_micros
    return found


async def test_an_upheld_line_is_undone_by_debts_in_the_open_window(
    runtime: Runtime, coalition: Coalition, burnt: UUID
) -> None:
    line, _ = await lines_in(runtime, burnt)
    dispute_id = await dispute(coalition, [line])
    await decide(runtime, dispute_id, upheld=True)
    assert await debts(runtime, coalition) == {
        # EUR 7.00 of the cost, EUR 8.00 that the points are worth, and the fees of 1.5 % of both.
        # Neither the shop nor alpha sees what the other has had.
        ("shop", "operator"): 7_000_000,
        ("operator", "alpha"): 8_000_000 + 120_000,
        ("operator", "shop"): 105_000,
    }
    async with runtime.database.begin() as session:
        row = await session.get_one(Dispute, dispute_id)
        assert (row.status, row.decided_by, row.note) == ("upheld", "person:f", "looked")
        steps = await history(session, Subject.DISPUTE, dispute_id)
        assert [(each.before, each.after, each.actor) for each in steps] == [
            (None, "open", "person:alpha"),
            ("open", "upheld", "person:f"),
        ]
        window = await session.scalar(sa.select(MemberDebt.window_id).limit(1))
    assert window == await open_window(runtime)
    async with runtime.database.begin() as session:
        assert await verify(session) == []


async def test_a_line_under_dispute_is_left_out_and_settled_later_once(
    runtime: Runtime, coalition: Coalition, burnt: UUID
) -> None:
    line, _ = await lines_in(runtime, burnt)
    dispute_id = await dispute(coalition, [line])
    _, left_out = await draft(runtime, [burnt])
    assert [(each.count, each.funded_micros, each.cost_micros) for each in left_out] == [
        (1, 8_000_000, 7_000_000)
    ]
    second = await close_window(runtime)
    _, nothing = await draft(runtime, [second])
    assert nothing == []  # still under dispute
    await decide(runtime, dispute_id, upheld=False)
    third = await close_window(runtime)
    settlement, taken_in = await draft(runtime, [third])
    assert [(each.window_id, each.count, each.funded_micros) for each in taken_in] == [
        (burnt, -1, -8_000_000)
    ]
    # What an aborted settlement took in is taken in by the next one.
    await abort(runtime, settlement)
    _, again = await draft(runtime, [third])
    assert again == taken_in
    fourth = await close_window(runtime)
    _, nothing = await draft(runtime, [fourth])
    assert nothing == []


async def test_an_upheld_line_is_settled_together_with_its_adjustment(
    runtime: Runtime, coalition: Coalition, burnt: UUID
) -> None:
    line, _ = await lines_in(runtime, burnt)
    dispute_id = await dispute(coalition, [line])
    await draft(runtime, [burnt])
    second = await close_window(runtime)
    await decide(runtime, dispute_id, upheld=True)  # its adjustment is in the third window
    _, nothing = await draft(runtime, [second])
    assert nothing == []
    third = await close_window(runtime)
    _, taken_in = await draft(runtime, [third])
    assert [each.funded_micros for each in taken_in] == [-8_000_000]


async def test_a_line_that_is_in_a_settlement_already_is_decided_by_adjustment_alone(
    runtime: Runtime, coalition: Coalition, burnt: UUID
) -> None:
    await draft(runtime, [burnt])
    line, _ = await lines_in(runtime, burnt)
    await decide(runtime, await dispute(coalition, [line]), upheld=True)
    second = await close_window(runtime)
    _, nothing = await draft(runtime, [second])
    assert nothing == []


async def test_a_withdrawn_dispute_lets_its_lines_go(
    runtime: Runtime, coalition: Coalition, burnt: UUID
) -> None:
    line, _ = await lines_in(runtime, burnt)
    dispute_id = await dispute(coalition, [line])
    async with runtime.database.begin() as session:
        with pytest.raises(NotFound):
            await service.withdraw(
                session, dispute_id, member_id=coalition.members["beta"], actor="person:b"
            )
        await service.withdraw(
            session, dispute_id, member_id=coalition.members["alpha"], actor="person:a"
        )
    _, nothing = await draft(runtime, [burnt])
    assert nothing == []
    again = await dispute(coalition, [line], reason="after all")
    await decide(runtime, again, upheld=False)
    with pytest.raises(NotDisputable, match="is or was under dispute"):
        await dispute(coalition, [line])
    assert await debts(runtime, coalition) == {}


async def test_what_cannot_be_disputed(
    runtime: Runtime, coalition: Coalition, drive: Driver, burnt: UUID
) -> None:
    line, other = await lines_in(runtime, burnt)
    with pytest.raises(NotFound):
        await dispute(coalition, [line], member="beta")
    with pytest.raises(NotFound):
        await dispute(coalition, [LineId(line.wallet_id, 5)])
    with pytest.raises(InvalidRequest, match="Say why"):
        await dispute(coalition, [line], reason=" ")
    with pytest.raises(InvalidRequest, match="each once"):
        await dispute(coalition, [line, line])
    await dispute(coalition, [line])
    with pytest.raises(NotDisputable, match="under dispute already"):
        await dispute(coalition, [other, line], member="shop")
    await drive.capture("ann", await drive.burn("ann", "card"))
    (newest,) = await lines_in(runtime, await open_window(runtime))
    with pytest.raises(NotDisputable, match="not closed"):
        await dispute(coalition, [newest])
    await close_window(runtime)
    with pytest.raises(InvalidRequest, match="of one window"):
        await dispute(coalition, [other, newest])
    await drive.later(days(31))
    with pytest.raises(NotDisputable, match="could be disputed until"):
        await dispute(coalition, [other])


async def test_the_deadline_decides_as_the_contract_says(
    runtime: Runtime, coalition: Coalition, drive: Driver, burnt: UUID
) -> None:
    line, other = await lines_in(runtime, burnt)
    rejected = await dispute(coalition, [line])
    async with runtime.database.begin() as session:
        await session.execute(sa.text("update contract set dispute_default = 'upheld'"))
    upheld = await dispute(coalition, [other], member="shop")
    async with runtime.database.begin() as session:
        assert await service.decide_overdue(session) == 0
    await drive.later(days(31))
    async with runtime.database.begin() as session:
        assert await service.decide_overdue(session) == 2
    async with runtime.database.begin() as session:
        assert (await session.get_one(Dispute, rejected)).status is DisputeStatus.REJECTED
        row = await session.get_one(Dispute, upheld)
        assert (row.status, row.decided_by) == (DisputeStatus.UPHELD, "system")
    assert (await debts(runtime, coalition))["shop", "operator"] == 7_000_000


async def test_a_dispute_is_decided_once(
    runtime: Runtime, coalition: Coalition, burnt: UUID
) -> None:
    line, _ = await lines_in(runtime, burnt)
    dispute_id = await dispute(coalition, [line])
    done = await asyncio.gather(
        *(decide(runtime, dispute_id, upheld=True) for _ in range(5)), return_exceptions=True
    )
    assert sum(each is None for each in done) == 1
    assert all(isinstance(each, StatusChanged) for each in done if each is not None)
    assert (await debts(runtime, coalition))["shop", "operator"] == 7_000_000


async def test_a_debt_and_a_refund_are_undone_the_other_way_round(
    runtime: Runtime, coalition: Coalition, drive: Driver
) -> None:
    await coalition.issue("ann", 1_000)
    burn_id = await drive.burn("ann", "card")
    await drive.capture("ann", burn_id)
    await close_window(runtime)
    # A refund of a burn of the month before is a contra in today's window.
    await drive.refund("ann", burn_id, 500)
    today = await close_window(runtime)
    (contra,) = await lines_in(runtime, today)
    await decide(runtime, await dispute(coalition, [contra], member="shop"), upheld=True)
    assert await debts(runtime, coalition) == {
        ("operator", "shop"): 3_500_000,
        ("alpha", "operator"): 4_000_000,
    }
    third = await close_window(runtime)
    to_shop, _ = await lines_in(runtime, third)
    await decide(runtime, await dispute(coalition, [to_shop], member="shop"), upheld=True)
    assert (await debts(runtime, coalition))["shop", "operator"] == 3_500_000
    async with runtime.database.begin() as session:
        assert await verify(session) == []


async def test_money_that_covers_points_is_not_disputable(
    runtime: Runtime, coalition: Coalition
) -> None:
    await coalition.add_member("gamma", role=ContractRole.BOTH, funding=Funding.ISSUANCE)
    await coalition.issue("ann", 100, issuer="gamma")
    (line,) = await lines_in(runtime, await close_window(runtime))
    with pytest.raises(MarketplaceError, match="own money"):
        await dispute(coalition, [line], member="gamma")
