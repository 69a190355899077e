"""Statements as files: drawn up into a temporary file first, so no slow reader holds a transaction.

A fault shows before anything is sent, and nothing half done stays behind.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from enum import StrEnum
from pathlib import Path
from tempfile import SpooledTemporaryFile, TemporaryFile
from typing import IO, Final

from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.settings import Settings
from marketplace.web.i18n import Languages, load_languages
from settlement.statements import paper, service
from settlement.statements.domain import Reader
from settlement.statements.service import Subject

IN_MEMORY: Final = 1_000_000
"""Bytes of a file that are kept in memory before it goes to disk."""
PIECE: Final = 64 * 1024
WORDS: Final = Path(__file__).parents[1] / "locale"


class Form(StrEnum):
    """Forms of a statement."""

    PDF = "pdf"
    CSV = "csv"
    JSON = "json"


MEDIA_TYPES: Final = {
    Form.PDF: "application/pdf",
    Form.CSV: "text/csv",
    Form.JSON: "application/json",
}


def languages() -> Languages:
    """Every language with the words of settlement."""
    return load_languages([WORDS])


async def write(
    session: AsyncSession,
    settings: Settings,
    subject: Subject,
    reader: Reader,
    forms: dict[Form, IO[bytes]],
    *,
    language: str,
    actor: str,
) -> None:
    """Write a statement in each of the forms, from one pass over its lines."""
    # The signed form is always made: it says whether the ledger still gives what was issued.
    with TemporaryFile() as unwanted:
        drawn = await service.draw_up(
            session,
            settings,
            subject,
            reader,
            actor=actor,
            signed=forms.get(Form.JSON, unwanted),
            table=forms.get(Form.CSV),
        )
    if Form.PDF in forms:
        paid = await paper.payments(session, drawn)
        forms[Form.PDF].write(await paper.typeset(drawn, paid, languages()[language]))


async def ready(
    session: AsyncSession,
    settings: Settings,
    subject: Subject,
    reader: Reader,
    form: Form,
    *,
    language: str,
    actor: str,
) -> AsyncIterator[bytes]:
    """The pieces of a statement that was drawn up whole before the first is sent."""
    file: IO[bytes] = SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115
    try:
        await write(
            session, settings, subject, reader, {form: file}, language=language, actor=actor
        )
    except BaseException:
        file.close()
        raise
    return _pieces(file)


async def _pieces(file: IO[bytes]) -> AsyncIterator[bytes]:
    with file:
        file.seek(0)
        while piece := await asyncio.to_thread(file.read, PIECE):
            yield piece
