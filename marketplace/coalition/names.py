"""What codes that people read are called in their languages: roles in a firm, tags of listings.

`marketplace import names` brings them; a code without a name goes by itself.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TypeAlias

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.coalition.models import CodeName
from marketplace.web.i18n import SOURCE

Names: TypeAlias = Mapping[str, Mapping[str, str]]
"""Names by language, by code (`role:technician`)."""


async def names_of(session: AsyncSession, what: str, values: Collection[str]) -> Names:
    """Names of some roles (`what` is `role`) or tags (`tag`)."""
    codes = [f"{what}:{value}" for value in values]
    found = sa.select(CodeName.code, CodeName.names).where(CodeName.code.in_(codes))
    return {row.code: row.names for row in await session.execute(found)}


def name_in(names: Names, what: str, value: str, language: str) -> str:
    """The name for a reader of this language: theirs, else English, else the code itself."""
    known = names.get(f"{what}:{value}", {})
    wanted = (language, language.split("-")[0], SOURCE)
    return next((known[each] for each in wanted if each in known), value)
