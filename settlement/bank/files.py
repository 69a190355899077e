"""Which legs a name in our files stands for: a whole file, or one block of payments in it.

A rail names its files and blocks as it likes, so they are looked up in the files themselves.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from settlement.clearing import legs
from settlement.clearing.models import SentFile, SettlementLeg

NAME = re.compile(r"[A-Za-z0-9/?:().,'+ -]{3,70}")


async def block(session: AsyncSession, block_id: str, message_id: str) -> list[SettlementLeg]:
    """Legs of the block of payments `block_id`, or (empty) of the file `message_id`, in the order
    of the file; empty where none of our files has it, or more than one."""
    name = block_id or message_id
    if not NAME.fullmatch(name):
        return []
    found = await _containing(session, name)
    if len(found) != 1:
        return []
    content, references = found[0].content, found[0].references
    part = _part(content, block_id, references) if block_id else content
    inside = [each for each in references if _place(part, each) is not None]
    if not block_id:
        inside = list(references)
    known = await legs.by_reference(session, inside)
    ordered = sorted(inside, key=lambda each: (_place(content, each) or 0, each))
    return [known[each] for each in ordered if each in known]


async def _containing(session: AsyncSession, name: str) -> Sequence[SentFile]:
    """Files in which this name stands as a whole."""
    rows = await session.scalars(
        sa.select(SentFile)
        .where(sa.text("position(:name in settlement_file.content) > 0"))
        .order_by(SentFile.made_at),
        {"name": name.encode()},
    )
    return [each for each in rows if _place(each.content, name) is not None]


def _place(content: bytes, name: str) -> int | None:
    """Where a name stands as a whole, not as the beginning or end of another one."""
    word = rb"(?<![A-Za-z0-9-])" + re.escape(name.encode()) + rb"(?![A-Za-z0-9-])"
    found = re.search(word, content)
    return None if found is None else found.start()


def _part(content: bytes, block_id: str, references: Sequence[str]) -> bytes:
    """The file from the name of a block to that of the next one: same name, other number.

    Empty where the name does not tell what the next one is called.
    """
    start = _place(content, block_id)
    if start is None:
        return b""
    stem = re.sub(r"\d+$", "", block_id)
    rest = content[start + len(block_id) :]
    if stem == block_id:
        # Where the next block begins is unknown, and what the bank says of this one must not touch
        # the legs of others.
        return b""
    other = rb"(?<![A-Za-z0-9-])" + re.escape(stem.encode()) + rb"\d+(?![A-Za-z0-9-])"
    for found in re.finditer(other, rest):
        name = found.group().decode()
        if name != block_id and name not in references:
            return rest[: found.start()]
    return rest
