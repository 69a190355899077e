"""Imports rows into a table by reference: new ones are written, present ones must be the same."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Sequence
from typing import Any, ClassVar, Generic
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.coalition.imports.reading import Line, Reader, Row
from marketplace.coalition.imports.report import Faults, Worth
from marketplace.coalition.models import Firm, Member
from marketplace.ids import uuid7
from marketplace.models import Base

Values = dict[str, Any]
"""Columns of one row to be, by name."""


class BadRow(Exception):
    """Why a row cannot be imported."""


class Counts(msgspec.Struct):
    """What an import did so far."""

    new: int = 0
    unchanged: int = 0
    points: dict[UUID, tuple[int, int]] = {}
    """Issuances and points per issuer, for observers."""
    worth: list[Worth] = []
    """What they cost, where the file is one issuer's."""
    changed: int = 0
    warnings: list[str] = []


class TableImport(ABC, Generic[Row]):
    """Imports one kind. Subclasses say which columns a row gives and what must hold of it."""

    model: ClassVar[type[Base]]
    key: ClassVar[str] = "reference"
    """The column (of file and table) a row is known by."""
    shown: ClassVar[dict[str, str]] = {}
    """Columns of the table that the file calls by another name."""

    may_change: ClassVar[bool] = False
    """Whether a row with other content replaces the one there is, instead of being a fault."""

    def __init__(self, session: AsyncSession, faults: Faults) -> None:
        self.session = session
        self.faults = faults
        self.counts = Counts()
        self._lines: dict[str, int] = {}

    async def run(self, reader: Reader[Row]) -> Counts:
        """Import the whole file, within the caller's transaction."""
        await self.prepare()
        for rows in reader.chunks():
            await self._take(rows)
        if not self.faults.total:
            await self.finish()
        return self.counts

    async def prepare(self) -> None:
        """Read what every row is checked against."""

    async def look_up(self, rows: Sequence[Row]) -> None:
        """Read what these rows refer to."""

    @abstractmethod
    def values(self, row: Row) -> Values:
        """The columns of a row, without its id; BadRow where it refers to nothing."""

    def check_new(self, row: Row, values: Values) -> None:
        """Check what must hold of a row that is not in the table yet; BadRow otherwise."""

    def compared(self) -> list[sa.ColumnElement[Any]]:
        """What of a present row is compared; what changes while it lives is left out."""
        own = sa.inspect(self.model).columns
        return [column for column in own if column.key not in ("id", "created_at", "version")]

    async def write(self, new: Sequence[Values]) -> None:
        """Write new rows; `values` entries that are no column of the table are for overrides."""
        columns = sa.inspect(self.model).columns.keys()
        rows = [{name: each[name] for name in columns if name in each} for each in new]
        await self.session.execute(sa.insert(self.model), rows)

    async def finish(self) -> None:
        """Do what follows from all rows together."""

    async def _take(self, rows: Sequence[Line[Row]]) -> None:
        await self.look_up([row for _, row in rows])
        present = await self._present([getattr(row, self.key) for _, row in rows])
        new = []
        for line, row in rows:
            try:
                values = self._judge(line, row, present)
            except BadRow as reason:
                self.faults.add(line, str(reason))
                continue
            if values is None:
                self.counts.unchanged += 1
            else:
                new.append({"id": uuid7(), **values})
        # A file with a bad line is only checked from there on.
        if new and not self.faults.total:
            await self.write(new)
            self.counts.new += len(new)

    def _judge(self, line: int, row: Row, present: dict[str, Values]) -> Values | None:
        """The values of a row to be written; None where it is there already, and the same."""
        reference = getattr(row, self.key)
        first = self._lines.setdefault(reference, line)
        if first != line:
            raise BadRow(f"{self.key} {reference!r} is on line {first} already")
        values = self.values(row)
        if reference not in present:
            self.check_new(row, values)
            return values
        before = present[reference]
        for name, value in values.items():
            if name in before and before[name] != value:
                if self.may_change:
                    return values
                column = self.shown.get(name, name)
                raise BadRow(f"{self.key} {reference!r} was imported before with another {column}")
        return None

    async def _present(self, keys: Collection[str]) -> dict[str, Values]:
        column = sa.inspect(self.model).columns[self.key]
        statement = sa.select(*self.compared()).where(column.in_(keys))
        rows = (await self.session.execute(statement)).mappings()
        return {row[self.key]: dict(row) for row in rows}


async def member_ids(session: AsyncSession) -> dict[str, UUID]:
    """Every member's id by slug."""
    rows = await session.execute(sa.select(Member.slug, Member.id))
    return {row.slug: row.id for row in rows}


async def firms_by_reference(
    session: AsyncSession, references: Iterable[str]
) -> dict[str, tuple[UUID, UUID | None]]:
    """(id, sponsor) of the firms with these references."""
    statement = sa.select(Firm.reference, Firm.id, Firm.sponsor_id)
    rows = await session.execute(statement.where(Firm.reference.in_(set(references))))
    return {reference: (firm_id, sponsor_id) for reference, firm_id, sponsor_id in rows}


def known(members: dict[str, UUID], slug: str) -> UUID:
    """The id of the member a row names; BadRow where there is none."""
    if slug not in members:
        raise BadRow(f"there is no member {slug!r}; import members first")
    return members[slug]
