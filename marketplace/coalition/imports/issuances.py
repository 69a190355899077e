"""Imports issuances: staged in chunks, then checked and written set-wise.

Built for files of any length: memory holds one chunk. Chunks whose cells are all plain are read by
column, which takes a third of the time of reading by row; whose wallet a line means is found for
all lines at once, by the server.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import repeat
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.coalition.domain import Funding
from marketplace.coalition.imports.fields import EARLIEST, LATEST, MOMENT
from marketplace.coalition.imports.reading import Reader
from marketplace.coalition.imports.report import BadLine, Faults, Worth
from marketplace.coalition.imports.rows import IssuanceRow, OwnIssuanceRow
from marketplace.coalition.imports.tables import Counts, member_ids
from marketplace.db import raw_connection
from marketplace.ids import take_keys
from marketplace.ledger.errors import MAX_REFERENCE, IssuancesRefused
from marketplace.ledger.issuing import write_staged
from marketplace.ledger.issuing_repository import (
    COLUMNS,
    LARGE,
    MAX_REPORTED,
    Stage,
    business_time,
    lock_issuers,
)
from marketplace.money import MAX_POINTS

LONGEST_PLAIN = len(str(MAX_POINTS))
CONTROL = re.compile(r"[\x00-\x1f\x7f]")

LINES = "issuance_lines"
LINE_COLUMNS = (
    "position",
    "key",
    "issuer_id",
    "reference",
    "participant",
    "points",
    "effective_at",
    "expires_at",
)
# A file before it in this transaction left its table.
CREATE_LINES = f"""
drop table if exists pg_temp.{LINES};
create temporary table {LINES} (
    position bigint not null, key bigint not null, issuer_id uuid not null,
    reference text not null, participant text not null, points bigint not null,
    effective_at timestamptz, expires_at timestamptz
) on commit drop
"""
# Without statistics the planner takes this for a small table.
ANALYZE_LINES = f"analyze {LINES} (participant)"
OWNERS = "participant p join wallet w on w.participant_id = p.id"
STAGE_LINES = f"""
insert into {LARGE} ({", ".join(COLUMNS)})
select l.position, l.key, l.issuer_id, l.reference, w.id, l.points, l.effective_at, l.expires_at
from {LINES} l join ({OWNERS}) on p.reference = l.participant
"""
UNKNOWN = f"""
select position, participant, count(*) over () as total
from {LINES} l
where not exists (select from {OWNERS} where p.reference = l.participant)
order by position limit {MAX_REPORTED}
"""

Column = Sequence[Any]


class Columns(msgspec.Struct, frozen=True):
    """A chunk of issuances by column; all columns are of one length."""

    lines: Sequence[int]
    reference: Column
    issuer: Column
    participant: Column
    points: Column
    effective_at: Column
    expires_at: Column


class ImportIssuances:
    """Points for participants: of any issuers, or of `issuer` (a slug) alone."""

    def __init__(
        self, session: AsyncSession, faults: Faults, *, dry_run: bool, issuer: str | None = None
    ) -> None:
        self.session = session
        self.faults = faults
        self.dry_run = dry_run
        self.issuer = issuer
        self._lines = 0
        """Kept so far: a line each."""

    async def run(self, reader: Reader[IssuanceRow] | Reader[OwnIssuanceRow]) -> Counts:
        """Import the whole file, within the caller's transaction."""
        self._members = await member_ids(self.session)
        if self.issuer is not None:
            self._members = {self.issuer: self._members[self.issuer]}
        self._connection = await raw_connection(self.session)
        stage = Stage(self._connection, LARGE)
        await stage.open()
        await self._connection.execute(CREATE_LINES)
        issuers: set[UUID] = set()
        for lines, records in reader.records():
            columns = plain_columns(reader.header, lines, records, self.issuer)
            if columns is None:
                columns = by_column(reader.decode(lines, records), self.issuer)
            issuers.update(await self._add(columns))
        await self._find_wallets()
        await lock_issuers(self._connection, issuers)
        await stage.analyze()
        # A file with a bad line is only checked from there on.
        dry_run = self.dry_run or self.faults.total > 0
        try:
            made, already = await write_staged(stage, each_once=True, dry_run=dry_run)
        except IssuancesRefused as refusal:
            bad = [BadLine(error.index, error.detail) for error in refusal.errors]
            self.faults.extend(bad, refusal.total)
            return Counts()
        totals = {issuer: (lots, points) for issuer, lots, points in made}
        # What was there already has left the stage: it holds what is new.
        worth = (
            [] if self.issuer is None else await stage.worth(await business_time(stage.connection))
        )
        return Counts(
            sum(lots for lots, _ in totals.values()),
            already,
            totals,
            worth=[
                Worth(currency, Funding(funding), micros) for currency, funding, micros in worth
            ],
        )

    async def _add(self, columns: Columns) -> set[UUID]:
        """Keep the lines whose issuer is known; returns the issuers."""
        issuers = list(map(self._members.get, columns.issuer))
        rows = list(
            zip(
                columns.lines,
                take_keys(len(columns.lines)),
                issuers,
                columns.reference,
                columns.participant,
                columns.points,
                columns.effective_at,
                columns.expires_at,
                strict=True,
            )
        )
        if None in issuers:
            for line, issuer, slug in zip(columns.lines, issuers, columns.issuer, strict=True):
                if issuer is None:
                    self.faults.add(line, self._no_issuer(slug))
            rows = [row for row in rows if row[2] is not None]
        self._lines += len(rows)
        if rows:
            await self._connection.copy_records_to_table(LINES, records=rows, columns=LINE_COLUMNS)
        return {issuer for issuer in issuers if issuer is not None}

    async def _find_wallets(self) -> None:
        """Stage the lines whose participant has a wallet, and name the others."""
        await self._connection.execute(ANALYZE_LINES)
        staged = await self._connection.execute(STAGE_LINES)
        if int(staged.split()[-1]) == self._lines:
            return
        unknown = await self._connection.fetch(UNKNOWN)
        if unknown:
            bad = [BadLine(at, f"there is no participant {who!r}") for at, who, _ in unknown]
            self.faults.extend(bad, unknown[0]["total"])

    def _no_issuer(self, slug: str) -> str:
        if self.issuer is None:
            return f"there is no member {slug!r}"
        return f"issuer {slug!r} is not {self.issuer!r}, whose file this is"


def plain_columns(
    header: Sequence[str],
    lines: Sequence[int],
    records: Sequence[Sequence[str]],
    issuer: str | None = None,
) -> Columns | None:
    """A chunk by column, or None where a cell needs to be read (or refused) by itself.

    Accepts less than the fields of IssuanceRow do, and gives the same values for what it accepts.
    """
    if not records:
        return None
    given: dict[str, Column] = dict(zip(header, zip(*records, strict=True), strict=True))
    if issuer is not None:
        named = given.get("issuer", repeat("", len(records)))
        given["issuer"] = [cell or issuer for cell in named]
    for name in ("reference", "issuer", "participant", "points"):
        if not all(given[name]):
            return None
    references = given["reference"]
    digits = "".join(given["points"])
    if (
        max(map(len, references)) > MAX_REFERENCE
        or CONTROL.search("".join(references))
        or list(map(str.strip, references)) != list(references)
        or not (digits.isascii() and digits.isdigit())
        or max(map(len, given["points"])) > LONGEST_PLAIN
    ):
        return None
    points = list(map(int, given["points"]))
    if "".join(map(str, points)) != digits or min(points) < 1 or max(points) > MAX_POINTS:
        return None
    effective = _plain_moments(given.get("effective_at"), len(records))
    expires = _plain_moments(given.get("expires_at"), len(records))
    if effective is None or expires is None:
        return None
    return Columns(
        lines, references, given["issuer"], given["participant"], points, effective, expires
    )


def _plain_moments(cells: Column | None, count: int) -> Column | None:
    """Moments that are all given, or all empty; None where each must be looked at."""
    if cells is None or not any(cells):
        return list(repeat(None, count))
    if not all(map(MOMENT.fullmatch, cells)):
        return None
    try:
        moments = [
            moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            for moment in map(datetime.fromisoformat, cells)
        ]
    except ValueError:
        return None
    if not EARLIEST <= min(moments) <= max(moments) <= LATEST:
        return None
    return moments


def by_column(
    rows: Sequence[tuple[int, IssuanceRow | OwnIssuanceRow]], issuer: str | None = None
) -> Columns:
    """Rows as columns; `issuer` where a row names none."""
    return Columns(
        [line for line, _ in rows],
        [row.reference for _, row in rows],
        [row.issuer or issuer for _, row in rows],
        [row.participant for _, row in rows],
        [row.points for _, row in rows],
        [row.effective_at for _, row in rows],
        [row.expires_at for _, row in rows],
    )
