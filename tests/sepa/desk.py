"""A desk of finance, where files of banks come in."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from marketplace.runtime import Runtime
from settlement.bank import accounts, breaking, importing
from settlement.bank.domain import BreakKind
from settlement.bank.importing import ImportReport, Outcome
from settlement.bank.models import BankAccount, BankLine
from tests.fakes.camt import Move, german_iban

MONEY = [Move("12.50", "L-1"), Move("12.50", "L-1"), Move("-3.10"), Move("7", status="PDNG")]


class Desk:
    """Accounts of the house, and what comes in for them."""

    def __init__(self, runtime: Runtime, folder: Path) -> None:
        self.runtime, self._folder = runtime, folder
        self._number = 0

    async def account(self, currency: str = "EUR") -> str:
        """A new account: its IBAN."""
        self._number += 1
        iban = german_iban(self._number)
        async with self.runtime.database.begin() as session:
            await accounts.add(
                session,
                identifier=iban,
                currency=currency,
                rail="sepa",
                name="House",
                actor="person:anna",
            )
        return iban

    async def take(self, content: bytes, name: str = "sent.xml") -> ImportReport:
        """Import a file."""
        path = self._folder / name
        path.write_bytes(content)
        return await importing.import_file(
            self.runtime, path, actor="person:anna", rail="sepa", match=False
        )

    async def lines(self, iban: str) -> list[BankLine]:
        """What an account holds, in its order."""
        async with self.runtime.database.begin() as session:
            rows = await session.scalars(
                sa.select(BankLine)
                .join(BankAccount, BankAccount.id == BankLine.account_id)
                .where(BankAccount.identifier == iban)
                .order_by(BankLine.booked_on, BankLine.position, BankLine.detail)
            )
            return list(rows)

    async def gaps(self) -> list[str]:
        """Why statements are said to be missing."""
        async with self.runtime.database.begin() as session:
            found = await breaking.breaks(session, kind=BreakKind.STATEMENT_GAP)
            return [each.reason for each in found]


def outcomes(report: ImportReport) -> list[Outcome]:
    """What became of each statement."""
    return [each.outcome for each in report.statements]
