"""What a bank says of payments and nobody knows: a person looks at it, and nothing else is lost."""

from __future__ import annotations

import pytest

from marketplace.contract.bank_records import BankAnswer, BatchStatus
from marketplace.contract.bank_records import LegStatus as LegAnswer
from settlement.bank.domain import Action, BreakKind, BreakStatus
from settlement.bank.errors import BreakNeedsAction
from settlement.clearing.domain import LegStatus
from settlement.clearing.models import SettlementLeg
from settlement.history import SettlementEvent, Subject, history
from tests.settlement.bank.books_and_bank import prove
from tests.settlement.bank.paper import Desk, Teller
from tests.settlement.bank.test_blocks import sent
from tests.settlement.bank.test_matching import (
    open_breaks,
    pays,
    resolve,
    status,
    submitted,
)
from tests.settlement.clearing.house import House


def unknown(leg: SettlementLeg, written: str = "MAYBE") -> LegAnswer:
    """The bank's own word of a leg."""
    return LegAnswer(
        reference=leg.reference,
        state=BankAnswer.UNKNOWN,
        status=written,
        code="AB12",
        text="see our letter",
    )


async def said_of(house: House, leg: SettlementLeg) -> list[SettlementEvent]:
    """What is kept of the bank's own words."""
    async with house.runtime.database.begin() as session:
        events = await history(session, Subject.LEG, leg.id)
    return [each for each in events if "the bank says" in each.note]


async def test_an_unknown_answer_is_kept_and_the_others_of_the_file_do_what_they_say(
    house: House, desk: Desk, teller: Teller
) -> None:
    _, found = await submitted(house)
    leg, refused, taken = found[:3]
    path = teller.file(
        [
            unknown(leg),
            LegAnswer(reference=refused.reference, state=BankAnswer.REJECTED, status="RJCT"),
            LegAnswer(reference=taken.reference, state=BankAnswer.ACCEPTED, status="ACWC"),
        ]
    )
    report = await desk.take(path)
    assert report.answers.unknown == [leg.reference]
    assert report.answers.rejected == [refused.reference]
    assert report.answers.accepted == [taken.reference]
    assert await status(house, leg) is LegStatus.SUBMITTED
    [row] = await open_breaks(house, BreakKind.UNKNOWN_ANSWER)
    assert row.leg_id == leg.id
    assert "MAYBE (AB12 see our letter)" in row.reason
    [kept] = await said_of(house, leg)
    assert (kept.before, kept.after) == (LegStatus.SUBMITTED, LegStatus.SUBMITTED)
    # Said again it changes nothing.
    await desk.take(path)
    assert len(await said_of(house, leg)) == 1
    assert [each.id for each in await open_breaks(house, BreakKind.UNKNOWN_ANSWER)] == [row.id]
    # Once the bank says what is known, nobody needs to look.
    accepted = LegAnswer(reference=leg.reference, state=BankAnswer.ACCEPTED, status="ACSP")
    await desk.take(teller.file([accepted]))
    assert not await open_breaks(house, BreakKind.UNKNOWN_ANSWER)
    assert await status(house, leg) is LegStatus.ACCEPTED
    await prove(house.runtime)
    assert not await house.findings()


async def test_what_is_said_last_is_what_is_known(house: House, desk: Desk, teller: Teller) -> None:
    _, found = await submitted(house)
    leg, other = found[:2]

    def taken(of: SettlementLeg) -> LegAnswer:
        return LegAnswer(reference=of.reference, state=BankAnswer.ACCEPTED, status="ACSP")

    await desk.take(teller.file([taken(leg)]))
    await desk.take(teller.file([unknown(leg)]))
    assert len(await open_breaks(house, BreakKind.UNKNOWN_ANSWER)) == 1
    await desk.take(teller.file([taken(leg)]))
    assert not await open_breaks(house, BreakKind.UNKNOWN_ANSWER)
    # The same in one file, in both orders; the word is kept in either.
    await desk.take(
        teller.file([unknown(leg, "PERHAPS"), taken(leg), taken(other), unknown(other)])
    )
    [row] = await open_breaks(house, BreakKind.UNKNOWN_ANSWER)
    assert row.leg_id == other.id
    assert len(await said_of(house, leg)) == 2
    await prove(house.runtime)


async def test_a_person_looks_at_each_new_answer_until_the_statement_shows_the_money(
    house: House, desk: Desk, teller: Teller
) -> None:
    _, found = await submitted(house)
    leg = found[0]
    await desk.account()
    await desk.take(teller.file([unknown(leg)]))
    [row] = await open_breaks(house, BreakKind.UNKNOWN_ANSWER)
    with pytest.raises(BreakNeedsAction):
        await resolve(house, row, Action.WRITE_OFF)
    assert await resolve(house, row, Action.NOTE) is BreakStatus.RESOLVED
    await desk.take(teller.file([unknown(leg)]))
    assert not await open_breaks(house, BreakKind.UNKNOWN_ANSWER)
    await desk.take(teller.file([unknown(leg, "PERHAPS"), unknown(leg, "SURELY")]))
    [again] = await open_breaks(house, BreakKind.UNKNOWN_ANSWER)
    assert again.id == row.id
    assert len(await said_of(house, leg)) == 3
    await desk.take(teller.file(teller.statement(pays(teller, leg))))
    assert not await open_breaks(house, BreakKind.UNKNOWN_ANSWER)
    # Of money that has moved it is kept, and nobody has to do anything.
    report = await desk.take(teller.file([unknown(leg, "AFTER")]))
    assert report.answers.unknown == [leg.reference]
    assert len(await said_of(house, leg)) == 4
    assert not await open_breaks(house, BreakKind.UNKNOWN_ANSWER)
    await prove(house.runtime)


async def test_a_whole_file_of_which_nobody_knows_what_became(
    house: House, desk: Desk, teller: Teller
) -> None:
    _, found = await submitted(house)
    file = await sent(house)
    refused = next(leg for leg in found if leg.reference in file.references)
    whole = BatchStatus(
        original_message_id=file.message_id, state=BankAnswer.UNKNOWN, status="", code="XT99"
    )
    other = BatchStatus(original_message_id="ELSE", state=BankAnswer.UNKNOWN, status="MAYBE")
    one = LegAnswer(reference=refused.reference, state=BankAnswer.REJECTED)
    report = await desk.take(teller.file([whole, other, one]))
    assert report.answers.rejected == [refused.reference]
    rest = set(file.references) - {refused.reference}
    assert set(report.answers.unknown) == rest
    assert any("ELSE" in each for each in report.answers.strange)
    breaks = await open_breaks(house, BreakKind.UNKNOWN_ANSWER)
    assert {each.leg_id for each in breaks} == {leg.id for leg in found if leg.reference in rest}
    assert all("no status (XT99)" in each.reason for each in breaks)
    # A word for each of them after that: they are accepted, and the breaks are gone.
    accepted = BatchStatus(original_message_id=file.message_id, state=BankAnswer.ACCEPTED)
    await desk.take(teller.file([accepted]))
    assert not await open_breaks(house, BreakKind.UNKNOWN_ANSWER)
