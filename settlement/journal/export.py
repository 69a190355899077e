"""The journal of a window, settlement or period, for an accounting program or a spreadsheet.

The accounts have to be declared before entries in both syntaxes, so the rows are read twice, in one
snapshot: once for the accounts and what each comes to, which is asserted at the end, once for the
entries. Memory grows with accounts, not with rows.
"""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from datetime import date, timedelta
from enum import StrEnum
from itertools import groupby
from typing import Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.ledger.domain import POINTS
from marketplace.ledger.journal import JOURNALS, Entry, Format
from marketplace.ledger.verify import snapshot
from marketplace.money import decimal_from_micros
from marketplace.web.spreadsheets import safe
from settlement.journal import repository
from settlement.journal.domain import debt_entry, obligation_entry, posting_entry
from settlement.journal.repository import Chosen

COLUMNS: Final = (
    "entry", "entry_of", "date", "code", "account", "amount", "unit", "burn", "lot", "window",
    "plugin", "settlement", "leg", "bank_entry",
)  # fmt: skip
FACTS: Final = ("burn", "lot", "window", "plugin", "settlement", "leg", "entry")


class JournalForm(StrEnum):
    """Forms of a journal."""

    BEANCOUNT = "beancount"
    HLEDGER = "hledger"
    CSV = "csv"


class Seen(msgspec.Struct):
    """What a pass over the entries finds of one account: first day of use, and its sum."""

    opened: date
    balance: int = 0


async def entries(session: AsyncSession, chosen: Chosen) -> AsyncIterator[Entry]:
    """Obligations, then debts, then the clearing house's own postings, each by business time."""
    names = await repository.names(session)
    async for obligation in repository.obligations(session, chosen, names):
        yield obligation_entry(obligation, names)
    async for debt, members in repository.debts(session, chosen, names):
        yield debt_entry(debt, names, members)
    async for posting in repository.postings(session, chosen):
        yield posting_entry(posting, names)


async def export(session: AsyncSession, chosen: Chosen, form: JournalForm) -> AsyncIterator[str]:
    """The journal, piece by piece. `session` must be a new transaction (see `verify`)."""
    await snapshot(session)
    pieces = (
        _table(session, chosen)
        if form is JournalForm.CSV
        else _journal(session, chosen, Format(form.value))
    )
    async for piece in pieces:
        yield piece


async def _journal(session: AsyncSession, chosen: Chosen, form: Format) -> AsyncIterator[str]:
    journal = JOURNALS[form]
    seen: dict[tuple[str, str], Seen] = {}
    last = date.min
    async for entry in entries(session, chosen):
        last = max(last, entry.day)
        for each in entry.amounts:
            account = seen.setdefault((each.path, each.unit), Seen(entry.day))
            account.opened = min(account.opened, entry.day)
            account.balance += each.amount
    yield journal.begin()
    first = min((each.opened for each in seen.values()), default=last)
    for unit in sorted({unit for _, unit in seen}):
        yield journal.commodity(first, unit)
    # An account with money in two currencies is opened once.
    for path, own in groupby(sorted(seen.items()), lambda each: each[0][0]):
        found = list(own)
        opened = min(account.opened for _, account in found)
        yield journal.account(opened, path, [unit for (_, unit), _ in found])
    async for entry in entries(session, chosen):
        yield journal.entry(entry)
    yield "\n"
    for (path, unit), account in sorted(seen.items()):
        yield journal.balance(last + timedelta(days=1), path, unit, account.balance)


async def _table(session: AsyncSession, chosen: Chosen) -> AsyncIterator[str]:
    """One row per posting, as RFC 4180 has it: a positive amount debits the account."""
    yield _rows([COLUMNS])
    async for entry in entries(session, chosen):
        facts = [safe(entry.facts.get(name, "")) for name in FACTS]
        yield _rows(
            (
                entry.id,
                entry.id_of,
                entry.day.isoformat(),
                entry.code,
                each.path,
                str(each.amount) if each.unit == POINTS else decimal_from_micros(each.amount),
                each.unit,
                *facts,
            )
            for each in entry.amounts
        )


def _rows(rows: object) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)  # type: ignore[arg-type]
    return text.getvalue()
