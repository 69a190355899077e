"""The exported journal is right by somebody else's arithmetic: beancount's."""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from beancount import loader
from beancount.core import realization
from beancount.core.data import Balance, Custom, Transaction
from click.testing import CliRunner

from marketplace.cli import main
from marketplace.coalition.domain import ContractRole
from marketplace.db import Database
from marketplace.ledger.export import NONE, export
from marketplace.ledger.journal import Format
from marketplace.ledger.models import Transfer, Wallet
from marketplace.runtime import Runtime
from tests.conftest import SECRET_KEY
from tests.factories import Coalition
from tests.ledger.busy import make_busy
from tests.ledger.checkers import bean_check, hledger_check
from tests.ledger.driver import Driver

Totals = dict[tuple[str, str], Decimal]


async def exported(runtime: Runtime, form: Format, notes: Mapping[str, str] = NONE) -> str:
    async with runtime.database.begin() as session:
        return "".join([text async for text in export(session, form, notes)])


def beancount_totals(entries: list[Any]) -> Totals:
    """What beancount holds for each account and unit, in lower case for hledger's sake."""
    totals: Totals = {}
    for account in realization.iter_children(realization.realize(entries)):
        for position in account.balance:
            totals[account.account.lower(), position.units.currency] = position.units.number
    return totals


async def test_beancount_agrees_with_every_balance(runtime: Runtime, coalition: Coalition) -> None:
    await make_busy(coalition)
    entries, errors, _ = loader.load_string(await exported(runtime, Format.BEANCOUNT))
    assert errors == []
    async with runtime.database.begin() as session:
        transfers = await session.scalar(sa.select(sa.func.count()).select_from(Transfer))
        wallets = (await session.scalars(sa.select(Wallet))).all()
    assert sum(isinstance(entry, Transaction) for entry in entries) == transfers
    asserted = {entry.account.lower() for entry in entries if isinstance(entry, Balance)}
    totals = beancount_totals(entries)
    assert {account for account, _ in totals} <= asserted
    for wallet in wallets:
        path = f"liabilities:points:wallets:w-{wallet.id}"
        assert -totals.get((f"{path}:available", "POINTS"), Decimal()) == wallet.available
        assert -totals.get((f"{path}:held", "POINTS"), Decimal()) == wallet.held


async def test_beancount_finds_a_balance_row_that_is_off_by_one(
    runtime: Runtime, coalition: Coalition, owner: Database
) -> None:
    await make_busy(coalition)
    async with owner.begin() as session:
        await session.execute(
            sa.text("update wallet set held = held + 1 where id = :id"),
            {"id": coalition.wallets["ann"]},
        )
    _, errors, _ = loader.load_string(await exported(runtime, Format.BEANCOUNT))
    assert [error.message.split("'")[1] for error in errors] == [
        f"Liabilities:Points:Wallets:W-{coalition.wallets['ann']}:Held"
    ]


async def test_entries_name_burn_lot_and_window(runtime: Runtime, coalition: Coalition) -> None:
    burns = await make_busy(coalition)
    entries, _, _ = loader.load_string(await exported(runtime, Format.BEANCOUNT))
    entry = next(
        entry
        for entry in entries
        if isinstance(entry, Transaction)
        and entry.meta.get("burn") == str(burns["pooled"])
        and entry.postings[0].account == "Liabilities:Pool:Gamma"
        and entry.postings[1].account == "Liabilities:Payable:Shop"
    )
    assert entry.narration == "capture"
    assert str(entry.postings[0].units) == "7.00 EUR"
    assert {"transfer", "burn", "window"} <= entry.meta.keys()
    issue = next(entry for entry in entries if isinstance(entry, Transaction))
    assert issue.narration == "issue"
    assert "lot" in issue.meta


NOTES = {
    "acme.tool": "select date '2026-01-02' as day, 'saw \"x\"\n, y' as tool, null as maker"
    " union all select '2026-01-01', 'axe', 'bob'"
}


async def test_plugins_add_notes_that_no_checker_stumbles_over(
    runtime: Runtime, coalition: Coalition
) -> None:
    await make_busy(coalition)
    entries, errors, _ = loader.load_string(await exported(runtime, Format.BEANCOUNT, NOTES))
    assert errors == []
    noted = {each.meta["tool"]: each for each in entries if isinstance(each, Custom)}
    assert {each.type for each in noted.values()} == {"acme.tool"}
    assert noted["axe"].meta["maker"] == "bob"
    assert "maker" not in noted["saw__x____y"].meta
    lines = await exported(runtime, Format.HLEDGER, NOTES)
    assert "; 2026-01-01 acme.tool  tool:axe, maker:bob\n" in lines
    assert hledger_totals(lines) == beancount_totals(entries)


HLEDGER_AMOUNT = r"(-?\d+(?:\.\d{2,6})?) ([A-Z]+)"
HLEDGER_LINES = {
    "comment": re.compile(r"; .*"),
    "directive": re.compile(r"decimal-mark \.|commodity 1000\.(00)? [A-Z]+"),
    "account": re.compile(r"account ([a-z0-9:-]+)  ; unit:([A-Z]+(?: [A-Z]+)*)"),
    "entry": re.compile(
        r"\d{4}-\d\d-\d\d \* (?:\([0-9a-z.-]+\) [a-z]+  ; [a-z]+:[\w./:-]+(?:, [a-z]+:[\w./:-]+)*"
        r"|balance)"
    ),
    "posting": re.compile(rf"    ([a-z0-9:-]+)  {HLEDGER_AMOUNT}(?: = {HLEDGER_AMOUNT})?"),
    "blank": re.compile(r""),
}


def hledger_totals(text: str) -> Totals:
    """Reads the grammar this export keeps to, strictly; asserts its balance assertions."""
    totals: Totals = defaultdict(Decimal)
    declared: set[tuple[str, str]] = set()
    open_entry: dict[str, Decimal] = defaultdict(Decimal)
    for line in text.splitlines():
        kinds = [kind for kind, form in HLEDGER_LINES.items() if form.fullmatch(line)]
        assert len(kinds) == 1, line
        match = HLEDGER_LINES[kinds[0]].fullmatch(line)
        assert match is not None
        if kinds == ["account"]:
            assert match[1] not in {account for account, _ in declared}
            declared |= {(match[1], unit) for unit in match[2].split()}
        elif kinds == ["posting"]:
            account, number, unit, asserted, asserted_unit = match.groups()
            assert (account, unit) in declared
            totals[account, unit] += Decimal(number)
            open_entry[unit] += Decimal(number)
            if asserted is not None:
                assert (asserted_unit, Decimal(asserted)) == (unit, totals[account, unit])
        elif kinds in (["entry"], ["blank"]):
            assert not any(open_entry.values()), "an entry does not balance"
    return {key: number for key, number in totals.items() if number}


async def test_both_formats_have_the_same_totals(runtime: Runtime, coalition: Coalition) -> None:
    await make_busy(coalition)
    entries, _, _ = loader.load_string(await exported(runtime, Format.BEANCOUNT))
    totals = hledger_totals(await exported(runtime, Format.HLEDGER))
    assert totals == beancount_totals(entries)
    assert totals["income:margin:operator", "EUR"] != 0


@pytest.mark.parametrize("form", Format)
async def test_an_operator_earns_in_two_currencies(
    form: Format, runtime: Runtime, coalition: Coalition, tmp_path: Path
) -> None:
    await coalition.add_member("dakota", role=ContractRole.ISSUER, currency="USD")
    await coalition.add_offer("diner", acceptor="shop", currency="USD")
    await coalition.issue("ann", 1_000, issuer="dakota")
    await coalition.issue("ann", 1_000)
    async with Driver.start(coalition) as drive:
        for offer in ("card", "diner"):
            await drive.capture("ann", await drive.burn("ann", offer))
    text = await exported(runtime, form)
    path = tmp_path / f"ledger.{form}"
    path.write_text(text)
    assert await CHECKERS[form](path) == ""
    totals = hledger_totals(await exported(runtime, Format.HLEDGER))
    margin = "income:margin:operator"
    assert {unit for account, unit in totals if account == margin} == {"EUR", "USD"}


@pytest.mark.parametrize("form", Format)
async def test_an_empty_ledger_exports(form: Format, runtime: Runtime) -> None:
    text = await exported(runtime, form)
    if form is Format.BEANCOUNT:
        assert loader.load_string(text)[:2] == ([], [])
    else:
        assert hledger_totals(text) == {}


CHECKERS = {Format.BEANCOUNT: bean_check, Format.HLEDGER: hledger_check}


@pytest.mark.parametrize("form", Format)
async def test_the_file_the_command_writes_passes_its_own_checker(
    form: Format, coalition: Coalition, database_url: str, tmp_path: Path
) -> None:
    await make_busy(coalition)
    path = tmp_path / f"ledger.{form}"
    environment = {
        "MARKETPLACE_DATABASE_URL": database_url,
        "MARKETPLACE_SECRET_KEYS": SECRET_KEY,
    }
    arguments = ["ledger", "export", "--format", form.value, "--output", str(path)]
    # A thread of its own, because a command runs its own event loop.
    done = await asyncio.to_thread(CliRunner(env=environment).invoke, main, arguments)
    assert done.exit_code == 0, done.output
    assert await CHECKERS[form](path) == ""
    lines = path.read_text().splitlines(keepends=True)
    posting = next(i for i, line in enumerate(lines) if re.match(r"\s+\S+\s+-?\d", line))
    path.write_text("".join(lines[:posting] + lines[posting + 1 :]))
    assert "balance" in (await CHECKERS[form](path)).lower()
