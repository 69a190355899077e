"""Imports what codes are called; the one kind of file whose rows may change."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy.dialects.postgresql import insert

from marketplace.coalition.imports.rows import NameRow
from marketplace.coalition.imports.tables import BadRow, TableImport, Values
from marketplace.coalition.models import CodeName

PREFIX = "name_"


class ImportNames(TableImport[NameRow]):
    """Names of roles and tags; another name replaces the one there was."""

    model = CodeName
    key = "code"
    may_change = True

    def values(self, row: NameRow) -> Values:
        names = {
            field.removeprefix(PREFIX): str(name)
            for field, name in msgspec.structs.asdict(row).items()
            if field.startswith(PREFIX) and name is not None
        }
        if not names:
            raise BadRow("there is no name in any language")
        return {"code": row.code, "names": names}

    async def write(self, new: Sequence[Values]) -> None:
        statement = insert(CodeName).values([dict(each) for each in new])
        await self.session.execute(
            statement.on_conflict_do_update(
                index_elements=["code"],
                set_={"names": statement.excluded.names, "version": CodeName.version + 1},
            )
        )
