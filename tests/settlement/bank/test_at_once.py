"""Two people, two workers, two files at the same moment: one effect, and no nonsense is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Coroutine
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import pytest
import sqlalchemy as sa

from marketplace.contract.bank_records import BankAnswer
from marketplace.contract.bank_records import LegStatus as LegAnswer
from marketplace.db import raw_arguments
from settlement.bank import accounts, answers, deciding, matching
from settlement.bank.domain import Action, BreakKind, LineStatus, Rule
from settlement.bank.errors import StatementOverlaps
from settlement.bank.importing import ImportReport
from settlement.bank.models import BankLine, BankStatement, LineState, Match
from settlement.clearing import repository
from settlement.clearing.domain import LegStatus
from settlement.errors import StatusChanged
from tests.settlement.bank.books_and_bank import prove
from tests.settlement.bank.paper import Desk, Teller
from tests.settlement.bank.test_matching import open_breaks, pays, resolve, status, submitted
from tests.settlement.clearing.house import ANNA, House

T = TypeVar("T")
PATIENCE_S = 60.0
"""Longest that anything here may hang."""


async def waiting(house: House, count: int) -> None:
    """Until so many transactions of this database wait for a lock."""
    # Only the owner of the database sees what others wait for.
    eye = await asyncpg.connect(**raw_arguments(house.runtime.database.url, None))
    query = (
        "select count(*) from pg_stat_activity "
        "where datname = current_database() and wait_event_type = 'Lock'"
    )
    try:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                if await eye.fetchval(query) == count:
                    return
                await asyncio.sleep(0.01)
    finally:
        await eye.close()


@asynccontextmanager
async def held(house: House, lock: Any) -> AsyncIterator[None]:
    """Whoever needs what `lock` takes waits until the block ends."""
    async with house.runtime.database.begin() as session:
        await lock(session)
        yield


async def in_turn(house: House, lock: Any, *steps: Coroutine[Any, Any, T]) -> list[Any]:
    """All of these stand at `lock` before the first one passes, in this order; what came of them.
    PostgreSQL lets them pass in the order in which they came."""
    tasks: list[asyncio.Task[T]] = []
    async with held(house, lock):
        for number, step in enumerate(steps, 1):
            tasks.append(asyncio.create_task(step))
            await waiting(house, number)
    async with asyncio.timeout(PATIENCE_S):
        return await asyncio.gather(*tasks, return_exceptions=True)


async def a_pass(house: House) -> matching.Matched:
    """A pass over the lines that wait."""
    async with house.runtime.database.begin() as session:
        return await matching.match(session)


async def undo(house: House, which: Match) -> None:
    """Anna takes a match back."""
    async with house.runtime.database.begin() as session:
        await deciding.undo(session, which.id, actor=ANNA, note="another member's money")


async def count(house: House, table: Any) -> int:
    """Rows of a table."""
    async with house.runtime.database.begin() as session:
        return int(await session.scalar(sa.select(sa.func.count()).select_from(table)) or 0)


def outcomes(*reports: ImportReport) -> list[str]:
    """What became of the statements of files."""
    return sorted(each.outcome for report in reports for each in report.statements)


async def test_one_file_imported_twice_at_once_counts_once(
    house: House, desk: Desk, teller: Teller
) -> None:
    made, found = await submitted(house)
    await desk.account()
    path = teller.file(teller.statement(*(pays(teller, leg) for leg in found)))
    same = path.with_name("fetched again.txt")
    same.write_bytes(path.read_bytes())
    reports = await in_turn(house, accounts.locked, *(desk.take(each) for each in (path, same)))
    assert outcomes(*reports) == ["imported", "known"]
    assert len({each.statements[0].id for each in reports}) == 1
    assert sum(each.matched.legs for each in reports) == len(found)
    assert (await count(house, BankStatement), await count(house, BankLine)) == (1, len(found))
    assert await count(house, Match) == len(found)
    assert await house.status(made) == "settled"
    assert not await open_breaks(house)
    await prove(house.runtime)


async def test_of_two_statements_of_the_same_days_one_is_taken(
    house: House, desk: Desk, teller: Teller
) -> None:
    _, found = await submitted(house)
    await desk.account()
    leg, other = found[0], found[1]
    opening = teller.balance
    one = teller.file(teller.statement(pays(teller, leg)), name="one.txt")
    teller.balance = opening
    two = teller.file(
        teller.statement(pays(teller, other), pays(teller, leg), to_on=date(2026, 1, 6)),
        name="two.txt",
    )
    first, second = await in_turn(house, accounts.locked, desk.take(two), desk.take(one))
    assert outcomes(first) == ["imported"]
    assert isinstance(second, StatementOverlaps)
    assert "two.txt" in second.detail
    assert (await count(house, BankStatement), await count(house, BankLine)) == (1, 2)
    assert {await status(house, each) for each in (leg, other)} == {LegStatus.BOOKED}
    await prove(house.runtime)


async def test_neighbouring_days_at_once_are_both_taken_without_a_gap(
    house: House, desk: Desk, teller: Teller
) -> None:
    _, found = await submitted(house)
    await desk.account()
    monday = teller.file(teller.statement(pays(teller, found[0])), name="monday.txt")
    tuesday = teller.file(
        teller.statement(pays(teller, found[1]), day=date(2026, 1, 6)), name="tuesday.txt"
    )
    reports = await in_turn(house, accounts.locked, desk.take(tuesday), desk.take(monday))
    assert outcomes(*reports) == ["imported", "imported"]
    assert not await open_breaks(house, BreakKind.STATEMENT_GAP)
    assert sum(each.matched.legs for each in reports) == 2
    await prove(house.runtime)


async def test_two_passes_at_once_match_each_line_once(
    house: House, desk: Desk, teller: Teller
) -> None:
    made, found = await submitted(house)
    await desk.account()
    entries = [pays(teller, leg) for leg in found]
    entries += [pays(teller, found[0]), teller.entry("1", counterparty_name="Nobody")]
    entries += [teller.entry("2", remittance="PREFUND beta")]
    await desk.take(teller.file(teller.statement(*entries)), match=False)
    done = await in_turn(house, repository.lock_matching, *(a_pass(house) for _ in range(3)))
    assert [(each.legs, each.prefunded, each.opened) for each in done] == [
        (len(found), 1, 2),
        (0, 0, 0),
        (0, 0, 0),
    ]
    assert await count(house, Match) == len(found) + 1
    assert {row.kind for row in await open_breaks(house)} == {
        BreakKind.DUPLICATE,
        BreakKind.UNKNOWN_PAYER,
    }
    assert await house.status(made) == "settled"
    await prove(house.runtime)


@pytest.mark.parametrize("undone_first", [True, False])
async def test_a_match_undone_during_a_pass_stays_undone(
    house: House, desk: Desk, teller: Teller, undone_first: bool
) -> None:
    _, found = await submitted(house)
    await desk.account()
    await desk.take(teller.file(teller.statement(pays(teller, found[0]))))
    async with house.runtime.database.begin() as session:
        wrong = (await session.scalars(sa.select(Match))).one()
    later = teller.statement(pays(teller, found[1]), day=date(2026, 1, 6))
    await desk.take(teller.file(later), match=False)
    steps: list[Coroutine[Any, Any, Any]] = [undo(house, wrong), a_pass(house)]
    done = await in_turn(
        house, repository.lock_matching, *(steps if undone_first else reversed(steps))
    )
    assert not [each for each in done if isinstance(each, BaseException)]
    await a_pass(house)
    assert await status(house, found[0]) is LegStatus.RETURNED
    assert await status(house, found[1]) is LegStatus.BOOKED
    async with house.runtime.database.begin() as session:
        of_line = await session.scalars(
            sa.select(Match.rule).where(Match.entry_id == wrong.entry_id).order_by(Match.id)
        )
        assert of_line.all() == [Rule.END_TO_END, Rule.PERSON]
        state = await session.get_one(LineState, wrong.entry_id)
        assert state.status is LineStatus.OPEN
    await prove(house.runtime)


async def test_two_people_undo_one_match_at_once(house: House, desk: Desk, teller: Teller) -> None:
    _, found = await submitted(house)
    await desk.account()
    await desk.take(teller.file(teller.statement(pays(teller, found[0]))))
    async with house.runtime.database.begin() as session:
        wrong = (await session.scalars(sa.select(Match))).one()
    done = await in_turn(house, repository.lock_matching, undo(house, wrong), undo(house, wrong))
    assert done[0] is None
    assert isinstance(done[1], StatusChanged)
    assert await count(house, Match) == 2
    await prove(house.runtime)


class Paused:
    """Whoever judges an answer of the bank stands still before it until it is let go."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.there, self.on = asyncio.Event(), asyncio.Event()
        whole = answers._Judging.leg

        async def judge(*of: Any) -> None:
            self.there.set()
            async with asyncio.timeout(PATIENCE_S):
                await self.on.wait()
            await whole(*of)

        patch.setattr(answers._Judging, "leg", judge)


async def meanwhile(
    house: House, paused: Paused, taking: Awaitable[T], other: Any
) -> tuple[T, Any]:
    """`other` begins while a file that is imported is in the middle of its answers."""
    task = asyncio.ensure_future(taking)
    async with asyncio.timeout(PATIENCE_S):
        await paused.there.wait()
    going = asyncio.create_task(other)
    eye = asyncio.create_task(waiting(house, 1))
    await asyncio.wait({eye, going}, return_when=asyncio.FIRST_COMPLETED)
    eye.cancel()
    paused.on.set()
    async with asyncio.timeout(PATIENCE_S):
        return await task, await going


async def test_the_bank_accepts_legs_that_a_pass_books_at_the_same_moment(
    house: House, desk: Desk, teller: Teller, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, found = await submitted(house)
    await desk.account()
    await desk.take(
        teller.file(teller.statement(*(pays(teller, leg) for leg in found))), match=False
    )
    said = [LegAnswer(reference=leg.reference, state=BankAnswer.ACCEPTED) for leg in found]
    path = teller.file([*said], name="answers.txt")
    paused = Paused(monkeypatch)
    report, done = await meanwhile(house, paused, desk.take(path), a_pass(house))
    assert sorted(report.answers.accepted) == sorted(leg.reference for leg in found)
    assert done.legs + report.matched.legs == len(found)
    assert await house.status(made) == "settled"
    await prove(house.runtime)


async def test_a_person_notes_a_gap_while_another_file_of_the_account_comes_in(
    house: House, desk: Desk, teller: Teller, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, found = await submitted(house)
    await desk.account()
    await desk.take(teller.file(teller.statement(pays(teller, found[0]))))
    between = teller.statement(teller.entry("7", text="interest"), day=date(2026, 1, 6))
    after = teller.statement(pays(teller, found[1]), day=date(2026, 1, 7))
    await desk.take(teller.file(after))
    gap = (await open_breaks(house, BreakKind.STATEMENT_GAP))[0]
    answer = LegAnswer(reference=found[2].reference, state=BankAnswer.ACCEPTED)
    path: Path = teller.file(between, [answer], name="between.txt")
    paused = Paused(monkeypatch)

    async def noted() -> Any:
        return (await asyncio.gather(resolve(house, gap, Action.NOTE), return_exceptions=True))[0]

    report, said = await meanwhile(house, paused, desk.take(path), noted())
    assert (report.gaps, report.answers.accepted) == (0, [found[2].reference])
    # The file filled the gap, so nothing was left for the person to say.
    assert isinstance(said, StatusChanged)
    assert not await open_breaks(house, BreakKind.STATEMENT_GAP)
    await prove(house.runtime)
