"""Imports one file: all of it, or nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any, BinaryIO, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace import api
from marketplace.coalition.imports.contracts import ImportContracts
from marketplace.coalition.imports.issuances import ImportIssuances
from marketplace.coalition.imports.members import ImportMembers
from marketplace.coalition.imports.names import ImportNames
from marketplace.coalition.imports.offers import ImportOffers
from marketplace.coalition.imports.own_offers import OwnOffers
from marketplace.coalition.imports.people import ImportFirms, ImportParticipants
from marketplace.coalition.imports.reading import Reader
from marketplace.coalition.imports.report import Faults, ImportReport
from marketplace.coalition.imports.rows import (
    ContractRow,
    FirmRow,
    IssuanceRow,
    MemberRow,
    NameRow,
    OfferRow,
    OwnIssuanceRow,
    ParticipantRow,
)
from marketplace.coalition.imports.tables import Counts, TableImport
from marketplace.errors import UsageError
from marketplace.identity.audit import audit
from marketplace.runtime import Runtime

ROWS: Final[dict[str, type[msgspec.Struct]]] = {
    "members": MemberRow,
    "contracts": ContractRow,
    "firms": FirmRow,
    "participants": ParticipantRow,
    "offers": OfferRow,
    "names": NameRow,
    "issuances": IssuanceRow,
}
"""Every kind of file, in the order in which they are imported first, and its columns."""

TABLES: Final[dict[str, type[TableImport[Any]]]] = {
    "members": ImportMembers,
    "contracts": ImportContracts,
    "firms": ImportFirms,
    "participants": ImportParticipants,
    "offers": ImportOffers,
    "names": ImportNames,
}

Progress = Callable[[int], None]
MakeImport = Callable[[AsyncSession, Faults], TableImport[Any]]


async def import_file(
    where: Runtime | AsyncSession,
    kind: str,
    source: str | Path | BinaryIO,
    *,
    dry_run: bool = False,
    progress: Progress | None = None,
    actor: str = "system:import",
    issuer: str | None = None,
    name: str | None = None,
) -> ImportReport:
    """Import a CSV file of a kind in ROWS; docs/concepts/imports.md describes each.

    With a Runtime the file is a transaction of its own and observers are told what was issued;
    with a session it is part of the caller's transaction, which a bad file leaves as it was.
    `progress` is called with the bytes read since it was last called. Bad lines are in the report;
    UsageError only for a kind or file there is not. `issuer` (a slug) makes it a file of that
    member's issuances alone; `name` is what the audit trail calls the file.
    """
    if kind not in ROWS:
        raise UsageError(f"There is no import of {kind!r}; there is {', '.join(ROWS)}.")
    asked = _Asked(kind, dry_run, progress, actor, issuer, name)
    with _open(source) as file:
        if isinstance(where, AsyncSession):
            report, _ = await _import(where, file, asked)
            return report
        async with where.database.begin() as session:
            report, counts = await _import(session, file, asked)
    if report.new and not dry_run:
        for issuer_id, (issuances, points) in counts.points.items():
            fact = api.IssueFact(issuer_id=issuer_id, issuances=issuances, points=points)
            where.plugins.tell("marketplace_after_points_issued", fact)
    return report


class _Asked(msgspec.Struct, frozen=True):
    """How a file is to be imported."""

    kind: str
    dry_run: bool
    progress: Progress | None
    actor: str
    issuer: str | None
    name: str | None

    @property
    def row(self) -> type[msgspec.Struct]:
        """What a line of the file holds."""
        own = self.kind == "issuances" and self.issuer is not None
        return OwnIssuanceRow if own else ROWS[self.kind]


async def import_own_offers(
    session: AsyncSession,
    source: BinaryIO,
    *,
    owner_id: UUID | None,
    may_subsidise: bool = False,
    dry_run: bool = False,
    actor: str,
) -> ImportReport:
    """Make and amend offers of one member, or of any (None), from a CSV file.

    In the caller's transaction, which a bad file leaves as it was. `may_subsidise`: whether an
    offer may cost more than its points bring, which the operator would pay.
    """

    def make(session: AsyncSession, faults: Faults) -> OwnOffers:
        return OwnOffers(
            session, faults, owner_id=owner_id, may_subsidise=may_subsidise, actor=actor
        )

    asked = _Asked("offers", dry_run, None, actor, None, None)
    report, _ = await _import(session, source, asked, make)
    return report


def _open(source: str | Path | BinaryIO) -> AbstractContextManager[BinaryIO]:
    if not isinstance(source, str | Path):
        return nullcontext(source)
    try:
        return Path(source).open("rb")
    except OSError as error:
        raise UsageError(f"{source} cannot be read: {error.strerror}.") from None


async def _import(
    session: AsyncSession, file: BinaryIO, asked: _Asked, table: MakeImport | None = None
) -> tuple[ImportReport, Counts]:
    kind, dry_run = asked.kind, asked.dry_run
    faults = Faults()
    reader: Reader[Any] = Reader(file, asked.row, faults, asked.progress)
    async with _undone_unless(session, lambda: not faults.total and not dry_run):
        await _one_at_a_time(session, kind)
        if kind == "issuances":
            work = ImportIssuances(session, faults, dry_run=dry_run, issuer=asked.issuer)
            counts = await work.run(reader)
        else:
            counts = await (table or TABLES[kind])(session, faults).run(reader)
        if (counts.new or counts.changed) and not faults.total and not dry_run:
            name = asked.name or Path(str(getattr(file, "name", "-"))).name
            await audit(
                session,
                asked.actor,
                f"import.{kind}",
                "import",
                name,
                new=counts.new,
                changed=counts.changed,
                unchanged=counts.unchanged,
            )
    report = ImportReport(
        kind=kind,
        new=0 if faults.total else counts.new,
        unchanged=0 if faults.total else counts.unchanged,
        changed=0 if faults.total else counts.changed,
        bad=faults.total,
        bad_lines=sorted(faults.kept),
        dry_run=dry_run,
        warnings=[] if faults.total else counts.warnings,
        points=0 if faults.total else sum(points for _, points in counts.points.values()),
        worth=[] if faults.total else counts.worth,
    )
    return report, counts


@asynccontextmanager
async def _undone_unless(session: AsyncSession, wanted: Callable[[], bool]) -> AsyncIterator[None]:
    """A savepoint, rolled back at the end unless what was done is wanted."""
    savepoint = await session.begin_nested()
    try:
        yield
    except BaseException:
        await savepoint.rollback()
        raise
    await (savepoint.commit() if wanted() else savepoint.rollback())


async def _one_at_a_time(session: AsyncSession, kind: str) -> None:
    """Two files of one kind wait for each other, so both see each other's rows."""
    lock = "select pg_advisory_xact_lock(hashtextextended(:name, 0))"
    await session.execute(sa.text(lock), {"name": f"import {kind}"})
