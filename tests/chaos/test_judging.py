"""The judge sees what is lost and what is doubled: a harness that cannot fail proves nothing."""

from __future__ import annotations

import secrets
import uuid

import pytest

from marketplace.db import Database
from marketplace.exchange.decide import BurnRequest
from marketplace.ids import uuid7
from tests.chaos.clients import Crowd, Record
from tests.chaos.judging import POINTS, Findings, judge
from tests.factories import Coalition
from tests.ledger.driver import Driver


class Run:
    """Some burns of one run, and what a client says of them."""

    def __init__(self, drive: Driver, owner: Database) -> None:
        self.drive, self.owner = drive, owner
        self.crowd = Crowd(0, "", "run", wallets=1, offers=1)

    async def burn(self, key: str, *, told: bool = True) -> Record:
        """Burn; the client hears of it, or not."""
        coalition = self.drive.coalition
        wallet_id, offer_id = coalition.wallets["ann"], coalition.offers["card"]
        request = BurnRequest(
            uuid7(), self.drive.principal, key, secrets.token_bytes(16), wallet_id, offer_id, 1
        )
        answer = await self.drive.engine.submit(request)
        assert answer.held is not None
        record = Record(key, str(wallet_id), str(offer_id), burn_id=str(answer.held.id))
        if told:
            self.crowd.records.append(record)
        return record

    async def judged(self, points_before: int) -> Findings:
        """What the judge says."""
        connection = await self.owner.connect_raw()
        try:
            assert await connection.fetchval(POINTS) is not None
            return await judge(connection, self.drive.runtime, self.crowd, "run", points_before)
        finally:
            await connection.close()


@pytest.fixture
async def run(coalition: Coalition, drive: Driver, owner: Database) -> Run:
    """Ann has 10,000 points."""
    await coalition.issue("ann", 10_000)
    return Run(drive, owner)


async def test_a_burn_that_was_given_up_for_a_reason_nobody_foresaw_is_lost(run: Run) -> None:
    record = await run.burn("run-1")
    await run.drive.void("ann", uuid.UUID(record.burn_id))
    found = await run.judged(10_000)
    assert found.lost == ["run-1: voided for 'test'"]
    assert (found.doubled, found.wrong) == ([], [])


async def test_a_burn_that_was_accepted_and_is_not_there_is_lost(run: Run) -> None:
    run.crowd.records.append(Record("run-1", "", "", burn_id=str(uuid7())))
    run.crowd.unanswered.append("run-2")
    found = await run.judged(10_000)
    assert [words.split(":")[0] for words in found.lost] == ["run-2", "run-1"]


async def test_a_burn_that_ends_never_is_lost_and_one_that_nobody_knows_of_doubled(
    run: Run,
) -> None:
    await run.burn("run-1")
    await run.burn("run-2", told=False)
    found = await run.judged(10_000)
    assert len(found.lost) == 1
    assert "still held" in found.lost[0]
    assert len(found.doubled) == 1
    assert "no client was told" in found.doubled[0]


async def test_a_captured_burn_without_its_code_is_lost_and_points_must_add_up(run: Run) -> None:
    record = await run.burn("run-1")
    await run.drive.capture("ann", uuid.UUID(record.burn_id))
    found = await run.judged(10_001)
    assert found.lost == [f"burn {record.burn_id} is captured and has 0 codes"]
    assert found.wrong == ["wallets have 9000 points, not 9001"]
