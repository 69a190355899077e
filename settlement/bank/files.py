"""Which legs a name in our files stands for: a whole file, or one block of payments in it.

Rails state the names (`RailFile.message_id`, `RailFile.blocks`); nothing is looked for in the files
themselves, whose formats only the rails know.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TypeAlias
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from settlement.arrays import among
from settlement.clearing import legs
from settlement.clearing.models import SentFile, SettlementLeg

Name: TypeAlias = tuple[str, str]
"""Ids of a block of payments (empty: the whole file) and of the message it is in, as a bank says
them; either may be the bank's own."""


class _File(msgspec.Struct, frozen=True):
    id: UUID
    message_id: str
    blocks: Mapping[str, Sequence[str]]
    references: Sequence[str]


async def legs_of(
    session: AsyncSession, names: Collection[Name]
) -> dict[Name, list[SettlementLeg]]:
    """The legs of each block or file, in the order of the file, in two statements for all; none
    where no file of ours is called so, or more than one."""
    # PostgreSQL keeps no zero bytes in texts, so nothing of ours is called so.
    asked = [each for each in dict.fromkeys(names) if any(each) and "\0" not in "".join(each)]
    files = await _files(session, asked)
    inside = {each: _references(files, *each) for each in asked}
    wanted = {reference for each in inside.values() for reference in each}
    known = await legs.by_reference(session, wanted) if wanted else {}
    return {
        name: [known[each] for each in references if each in known]
        for name, references in inside.items()
    }


async def _files(session: AsyncSession, names: Collection[Name]) -> list[_File]:
    if not names:
        return []
    blocks = [block for block, _ in names if block]
    messages = [message for _, message in names if message]
    rows = await session.execute(
        sa.select(SentFile.id, SentFile.message_id, SentFile.blocks, SentFile.references).where(
            sa.or_(
                among(SentFile.message_id, messages),
                SentFile.blocks.has_any(sa.cast(blocks, ARRAY(sa.Text))),
            )
        )
    )
    return [_File(*row) for row in rows]


def _references(files: Sequence[_File], block: str, message: str) -> Sequence[str]:
    of_message = [each for each in files if message and each.message_id == message]
    if not block:
        return of_message[0].references if len(of_message) == 1 else ()
    # Where the message is one of ours, the block has to be in it; else it is the bank's own name.
    found = [each for each in of_message or files if block in each.blocks]
    return found[0].blocks[block] if len(found) == 1 else ()
