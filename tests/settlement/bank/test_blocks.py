"""What a bank says of a block of payments is of its legs, and of no others."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from marketplace.contract.bank_records import BankAnswer, BatchStatus
from settlement.bank import files
from settlement.bank.domain import Rule
from settlement.bank.models import Match
from settlement.clearing.domain import LegStatus
from settlement.clearing.models import SentFile
from tests.settlement.bank.books_and_bank import prove
from tests.settlement.bank.paper import Desk, Teller
from tests.settlement.bank.test_matching import lines, status, submitted
from tests.settlement.clearing.house import House


async def sent(house: House) -> SentFile:
    """The file with the most legs: it has two blocks, FRST-1 and RCUR-1."""
    async with house.runtime.database.begin() as session:
        found = list(await session.scalars(sa.select(SentFile)))
    largest = max(found, key=lambda each: len(each.references))
    assert len(largest.blocks) == 2
    return largest


async def test_a_block_is_refused_and_the_next_one_is_not(
    house: House, desk: Desk, teller: Teller
) -> None:
    _, found = await submitted(house)
    file = await sent(house)
    refused = f"{file.message_id}-FRST-1"
    said = BatchStatus(
        original_message_id=file.message_id,
        payment_information_id=refused,
        state=BankAnswer.REJECTED,
        code="AG01",
    )
    report = await desk.take(teller.file([said]))
    assert report.answers.rejected == file.blocks[refused]
    for leg in found:
        expected = (
            LegStatus.REJECTED if leg.reference in file.blocks[refused] else LegStatus.SUBMITTED
        )
        assert await status(house, leg) is expected
    # The other one is booked in one sum, under the bank's own name of the message.
    booked = f"{file.message_id}-RCUR-1"
    inside = [leg for leg in found if leg.reference in file.blocks[booked]]
    await desk.account()
    total = sum(lines.expected(leg) for leg in inside)
    entry = teller.entry(total, payment_information_id=booked, message_id="BANK-77")
    await desk.take(teller.file(teller.statement(entry)))
    assert {await status(house, leg) for leg in inside} == {LegStatus.BOOKED}
    async with house.runtime.database.begin() as session:
        assert set(await session.scalars(sa.select(Match.rule))) == {Rule.BATCH}
    await prove(house.runtime)


@pytest.mark.parametrize(
    ("block", "message"), [("FRST-1", ""), ("", "S-2026"), ("-FRST-1", "ours"), ("x\0y", "")]
)
async def test_a_name_that_is_not_ours_stands_for_nothing(
    house: House, block: str, message: str
) -> None:
    await submitted(house)
    file = await sent(house)
    message = file.message_id if message == "ours" else message
    async with house.runtime.database.begin() as session:
        found = await files.legs_of(session, [(block, message), ("", file.message_id)])
    assert found.get((block, message), []) == []
    assert [leg.reference for leg in found["", file.message_id]] == list(file.references)
