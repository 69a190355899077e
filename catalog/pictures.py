"""Pictures: what is uploaded is checked, decoded and encoded anew; nothing is kept as it came.

A picture is known by the SHA-256 of the upload, so the same file again is the same picture. What
decoding a hostile file could cost is bounded before it is decoded.
"""

from __future__ import annotations

import hashlib
import io
import warnings
from typing import Final

import msgspec
import sqlalchemy as sa
from PIL import Image, ImageOps
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from catalog.errors import BadPicture
from catalog.models import ListingPicture, Picture, PictureFile

FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF")
MOST_BYTES: Final = 10_000_000
MOST_PIXELS: Final = 40_000_000
SMALLEST_SIDE: Final = 64
MOST_SKEW: Final = 4
"""One side is at most so many times the other."""
WIDTHS: Final = (320, 640, 1_280)
QUALITY: Final = 82


class Encoded(msgspec.Struct, frozen=True):
    """A picture ready to be stored: WebP by width, ascending; no metadata is left."""

    hash: str
    width: int
    height: int
    """Of the largest file."""
    files: dict[int, bytes]


def encode(upload: bytes) -> Encoded:
    """Check and encode an upload; BadPicture says what is wrong with it. Takes up to seconds."""
    if len(upload) > MOST_BYTES:
        raise BadPicture(f"The file has more than {MOST_BYTES:,} bytes.")
    try:
        with warnings.catch_warnings():
            # Pillow warns of bombs above a limit of its own; ours is checked from the header.
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(upload), formats=FORMATS) as opened:
                _check_size(opened)
                picture = _plain(opened)
    except BadPicture:
        raise
    except Image.DecompressionBombError:
        raise BadPicture(f"The picture has more than {MOST_PIXELS:,} pixels.") from None
    except Exception:  # decoders raise anything for what they cannot read
        raise BadPicture(
            "The file cannot be read as JPEG, PNG, WebP or GIF; it may be broken."
        ) from None
    files = {width: _resized(picture, width) for width in _widths(picture.width)}
    largest = max(files)
    return Encoded(
        hash=hashlib.sha256(upload).hexdigest(),
        width=largest,
        height=_height(picture, largest),
        files=files,
    )


def _check_size(picture: Image.Image) -> None:
    """From the header alone, before a pixel is decoded."""
    width, height = picture.size
    if width * height > MOST_PIXELS:
        raise BadPicture(f"The picture has more than {MOST_PIXELS:,} pixels.")
    if min(width, height) < SMALLEST_SIDE:
        raise BadPicture(f"The picture has a side of less than {SMALLEST_SIDE} pixels.")
    if max(width, height) > MOST_SKEW * min(width, height):
        raise BadPicture(f"One side is more than {MOST_SKEW} times the other.")


def _plain(opened: Image.Image) -> Image.Image:
    """The first frame, turned as its camera meant, as plain RGB(A)."""
    turned = ImageOps.exif_transpose(opened)
    transparent = "A" in turned.getbands() or "transparency" in turned.info
    return turned.convert("RGBA" if transparent else "RGB")


def _widths(width: int) -> list[int]:
    """The widths we serve; a picture is never enlarged."""
    fitting = [each for each in WIDTHS if each <= width]
    # One between two of our widths, or below all of them, is served as it is too.
    return fitting if width >= WIDTHS[-1] else sorted({*fitting, width})


def _height(picture: Image.Image, width: int) -> int:
    return max(1, round(picture.height * width / picture.width))


def _resized(picture: Image.Image, width: int) -> bytes:
    size = (width, _height(picture, width))
    small = picture if picture.size == size else picture.resize(size, Image.Resampling.LANCZOS)
    # A new image, so that nothing of the file's metadata comes along.
    clean = Image.new(small.mode, small.size)
    clean.paste(small)
    target = io.BytesIO()
    clean.save(target, "WEBP", quality=QUALITY, method=2)
    return target.getvalue()


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
