"""Accounting takes windows, a settlement or days: right by beancount's arithmetic."""

from __future__ import annotations

import asyncio
import csv
import io
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from beancount import loader
from beancount.core.data import Transaction

from marketplace.coalition.domain import ContractRole, Funding
from marketplace.db import Database
from settlement.journal.export import JournalForm, export
from settlement.journal.repository import Chosen
from tests.factories import Coalition
from tests.ledger.busy import make_busy
from tests.ledger.checkers import bean_check, hledger_check
from tests.ledger.driver import Driver
from tests.ledger.test_export import beancount_totals, hledger_totals
from tests.settlement.closing import close_window, settle
from tests.settlement.statements.test_asking import run_settlement

Totals = dict[tuple[str, str], Decimal]


@pytest.fixture
async def month(coalition: Coalition, owner: Database) -> UUID:
    """A closed window in which everything happened, burns of mixed points and of dollars too."""
    await make_busy(coalition)
    await coalition.add_member(
        "delta", role=ContractRole.BOTH, funding=Funding.MIXED, pooled_bps=3_333
    )
    await coalition.add_participant("cleo", firm="acme")
    await coalition.issue("cleo", 1_500, issuer="delta")
    await coalition.add_member("dakota", role=ContractRole.ISSUER, currency="USD")
    await coalition.add_offer("diner", acceptor="shop", currency="USD")
    await coalition.issue("cleo", 1_000, issuer="dakota")
    async with Driver.start(coalition) as drive:
        await drive.capture("cleo", await drive.burn("cleo", "diner"))
        burn = await drive.burn("cleo", "card")
        await drive.capture("cleo", burn)
        await drive.refund("cleo", burn, 333)
    return await close_window(owner)


async def exported(coalition: Coalition, form: JournalForm, **chosen: Any) -> str:
    async with coalition.runtime.database.begin() as session:
        return "".join([text async for text in export(session, Chosen(**chosen), form)])


def table_totals(text: str) -> Totals:
    totals: Totals = defaultdict(Decimal)
    for row in csv.DictReader(io.StringIO(text, newline="")):
        totals[row["account"].lower(), row["unit"]] += Decimal(row["amount"])
    return {key: number for key, number in totals.items() if number}


async def test_three_forms_have_the_same_totals_and_beancount_finds_no_fault(
    coalition: Coalition, month: UUID
) -> None:
    entries, errors, _ = loader.load_string(
        await exported(coalition, JournalForm.BEANCOUNT, window_ids=[month])
    )
    assert errors == []
    totals = beancount_totals(entries)
    hledger = await exported(coalition, JournalForm.HLEDGER, window_ids=[month])
    assert hledger_totals(hledger) == totals
    table = await exported(coalition, JournalForm.CSV, window_ids=[month])
    assert table_totals(table) == totals
    for unit in ("EUR", "USD", "POINTS"):
        assert sum(number for key, number in totals.items() if key[1] == unit) == 0


async def test_money_is_on_the_accounts_where_the_ledger_has_it(
    coalition: Coalition, month: UUID
) -> None:
    """The journal is made from obligations, the ledger's export from transfers: they agree."""
    from marketplace.ledger.export import export as export_ledger
    from marketplace.ledger.journal import Format

    async with coalition.runtime.database.begin() as session:
        whole = "".join([text async for text in export_ledger(session, Format.BEANCOUNT)])
    ledger = beancount_totals(loader.load_string(whole)[0])
    text = await exported(coalition, JournalForm.BEANCOUNT, window_ids=[month])
    own = beancount_totals(loader.load_string(text)[0])
    money = {key: number for key, number in own.items() if key[1] == "EUR"}
    assert money == {key: number for key, number in ledger.items() if key[1] == "EUR" and number}
    redeemed = {key: number for key, number in ledger.items() if ":redeemed:" in key[0]}
    assert redeemed
    assert {key: own[key] for key in redeemed} == redeemed


async def test_a_settlement_has_its_own_postings_too(
    coalition: Coalition, month: UUID, owner: Database
) -> None:
    members = coalition.members
    reference = await settle(owner, [month], {members["alpha"]: -800_000, members["shop"]: 700_000})
    async with coalition.runtime.database.begin() as session:
        settlement_id = await session.scalar(sa.text("select id from settlement_settlement"))
    text = await exported(
        coalition, JournalForm.BEANCOUNT, window_ids=[month], settlement_id=settlement_id
    )
    entries, errors, _ = loader.load_string(text)
    assert errors == []
    postings = [
        entry for entry in entries if isinstance(entry, Transaction) and entry.narration == "book"
    ]
    assert [str(each.units) for each in postings[0].postings] == ["0.80 EUR", "-0.80 EUR"]
    assert postings[0].meta["settlement"] == reference
    assert postings[0].postings[1].account == "Assets:Clearing:Due:Alpha"
    without = await exported(coalition, JournalForm.BEANCOUNT, window_ids=[month])
    assert "Clearing:Due" not in without


async def test_days_hold_what_happened_on_them(coalition: Coalition, month: UUID) -> None:
    async with coalition.runtime.database.begin() as session:
        days = await session.execute(
            sa.text(
                "select distinct (effective_at at time zone 'UTC')::date as day "
                "from (select effective_at from obligation "
                "union all select effective_at from member_debt) as each_one order by day"
            )
        )
    found = [row.day for row in days]
    whole = table_totals(await exported(coalition, JournalForm.CSV, first=found[0], last=found[-1]))
    assert whole == table_totals(await exported(coalition, JournalForm.CSV, window_ids=[month]))
    parts: Totals = defaultdict(Decimal)
    for day in found:
        text = await exported(coalition, JournalForm.CSV, first=day, last=day)
        for key, number in table_totals(text).items():
            parts[key] += number
    assert {key: number for key, number in parts.items() if number} == whole


@pytest.mark.parametrize("form", JournalForm)
async def test_an_empty_journal_is_right_too(form: JournalForm, coalition: Coalition) -> None:
    text = await exported(coalition, form, window_ids=[])
    if form is JournalForm.BEANCOUNT:
        assert loader.load_string(text)[:2] == ([], [])
    elif form is JournalForm.HLEDGER:
        assert hledger_totals(text) == {}
    else:
        assert text.count("\r\n") == 1


async def test_the_table_is_as_spreadsheets_import_it(coalition: Coalition, month: UUID) -> None:
    text = await exported(coalition, JournalForm.CSV, window_ids=[month])
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    capture = [row for row in rows if row["code"] == "capture"]
    assert {row["unit"] for row in capture} == {"EUR", "USD", "POINTS"}
    assert all(row["burn"] and row["lot"] and row["window"] == str(month) for row in capture)
    assert all(len(row["date"]) == 10 for row in rows)
    assert all(text.splitlines())
    owed = {row["entry"] for row in rows if row["code"] == "owe"}
    assert len(owed) == 4


@pytest.mark.parametrize("form", JournalForm)
async def test_the_files_the_command_writes_pass_the_checkers(
    form: JournalForm, month: UUID, database_url: str, tmp_path: Path
) -> None:
    path = tmp_path / f"journal.{form}"
    code, said = await asyncio.to_thread(
        run_settlement,
        database_url,
        *["settlement", "journal", "--format", form.value, "--window", str(month)],
        *["--output", str(path)],
    )
    assert code == 0, said
    match form:
        case JournalForm.BEANCOUNT:
            assert await bean_check(path) == ""
        case JournalForm.HLEDGER:
            assert await hledger_check(path) == ""
        case _:
            assert b"\r\r\n" not in path.read_bytes()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Name windows, or a settlement, or days"),
        (["--settlement", "S-1", "--from", "2026-01-01"], "Name windows, or a settlement"),
        (["--from", "2026-02-01", "--to", "2026-01-01"], "--from not after --to"),
        (["--settlement", "S-1"], "There is no settlement"),
        (["--window", str(UUID(int=1))], "There is no window"),
    ],
)
async def test_a_journal_of_nothing_in_particular_is_refused(
    arguments: list[str], said: str, coalition: Coalition, database_url: str
) -> None:
    code, told = await asyncio.to_thread(
        run_settlement, database_url, "settlement", "journal", *arguments
    )
    assert code == 2
    assert said in told
