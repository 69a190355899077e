"""Why a figure is what it is, line by line, and journals for accounting."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from tempfile import SpooledTemporaryFile
from typing import IO, Final
from uuid import UUID

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Stream
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.api import Html, Page
from marketplace.errors import NotFound
from marketplace.runtime import Runtime
from settlement.clearing import repository as clearing
from settlement.journal.export import JournalForm, export
from settlement.journal.repository import Chosen
from settlement.pages import bank_queries
from settlement.pages.frame import FINANCE, names_by_slug
from settlement.pages.words import LEGS, TOTALS
from settlement.pages.words import SETTLEMENTS as STATUSES
from settlement.pages.words import WINDOWS as WINDOW_STATUSES
from settlement.statements import tracing
from settlement.windows import repository as windows

IN_MEMORY: Final = 1_000_000
PIECE: Final = 64 * 1024
ENDINGS: Final = {
    JournalForm.BEANCOUNT: "beancount",
    JournalForm.HLEDGER: "journal",
    JournalForm.CSV: "csv",
}


@get("/trace/{line:str}", opt=FINANCE, include_in_schema=False)
async def show_trace(
    line: FromPath[str], page: NamedDependency[Page], session: NamedDependency[AsyncSession]
) -> Html:
    """From a line to its burn, lot, contract, window, payment and line of the bank."""
    page.active = "windows"
    found = await tracing.trace(session, line)
    entries = {
        entry
        for each in found.lines
        if each.settlement
        for leg in each.settlement.legs
        for entry in leg.bank_entries
    }
    return page.render(
        "settlement/trace.html",
        line=line,
        lines=found.lines,
        names=await names_by_slug(session),
        entries=await bank_queries.lines_of(session, entries),
        kinds=TOTALS,
        statuses=STATUSES,
        window_statuses=WINDOW_STATUSES,
        leg_statuses=LEGS,
    )


@get("/windows/{window_id:uuid}/journal/{form:str}", opt=FINANCE, include_in_schema=False)
async def window_journal(
    window_id: FromPath[UUID], form: FromPath[str], runtime: NamedDependency[Runtime]
) -> Stream:
    """Obligations of a window as a double-entry journal."""
    async with runtime.database.begin() as session:
        row = await windows.window(session, window_id)
    return await _journal(
        runtime, Chosen(window_ids=[row.id]), form, f"journal-{row.opened_at:%Y-%m-%d}"
    )


@get("/settlements/{reference:str}/journal/{form:str}", opt=FINANCE, include_in_schema=False)
async def settlement_journal(
    reference: FromPath[str], form: FromPath[str], runtime: NamedDependency[Runtime]
) -> Stream:
    """Obligations of a settlement's windows, and what it posted in the clearing house's books."""
    async with runtime.database.begin() as session:
        row = await clearing.find(session, reference)
        window_ids = await clearing.windows_of(session, row.id)
    chosen = Chosen(window_ids=window_ids, settlement_id=row.id)
    return await _journal(runtime, chosen, form, f"journal-{row.reference}")


async def _journal(runtime: Runtime, chosen: Chosen, form: str, name: str) -> Stream:
    """Written whole before the first piece is sent, so that no slow reader holds a snapshot."""
    known = next((each for each in JournalForm if each.value == form), None)
    if known is None:
        raise NotFound("A journal is had as beancount, hledger or csv.")
    file: IO[bytes] = SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115
    try:
        async with runtime.database.begin() as session:
            async for text in export(session, chosen, known):
                file.write(text.encode())
    except BaseException:
        file.close()
        raise
    return Stream(
        _pieces(file),
        media_type="text/csv" if known is JournalForm.CSV else "text/plain",
        headers={
            "Content-Disposition": f'attachment; filename="{name}.{ENDINGS[known]}"',
            "Cache-Control": "private, no-store",
        },
    )


async def _pieces(file: IO[bytes]) -> AsyncIterator[bytes]:
    with file:
        file.seek(0)
        while piece := await asyncio.to_thread(file.read, PIECE):
            yield piece


ROUTES = [show_trace, window_journal, settlement_journal]
