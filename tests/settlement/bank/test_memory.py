"""A statement of any size is imported, by the command that people use, in the memory of a small."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta
from pathlib import Path

import sqlalchemy as sa

from bench.bank import DAY, open_account, peak_mb, strangers, write_statement
from marketplace.settings import Settings
from settlement.bank.models import BankLine, BankStatement, Break
from tests.conftest import SECRET_KEY
from tests.factories import Coalition
from tests.settlement.bank.books_and_bank import prove

SIZES_MB = (0.5, 4.0)
ROOM_MB = 12.0
"""What a large one may take more: what only grows to a limit. Kept whole, as records or as rows, so
many entries would take several times as much."""


async def test_memory_of_an_import_does_not_grow_with_the_file(
    coalition: Coalition, database_url: str, tmp_path: Path
) -> None:
    settings = Settings(database_url=database_url, secret_keys=SECRET_KEY, clock_travel=True)
    await open_account(settings)
    peaks, balance = list[float](), 0
    for number, size in enumerate(SIZES_MB):
        path, day = tmp_path / f"{number}.xml", DAY + timedelta(days=number)
        balance = write_statement(path, strangers(size), day, balance)
        assert path.stat().st_size > size * 1e6
        peaks.append(await asyncio.to_thread(peak_mb, settings, path))
    assert peaks[1] < peaks[0] + ROOM_MB, peaks
    async with coalition.runtime.database.begin() as session:
        days: list[date] = list(
            await session.scalars(sa.select(BankStatement.from_on).order_by(BankStatement.from_on))
        )
        count, total = (
            await session.execute(sa.select(sa.func.count(), sa.func.sum(BankLine.amount_micros)))
        ).one()
        breaks = await session.scalar(sa.select(sa.func.count()).select_from(Break))
    assert days == [DAY, DAY + timedelta(days=1)]
    assert (total, breaks) == (balance * 10_000, count)
    await prove(coalition.runtime)
