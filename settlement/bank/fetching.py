"""Statements that rails have themselves, imported without a person."""

from __future__ import annotations

import asyncio
import logging
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import sqlalchemy as sa

from marketplace.api import StatementSource
from marketplace.contract.bank_records import StatementKind
from marketplace.errors import MarketplaceError
from settlement.bank import accounts, importing, matching
from settlement.bank.importing import Bench
from settlement.bank.models import BankAccount, BankStatement

MOST: Final = 100
"""Statements of one account that are imported at a time: the others are next time's."""
SYSTEM: Final = "system"
FAULT: Final = "They could not be imported, by a fault of ours that the log tells."

log = logging.getLogger(__name__)


async def fetch(bench: Bench) -> int:
    """Import what the rails of our accounts have; returns how many statements were new.

    What is wrong with one account is noted with it, and holds no other up. Two at once take each
    statement once.
    """
    async with bench.database.begin() as session:
        known = await accounts.accounts(session)
    found = 0
    for account in known:
        rail = bench.rails.get(account.rail)
        if not isinstance(rail, StatementSource):
            continue
        trouble = ""
        try:
            found += await _all(bench, rail, account)
        except MarketplaceError as error:
            trouble = error.detail
            log.error("statements of %s do not come in: %s", account.identifier, trouble)
        except Exception:
            # Where the database is away, noting it ends the run.
            trouble = FAULT
            log.exception("statements of %s do not come in", account.identifier)
        await _note(bench, account, trouble)
    if found:
        async with bench.database.begin() as session:
            await matching.match(session, late_days=bench.settings.bank_late_days)
    return found


async def _all(bench: Bench, rail: StatementSource, account: BankAccount) -> int:
    """Every statement of an account that is ready, oldest first."""
    found = 0
    after = await _newest(bench, account)
    for _ in range(MOST):
        with TemporaryDirectory(prefix="marketplace-bank-") as folder:
            path = Path(folder) / "statement"
            name = await asyncio.to_thread(_ask, rail, account, after, path)
            if not name:
                break
            await importing.import_file(
                bench, path, actor=SYSTEM, name=name, rail=account.rail, match=False
            )
        newest = await _newest(bench, account)
        if newest is None or (after is not None and newest <= after):
            log.error("rail %s gives %s again and again", account.rail, name)
            break
        after, found = newest, found + 1
    return found


def _ask(rail: Any, account: BankAccount, after: date | None, path: Path) -> str:
    with path.open("wb") as into:
        name: str = rail.next_statement(account.identifier, account.currency, after, into)
    return name


async def _newest(bench: Bench, account: BankAccount) -> date | None:
    """The last day of which there is a statement."""
    async with bench.database.begin() as session:
        newest: date | None = await session.scalar(
            sa.select(sa.func.max(BankStatement.to_on)).where(
                BankStatement.account_id == account.id,
                BankStatement.kind == StatementKind.STATEMENT,
            )
        )
    return newest


async def _note(bench: Bench, account: BankAccount, trouble: str) -> None:
    async with bench.database.begin() as session:
        await session.execute(
            sa.update(BankAccount)
            .where(BankAccount.id == account.id, BankAccount.trouble != trouble)
            .values(trouble=trouble)
        )
