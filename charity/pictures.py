"""Pictures of campaigns and drafts: added with words for who cannot see them, ordered, dropped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from charity.domain import SLUG
from charity.models import CampaignPicture, Picture, PictureFile
from marketplace.errors import InvalidRequest
from marketplace.identity.audit import audit
from marketplace.letters import require_shown
from marketplace.web import pictures
from marketplace.web.i18n import told_in
from marketplace.web.pictures import Encoded, UnknownPicture

MOST: Final = 6
LONGEST_ALT: Final = 200
LOCK: Final = 7_219_004_540


class PictureView(pictures.PictureView, frozen=True):
    """A picture, at `/v1/charity/pictures/<hash>-<width>.webp` for each of `widths`."""

    FOLDER: ClassVar[str] = "/v1/charity/pictures"
    alt: str = ""
    """What is seen on it."""
    language: str = ""
    """Of `alt`; it may be another than was asked for."""


async def add(
    session: AsyncSession,
    campaign_id: UUID,
    encoded: Encoded,
    alt: Mapping[str, str],
    *,
    actor: str,
) -> None:
    """Put a picture behind those of a campaign or draft, whose row the caller holds locked.

    The same again changes its words. Raises InvalidRequest (no words, too long, too many).
    """
    told = {code: require_shown(text, "alt", LONGEST_ALT) for code, text in alt.items()}
    words = {code: text for code, text in told.items() if text}
    if not words:
        said = f"Say what is seen on it, in {LONGEST_ALT} characters at most."
        raise InvalidRequest(said, field="alt")
    await _one_at_a_time(session)
    known = await _hashes(session, campaign_id)
    if encoded.hash not in known and len(known) >= MOST:
        raise InvalidRequest(f"A campaign has {MOST} pictures at most.", field="file")
    await _store(session, encoded)
    row = {
        "campaign_id": campaign_id,
        "hash": encoded.hash,
        "position": len(known),
        "alt": words,
    }
    put = insert(CampaignPicture).values(row)
    await session.execute(
        put.on_conflict_do_update(
            index_elements=["campaign_id", "hash"], set_={"alt": put.excluded.alt}
        )
    )
    await audit(session, actor, "charity.picture", SLUG, campaign_id, hash=encoded.hash, alt=words)


async def _one_at_a_time(session: AsyncSession) -> None:
    """Nobody forgets a picture while somebody else adds it to another campaign."""
    await session.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK)))


async def _store(session: AsyncSession, encoded: Encoded) -> None:
    added = await session.scalar(
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
    if added is not None:
        rows = [
            {"hash": encoded.hash, "width": width, "body": body}
            for width, body in encoded.files.items()
        ]
        await session.execute(insert(PictureFile), rows)


async def put_first(session: AsyncSession, campaign_id: UUID, digest: str, *, actor: str) -> None:
    """Make a picture the one on the card; UnknownPicture where there is no such."""
    order = await _known(session, campaign_id, digest)
    await _put(session, campaign_id, [digest, *(each for each in order if each != digest)])
    await audit(session, actor, "charity.picture_first", SLUG, campaign_id, hash=digest)


async def drop(session: AsyncSession, campaign_id: UUID, digest: str, *, actor: str) -> None:
    """Take a picture off; UnknownPicture where there is no such. What others show is kept."""
    await _one_at_a_time(session)
    order = await _known(session, campaign_id, digest)
    here = CampaignPicture.campaign_id == campaign_id
    await session.execute(sa.delete(CampaignPicture).where(here, CampaignPicture.hash == digest))
    await _put(session, campaign_id, [each for each in order if each != digest])
    await _forget_unused(session, [digest])
    await audit(session, actor, "charity.picture_dropped", SLUG, campaign_id, hash=digest)


async def drop_all(session: AsyncSession, campaign_id: UUID) -> None:
    """Take every picture off a draft that is given up."""
    await _one_at_a_time(session)
    gone = await session.scalars(
        sa.delete(CampaignPicture)
        .where(CampaignPicture.campaign_id == campaign_id)
        .returning(CampaignPicture.hash)
    )
    await _forget_unused(session, list(gone))


async def _forget_unused(session: AsyncSession, digests: Sequence[str]) -> None:
    """Drop pictures that nothing shows; the caller lets nobody add any meanwhile."""
    shown = sa.select(CampaignPicture.hash).where(CampaignPicture.hash == Picture.hash).exists()
    await session.execute(sa.delete(Picture).where(Picture.hash.in_(digests), ~shown))


async def _known(session: AsyncSession, campaign_id: UUID, digest: str) -> list[str]:
    order = await _hashes(session, campaign_id)
    if digest not in order:
        raise UnknownPicture("The campaign has no such picture.")
    return order


async def _hashes(session: AsyncSession, campaign_id: UUID) -> list[str]:
    query = sa.select(CampaignPicture.hash).where(CampaignPicture.campaign_id == campaign_id)
    return list(await session.scalars(query.order_by(CampaignPicture.position)))


async def _put(session: AsyncSession, campaign_id: UUID, order: Sequence[str]) -> None:
    for position, digest in enumerate(order):
        await session.execute(
            sa.update(CampaignPicture)
            .where(CampaignPicture.campaign_id == campaign_id, CampaignPicture.hash == digest)
            .values(position=position)
        )


async def of(
    session: AsyncSession, wanted: Mapping[UUID, str], language: str
) -> dict[UUID, list[PictureView]]:
    """The pictures of campaigns in order, by id; `wanted` has the default language of each."""
    query = (
        sa.select(CampaignPicture, Picture)
        .join(Picture, Picture.hash == CampaignPicture.hash)
        .where(CampaignPicture.campaign_id.in_(list(wanted)))
        .order_by(CampaignPicture.campaign_id, CampaignPicture.position)
    )
    found: dict[UUID, list[PictureView]] = {each: [] for each in wanted}
    for shown, picture in (await session.execute(query)).all():
        told = told_in(language, wanted[shown.campaign_id], shown.alt)
        found[shown.campaign_id].append(
            PictureView(
                picture.hash,
                picture.width,
                picture.height,
                tuple(picture.widths),
                shown.alt[told],
                told,
            )
        )
    return found


async def file(session: AsyncSession, name: str) -> bytes | None:
    """A picture in one width, as WebP; None where there is none."""
    digest, width = pictures.parts_of(name)
    return await session.scalar(
        sa.select(PictureFile.body).where(PictureFile.hash == digest, PictureFile.width == width)
    )
