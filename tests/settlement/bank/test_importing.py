"""Statements come in: whole or not at all, each once, and never for another account."""

from __future__ import annotations

from datetime import date

import pytest
import sqlalchemy as sa

from marketplace.errors import InvalidRequest
from marketplace.runtime import Runtime
from settlement.bank import breaking
from settlement.bank.domain import BreakKind
from settlement.bank.errors import (
    StatementChanged,
    StatementDoesNotFoot,
    StatementOverlaps,
    UnknownBankAccount,
)
from settlement.bank.importing import Outcome
from settlement.bank.models import BankLine, BankStatement
from settlement.clearing import books
from settlement.clearing.domain import AccountKind
from tests.settlement.bank.paper import Desk, Teller, micros


async def held(runtime: Runtime) -> dict[AccountKind, int]:
    """Balances of the books by kind."""
    found: dict[AccountKind, int] = {}
    async with runtime.database.begin() as session:
        for each in await books.balances(session):
            found[each.account] = found.get(each.account, 0) + each.balance_micros
    return {kind: amount for kind, amount in found.items() if amount}


async def count(runtime: Runtime, table: type[BankLine] | type[BankStatement]) -> int:
    """Rows of a table."""
    async with runtime.database.begin() as session:
        return (await session.execute(sa.select(sa.func.count()).select_from(table))).scalar_one()


async def gaps(runtime: Runtime) -> int:
    """Gaps between statements."""
    async with runtime.database.begin() as session:
        return len(await breaking.breaks(session, kind=BreakKind.STATEMENT_GAP))


async def test_a_statement_is_imported_once(desk: Desk, teller: Teller) -> None:
    await desk.account("DE89 3704 0044 0532 0130 00")
    twins = [teller.entry("12.50", counterparty_name="Somebody") for _ in range(2)]
    records = teller.statement(*twins, teller.entry("-0.123456"))
    report = await desk.take(teller.file(records))
    assert [each.outcome for each in report.statements] == [Outcome.IMPORTED]
    assert await count(desk.runtime, BankLine) == 3
    # Two that are alike both count, and every line is on the books.
    assert (await held(desk.runtime))[AccountKind.BANK] == -micros("24.876544")
    again = await desk.take(teller.file(records, name="again.txt"))
    assert [each.outcome for each in again.statements] == [Outcome.KNOWN]
    # Fetched again, the bank calls it something else.
    start = records[0]
    teller.number = 90
    other = teller.statement(*twins, teller.entry("-0.123456"), opening=start.opening_micros)
    fetched = await desk.take(teller.file(other, name="fetched.txt"))
    assert [each.outcome for each in fetched.statements] == [Outcome.KNOWN]
    assert await count(desk.runtime, BankLine) == 3


async def test_a_statement_that_does_not_add_up_is_refused_whole(
    desk: Desk, teller: Teller
) -> None:
    await desk.account()
    good = teller.statement(teller.entry("5"))
    bad = teller.statement(teller.entry("7"), day=date(2026, 1, 6), closing=micros("1013"))
    with pytest.raises(StatementDoesNotFoot, match=r"opening 1005.00 .* 7.00 are 1012.00.* 1013"):
        await desk.take(teller.file(good, bad))
    assert await count(desk.runtime, BankStatement) == 0
    stranger = Teller(teller.folder, account="GB33BUKB20201555555555")
    path = stranger.file(good, stranger.statement(stranger.entry("1")))
    with pytest.raises(UnknownBankAccount, match="GB33BUKB20201555555555"):
        await desk.take(path)
    assert await count(desk.runtime, BankStatement) == 0
    cut = teller.file(good)
    cut.write_bytes(cut.read_bytes()[:-30])
    with pytest.raises(InvalidRequest):
        await desk.take(cut)


async def test_other_content_for_known_days_is_refused(desk: Desk, teller: Teller) -> None:
    await desk.account()
    records = teller.statement(teller.entry("5"), teller.entry("6"))
    await desk.take(teller.file(records))
    other = Teller(teller.folder)
    with pytest.raises(StatementChanged, match="STMT-1"):
        await desk.take(other.file(other.statement(other.entry("5"), other.entry("7"))))
    more = Teller(teller.folder)
    around = more.statement(
        more.entry("1", booked_on=date(2026, 1, 4)),
        reference="MONTH",
        from_on=date(2026, 1, 1),
        to_on=date(2026, 1, 31),
    )
    path = more.file(around)
    with pytest.raises(StatementOverlaps, match="2026-01-05"):
        await desk.take(path)
    # A month is there; a day of it comes by itself.
    month = teller.statement(
        teller.entry("1", booked_on=date(2026, 2, 28)),
        from_on=date(2026, 2, 1),
        to_on=date(2026, 2, 28),
    )
    await desk.take(teller.file(month))
    day = teller.statement(
        teller.entry("1"), day=date(2026, 2, 28), opening=micros("1011"), reference="DAILY-59"
    )
    path = teller.file(day)
    with pytest.raises(StatementOverlaps):
        await desk.take(path)


async def test_a_missing_statement_is_a_break_until_it_comes(desk: Desk, teller: Teller) -> None:
    await desk.account()
    days = [teller.statement(teller.entry("5"), day=date(2026, 1, each)) for each in (5, 6, 7, 8)]
    await desk.take(teller.file(days[0], days[2]))
    assert await gaps(desk.runtime) == 1
    await desk.take(teller.file(days[3]))
    assert await gaps(desk.runtime) == 1
    report = await desk.take(teller.file(*days))
    assert [each.outcome.value for each in report.statements] == [
        "known",
        "imported",
        "known",
        "known",
    ]
    assert await gaps(desk.runtime) == 0
    # Three of one day, not in their order.
    day = date(2026, 1, 9)
    same = [teller.statement(teller.entry(each), day=day) for each in ("1", "2", "-3")]
    await desk.take(teller.file(same[2]))
    await desk.take(teller.file(same[1]))
    await desk.take(teller.file(same[0]))
    assert await gaps(desk.runtime) == 0
