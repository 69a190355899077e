"""The pictures of the catalog's listings, as they are stored."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from catalog.models import ListingPicture, Picture, PictureFile
from marketplace.web.pictures import Encoded


async def store(session: AsyncSession, encoded: Encoded) -> None:
    """Keep a picture; nothing where it is there already."""
    added = await session.execute(
        insert(Picture)
        .values(
            hash=encoded.hash,
            width=encoded.width,
            height=encoded.height,
            widths=sorted(encoded.files),
        )
        .on_conflict_do_nothing()
        .returning(Picture.hash)
    )
    if added.first() is None:
        return
    rows = [
        {"hash": encoded.hash, "width": width, "body": body}
        for width, body in encoded.files.items()
    ]
    await session.execute(insert(PictureFile), rows)


async def forget_unused(session: AsyncSession, digest: str) -> None:
    """Drop a picture that no listing shows; to be called while nobody else adds it."""
    shown = sa.select(ListingPicture.hash).where(ListingPicture.hash == digest).exists()
    await session.execute(sa.delete(Picture).where(Picture.hash == digest, ~shown))
