"""Files of a bank come in: all statements of a file or none, each once, in bounded memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from enum import StrEnum
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, Protocol
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.clock import NOW
from marketplace.contract.bank_records import EntryState, StatementKind
from marketplace.db import Database, raw_connection
from marketplace.errors import InvalidRequest
from marketplace.identity.audit import audit
from marketplace.ids import take_keys
from marketplace.settings import Settings
from settlement.bank import accounts, answers, chain, gathering, matching
from settlement.bank.answers import Answered
from settlement.bank.domain import LineStatus
from settlement.bank.errors import NoBankReader
from settlement.bank.gathering import Gathered
from settlement.bank.models import BankAccount, BankLine, BankStatement, LineState
from settlement.bank.spool import Spooled, first_that_reads
from settlement.clearing import repository
from settlement.clearing.rails import Rails

ROWS: Final = 1_000
"""Rows sent to the database at once."""
COLUMNS: Final = tuple(column.name for column in BankLine.__table__.columns)


class Outcome(StrEnum):
    """What became of a statement of a file."""

    IMPORTED = "imported"
    KNOWN = "known"
    """It was imported before: nothing changed."""


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """One statement of a file."""

    id: UUID
    account: str
    currency: str
    kind: StatementKind
    reference: str
    from_on: date
    to_on: date
    entries: int
    opening_micros: int | None
    closing_micros: int | None
    outcome: Outcome


class ImportReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a file brought."""

    file: str
    sha256: str
    rail: str
    statements: list[Imported]
    answers: Answered
    """What the bank said of legs it was sent."""
    gaps: int
    """Gaps between statements of the accounts of the file, all told."""
    matched: matching.Matched | None = None


def silent(_: int) -> None:
    """Progress that nobody hears."""


class Bench(Protocol):
    """What files are imported with: a runtime has it, and so has a periodic task."""

    @property
    def database(self) -> Database:
        """Where statements are kept."""

    @property
    def rails(self) -> Rails:
        """Who reads them."""

    @property
    def settings(self) -> Settings:
        """When a leg is late."""


async def import_file(
    runtime: Bench,
    path: Path,
    *,
    actor: str,
    name: str | None = None,
    rail: str | None = None,
    match: bool = True,
    progress: Callable[[int], None] = silent,
) -> ImportReport:
    """Import a file: everything in it that is new, in one transaction, or nothing.

    `rail` names who reads it; without, the rails of our accounts are tried, then others. Then new
    lines are matched, in a transaction of their own. Raises InvalidRequest (unreadable),
    UnknownBankAccount, StatementDoesNotFoot, StatementChanged, StatementOverlaps, NoBankReader.
    """
    readers = await _readers(runtime, rail)
    with TemporaryDirectory(prefix="marketplace-bank-") as folder:
        keep = Path(folder) / "entries"
        number, spooled = await asyncio.to_thread(
            first_that_reads, [each for _, each in readers], path, keep, progress
        )
        if not spooled.statements and not spooled.answers:
            raise InvalidRequest(f"{name or path.name} holds no statement and no answer of a bank.")
        async with runtime.database.begin() as session:
            importing = _Importing(session, spooled, name or path.name, actor)
            report = await importing.run(readers[number][0])
    if not match:
        return report
    async with runtime.database.begin() as session:
        found = await matching.match(session, late_days=runtime.settings.bank_late_days)
    return msgspec.structs.replace(report, matched=found)


async def _readers(runtime: Bench, rail: str | None) -> list[tuple[str, Any]]:
    able = {slug: each for slug, each in runtime.rails.items() if hasattr(each, "read")}
    if rail is not None:
        if rail not in able:
            known = ", ".join(sorted(able)) or "none"
            raise NoBankReader(f"No rail {rail!r} reads files of a bank; there are: {known}.")
        return [(rail, able[rail])]
    if not able:
        raise NoBankReader("No plugin that is enabled reads files of a bank.")
    async with runtime.database.begin() as session:
        used = [each.rail for each in await accounts.accounts(session)]
    ordered = dict.fromkeys([*(slug for slug in used if slug in able), *sorted(able)])
    return [(slug, able[slug]) for slug in ordered]


class _Importing:
    """One file, in one transaction."""

    def __init__(self, session: AsyncSession, spooled: Spooled, name: str, actor: str) -> None:
        self._session, self._spooled, self._name, self._actor = session, spooled, name, actor

    async def run(self, rail: str) -> ImportReport:
        """Every statement, then what the bank says of legs."""
        # Whoever imports at the same time waits here, so no statement is looked at twice.
        known = await accounts.locked(self._session)
        done, touched = [], dict[UUID, BankAccount]()
        for number, each in enumerate(self._spooled.statements):
            account = accounts.ours(known, each.start.account, each.start.currency, each.name)
            done.append(await self._statement(number, each, account))
            touched[account.id] = account
        # From here on breaks and legs of others are touched: alone with them, as passes are.
        await repository.lock_matching(self._session)
        gaps = sum([await chain.watch(self._session, each) for each in touched.values()])
        said = await answers.apply(self._session, self._spooled.answers, actor=self._actor)
        return ImportReport(
            file=self._name,
            sha256=self._spooled.sha256,
            rail=rail,
            statements=done,
            answers=said,
            gaps=gaps,
        )

    async def _statement(self, number: int, of: Gathered, account: BankAccount) -> Imported:
        covered = gathering.days(of)
        if covered is None:
            raise InvalidRequest(f"{of.name} says no day: neither its period nor any entry.")
        digest = gathering.content_hash(of)
        known = await self._session.scalar(
            sa.select(BankStatement.id).where(
                BankStatement.account_id == account.id, BankStatement.content_hash == digest
            )
        )
        if known is None:
            await chain.refuse_changed(self._session, account, of, covered)
            if of.counts:
                others = await chain.statements(self._session, account.id)
                chain.refuse_overlap(account, others, of, covered)
            await self._keep(number, of, account, covered, digest)
        return Imported(
            id=known or of.id,
            account=account.identifier,
            currency=account.currency,
            kind=of.start.kind,
            reference=of.start.reference,
            from_on=covered[0],
            to_on=covered[1],
            entries=of.entries,
            opening_micros=of.opening_micros,
            closing_micros=of.closing_micros,
            outcome=Outcome.IMPORTED if known is None else Outcome.KNOWN,
        )

    async def _keep(
        self,
        number: int,
        of: Gathered,
        account: BankAccount,
        covered: tuple[date, date],
        digest: str,
    ) -> None:
        await self._session.execute(
            sa.insert(BankStatement).values(
                id=of.id,
                account_id=account.id,
                kind=of.start.kind,
                reference=of.start.reference,
                number=of.start.number,
                from_on=covered[0],
                to_on=covered[1],
                opening_micros=of.opening_micros,
                closing_micros=of.closing_micros,
                entries=of.entries,
                content_hash=digest,
                file_name=self._name,
                file_sha256=self._spooled.sha256,
                imported_by=self._actor,
                imported_at=NOW,
            )
        )
        rows = self._rows(number, of, account, covered[1])
        while part := list(islice(rows, ROWS)):
            await self._copy(of, part)
        await audit(
            self._session,
            self._actor,
            "settlement.statement_imported",
            "bank_statement",
            of.id,
            account=account.identifier,
            reference=of.start.reference,
            file=self._name,
        )

    def _rows(
        self, number: int, of: Gathered, account: BankAccount, day: date
    ) -> Iterator[dict[str, Any]]:
        for entry in self._spooled.entries(number):
            if entry.currency != account.currency:
                raise InvalidRequest(
                    f"{of.name}: entry {entry.position} is in {entry.currency}, the account "
                    f"{account.identifier} in {account.currency}."
                )
            yield from gathering.rows(of, entry, account.id, day)

    async def _copy(self, of: Gathered, rows: Sequence[dict[str, Any]]) -> None:
        driver = await raw_connection(self._session)
        await driver.copy_records_to_table(
            BankLine.__tablename__,
            records=[tuple(row[name] for name in COLUMNS) for row in rows],
            columns=COLUMNS,
        )
        states = [
            (row["id"], status.value, place)
            for row, place in zip(rows, take_keys(len(rows)), strict=True)
            if (status := _first_status(of, row)) is not None
        ]
        await driver.copy_records_to_table(
            LineState.__tablename__, records=states, columns=("entry_id", "status", "place")
        )


def _first_status(of: Gathered, row: dict[str, Any]) -> LineStatus | None:
    if row["state"] != EntryState.BOOKED or row["amount_micros"] == 0:
        return None
    if of.counts:
        return LineStatus.NEW
    return LineStatus.HINT if row["return_code"] or row["reversal"] else None
