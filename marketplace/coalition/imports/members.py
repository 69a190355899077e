"""Imports members."""

from __future__ import annotations

from typing import ClassVar

import sqlalchemy as sa

from marketplace.coalition.imports.fields import YesNo
from marketplace.coalition.imports.rows import MemberRow
from marketplace.coalition.imports.tables import BadRow, TableImport, Values
from marketplace.coalition.models import Member


class ImportMembers(TableImport[MemberRow]):
    """Companies of the coalition; one of them is the operator."""

    model = Member
    key = "slug"
    shown: ClassVar[dict[str, str]] = {"is_operator": "operator"}

    async def prepare(self) -> None:
        self._operator = await self.session.scalar(sa.select(Member.slug).where(Member.is_operator))

    def values(self, row: MemberRow) -> Values:
        return {
            "slug": row.slug,
            "name": row.name,
            "country": row.country,
            "is_operator": row.operator is YesNo.YES,
        }

    def check_new(self, row: MemberRow, values: Values) -> None:
        if values["is_operator"]:
            if self._operator is not None:
                raise BadRow(f"the coalition has an operator already: {self._operator}")
            self._operator = row.slug
