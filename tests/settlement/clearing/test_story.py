"""A month of finance: net, record, approve by a second person, submit, booked, settled."""

from __future__ import annotations

import asyncio

import pytest

from marketplace.coalition.domain import ContractRole
from settlement import service as old
from settlement.clearing.domain import AccountKind, LegStatus
from settlement.clearing.errors import NoPayAccount, NothingToSettle, WindowOutOfOrder
from settlement.domain import PartyKind, by_name
from settlement.errors import SamePerson, StatusChanged
from settlement.repository import By
from tests.ledger.busy import make_busy
from tests.ledger.driver import Driver
from tests.settlement.clearing.house import ANNA, BORIS, House


async def test_from_closed_window_to_settled_by_files(house: House) -> None:
    burns = await make_busy(house.coalition)
    async with Driver.start(house.coalition) as drive:
        await drive.capture("ann", burns["held"])
    window_id = await house.close_window()
    used_before, _ = await house.exposure("alpha")
    made = await house.draft()
    assert made.reference.startswith("S-")
    assert await house.window(window_id) == "in_settlement"
    legs = await house.legs(made)
    async with house.runtime.database.begin() as session:
        known = (await old.positions(session, By.WINDOW))[str(window_id), "EUR"]
    expected = by_name(known)
    pool = sum(each for party, each in known.items() if party.kind is PartyKind.POOL)
    nets = {name: leg.net_micros for name, leg in legs.items()}
    assert {name: net for name, net in nets.items() if net} == {
        name: net for name, net in expected.items() if not name.startswith("pool:")
    }
    assert sum(nets.values()) + pool == 0

    await house.record(made)
    with pytest.raises(SamePerson):
        await house.approve(made, ANNA)
    await house.approve(made)
    with pytest.raises(NoPayAccount, match="gamma"):
        await house.submit(made)
    await house.accounts("paper")
    await house.submit(made)
    done = await house.drive()
    # Debits first: creditors wait for the money.
    assert done.files == 1
    assert "creditors in EUR wait" in done.waiting[0]
    legs = await house.legs(made)
    assert {leg.direction.value for leg in legs.values() if leg.status is LegStatus.SUBMITTED} == {
        "collect"
    }
    assert not await house.findings()
    await house.book_all(made)
    assert await house.status(made) == "settling"
    done = await house.drive()
    assert done.files == 1
    assert not done.waiting
    await house.book_all(made)
    assert await house.status(made) == "settled"
    assert await house.window(window_id) == "settled"
    used_after, _ = await house.exposure("alpha")
    assert used_after < used_before
    assert not await house.findings()
    held = await house.balances()
    assert set(held) <= {AccountKind.BANK, AccountKind.POOL, AccountKind.ROUNDING}
    assert (await house.drive()).submitted == 0


async def test_several_windows_are_settled_together_and_in_order(house: House) -> None:
    with pytest.raises(NothingToSettle):
        await house.draft()
    await make_busy(house.coalition)
    first = await house.close_window()
    await house.coalition.issue("ann", 1_000, issuer="gamma", reference="second")
    second = await house.close_window()
    with pytest.raises(WindowOutOfOrder):
        await house.draft(window_ids=[second])
    alone = await house.draft(window_ids=[first])
    with pytest.raises(StatusChanged):
        await house.draft(window_ids=[first])
    with pytest.raises(NothingToSettle):
        await house.draft(window_ids=[])
    await house.abort(alone)
    both = await house.draft()
    apart = (await house.legs(alone))["gamma"].net_micros
    assert (await house.legs(both))["gamma"].net_micros == apart - 8_000_000
    assert not await house.findings()


async def test_abort_leaves_no_trace_but_history(house: House) -> None:
    await make_busy(house.coalition)
    window_id = await house.close_window()
    made = await house.draft()
    await house.record(made)
    assert await house.balances()
    await house.approve(made)
    await house.abort(made)
    assert await house.status(made) == "aborted"
    assert await house.window(window_id) == "closed"
    assert not await house.balances()
    with pytest.raises(StatusChanged):
        await house.submit(made)
    again = await house.draft()
    assert again.reference > made.reference
    await house.record(again)
    await house.approve(again)
    await house.accounts("paper")
    await house.submit(again)
    await house.drive()
    with pytest.raises(StatusChanged, match="too late"):
        await house.abort(again)
    assert not await house.findings()


async def test_races_have_one_winner(house: House) -> None:
    await make_busy(house.coalition)
    await house.close_window()
    drafts = await asyncio.gather(house.draft(), house.draft(), return_exceptions=True)
    made = [each for each in drafts if not isinstance(each, BaseException)]
    assert len(made) == 1
    await house.record(made[0])
    people = ["person:carl", BORIS, "person:dora"]
    answers = await asyncio.gather(
        *(house.approve(made[0], each) for each in people), return_exceptions=True
    )
    assert sum(each is None for each in answers) == 1
    assert sum(isinstance(each, StatusChanged) for each in answers) == 2
    await house.accounts("paper")
    answers = await asyncio.gather(
        *(house.submit(made[0]) for _ in range(3)), return_exceptions=True
    )
    assert sum(each is None for each in answers) == 1
    passes = await asyncio.gather(*(house.drive() for _ in range(4)))
    assert sum(each.files for each in passes) == 1
    assert not await house.findings()


async def test_three_way_cycle_vanishes(house: House) -> None:
    """alpha's points at beta's offers, beta's at gamma's, gamma's at alpha's: nobody pays."""
    coalition = house.coalition
    await coalition.add_member("gamma", role=ContractRole.BOTH)
    ring = ("alpha", "beta", "gamma")
    for issuer, acceptor in zip(ring, (*ring[1:], ring[0]), strict=True):
        name = f"of-{issuer}"
        await coalition.add_participant(name, firm="acme")
        await coalition.add_offer(f"at-{acceptor}", acceptor=acceptor, cost_micros=8_000_000)
        await coalition.issue(name, 1_000, issuer=issuer)
    async with Driver.start(coalition) as drive:
        for issuer, acceptor in zip(ring, (*ring[1:], ring[0]), strict=True):
            burn_id = await drive.burn(f"of-{issuer}", f"at-{acceptor}")
            await drive.capture(f"of-{issuer}", burn_id)
    await house.close_window()
    made = await house.draft()
    legs = await house.legs(made)
    assert {name: leg.net_micros for name, leg in legs.items()} == dict.fromkeys(
        [*ring, "operator"], 0
    )
    assert {leg.status for leg in legs.values()} == {LegStatus.BOOKED}
    await house.record(made)
    await house.approve(made)
    await house.submit(made)
    assert await house.status(made) == "settled"
    assert not await house.findings()
