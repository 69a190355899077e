"""Files of issuances: kept in pieces, checked and then written by a worker, survived by both.

A file is checked first (a dry run of the importer) and written when a person says so. Writing is
one transaction with the change of the file's state, so that a process that dies in between leaves
the file as it was: another takes it up a minute later, and each reference issues once.
"""

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import PurePath
from typing import BinaryIO, Final, Protocol
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace import api
from marketplace.coalition.imports import ImportReport, import_file
from marketplace.coalition.models import Member
from marketplace.errors import Conflict, NotFound
from marketplace.identity.audit import audit
from marketplace.identity.domain import Principal
from marketplace.ids import uuid7
from marketplace.issuing import repository
from marketplace.issuing.domain import Upload, UploadState
from marketplace.issuing.models import IssueUpload
from marketplace.passing import is_database_away
from marketplace.runtime import Runtime

log = logging.getLogger(__name__)

PART_BYTES: Final = 262_144
LARGEST_BYTES: Final = 64 * 1_048_576
"""About a million lines."""
LONGEST_NAME: Final = 200
TELL_EVERY_S: Final = 0.5
MOST_ATTEMPTS: Final = 5
EXCUSE_AFTER_S: Final = (0, 1, 5, 15, 30)
"""Pauses before it is written down that an attempt failed by no fault of the file: its claim lasts
as long. Where the database stays away for longer the attempt counts."""
MOST_WAITING: Final = 10
"""Files of one member that are kept at a time: each may take LARGEST_BYTES of the database."""
OVER: Final = frozenset({UploadState.DONE, UploadState.BAD})
"""Nothing more can become of the file: its pieces are forgotten."""
FORGET_AFTER: Final = timedelta(days=14)
"""A checked file that nobody has issued is withdrawn then."""


class UploadMoved(Conflict):
    code = "upload_moved"
    title = "The file has moved on meanwhile"


class TooManyUploads(Conflict):
    code = "too_many_uploads"
    title = "So many files wait already that no more are taken"


class Source(Protocol):
    """What a file is read from."""

    filename: str

    async def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        ...


async def keep(
    session: AsyncSession, principal: Principal, member_id: UUID, source: Source
) -> Upload:
    """Keep a file of a member, to be checked; memory holds one piece of it.

    TooManyUploads where MOST_WAITING of the member's are kept already.
    """
    if await repository.count_kept(session, member_id) >= MOST_WAITING:
        raise TooManyUploads(f"{MOST_WAITING} files wait; issue or withdraw them first.")
    # Its name is shown and audited, nothing else: it may say anything.
    shown = "".join(char for char in PurePath(source.filename).name if char.isprintable())
    row = IssueUpload(
        id=uuid7(),
        member_id=member_id,
        actor=principal.actor,
        name=principal.name,
        file_name=shown[:LONGEST_NAME] or "-",
        size_bytes=0,
        state=UploadState.RECEIVED,
    )
    await repository.add_upload(session, row)
    position = 0
    while piece := await source.read(PART_BYTES):
        await repository.add_part(session, row.id, position, piece)
        row.size_bytes += len(piece)
        position += 1
    await session.flush()
    return await find(session, member_id, row.id)


async def find(session: AsyncSession, member_id: UUID, upload_id: UUID) -> Upload:
    """A file of this member; NotFound where it is another's."""
    found = await repository.find_upload(session, member_id, upload_id)
    if found is None:
        raise NotFound("There is no such file, or it is not yours to see.")
    return found


async def order(session: AsyncSession, principal: Principal, upload: Upload) -> None:
    """Have a checked file written; UploadMoved where it is not waiting for that any more."""
    if upload.state is not UploadState.CHECKED:
        raise UploadMoved
    moved = await repository.move(
        session, upload, UploadState.ORDERED, actor=principal.actor, name=principal.name
    )
    if not moved:
        raise UploadMoved


async def withdraw(session: AsyncSession, upload: Upload) -> None:
    """Forget a file that was not written; UploadMoved where it is too late."""
    withdrawn = upload.is_withdrawable and await repository.move(
        session, upload, UploadState.WITHDRAWN, is_over=True
    )
    if not withdrawn:
        raise UploadMoved


async def forget(session: AsyncSession) -> None:
    """Withdraw checked files that nobody has issued for long."""
    for upload in await repository.checked_before(session, FORGET_AFTER):
        await repository.move(session, upload, UploadState.WITHDRAWN, is_over=True)


# -- what a worker does ----------------------------------------------------------------------------


async def work_on_next(runtime: Runtime) -> bool:
    """Check or write the oldest file that waits; False where none does."""
    async with runtime.database.begin() as session:
        upload = await repository.claim_upload(session)
    if upload is None:
        return False
    if upload.attempts > MOST_ATTEMPTS:
        # Nobody came back to say why: it ends its worker each time.
        log.error("file %s of issuances is given up: no attempt came to an end", upload.id)
        async with runtime.database.begin() as session:
            await repository.move(session, upload, UploadState.FAILED, is_over=True)
        return True
    try:
        report = await _work_on(runtime, upload)
    except Exception as error:
        log.exception("file %s of issuances: attempt %d failed", upload.id, upload.attempts)
        if isinstance(error, OSError) or is_database_away(error):
            await _excuse(runtime, upload)
        elif upload.attempts >= MOST_ATTEMPTS:
            async with runtime.database.begin() as session:
                await repository.move(session, upload, UploadState.FAILED, is_over=True)
        return True
    if report is not None and report.new and not report.dry_run:
        fact = api.IssueFact(issuer_id=upload.member_id, issuances=report.new, points=report.points)
        await asyncio.to_thread(runtime.plugins.tell, "marketplace_after_points_issued", fact)
    return True


async def _excuse(runtime: Runtime, upload: Upload) -> None:
    """Have the next attempt be the first again, as soon as the database is back."""
    for pause_s in EXCUSE_AFTER_S:
        await asyncio.sleep(pause_s)
        try:
            async with runtime.database.begin() as session:
                await repository.excuse(session, upload)
        except Exception as error:
            if not (isinstance(error, OSError) or is_database_away(error)):
                raise
            log.warning("file %s of issuances: its attempt still counts: %s", upload.id, error)
        else:
            return


async def _work_on(runtime: Runtime, upload: Upload) -> ImportReport | None:
    """Read the file in one transaction with its next state; None where it was withdrawn."""
    progress = Progress()
    with tempfile.TemporaryFile() as file:
        async with runtime.database.begin() as session:
            async for piece in repository.parts(session, upload.id):
                file.write(piece)
        file.seek(0)
        async with runtime.database.begin() as session:
            async with _telling(runtime, upload, progress):
                report = await _import(session, upload, file, progress)
            state = _after(upload, report)
            is_over = state in OVER
            if not await repository.move(session, upload, state, report=report, is_over=is_over):
                await session.rollback()
                return None
            if state is UploadState.DONE and report.new:
                await audit(
                    session,
                    upload.actor,
                    repository.ISSUED,
                    "member",
                    upload.member_id,
                    issued=report.new,
                    points=report.points,
                    already=report.unchanged,
                    upload=str(upload.id),
                    file=upload.file_name,
                )
    return report


async def _import(
    session: AsyncSession, upload: Upload, file: BinaryIO, progress: Progress
) -> ImportReport:
    slug = await session.scalar(sa.select(Member.slug).where(Member.id == upload.member_id))
    return await import_file(
        session,
        "issuances",
        file,
        dry_run=upload.state is UploadState.RECEIVED,
        progress=progress.add,
        actor=upload.actor,
        issuer=slug,
        name=upload.file_name,
    )


def _after(upload: Upload, report: ImportReport) -> UploadState:
    if not report.ok:
        return UploadState.BAD
    waits = upload.state is UploadState.RECEIVED and report.new > 0
    return UploadState.CHECKED if waits else UploadState.DONE


class Progress:
    """How much of a file was read."""

    def __init__(self) -> None:
        self.read_bytes = 0

    def add(self, read_bytes: int) -> None:
        """So much more."""
        self.read_bytes += read_bytes


@asynccontextmanager
async def _telling(runtime: Runtime, upload: Upload, progress: Progress) -> AsyncIterator[None]:
    """While the block runs, note every so often how far it has come, in transactions apart."""

    async def tell() -> None:
        while True:
            await asyncio.sleep(TELL_EVERY_S)
            async with runtime.database.begin() as session:
                await repository.note_progress(session, upload, progress.read_bytes)

    teller = asyncio.create_task(tell())
    try:
        yield
    finally:
        teller.cancel()
        with suppress(asyncio.CancelledError):
            await teller
