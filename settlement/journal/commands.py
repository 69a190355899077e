"""`marketplace settlement journal`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import BinaryIO
from uuid import UUID

import click
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.commands import run
from marketplace.errors import InvalidRequest, NotFound, UsageError
from marketplace.runtime import Runtime
from settlement.journal.export import JournalForm, export
from settlement.journal.repository import Chosen
from settlement.statements import repository

DAY = click.DateTime(formats=["%Y-%m-%d"])


@click.command("journal")
@click.option(
    "--format",
    "form",
    type=click.Choice([each.value for each in JournalForm]),
    default=JournalForm.BEANCOUNT.value,
    show_default=True,
)
@click.option("--window", "windows", type=click.UUID, multiple=True, help="Its obligations.")
@click.option("--settlement", help="Obligations of its windows, and what it posted.")
@click.option("--from", "first", type=DAY, help="First day (UTC) of all obligations and postings.")
@click.option("--to", "last", type=DAY, help="Last day.")
@click.option(
    "--output",
    # Bytes: CSV has line ends of its own, whatever the machine's are.
    type=click.File("wb", atomic=True, lazy=True),
    default="-",
    help="File to write; standard output without.",
)
def journal(
    form: str,
    windows: Sequence[UUID],
    settlement: str | None,
    first: datetime | None,
    last: datetime | None,
    output: BinaryIO,
) -> None:
    """Write windows, a settlement or days as a double-entry journal for accounting."""
    days = first is not None or last is not None
    if (bool(windows), settlement is not None, days).count(True) != 1:
        raise UsageError("Name windows, or a settlement, or days by --from and --to.")
    if days and (first is None or last is None or last < first):
        raise InvalidRequest("Name both days, --from not after --to.")

    async def work(runtime: Runtime) -> None:
        async with runtime.database.begin() as session:
            chosen = await _chosen(session, windows, settlement, _day(first), _day(last))
        async with runtime.database.begin() as session:
            async for text in export(session, chosen, JournalForm(form)):
                output.write(text.encode())

    run(work)


def _day(moment: datetime | None) -> date | None:
    return None if moment is None else moment.date()


async def _chosen(
    session: AsyncSession,
    windows: Sequence[UUID],
    settlement: str | None,
    first: date | None,
    last: date | None,
) -> Chosen:
    if settlement is not None:
        found = await repository.find_settlement(session, settlement)
        if found is None:
            raise NotFound(f"There is no settlement {settlement!r}.")
        window_ids = await repository.covered(session, found.id)
        return Chosen(window_ids=window_ids, settlement_id=found.id)
    if windows:
        known = {each.id for each in await repository.find_windows(session, windows)}
        if missing := set(windows) - known:
            raise NotFound(f"There is no window {missing.pop()}.")
        return Chosen(window_ids=windows)
    return Chosen(first=first, last=last)
